"""Distances of masked images within and between classes, in pixel or feature space."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from maetheory.core import InputError, generator
from maetheory.data import ImageSet
from maetheory.evaluation.features.backbone import vision_transformer
from maetheory.evaluation.features.encode import Readout, encode
from maetheory.masks import UniformMasks, patchify, visible_count
from maetheory.metrics import ClassDistances, class_distances

MASKS = ("shared", "per-image")
OLD_MASKS = {"one": "shared", "own": "per-image"}  # the names in older programs and tables
GREY = 0.5  # value of hidden pixels with masks per image; 0 after standardisation to [-1, 1]


def masked_distances(
    images: ImageSet,
    patch: int,
    mask_ratio: float,
    *,
    masks: str = "shared",
    encoder: Any = None,
    readout: Readout = "cls",
    n_masks: int = 8,
    seed: int = 0,
) -> ClassDistances:
    """Return the mean distances of masked images within and between classes, at one mask ratio.

    In pixel space (pixels in [0, 1]) distances are L2; they are not divided by the number of visible pixels.

    Parameters
    ----------
    images : ImageSet
        At least two classes, and two images of each.
    patch : int
        Side of a patch in pixels.
    mask_ratio : float
        In [0, 1), where 0 hides nothing; the number of visible patches is rounded as in MAE.
    masks : {"shared", "per-image"}
        "shared": both images of a pair have the same mask, and the distance is over visible pixels only; setting hidden
        pixels to any common value gives the same number. "per-image": every image has its own mask, and in pixel space
        hidden pixels are grey, ½. The old names "one" and "own" are accepted.
    encoder : MAE, SimMIM, ViT or Encoder, optional
        Then distances are those of its features of the visible patches.
    readout : {"cls", "mean"}
    n_masks : int
        Number of independent masks to average over; for one seed, masks of different ratios are nested.
    seed : int

    Raises
    ------
    InputError
        As `class_distances`, and if `masks` or the readout is unknown, the ratio hides everything, or patches and
        encoder do not fit.

    Examples
    --------
    >>> from maetheory.data import load_images
    >>> digits = load_images("digits", split="test")
    >>> near, far = (masked_distances(digits, 2, ratio).intra.value for ratio in (0.9, 0.0))
    >>> near < far
    True
    """
    masks = OLD_MASKS.get(masks, masks)
    if masks not in MASKS:
        raise InputError(f'masks must be "shared" or "per-image", but it is {masks!r}')
    patches = patchify(images.images[:1], patch).shape[1]
    drawn = _draw_masks(patches, mask_ratio, n_masks, len(images) if masks == "per-image" else None, seed)
    views = (
        _pixel_views(images, patch, drawn)
        if encoder is None
        else _feature_views(images, patches, encoder, readout, drawn)
    )
    return class_distances(views, images.labels)


def _draw_masks(patches: int, ratio: float, n_masks: int, n_images: int | None, seed: int) -> Iterator[np.ndarray]:
    """Yield masks of shape (p,), or (n_images, p) for masks per image."""
    if n_masks < 1:
        raise InputError(f"n_masks must be at least 1, but it is {n_masks}")
    rows = 1 if n_images is None else n_images
    for number in range(n_masks if ratio else 1):
        rng = generator(seed, "masked distances", number)
        sampled = UniformMasks(patches, visible_count(patches, ratio)).sample(rng, rows) if ratio else None
        drawn = np.ones((rows, patches), bool) if sampled is None else sampled
        yield drawn if n_images is not None else drawn[0]


def _pixel_views(images: ImageSet, patch: int, masks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    pixels = patchify(images.images, patch)  # (N, p, c)
    scaled = pixels.astype(np.float32) / (255 if pixels.dtype == np.uint8 else 1)
    for mask in masks:
        visible = scaled[:, mask] if mask.ndim == 1 else np.where(mask[:, :, None], scaled, np.float32(GREY))
        yield visible.reshape(len(visible), -1)


def _feature_views(
    images: ImageSet, patches: int, encoder: Any, readout: Readout, masks: Iterator[np.ndarray]
) -> Iterator[np.ndarray]:
    if readout not in ("cls", "mean"):
        raise InputError(f"the readout must be 'cls' or 'mean', one vector for an image, but it is {readout!r}")
    n_patches = patches_per_side(encoder) ** 2
    if n_patches != patches:
        raise InputError(
            f"the encoder must cut images into as many patches as the masks do, but it has {n_patches} and "
            f"they have {patches}"
        )
    for mask in masks:
        yield encode(encoder, images, readout=readout, mask=mask).numpy()


def patches_per_side(encoder: Any) -> int:
    """Return the number of patches along a side of a Vision Transformer's square images.

    Raises
    ------
    InputError
        If the encoder is not a Vision Transformer, or its patch grid is not square.
    """
    vit = vision_transformer(encoder)
    if vit is None:
        raise InputError("features of masked images need a Vision Transformer, because a callable takes no mask")
    if isinstance(vit.config.image_size, tuple) or isinstance(vit.config.patch, tuple):
        raise InputError(
            "these masks need a square grid of patches, but the encoder's images or patches are rectangles"
        )
    return int(vit.config.image_size // vit.config.patch)
