"""Mean distances within and between classes, with jackknife errors."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from maetheory.core import Estimate, InputError
from maetheory.metrics.uncertainty import jackknife_error
from maetheory.metrics.validation import as_array

_TILE = 1024
_NARROW = 2.0**-20
"""Variance of a class, as a part of its mean squared distance from all rows, below which distances lose digits."""


@final
@dataclass(frozen=True, eq=False)
class ClassDistances:
    """Mean Euclidean distances between images within and between classes, each with two standard errors.

    Attributes
    ----------
    intra : Estimate
        Mean over pairs of different images of one class; all pairs have equal weight, so large classes weigh more.
    inter : Estimate
        Mean over pairs of images of different classes.
    ratio : Estimate
        intra / inter: 0 when classes are points, 1 when they are indistinguishable; lower is better.
    leave_one_image_out : ndarray, shape (N, 3)
        The three values without each image in turn.
    leave_one_mask_out : ndarray, shape (m, 3)
        The three values without each mask in turn; with one mask, the values themselves.
    """

    intra: Estimate
    inter: Estimate
    ratio: Estimate
    leave_one_image_out: np.ndarray = field(repr=False)
    leave_one_mask_out: np.ndarray = field(repr=False)

    @property
    def relative(self) -> Estimate:
        """Old name of `ratio`."""
        warnings.warn("ClassDistances.relative was renamed; use ClassDistances.ratio", DeprecationWarning, stacklevel=2)
        return self.ratio

    def change(self, other: ClassDistances) -> Estimate:
        """Old name of `difference`."""
        new = "ClassDistances.difference"
        warnings.warn(f"ClassDistances.change was renamed; use {new}", DeprecationWarning, stacklevel=2)
        return self.difference(other)

    def difference(self, other: ClassDistances) -> Estimate:
        """Return the ratio minus that of another measurement of the same images, with two standard errors.

        The images are shared, and so is the i-th mask of both: their variation cancels, so the difference may be
        significant where the errors of both ratios are wide.

        Raises
        ------
        InputError
            If the numbers of images differ, or the numbers of masks where both have several.
        """
        masks = {len(one.leave_one_mask_out) for one in (self, other)} - {1}
        if len(self.leave_one_image_out) != len(other.leave_one_image_out) or len(masks) > 1:
            raise InputError(
                "a difference of distances needs the same images under equally many masks, but there are "
                f"{_size_phrase(self)} and {_size_phrase(other)}"
            )
        over_images = (self.leave_one_image_out - other.leave_one_image_out)[:, 2]
        over_masks = (self.leave_one_mask_out - other.leave_one_mask_out)[:, 2]
        return Estimate(
            self.ratio.value - other.ratio.value, _two_standard_errors(over_images, over_masks), sampled=True
        )


def class_distances(views: Iterable[Any], labels: np.ndarray) -> ClassDistances:
    """Return the mean distances within and between classes, averaged over several views of the same images.

    Parameters
    ----------
    views : iterable of arrays (N, d)
        The N masked images, or their features, under each of m masks; d may differ between masks.
    labels : ndarray of int, shape (N,)

    Returns
    -------
    ClassDistances
        Errors are two standard errors, combined in quadrature: of the jackknife over images, which leaves out an image
        with all its pairs because pairs that share an image are dependent, and of the jackknife over masks. With one
        view there is no error over masks, and the values are those of that mask. An error is infinite where all images
        are equal without one image or one mask.

    Raises
    ------
    InputError
        If there is only one class, a class has fewer than two images, there is no view, or a view has another number
        of images or is not finite.

    References
    ----------
    Zhang, Wang and Wang 2022, How Mask Matters, the mask-ratio figure, panels (b) and (c); Arvesen 1969, Jackknifing
    U-Statistics.

    Examples
    --------
    >>> found = class_distances([[[0.0], [1.0], [10.0], [11.0]]], np.array([0, 0, 1, 1]))
    >>> found.intra.value, found.inter.value
    (1.0, 10.0)
    """
    labels, counts = _renumber_labels(labels)
    sums = np.array([_distance_sums(Z, labels) for Z in views])  # (m, 2, N)
    if not len(sums):
        raise InputError("distances need at least one view of the images, but none was given")
    own = counts[labels]  # (N,)
    partners = np.array([own - 1, len(labels) - own])  # (2, N)
    pairs, totals = partners.sum(1), sums.sum(2)  # (2,), (m, 2): every pair twice
    mean, m = sums.mean(0), len(sums)
    if mean[1].sum() == 0:
        raise InputError("all images look alike under these views, so there are no distances to compare")
    values = _with_ratio(mean.sum(1) / pairs)
    images = _with_ratio(((mean.sum(1)[:, None] - 2 * mean) / (pairs[:, None] - 2 * partners)).T)  # (N, 2) -> (N, 3)
    masks = _with_ratio((totals.sum(0) - totals) / ((m - 1) * pairs)) if m > 1 else values[None]  # (m, 3)
    errors = [_two_standard_errors(images[:, i], masks[:, i]) for i in range(3)]
    intra, inter, ratio = (Estimate(*pair, sampled=True) for pair in zip(values, errors, strict=True))
    return ClassDistances(intra, inter, ratio, images, masks)


def _with_ratio(means: np.ndarray) -> np.ndarray:
    """Return intra, inter and their ratio, (..., 2) -> (..., 3); NaN where inter is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(means[..., 1] > 0, means[..., 0] / means[..., 1], np.nan)
    return np.stack([means[..., 0], means[..., 1], ratio], -1)


