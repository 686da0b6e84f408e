"""The layer in which a direction of the last features arises.

Blocks write in different bases, so that a direction of the last layer need not exist as a direction of an earlier one.
What can be asked of an earlier layer is whether its features, under the same readout, determine the score of an image:
R² of a linear regression of the score on them, over images that the regression has not seen. The regression takes any
direction of the earlier layer; cross-validation keeps wide layers from winning by their width alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV

from maetheory.core import Estimate, generator
from maetheory.evaluation.explanation.cross_fitted_directions import FLOAT32_ERROR, ratio_of_means

REGRESSION_FOLDS = 5
PENALTIES = np.logspace(-6, 2, 9)  # of the ridge, per image, for features of unit mean variance
GROUPS = 20  # of images, for the jackknife
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class LayerShare:
    """What one layer has of a direction of the last features.

    Attributes
    ----------
    layer : int
        Blocks before the readout; 0 is the embedding.
    readable : Estimate
        R² of a ridge regression of the score on the layer's features (n, d), on images left out of it; at most 1, and
        below 0 where it predicts worse than the mean. ± two standard errors over images.
    share : Estimate
        Share of the variance of the layer's features that a linear function of the score explains: the squared norm of
        their covariance with it, over its variance and theirs; 0 to 1. In the last layer it is the direction's share of
        the variance of these images. ± two standard errors by the jackknife over 20 groups of images; without any
        relation it is about 1/n.
    """

    layer: int
    readable: Estimate
    share: Estimate


@dataclass(frozen=True)
class LayerOfOrigin:
    """First layer from which a direction can be read, with the range that the errors allow.

    Attributes
    ----------
    layer : int
        From here on every layer's R² is at least half of the last layer's, which is below 1 where images are few.
    earliest, latest : int
        The same for the upper ends of the intervals of R² and for their lower ends.
    """

    layer: int
    earliest: int
    latest: int

    def __str__(self) -> str:
        return str(self.layer) if self.earliest == self.latest else f"{self.layer} ({self.earliest} to {self.latest})"


def layer_shares(layers: Sequence[Floats], scores: Floats, *, seed: int = 0) -> list[list[LayerShare]]:
    """Return what each layer has of each direction.

    Parameters
    ----------
    layers : sequence of ndarray (n, d)
        Features of the same images after 0, 1, 2, … blocks.
    scores : ndarray (n, m)
        Of these images along the directions of the last features.
    seed : int
        Seed of the folds and groups.

    Returns
    -------
    list of list of LayerShare
        One list for each direction, ordered by layer.
    """
    n, m = scores.shape
    rng = generator(seed, "explanation", "layers")
    folds, groups = (rng.permutation(np.arange(n) % min(count, n)) for count in (REGRESSION_FOLDS, GROUPS))
    by_layer = [
        (_readable(features, scores, folds), _shares(features, scores, groups))
        for features in (np.asarray(one, dtype=np.float64) for one in layers)
    ]
    return [
        [LayerShare(layer, readable[k], share[k]) for layer, (readable, share) in enumerate(by_layer)] for k in range(m)
    ]


def layer_of_origin(layers: Sequence[LayerShare]) -> LayerOfOrigin | None:
    """Return the first layer from which a direction can be read.

    None if even the last layer's regression does not beat the mean beyond its error: the images are too few.
    """
    last = layers[-1].readable
    if not last.low > 0:
        return None
    half = last.value / 2
    return LayerOfOrigin(*(_first_from([value(one) >= half for one in layers]) for value in (_value, _high, _low)))


def _value(one: LayerShare) -> float:
    return one.readable.value


def _high(one: LayerShare) -> float:
    return one.readable.high


def _low(one: LayerShare) -> float:
    return one.readable.low


def _first_from(reached: Sequence[bool]) -> int:
    """Return the first position from which all are reached; the last one where that fails too."""
    missed = [place for place, one in enumerate(reached) if not one]
    return min(missed[-1] + 1, len(reached) - 1) if missed else 0


def _readable(features: Floats, scores: Floats, folds: NDArray[np.intp]) -> list[Estimate]:
    """Return R² of each score (n, m) on the features (n, d), each image predicted without its fold."""
    spread = np.sqrt(features.var(0).mean())
    constant = spread <= FLOAT32_ERROR * np.sqrt(np.square(features).mean())
    X = np.zeros((len(features), 1)) if constant else (features - features.mean(0)) / spread
    errors = np.empty_like(scores)
    for fold in np.unique(folds):
        inside = folds == fold
        model = RidgeCV(alphas=PENALTIES * int((~inside).sum()), alpha_per_target=True)
        predicted = model.fit(X[~inside], scores[~inside]).predict(X[inside])
        errors[inside] = scores[inside] - predicted.reshape(-1, scores.shape[1])
    squares = np.square(scores - scores.mean(0))
    found = [ratio_of_means(np.square(errors[:, k]), squares[:, k]) for k in range(scores.shape[1])]
    return [Estimate(1 - one.value, one.error, sampled=True) for one in found]


def _shares(features: Floats, scores: Floats, groups: NDArray[np.intp]) -> list[Estimate]:
    """Return the share of the variance of features (n, d) that each score (n, m) explains, by the jackknife."""
    H, s = features - features.mean(0), scores - scores.mean(0)  # so that sums of squares lose no digits
    names = np.unique(groups)
    parts = [_Sums.of(H[groups == name], s[groups == name]) for name in names]
    total = _Sums.added(parts)
    whole = total.share()
    without = np.array([total.less(part).share() for part in parts])  # (g, m)
    g = len(names)
    error = 2 * np.sqrt((g - 1) / g * np.square(without - without.mean(0)).sum(0))
    return [Estimate(float(value), float(one), sampled=True) for value, one in zip(whole, error, strict=True)]


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over images, from which the share of some of them follows."""

    n: int
    h: Floats
    s: Floats
    hs: Floats
    hh: float
    ss: Floats

    @staticmethod
    def of(H: Floats, s: Floats) -> _Sums:
        return _Sums(len(H), H.sum(0), s.sum(0), H.T @ s, float(np.square(H).sum()), np.square(s).sum(0))

    @staticmethod
    def added(parts: Sequence[_Sums]) -> _Sums:
        columns = zip(*((p.n, p.h, p.s, p.hs, p.hh, p.ss) for p in parts), strict=True)
        return _Sums(*(sum(column) for column in columns))

    def less(self, part: _Sums) -> _Sums:
        return _Sums(
            self.n - part.n, self.h - part.h, self.s - part.s, self.hs - part.hs, self.hh - part.hh, self.ss - part.ss
        )

    def share(self) -> Floats:
        covariance = self.hs / self.n - np.outer(self.h, self.s) / self.n**2  # (d, m)
        of_features = self.hh / self.n - float(self.h @ self.h) / self.n**2
        of_scores = self.ss / self.n - np.square(self.s) / self.n**2
        below = of_features * of_scores
        return np.divide(np.square(covariance).sum(0), below, out=np.zeros_like(below), where=below > 0)
