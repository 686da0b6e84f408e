"""Distances, graph statistics and accuracy against the mask ratio on real images.

The paper argues that a larger mask ratio brings images of one class together, until too large a ratio brings classes
together as well, and shows it by distances of masked images. The table of this figure holds these distances under each
reading of the paper's words, the statistics of mask graphs, and the probe accuracy of models trained at each ratio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from maetheory.core import InputError, Progress, no_progress
from maetheory.data import ImageSet
from maetheory.evaluation.features.encode import Readout
from maetheory.evaluation.masked_distances import patches_per_side
from maetheory.figures.mask_ratio_distances import distance_rows
from maetheory.figures.mask_ratio_graphs import kernel_graph_rows, token_graph_rows
from maetheory.figures.mask_ratio_table import RATIOS, paper_rows
from maetheory.masks import patchify, visible_count

MAX_PAIR_IMAGES = 1000  # images for distances and kernel graphs, whose cost grows with the number of pairs


def image_statistics_by_mask_ratio(
    images: ImageSet,
    test: ImageSet,
    patch: int,
    *,
    graph_patch: int | None = None,
    encoder: Any = None,
    readout: Readout = "cls",
    k: int | None = None,
    ratios: Sequence[float] = RATIOS,
    seed: int = 0,
    progress: Progress = no_progress,
) -> pd.DataFrame:
    """Compute distances, token graphs and kernel graphs of images at each mask ratio, beside the paper's numbers.

    Parameters
    ----------
    images : ImageSet
        Images of the token graphs; the first thousand, with balanced classes, are those of the kernel graphs.
    test : ImageSet
        The first thousand, with balanced classes, give distances.
    patch : int
        Side of a patch in pixels, for distances.
    graph_patch : int, optional
        Side of a patch for graphs, which need few patches; by default about a quarter of the image.
    encoder, readout, ratios, seed
        As for `distance_rows`; ratios strictly between 0 and 1.
    k : int, optional
        Number of features in graphs; by default the number of classes.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`; the rows of `accuracy_rows` have the same columns and can be appended.

    Raises
    ------
    InputError
        If there are fewer than two classes or a class has fewer than two test images; a ratio leaves nothing visible or
        nothing hidden; or patches do not fit images or encoder.
    """
    graph_patch = coarse_patch_size(images) if graph_patch is None else graph_patch
    _check_patches_and_ratios(images, test, patch, graph_patch, ratios)
    subset, k = images.limit(MAX_PAIR_IMAGES), images.n_classes if k is None else k
    options: dict[str, Any] = {"ratios": ratios, "seed": seed, "progress": progress}
    parts = [
        distance_rows(test.limit(MAX_PAIR_IMAGES), patch, encoder=encoder, readout=readout, **options),
        token_graph_rows(images, graph_patch, k=k, **options),
        kernel_graph_rows(subset, graph_patch, k=k, **options),
        paper_rows(),
    ]
    return pd.concat(parts, ignore_index=True)


def _check_patches_and_ratios(
    images: ImageSet, test: ImageSet, patch: int, graph_patch: int, ratios: Sequence[float]
) -> None:
    """Raise InputError, before any work, if a patch does not divide the images or a ratio hides or shows nothing."""
    for one, side in ((test, patch), (images, graph_patch)):
        n_patches = patchify(one.images[:1], side).shape[1]
        for ratio in ratios:
            visible_count(n_patches, ratio)


def coarse_patch_size(images: ImageSet) -> int:
    """Return a patch size in pixels that divides the image and is about a quarter of its shorter side.

    Examples
    --------
    >>> import numpy as np
    >>> coarse_patch_size(ImageSet(np.zeros((1, 3, 32, 48), np.uint8), np.array([0]), "black"))
    8
    """
    common = math.gcd(*images.shape[2:])
    return next(patch for patch in range(max(min(images.shape[2:]) // 4, 1), 0, -1) if common % patch == 0)


def encoder_patch_size(encoder: Any, images: ImageSet) -> int:
    """Return the size, in pixels of these images, of the patches of an encoder that resizes images to its own size.

    Raises
    ------
    InputError
        If the encoder is not a Vision Transformer or does not cut these images into whole patches.
    """
    grid, sides = patches_per_side(encoder), set(images.shape[2:])
    if len(sides) > 1 or images.shape[2] % grid:
        raise InputError(
            f"the encoder cuts an image into {grid} x {grid} patches, which images of {images.shape[2]} x "
            f"{images.shape[3]} pixels have not; give square ones of a multiple of {grid}"
        )
    return int(images.shape[2] // grid)
