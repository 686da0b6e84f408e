"""Brackets of label errors: in-sample votes below, leave-one-out votes above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maetheory.empirical.tokens.interval_estimate import Bracket, standard_error
from maetheory.empirical.tokens.sample import TokenSample

MIN_LEAD = 2.6  # standard errors by which the first class of a view must lead the second
_TIE = 1e-12


@dataclass(frozen=True)
class _ClassVotes:
    """Weights of the two leading classes at each node, and the weight that each image gives its nodes."""

    first: np.ndarray  # (N,), the leading class
    best: np.ndarray  # (N,), its weight
    second: np.ndarray  # (N,), the weight of the second class
    own: np.ndarray  # (n, m)
    certain: np.ndarray  # (N,) of bool, whether the first class leads clearly


def label_error_bracket(sample: TokenSample, nodes: np.ndarray) -> Bracket:
    """Bracket α for ``nodes = sample.views``, α₂ for ``nodes = sample.targets``.

    Below: the in-sample error of the vote of all images, which no other rule undercuts on this sample. Above: the
    leave-one-out error, that of a rule fitted to other images, which errs at least as often as the Bayes rule. A node
    that occurs in no other image is assigned the most frequent class; a tie counts as an error.
    """
    votes = _class_votes(sample, nodes)
    label = sample.labels[:, None]
    agrees = label == votes.first[nodes]  # (n, m)
    others = votes.best[nodes] - votes.own
    alone = others <= _TIE * votes.best[nodes]
    commonest = int(np.bincount(sample.labels).argmax())
    second = votes.second[nodes]
    outvoted = np.where(alone & (second <= 0), label != commonest, others <= second * (1 + _TIE))
    in_sample, leave_one_out = (~agrees).astype(float), (~agrees | outvoted).astype(float)
    lower, upper = (float(sample.mask_weights @ error.mean(0)) for error in (in_sample, leave_one_out))
    low, high = (_standard_error(sample, error) for error in (in_sample, leave_one_out))
    n_classes = int(sample.labels.max()) + 1
    return Bracket(lower, upper, low, high, value=(lower + upper) / 2, maximum=1.0 - 1.0 / max(n_classes, 2))


def pair_error_bracket(sample: TokenSample) -> Bracket:
    """Bracket φ from pairs of views of different images that share a target.

    Given a target, views of different images are independent, so the fraction of pairs whose labels differ is unbiased.
    A target that occurs in one image only, and a view whose first class does not lead the second by 2.6 standard
    errors, count as agreeing in the lower estimate and as differing in the upper one.
    """
    votes = _class_votes(sample, sample.views)
    certain = votes.certain[sample.views]  # (n, m)
    class_of = votes.first[sample.views]
    n_classes = int(sample.labels.max()) + 1
    pairs = _PairWeights.from_sample(sample)
    known = pairs.disagreement(np.where(certain, class_of, -1))
    possible = pairs.disagreement(np.where(certain, class_of, n_classes + sample.views))
    unshared = (pairs.mass <= 0)[sample.targets]
    lower, upper = known.mean, possible.mean + float((sample.weights * unshared).sum())
    low, high = (
        _standard_error(sample, known.influence),
        _standard_error(sample, np.where(unshared, 1.0, possible.influence)),
    )
    return Bracket(lower, upper, low, high, value=(lower + upper) / 2)


def _standard_error(sample: TokenSample, influence: np.ndarray) -> float:
    return standard_error(influence, sample.mask_weights, sample.masks_drawn)


def _class_votes(sample: TokenSample, nodes: np.ndarray) -> _ClassVotes:
    """Sum the weights of the images of each class at each node."""
    size, n_classes = int(nodes.max()) + 1, int(sample.labels.max()) + 1
    own = weight_per_image(nodes, sample.mask_weights)  # (n, m)
    label = np.broadcast_to(sample.labels[:, None], nodes.shape)
    flat = np.bincount(
        (nodes.astype(np.int64) * n_classes + label).ravel(),
        np.broadcast_to(sample.mask_weights, nodes.shape).ravel(),
        size * n_classes,
    )
    law = flat.reshape(size, n_classes)
    first = (law >= law.max(1, keepdims=True) * (1 - _TIE)).argmax(1)  # (N,)
    best = law[np.arange(size), first]
    law[np.arange(size), first] = -1.0
    second = np.maximum(law.max(1), 0.0)
    squares = np.bincount(nodes.ravel(), (own * sample.mask_weights).ravel(), size)  # Σ over images of own²
    certain = best - second > MIN_LEAD * np.sqrt(squares)
    return _ClassVotes(first, best, second, own, certain)


def weight_per_image(nodes: np.ndarray, mask_weights: np.ndarray) -> np.ndarray:
    """Total weight of the masks under which an image has the same node as under each mask, shape (n, m)."""
    n = len(nodes)
    key = nodes.astype(np.int64) + np.arange(n)[:, None] * (int(nodes.max()) + 1)
    _, inverse = np.unique(key, return_inverse=True)
    inverse = inverse.ravel()
    total = np.bincount(inverse, np.broadcast_to(mask_weights, nodes.shape).ravel())
    return total[inverse].reshape(nodes.shape)


@dataclass(frozen=True)
class _LabelDisagreement:
    """Mean over targets of the fraction of pairs that differ, and the influence of each image and mask."""

    mean: float
    influence: np.ndarray  # (n, m)


@dataclass(frozen=True)
class _PairWeights:
    """Weights of pairs of different images at each target."""

    sample: TokenSample
    weight: np.ndarray  # (n, m), of image and mask
    total: np.ndarray  # (N2,), weight of the target
    mass: np.ndarray  # (N2,), weight of its pairs of different images

    @classmethod
    def from_sample(cls, sample: TokenSample) -> _PairWeights:
        """Compute the pairs of a sample."""
        weight = np.array(sample.weights)
        total = np.bincount(sample.targets.ravel(), weight.ravel())
        own = weight_per_image(sample.targets, sample.mask_weights) / sample.n_images
        mass = total**2 - np.bincount(sample.targets.ravel(), (own * weight).ravel())
        return cls(sample, weight, total, np.where(mass > _TIE * total**2, mass, 0.0))

    def disagreement(self, group: np.ndarray) -> _LabelDisagreement:
        """Fraction of pairs in different groups, (n, m) of int; a negative group differs from none."""
        target, counted = self.sample.targets, group >= 0
        weight = np.where(counted, self.weight, 0.0)
        inside = np.bincount(target.ravel(), weight.ravel(), len(self.total))[target]  # S_t, (n, m)
        key = target.astype(np.int64) * (int(group.max()) + 2) + group + 1
        alike, own = _sum_within(key, weight), _sum_within_image(key, weight)
        own_inside = _sum_within_image(target.astype(np.int64), weight)
        against = np.where(counted, (inside - alike) - (own_inside - own), 0.0)  # others that differ, (n, m)
        found = np.bincount(target.ravel(), (self.weight * against).ravel(), len(self.total))  # (N2,)
        fraction = np.divide(found, self.mass, out=np.zeros_like(found), where=self.mass > 0)
        scale = np.divide(self.total, self.mass, out=np.zeros_like(found), where=self.mass > 0)
        influence = 2 * against * scale[target] - fraction[target]
        return _LabelDisagreement(float(self.total @ fraction), influence)


def _sum_within(key: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sum of the weights with the same key, at each entry, (n, m)."""
    _, inverse = np.unique(key, return_inverse=True)
    inverse = inverse.ravel()
    return np.bincount(inverse, weight.ravel())[inverse].reshape(key.shape)


def _sum_within_image(key: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sum of the weights of one image with the same key, at each entry, (n, m)."""
    _, inverse = np.unique(key, return_inverse=True)
    inverse = inverse.reshape(key.shape).astype(np.int64)
    return _sum_within(inverse + np.arange(len(key))[:, None] * (int(inverse.max()) + 1), weight)
