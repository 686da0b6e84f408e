"""Two images of one class should lie nearer to each other than two of different classes: by how much, with errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from maetheory.core import Estimate, InputError
from maetheory.metrics.uncertainty import jackknife_error
from maetheory.metrics.validation import as_array

_TILE = 1024


@final
@dataclass(frozen=True, eq=False)
class ClassDistances:
    """Mean Euclidean distances of pairs of images, each with two standard errors.

    Attributes
    ----------
    intra : Estimate
        Of two different images of one class; all such pairs count alike, so large classes count more.
    inter : Estimate
        Of two images of different classes.
    relative : Estimate
        intra / inter: 0 where classes are points, 1 where they cannot be told apart; lower is better.
    leave_one_image_out : ndarray, shape (N, 3)
        The three without each image in turn.
    leave_one_mask_out : ndarray, shape (m, 3)
        And without each mask; with one mask that is the values themselves.
    """

    intra: Estimate
    inter: Estimate
    relative: Estimate
    leave_one_image_out: np.ndarray = field(repr=False)
    leave_one_mask_out: np.ndarray = field(repr=False)

    def change(self, other: ClassDistances) -> Estimate:
        """Return by how much the relative distance is more than another of the same images, with two standard errors.

        What the two share cancels: the images, and masks that were drawn together, the i-th with the i-th. So a change
        may be plain where the errors of both are wide.

        Raises
        ------
        InputError
            If the other is of another number of images, or of masks where both have several.
        """
        masks = {len(one.leave_one_mask_out) for one in (self, other)} - {1}
        if len(self.leave_one_image_out) != len(other.leave_one_image_out) or len(masks) > 1:
            raise InputError(
                "a change of distances is between the same images under as many masks, but there are "
                f"{_size_phrase(self)} and {_size_phrase(other)}"
            )
        over_images = (self.leave_one_image_out - other.leave_one_image_out)[:, 2]
        over_masks = (self.leave_one_mask_out - other.leave_one_mask_out)[:, 2]
        return Estimate(
            self.relative.value - other.relative.value, _two_standard_errors(over_images, over_masks), sampled=True
        )


def class_distances(views: Iterable[Any], labels: np.ndarray) -> ClassDistances:
    """Return the mean distances within and between classes, averaged over several views of the same images.

    Parameters
    ----------
    views : iterable of arrays (N, d)
        What is left of, or was made of, the N images under each of m masks; d may differ from mask to mask.
    labels : ndarray of int, shape (N,)

    Returns
    -------
    ClassDistances
        Errors are two standard errors: of the jackknife that leaves out an image with all its pairs, because pairs
        that share an image are not independent, and of the one that leaves out a mask, in quadrature. With one view
        there is no error over masks, and the numbers are those of that mask. Infinite where without one image or one
        mask all that are left look alike.

    Raises
    ------
    InputError
        If there is one class only, a class has fewer than two images, or views are missing, of another number of
        images, or not finite.

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
    labels, counts = _encode_labels(labels)
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
    intra, inter, relative = (Estimate(*pair, sampled=True) for pair in zip(values, errors, strict=True))
    return ClassDistances(intra, inter, relative, images, masks)


def _with_ratio(means: np.ndarray) -> np.ndarray:
    """Return intra, inter and their quotient, (..., 2) -> (..., 3); NaN where nothing is left apart."""
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(means[..., 1] > 0, means[..., 0] / means[..., 1], np.nan)
    return np.stack([means[..., 0], means[..., 1], relative], -1)


def _two_standard_errors(over_images: np.ndarray, over_masks: np.ndarray) -> float:
    """Return two standard errors; infinite where what is left without an image or a mask has no value."""
    if not (np.isfinite(over_images).all() and np.isfinite(over_masks).all()):
        return np.inf
    return 2 * float(np.hypot(jackknife_error(over_images), jackknife_error(over_masks)))


def _size_phrase(found: ClassDistances) -> str:
    return f"{len(found.leave_one_image_out)} images under {len(found.leave_one_mask_out)}"


def _encode_labels(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return labels counted without a gap, and how many images each class has."""
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
    """Sum each image's distances to the others of its class, and to all of other classes; (N, d) -> (2, N).

    By inner products of centred rows: a distance is off by about √ε of a row's length at most, where two rows coincide.
    """
    rows = as_array(Z)
    if rows.ndim != 2 or len(rows) != len(labels):
        raise InputError(f"each view must have shape ({len(labels)}, d), a row per label, but one has {rows.shape}")
    rows = rows.astype(np.float64)
    rows -= rows.mean(0)
    squares = (rows**2).sum(1)  # (N,)
    one_hot = (labels[:, None] == np.arange(labels.max() + 1)).astype(np.float64)  # (N, r)
    by_class = np.empty_like(one_hot)
    for start in range(0, len(rows), _TILE):
        here = slice(start, start + _TILE)
        distances = squares[here, None] + squares - 2 * rows[here] @ rows.T  # (b, d) @ (d, N) -> (b, N)
        np.sqrt(distances.clip(0, out=distances), out=distances)
        distances[np.arange(len(distances)), np.arange(start, start + len(distances))] = 0.0
        by_class[here] = distances @ one_hot  # (b, N) @ (N, r) -> (b, r)
    if not np.isfinite(by_class).all():
        raise InputError(
            "views hold NaN or infinity, or values whose squares overflow; distances are of finite numbers"
        )
    within = by_class[np.arange(len(labels)), labels]
    return np.array([within, by_class.sum(1) - within])