def _two_standard_errors(over_images: np.ndarray, over_masks: np.ndarray) -> float:
    """Return two standard errors; infinite where the value without some image or mask is undefined."""
    if not (np.isfinite(over_images).all() and np.isfinite(over_masks).all()):
        return np.inf
    return 2 * float(np.hypot(jackknife_error(over_images), jackknife_error(over_masks)))


def _size_phrase(found: ClassDistances) -> str:
    return f"{len(found.leave_one_image_out)} images under {len(found.leave_one_mask_out)}"


def _renumber_labels(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return labels renumbered from 0 without gaps, and the number of images of each class."""
    present, numbered, counts = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    if len(present) < 2:
        raise InputError(
            f"distances between classes need at least two classes, but every label is {present[0]}"
            if len(present)
            else "distances between classes need images, but there are none"
        )
    if counts.min() < 2:
        raise InputError(
            f"distances within a class need two images of each class, but class "
            f"{present[counts.argmin()]} has {counts.min()}"
        )
    return numbered, counts


def _distance_sums(Z: Any, labels: np.ndarray) -> np.ndarray:
    """Return the sum of each image's distances to the images of its class, and of other classes; (N, d) -> (2, N).

    Distances come from inner products of centred rows, with an error of at most about √ε times the length of a row. The
    rows of a class that is far narrower than all rows together are centred once more for the distances within it.
    """
    rows = as_array(Z)
    if rows.ndim != 2 or len(rows) != len(labels):
        raise InputError(f"each view must have shape ({len(labels)}, d), a row per label, but one has {rows.shape}")
    rows = rows.astype(np.float64)
    scale = int(np.frexp(np.abs(rows).max(initial=0.0))[1])
    rows = np.ldexp(rows, -scale)  # by a power of two, so that no square overflows or underflows
    rows -= rows.mean(0)
    one_hot = (labels[:, None] == np.arange(labels.max() + 1)).astype(np.float64)  # (N, r)
    by_class = _sums_of_distances(rows, one_hot)
    if not np.isfinite(by_class).all():
        raise InputError(
            "views hold NaN or infinity, or values whose squares overflow; distances are of finite numbers"
        )
    within = by_class[np.arange(len(labels)), labels]
    between = by_class.sum(1) - within
    for label in range(labels.max() + 1):
        members = labels == label
        own = rows[members] - rows[members].mean(0)
        if (own**2).sum() < _NARROW * (rows[members] ** 2).sum():
            within[members] = _sums_of_distances(own, np.ones((len(own), 1)))[:, 0]
    return np.ldexp(np.array([within, between]), scale)


def _sums_of_distances(rows: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the sum of the distances of each row (N, d) to the rows of each group, one-hot (N, r) -> (N, r)."""
    squares = (rows**2).sum(1)  # (N,)
    sums = np.empty_like(groups)
    for start in range(0, len(rows), _TILE):
        here = slice(start, start + _TILE)
        distances = squares[here, None] + squares - 2 * rows[here] @ rows.T  # (b, d) @ (d, N) -> (b, N)
        np.sqrt(distances.clip(0, out=distances), out=distances)
        distances[np.arange(len(distances)), np.arange(start, start + len(distances))] = 0.0
        sums[here] = distances @ groups  # (b, N) @ (N, r) -> (b, r)
    return sums
