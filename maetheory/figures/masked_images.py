"""Images with a growing share of patches hidden: first panel of the mask-ratio figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from maetheory.core import InputError
from maetheory.data import ImageSet
from maetheory.masks import UniformMasks
from maetheory.masks.grid import patchify, unpatchify

SHOWN_RATIOS = (0.0, 0.25, 0.5, 0.75, 0.95)
_HIDDEN_GREY = 0.55


def masked_images(
    images: ImageSet, patch: int, rng: np.random.Generator, ratios: Sequence[float] = SHOWN_RATIOS
) -> pd.DataFrame:
    """Compute the pixels of a few images with a growing share of patches hidden.

    Parameters
    ----------
    images : ImageSet
        Images to show.
    patch : int
        Side of a patch in pixels; must divide the image.
    rng : numpy Generator
        Draws one uniform mask per image and ratio.
    ratios : sequence of float
        Mask ratios; each is rounded to a whole number of patches, of which at least one stays visible.

    Returns
    -------
    DataFrame
        image, label, mask_ratio, row, column, red, green, blue; NaN where hidden.
    """
    patches = patchify(_pixels_in_unit_interval(images), patch)  # (N, C, H, W) -> (N, p, c)
    drawn = {
        ratio: _sample_masks(patches.shape[1], _n_visible(patches.shape[1], ratio), len(images), rng)
        for ratio in ratios
    }
    return _pixel_table(images, patches, patch, drawn)


def masked_pair(
    images: ImageSet, patch: int, rng: np.random.Generator, ratios: Sequence[float] = SHOWN_RATIOS
) -> pd.DataFrame:
    """Compute the pixels of two images of one class with a growing share of the same patches hidden.

    A patch hidden at one ratio stays hidden at all larger ones.

    Parameters
    ----------
    images : ImageSet
        One class with at least two images is drawn, and two images of it.
    patch, ratios
        As for `masked_images`.
    rng : numpy Generator
        Draws the images and the order in which patches are hidden.

    Returns
    -------
    DataFrame
        As `masked_images`.

    Raises
    ------
    InputError
        If no class has two images.
    """
    classes, counts = np.unique(images.labels, return_counts=True)
    if counts.max() < 2:
        raise InputError(f"a pair needs a class of two images, but each of these {len(classes)} classes has one")
    chosen = rng.choice(np.flatnonzero(images.labels == rng.choice(classes[counts > 1])), 2, replace=False)
    pair = images.take(chosen)
    patches = patchify(_pixels_in_unit_interval(pair), patch)
    rank = rng.permutation(patches.shape[1])  # (p,)
    masks = {ratio: np.tile(rank < _n_visible(len(rank), ratio), (2, 1)) for ratio in ratios}
    return _pixel_table(pair, patches, patch, masks).round(4)  # finer than eight bits, and keeps the table small


def _pixels_in_unit_interval(images: ImageSet) -> np.ndarray:
    return images.images / 255.0 if images.images.dtype == np.uint8 else images.images.astype(float)


def _n_visible(n_patches: int, ratio: float) -> int:
    return max(1, round((1 - ratio) * n_patches))


def _pixel_table(images: ImageSet, patches: np.ndarray, patch: int, masks: Mapping[float, np.ndarray]) -> pd.DataFrame:
    """Return a row per pixel of the patches (n, p, c) under the masks (n, p) of each ratio."""
    grid = (images.shape[2] // patch, images.shape[3] // patch)
    parts = []
    for ratio, mask in masks.items():
        shown = unpatchify(np.where(mask[:, :, None], patches, np.nan), patch, grid)
        parts += [_image_table(i, int(images.labels[i]), ratio, image) for i, image in enumerate(shown)]
    return pd.concat(parts, ignore_index=True)


def _sample_masks(n_patches: int, n_visible: int, n: int, rng: np.random.Generator) -> np.ndarray:
    if n_visible == n_patches:
        return np.ones((n, n_patches), dtype=bool)
    return UniformMasks(n_patches, n_visible).sample(rng, n)


def _image_table(number: int, label: int, ratio: float, image: np.ndarray) -> pd.DataFrame:
    colours = np.broadcast_to(image, (3, *image.shape[1:])) if len(image) == 1 else image
    row, column = np.indices(image.shape[1:]).reshape(2, -1)
    frame = pd.DataFrame({"image": number, "label": label, "mask_ratio": ratio, "row": row, "column": column})
    return frame.assign(**dict(zip(("red", "green", "blue"), colours.reshape(3, -1), strict=True)))


def draw_masked_images(axes: np.ndarray, frame: pd.DataFrame) -> None:
    """Draw one row of axes per image and one column per mask ratio; hidden patches are grey-blue."""
    for image, of_image in frame.groupby("image"):
        for column, (ratio, part) in enumerate(of_image.groupby("mask_ratio")):
            ax: Axes = axes[image, column]
            side = (part.row.max() + 1, part.column.max() + 1, 3)
            pixels = part[["red", "green", "blue"]].to_numpy().reshape(side)
            ax.imshow(
                np.where(np.isnan(pixels), np.array([_HIDDEN_GREY, _HIDDEN_GREY, 0.7]), pixels), interpolation="nearest"
            )
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
            if image == 0:
                ax.set_title(f"ρ = {ratio:g}")
