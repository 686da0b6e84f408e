"""Distances between masked images, within and between classes, against the mask ratio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from maetheory.core import Progress, no_progress
from maetheory.data import ImageSet
from maetheory.evaluation import masked_distances
from maetheory.evaluation.features.encode import Readout
from maetheory.figures.mask_ratio_table import (
    CHANGE_FROM_MINIMUM,
    FEATURES,
    PAPER_MINIMUM,
    PIXELS,
    RATIOS,
    measurement_row,
    rows_to_table,
)
from maetheory.masks import patchify, visible_count
from maetheory.metrics import ClassDistances

SHARED_MASK_FACTOR = 4  # more draws of a shared mask: its variation dominates the error, and a draw is cheap


def distance_rows(
    images: ImageSet,
    patch: int,
    *,
    encoder: Any = None,
    readout: Readout = "cls",
    ratios: Sequence[float] = RATIOS,
    n_masks: int = 8,
    seed: int = 0,
    progress: Progress = no_progress,
) -> pd.DataFrame:
    """Compute mean distances within and between classes, and their ratio, against the mask ratio.

    Parameters
    ----------
    images, patch, readout, seed
        As for `masked_distances`.
    n_masks : int
        Number of mask draws; four times as many for pixels under a shared mask.
    encoder : MAE, SimMIM, ViT or Encoder, optional
        Adds distances between its features of the visible patches.
    ratios : sequence of float
        From 0 to below 1; each is rounded as MAE does.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: source is one of `PIXELS` and `FEATURES`; number one of `DISTANCES`, or "change", the ratio
        intra / inter minus that at 0.7, where the paper's is smallest, with the error of the difference; asked is the
        requested mask ratio and rho the share of patches that is hidden; low and high are two standard errors.
    """
    kinds = [(PIXELS[0], "one", None, SHARED_MASK_FACTOR * n_masks), (PIXELS[1], "own", None, n_masks)]
    if encoder is not None:
        kinds += [(FEATURES[0], "one", encoder, n_masks), (FEATURES[1], "own", encoder, n_masks)]
    p = int(patchify(images.images[:1], patch).shape[1])
    rows, grid = [], [(ratio, kind) for kind in kinds for ratio in ratios]
    found: dict[tuple[str, float], ClassDistances] = {}
    for done, (ratio, (name, masks, mask_encoder, n_draws)) in enumerate(grid):
        progress(done, len(grid), f"distances of {name}, mask ratio {ratio:g}")
        found[name, ratio] = masked_distances(
            images, patch, ratio, masks=masks, encoder=mask_encoder, readout=readout, n_masks=n_draws, seed=seed
        )
    for (name, ratio), one in found.items():
        hidden = 1 - visible_count(p, ratio) / p if ratio else 0.0
        numbers = {"intra": one.intra, "inter": one.inter, "relative": one.ratio}
        if PAPER_MINIMUM in ratios:
            numbers[CHANGE_FROM_MINIMUM] = one.difference(found[name, PAPER_MINIMUM])
        rows += [measurement_row(name, number, ratio, hidden, value) for number, value in numbers.items()]
    return rows_to_table(rows)
