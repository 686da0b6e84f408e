"""Scores of one candidate from images, each with what the same images, drawn again, would have given.

All candidates are scored on the same images, so that scores of two candidates err alike; the bootstrap therefore draws
the images once for all candidates, and differences of replicates are those of the scores. Masks of all candidates are
drawn with one seed, so that those of two laws may be alike; the spread of each is added as if they were not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.stats import t as student

from maetheory.core import InputError, generator
from maetheory.data.images import ImageSet
from maetheory.empirical.advice.candidates import Candidate
from maetheory.empirical.linear_mae import kept_share_and_influence
from maetheory.empirical.pixel_averages import averaged_images
from maetheory.empirical.tokens.region_tokens import region_sample
from maetheory.masks import patchify
from maetheory.metrics import class_distances

N_BOOTSTRAP = 200
N_SHUFFLES = 40  # of the views, of the targets and of the labels each
STUDIED_VALUES = 3072  # of an image, the most in the studies where φ predicted, computed from whole pixels
DISTANCE_IMAGES = 500  # images that pairwise distances are computed for, at most


@final
@dataclass(frozen=True, eq=False)
class CandidateScore:
    """A score of one candidate.

    Attributes
    ----------
    value : float
        For these images: a mean over the drawn masks, or exact for the law.
    replicates : ndarray, shape (B,)
        The same for resampled images; the b-th resample is the same for all candidates.
    mask_variance : float
        Variance of the value over draws of the masks; 0 if it is exact for the law.
    n_masks : int
        Masks drawn; 0 if none.
    structure : float
        By how many standard errors the value exceeds, in the direction of structure, its value for images without it:
        of φ the least of three, with views, targets or labels permuted among the images; of the kept share with
        patches permuted; of the relative distance 1.
    """

    value: float
    replicates: np.ndarray
    mask_variance: float
    n_masks: int
    structure: float

    @property
    def interval(self) -> tuple[float, float]:
        """Ends of the 95 % interval over images and masks, as far as it is not negative, which no score is."""
        variance, df = pooled_variance(float(self.replicates.var(ddof=1)), len(self.replicates), self)
        half = float(student.ppf(0.975, df)) * variance**0.5
        return max(self.value - half, min(self.value, 0.0)), self.value + half


def pooled_variance(over_images: float, n_replicates: int, *scores: CandidateScore) -> tuple[float, float]:
    """Add the variance over images and those over masks; return the sum and its degrees of freedom (Satterthwaite)."""
    parts = [(over_images, n_replicates - 1), *((one.mask_variance, one.n_masks - 1) for one in scores if one.n_masks)]
    total = sum(variance for variance, _ in parts)
    spread = sum(variance**2 / df for variance, df in parts)
    return total, total**2 / spread if spread > 0 else float(n_replicates - 1)


def bootstrap_weights(n: int, seed: int) -> np.ndarray:
    """How often each of n images is drawn in each resample, (B, n)."""
    return generator(seed, "bootstrap").multinomial(n, np.full(n, 1 / n), size=N_BOOTSTRAP)


def pair_label_error_score(
    images: ImageSet, candidate: Candidate, weights: np.ndarray, *, n_masks: int, codes: int, seed: int
) -> CandidateScore:
    """φ of token graphs: the probability that two views that share a target differ in label, a mean over masks.

    Values are those of the graph of these images, as in the mask-law studies. Pixels of images of more than
    `STUDIED_VALUES` values are averaged as by `averaged_images`, which makes it another score. The codebooks of the
    regions are kept in all resamples.
    """
    small, patch = averaged_images(images, candidate.patch) if is_averaged(images) else (images, candidate.patch)
    masks = candidate.law.sample(generator(seed, "kernel masks"), n_masks)
    rng = generator(seed, "shuffles")
    orders = [rng.permutation(len(images)) for _ in range(N_SHUFFLES)]
    ones = np.ones((1, len(images)))
    values, replicates, chance = [], [], []
    for mask in masks:
        sample = region_sample(small, candidate.law, mask, patch=patch, codes=codes, seed=seed)
        views, targets, labels = sample.views.ravel(), sample.targets.ravel(), images.labels
        values.append(pair_label_errors(views, targets, labels, ones)[0])
        replicates.append(pair_label_errors(views, targets, labels, weights))
        chance.append(
            [
                [pair_label_errors(views[order], targets, labels, ones)[0] for order in orders],
                [pair_label_errors(views, targets[order], labels, ones)[0] for order in orders],
                [pair_label_errors(views, targets, labels[order], ones)[0] for order in orders],
            ]
        )
    value, null = float(np.mean(values)), np.mean(chance, axis=0)  # (3, R)
    return CandidateScore(
        value=value,
        replicates=np.mean(replicates, axis=0),
        mask_variance=float(np.var(values, ddof=1) / n_masks),
        n_masks=n_masks,
        structure=min(_in_standard_errors(float(one.mean()) - value, float(one.std(ddof=1))) for one in null),
    )


def is_averaged(images: ImageSet) -> bool:
    """Return whether images are larger than those on which φ predicted, so that it is computed from averaged pixels."""
    return int(np.prod(images.shape[1:])) > STUDIED_VALUES


def pair_label_errors(views: np.ndarray, targets: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """φ (B,) of the graph of n images under one mask, each weighted as in a row of weights (B, n).

    The label of a view is the most frequent one of its images, the lowest on a tie.
    """
    n_classes, n_views, n_targets = int(labels.max()) + 1, int(views.max()) + 1, int(targets.max()) + 1
    found = np.empty(len(weights))
    for row, weight in enumerate(weights):
        votes = np.bincount(views * n_classes + labels, weight, n_views * n_classes).reshape(n_views, n_classes)
        view_labels = votes.argmax(1)[views]  # (n,)
        inside = np.bincount(targets * n_classes + view_labels, weight, n_targets * n_classes)
        by_class = inside.reshape(n_targets, n_classes)
        mass = by_class.sum(1)
        alike = np.divide((by_class**2).sum(1), mass, out=np.zeros(n_targets), where=mass > 0)
        found[row] = 1 - alike.sum() / weight.sum()
    return found


def kept_share_score(
    images: ImageSet, candidate: Candidate, weights: np.ndarray, *, k: int, seed: int
) -> CandidateScore:
    """`linear_mae_kept_share` of k features; resamples by the influence of each image."""
    share, influence = kept_share_and_influence(images.images, candidate.law, patch=candidate.patch, k=k)
    shuffled = _shuffle_patches(images.images, candidate.patch, seed)
    null, null_influence = kept_share_and_influence(shuffled, candidate.law, patch=candidate.patch, k=k)
    error = np.hypot(influence.std(ddof=1), null_influence.std(ddof=1)) / np.sqrt(len(images))
    return CandidateScore(
        value=share,
        replicates=_linear_replicates(share, influence, weights),
        mask_variance=0.0,
        n_masks=0,
        structure=_in_standard_errors(share - null, float(error)),
    )


def relative_distance_score(images: ImageSet, candidate: Candidate, *, n_masks: int, seed: int) -> CandidateScore:
    """Ratio of the mean intra- to the mean inter-class distance of views; resamples by the influence of each image.

    Raises
    ------
    InputError
        If a class has fewer than two of the at most 500 images that distances are computed for.
    """
    kept = images.limit(min(DISTANCE_IMAGES, len(images)))
    small, patch = averaged_images(kept, candidate.patch)
    patches = patchify(small.images, patch).astype(np.float64)
    masks = candidate.law.sample(generator(seed, "kernel masks"), n_masks)
    found = class_distances((patches[:, mask].reshape(len(patches), -1) for mask in masks), kept.labels)
    without, n = found.leave_one_image_out[:, 2], len(kept)
    influence = (n - 1) * (without.mean() - without)
    over_masks = float((n_masks - 1) ** 2 / n_masks * found.leave_one_mask_out[:, 2].var(ddof=1))
    spread = np.sqrt(influence.var(ddof=1) / n + over_masks)
    return CandidateScore(
        value=found.ratio.value,
        replicates=_linear_replicates(found.ratio.value, influence, bootstrap_weights(n, seed)),
        mask_variance=over_masks,
        n_masks=n_masks,
        structure=_in_standard_errors(1 - found.ratio.value, float(spread)),
    )


def _linear_replicates(value: float, influence: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """First-order values (B,) for resampled images."""
    return value + (weights - 1.0) @ (influence - influence.mean()) / len(influence)  # (B, n) @ (n,)


def _shuffle_patches(images: np.ndarray, patch: int, seed: int) -> np.ndarray:
    """Images of which every patch is permuted among images, so that patches are independent."""
    rng, shuffled = generator(seed, "shuffled patches"), images.copy()
    for row in range(0, images.shape[2], patch):
        for column in range(0, images.shape[3], patch):
            place = (slice(None), slice(None), slice(row, row + patch), slice(column, column + patch))
            shuffled[place] = images[place][rng.permutation(len(images))]
    return shuffled


def _in_standard_errors(difference: float, error: float) -> float:
    if not np.isfinite(difference) or not np.isfinite(error):
        raise InputError("a score of these images is no finite number; are almost all of them equal?")
    return difference / error if error > 0 else float(np.inf if difference > 0 else 0.0)
