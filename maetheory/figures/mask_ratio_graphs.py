"""Label errors, eigenvalues and bounds of token graphs and kernel graphs against the mask ratio."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from maetheory.core import InputError, Progress, no_progress
from maetheory.data import ImageSet
from maetheory.empirical import average_over_masks, fit_codebook, mean_graph_intervals, token_sample
from maetheory.figures.mask_ratio_table import KERNEL, RATIOS, TOKENS, measurement_row, rows_to_table
from maetheory.masks import UniformMasks, patchify, visible_count

N_CODES = 2  # codes of a patch in token graphs; with more, few views share a target


def token_graph_rows(
    images: ImageSet,
    patch: int,
    *,
    k: int,
    codes: int = N_CODES,
    ratios: Sequence[float] = RATIOS,
    n_masks: int = 8,
    seed: int = 0,
    progress: Progress = no_progress,
) -> pd.DataFrame:
    """Compute label errors, λ_{k+1} and the sharp bound of token graphs against the mask ratio, with 95 % intervals.

    Positions are kept: each mask has its own graph, and values are means over masks.

    Parameters
    ----------
    images : ImageSet
        Independent images of at least two classes.
    patch : int
        Side of a patch in pixels. Views of more than about sixteen patches rarely share a target.
    k : int
        Number of features, for example the number of classes.
    codes : int
        Number of codes of a patch.
    ratios : sequence of float
        Mask ratios strictly between 0 and 1.
    n_masks, seed : int
        Number of masks, and the seed that draws them.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: number is "alpha", "alpha2", "phi", "next" (λ_{k+1}) or "bound"; decided is False where the
        sample is too small for an interval.
    """
    _check_two_classes(images)
    p, book, rows = _n_patches(images, patch), fit_codebook(images, patch, codes, seed=seed), []
    for done, ratio in enumerate(ratios):
        progress(done, len(ratios), f"token graphs, mask ratio {ratio:g}")
        law = UniformMasks(p, visible_count(p, ratio))
        found = mean_graph_intervals(token_sample(images, law, codebook=book, n_masks=n_masks, seed=seed), k, seed=seed)
        numbers = {
            "alpha": found.alpha,
            "alpha2": found.alpha2,
            "phi": found.phi,
            "next": found.next_eigenvalue,
            "bound": found.sharp_bound,
        }
        rows += [measurement_row(TOKENS, name, ratio, law.mask_ratio, number) for name, number in numbers.items()]
    return rows_to_table(rows)


def kernel_graph_rows(
    images: ImageSet,
    patch: int,
    *,
    k: int,
    factor: float = 0.25,
    ratios: Sequence[float] = RATIOS,
    n_masks: int = 4,
    seed: int = 0,
    progress: Progress = no_progress,
) -> pd.DataFrame:
    """Compute label errors, λ_{k+1} and the sharp bound of kernel graphs, which connect similar targets.

    Parameters
    ----------
    images, patch, k, ratios, n_masks, seed
        As for `token_graph_rows`; every image is a node.
    factor : float
        Bandwidth relative to the median distance of two targets; all values depend on it.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: number is "alpha" (error of a vote among views of other images, an overestimate), "alpha2",
        "phi" (pairs of different images), "next" or "bound"; low and high are two standard errors over masks, for fixed
        images.
    """
    _check_two_classes(images)
    p, rows = _n_patches(images, patch), []
    for done, ratio in enumerate(ratios):
        progress(done, len(ratios), f"kernel graphs, mask ratio {ratio:g}")
        law = UniformMasks(p, visible_count(p, ratio))
        found = average_over_masks(images, law, masks=n_masks, k=k, patch=patch, factor=factor, seed=seed)
        numbers = {
            "alpha": found.view_label_error,
            "alpha2": found.target_label_error,
            "phi": found.pair_label_error,
            "next": found.values[k],
            "bound": found.sharp_bound,
        }
        rows += [measurement_row(KERNEL, name, ratio, law.mask_ratio, number) for name, number in numbers.items()]
    return rows_to_table(rows)


def _check_two_classes(images: ImageSet) -> None:
    if images.labels.min() == images.labels.max():
        raise InputError(
            f"label errors need images of at least two classes, but all {len(images)} have the label {images.labels[0]}"
        )


def _n_patches(images: ImageSet, patch: int) -> int:
    return int(patchify(images.images[:1], patch).shape[1])
