"""How far have features collapsed, in numbers that say how they were made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from maetheory import metrics
from maetheory.core import Estimate
from maetheory.data import ImageSet
from maetheory.evaluation.encode import Readout, encode
from maetheory.masks import MaskLaw
from maetheory.models import draw_masks

GROUPS = 20
MEASURES: dict[str, Callable[[np.ndarray], float]] = {
    "effective_rank": metrics.effective_rank,
    "rankme": metrics.rankme,
    "stable_rank": metrics.stable_rank,
    "participation_ratio": metrics.participation_ratio,
    "umae_uniformity": metrics.umae_uniformity,
    "mean_cosine": metrics.mean_cosine,
}


def collapse_report(
    encoder: Any,
    images: ImageSet | np.ndarray,
    *,
    readouts: Sequence[Readout] = ("cls", "mean"),
    layer: Any = "last",
    final_norm: bool = True,
    batch: int = 256,
) -> pd.DataFrame:
    """Measure the features of a model.

    Parameters
    ----------
    encoder : anything `encode` takes
    images : ImageSet or ndarray, shape (N, C, H, W)
    readouts : sequence of "cls", "mean", "tokens"
    layer, final_norm, batch
        As for `encode`.

    Returns
    -------
    DataFrame
        One row per readout and metric: readout, layer, final_norm, metric, value, error, n, d. The error is two
        standard errors of the jackknife over groups of images: where the metric of as many other images would lie.
        Ranks of few images are too low besides; `jackknife` with `corrected` takes that into account.
    """
    rows = []
    for readout in readouts:
        z = encode(encoder, images, readout=readout, layer=layer, final_norm=final_norm, batch=batch)
        features = z.double().numpy()
        parts = [metrics.Moments(z.shape[1]).update(group) for group in np.array_split(features, min(GROUPS, len(z)))]
        for name, measure in MEASURES.items():
            rows.append({"readout": readout, "layer": layer, "final_norm": final_norm, "metric": name,
                         "value": float(measure(features)), "error": metrics.jackknife(measure, parts).error,
                         "n": len(z), "d": z.shape[1]})  # fmt: skip
    return pd.DataFrame(rows)


def mask_pair_alignment(
    encoder: Any, images: ImageSet, law: MaskLaw, *, seed: int = 0, readout: Readout = "cls"
) -> Estimate:
    """Mean squared distance of the normalised features of two masks of one image (lower = better aligned).

    Parameters
    ----------
    encoder : MAE, SimMIM or ViT
    images : ImageSet
    law : MaskLaw
        Both masks are independent draws from it.
    seed : int
    readout : "cls" or "mean"

    Returns
    -------
    Estimate
        In [0, 4], with two standard errors over groups of images; alignment of Wang and Isola 2020 with a = 2, its
        positive pairs being mask pairs.
    """
    generator = torch.Generator().manual_seed(seed)
    one, two = (
        encode(encoder, images, readout=readout, mask=draw_masks(law, len(images), generator)).double().numpy()
        for _ in range(2)
    )
    groups = np.array_split(np.arange(len(one)), max(1, min(GROUPS, len(one) // 2)))
    means = [metrics.alignment(one[group], two[group]) for group in groups]
    error = 2 * float(np.std(means, ddof=1)) / np.sqrt(len(means)) if len(means) > 1 else float("inf")
    return Estimate(metrics.alignment(one, two), error, sampled=True)
