"""Split images into the pixels of visible and of hidden patches under one mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from maetheory.core import InputError
from maetheory.data import ImageSet
from maetheory.graph.labels import check_labels
from maetheory.masks.grid import patchify


@dataclass(frozen=True, eq=False)
class MaskedImages:
    """Images under one mask.

    Attributes
    ----------
    views, targets : ndarray of float32, shapes (N, v c) and (N, h c)
        Pixels in [0, 1] of the v visible patches, and of the h patches that are the target.
    labels : ndarray of int, shape (N,), or None
    mask : ndarray of bool, shape (p,)
        True = visible.
    """

    views: np.ndarray
    targets: np.ndarray
    labels: np.ndarray | None
    mask: np.ndarray


def mask_images(
    images: ImageSet | np.ndarray,
    mask: Any,
    patch: int,
    labels: np.ndarray | None = None,
    target_mask: Any | None = None,
) -> MaskedImages:
    """Split images, shape (N, C, H, W), uint8 0..255 or float in [0, 1]; an ImageSet brings its own labels.

    The target is what the mask hides, or what `target_mask` (p,) shows.

    Raises
    ------
    InputError
        If the mask does not fit the images, is all visible or all hidden, or labels are not one integer from 0 per
        image.

    Examples
    --------
    >>> masked = mask_images(np.array([0.0, 0.5]).reshape(1, 1, 1, 2), np.array([True, False]), patch=1)
    >>> masked.views.tolist(), masked.targets.tolist()
    ([[0.0]], [[0.5]])
    """
    pixels = images.images if isinstance(images, ImageSet) else np.asarray(images)
    patches = patchify(pixels, patch)  # (N, p, c)
    mask, target_mask = _check_masks(mask, target_mask, patches.shape[1])
    views, targets = (_unit_range(patches[:, shown]).reshape(len(patches), -1) for shown in (mask, target_mask))
    return MaskedImages(views, targets, check_image_labels(images, labels), mask)


def check_image_labels(images: ImageSet | np.ndarray, labels: np.ndarray | None) -> np.ndarray | None:
    """Return the checked labels of images, those of an ImageSet or those given: one integer from 0 per image."""
    given = images.labels if isinstance(images, ImageSet) else labels
    return check_labels(given, len(images), "image")


def require_labels(labels: np.ndarray | None) -> np.ndarray:
    """Return labels, or raise InputError if there are none."""
    if labels is None:
        raise InputError("this needs labels, but the images were given without")
    return labels


def _unit_range(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float32) / 255 if pixels.dtype == np.uint8 else pixels.astype(np.float32)


def _check_masks(mask: Any, target_mask: Any | None, n_patches: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the masks of the view and of the target; by default the target is what the mask of the view hides."""
    mask = _check_mask(mask, n_patches)
    if target_mask is not None:
        target_mask = _check_mask(target_mask, n_patches)
        if not (mask.any() and target_mask.any()):
            raise InputError("the masks of the view and of the target must show at least one patch each")
        return mask, target_mask
    if mask.all() or not mask.any():
        raise InputError(
            f"the mask must show and hide at least one patch, but it shows {int(mask.sum())} of {n_patches}"
        )
    return mask, ~mask


def _check_mask(mask: Any, n_patches: int) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != (n_patches,):
        raise InputError(f"the mask must be boolean of shape ({n_patches},), but it is {mask.dtype} {mask.shape}")
    return mask
