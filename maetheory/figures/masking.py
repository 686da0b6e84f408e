"""What is left of an image when patches are hidden: the mask-ratio figure's first panel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from maetheory.data import ImageSet
from maetheory.masks import UniformMasks
from maetheory.masks.grid import patchify, unpatchify

RATIOS = (0.0, 0.25, 0.5, 0.75, 0.95)
_HIDDEN = 0.55


def masked_images(
    images: ImageSet, patch: int, rng: np.random.Generator, ratios: Sequence[float] = RATIOS
) -> pd.DataFrame:
    """Hide a growing share of the patches of a few images.

    Parameters
    ----------
    images : ImageSet
        Every one of its images is shown.
    patch : int
        Side of a patch in pixels; must divide the image.
    rng : numpy Generator
        Draws one uniform mask per image and ratio.
    ratios : sequence of float
        Shares hidden; each is rounded to a whole number of patches, of which at least one stays visible.

    Returns
    -------
    DataFrame
        image, label, mask_ratio, row, column, red, green, blue; NaN where hidden.
    """
    pixels = images.images / 255.0 if images.images.dtype == np.uint8 else images.images.astype(float)
    patches = patchify(pixels, patch)  # (N, C, H, W) -> (N, p, c)
    grid = (pixels.shape[2] // patch, pixels.shape[3] // patch)
    parts = []
    for ratio in ratios:
        seen = max(1, round((1 - ratio) * patches.shape[1]))
        masks = _masks(patches.shape[1], seen, len(pixels), rng)
        shown = unpatchify(np.where(masks[:, :, None], patches, np.nan), patch, grid)
        parts += [_frame(i, int(images.labels[i]), ratio, image) for i, image in enumerate(shown)]
    return pd.concat(parts, ignore_index=True)


def _masks(n_patches: int, n_visible: int, n: int, rng: np.random.Generator) -> np.ndarray:
    if n_visible == n_patches:
        return np.ones((n, n_patches), dtype=bool)
    return UniformMasks(n_patches, n_visible).sample(rng, n)


def _frame(number: int, label: int, ratio: float, image: np.ndarray) -> pd.DataFrame:
    colours = np.broadcast_to(image, (3, *image.shape[1:])) if len(image) == 1 else image
    row, column = np.indices(image.shape[1:]).reshape(2, -1)
    frame = pd.DataFrame({"image": number, "label": label, "mask_ratio": ratio, "row": row, "column": column})
    return frame.assign(**dict(zip(("red", "green", "blue"), colours.reshape(3, -1), strict=True)))


def draw_masked_images(axes: np.ndarray, frame: pd.DataFrame) -> None:
    """Draw one row of axes per image, one column per mask ratio; hidden patches are gray-blue."""
    for image, of_image in frame.groupby("image"):
        for column, (ratio, part) in enumerate(of_image.groupby("mask_ratio")):
            ax: Axes = axes[image, column]
            side = (part.row.max() + 1, part.column.max() + 1, 3)
            pixels = part[["red", "green", "blue"]].to_numpy().reshape(side)
            ax.imshow(np.where(np.isnan(pixels), np.array([_HIDDEN, _HIDDEN, 0.7]), pixels), interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
            if image == 0:
                ax.set_title(f"ρ = {ratio:g}")
