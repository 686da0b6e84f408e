"""How much of the variance along a direction is there without content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maetheory.core import Estimate
from maetheory.evaluation.explanation.cross_fitted_directions import cross_fitted_directions, ratio_of_means

Floats = NDArray[np.floating[Any]]
HALF = 0.5
"""Share of a direction's variance from which images without content are said to have it."""


@dataclass(frozen=True)
class ContentFreeShare:
    """Share of the variance along one direction that one kind of images without content already has.

    The variance ratio is after SOAP (Hjelkrem-Tan et al., CVPR 2026, arXiv 2604.00172), which compares principal
    directions of patch tokens of real and of non-semantic images; this definition, for one vector an image and
    cross-fitted, is ours, and so is `explained`.

    Attributes
    ----------
    kind : str
        "constant", "shuffled" or "noise".
    ratio : Estimate
        Variance of the features of these images along the direction, over that of the real images; 0 or more, above 1
        where these images vary more. ± two standard errors over images.
    explained : float
        Squared correlation of the score of a real image with that of the image made from it, 0 to 1: the share of the
        variance that a linear function of the latter explains. NaN for noise, which is made from no image.
    explained_low, explained_high : float
        Two standard errors of the correlation around it, squared.
    untrained : tuple of float
        The ratio for the direction of the same rank of each untrained network, on fewer images.
    """

    kind: str
    ratio: Estimate
    explained: float
    explained_low: float
    explained_high: float
    untrained: tuple[float, ...] = ()

    @property
    def has_direction(self) -> bool | None:
        """Whether these images have half of the variance, and the real scores follow theirs; None if undecided.

        True where the intervals of the ratio and, if it is known, of `explained` lie above one half; False where one of
        them lies below.
        """
        intervals = [(self.ratio.low, self.ratio.high)]
        if not np.isnan(self.explained):
            intervals.append((self.explained_low, self.explained_high))
        if any(high < HALF for _, high in intervals):
            return False
        return True if all(low >= HALF for low, _ in intervals) else None


def content_free_share(
    kind: str,
    real: Floats,
    without_content: Floats,
    *,
    paired: bool,
    untrained: tuple[float, ...] = (),
) -> ContentFreeShare:
    """Return the share of the variance along one direction that images without content have.

    Parameters
    ----------
    kind : str
    real, without_content : ndarray (n,)
        Scores along the direction, found without the image that they are of: those of real images, and of images
        without content in the same order.
    paired : bool
        Whether each image without content is made from the real image of the same row.
    untrained : tuple of float
    """
    ratio = ratio_of_means(np.square(without_content), np.square(real))
    if not paired or not real.any():
        return ContentFreeShare(kind, ratio, np.nan, np.nan, np.nan, untrained)
    if not without_content.any():
        return ContentFreeShare(kind, ratio, 0.0, 0.0, 0.0, untrained)
    a, b = (one / np.sqrt(np.square(one).mean()) for one in (real, without_content))
    correlation = float((a * b).mean())
    influence = a * b - correlation * (np.square(a) + np.square(b)) / 2
    error = 2 * float(np.std(influence, ddof=1)) / np.sqrt(len(a))
    low, high = max(correlation - error, -1.0), min(correlation + error, 1.0)
    return ContentFreeShare(
        kind,
        ratio,
        correlation**2,
        0.0 if low <= 0 <= high else min(low**2, high**2),
        max(low**2, high**2),
        untrained,
    )


def variance_ratios(Z: Floats, features: Floats, m: int, *, seed: int = 0) -> tuple[float, ...]:
    """Return the ratio of each direction of a network, from features (n, d) of real images and of others.

    Parameters
    ----------
    Z, features : ndarray (n, d)
        Row i of `features` is of the image that is made from, or stands beside, image i of `Z`.
    m : int
        Number of directions; NaN where there are fewer.
    seed : int
    """
    directions = cross_fitted_directions(Z, m, seed=seed)
    real, others = directions.scores, directions.scores_of(features, np.arange(len(Z)))
    found = [float(ratio_of_means(np.square(others[:, k]), np.square(real[:, k]))) for k in range(directions.m)]
    return (*found, *[np.nan] * (m - len(found)))
