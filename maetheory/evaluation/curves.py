"""Spectra beside those of features that learned nothing, and ranks as the number of images grows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from maetheory import metrics
from maetheory.evaluation.baselines import noise_moments, shuffled
from maetheory.evaluation.populations import Population, merged
from maetheory.metrics import singular_values

SHARES = (1, 2, 5, 10, 20)  # groups of images of twenty, each a random part of the next
GROWING = {"effective_rank": metrics.effective_rank, "rankme": metrics.rankme}
SELF, TWIN, SHUFFLED, NOISE = "checkpoint", "random twin", "shuffled", "noise"


def spectra_table(own: Sequence[Population], twins: Sequence[Population | None], full: bool, seed: int) -> pd.DataFrame:
    """Return the singular values over √n of the deepest layer of each readout and, when `full`, of its baselines."""
    rows = []
    for one, twin in _deepest(own, twins):
        spectra = {SELF: singular_values(one.merged) / np.sqrt(one.n)}
        if full:
            null, noise = shuffled(one, seed=seed), singular_values(noise_moments(one.n, one.d))
            level = np.linalg.norm(spectra[SELF]) / np.linalg.norm(noise)
            spectra |= {TWIN: singular_values(twin.merged) / np.sqrt(twin.n)} if twin is not None else {}
            spectra |= {SHUFFLED: singular_values(null.merged) / np.sqrt(null.n), NOISE: noise * level}
        rows += [{"readout": one.readout, "layer": one.layer, "who": who, "index": i, "singular_value": float(s)}
                 for who, values in spectra.items() for i, s in enumerate(values, 1) if s > 0]  # fmt: skip
    return pd.DataFrame(rows, columns=["readout", "layer", "who", "index", "singular_value"])


def growth_table(own: Sequence[Population], twins: Sequence[Population | None], full: bool) -> pd.DataFrame:
    """Return effective rank and RankMe of nested random subsets of the images, to see whether they have settled."""
    rows = []
    for one, twin in _deepest(own, twins):
        for who, population in ((SELF, one), (TWIN, twin)):
            if population is None or not full:
                continue
            for share in [s for s in SHARES if s <= len(population.parts)]:
                moments = merged(population.parts[:share])
                if moments.count < 2:
                    continue
                images = round(population.images * share / len(population.parts))
                rows += [{"readout": one.readout, "layer": one.layer, "who": who, "metric": name, "images": images,
                          "n": moments.count, "value": float(metric(moments))}
                         for name, metric in GROWING.items()]  # fmt: skip
    return pd.DataFrame(rows, columns=["readout", "layer", "who", "metric", "images", "n", "value"])


def _deepest(
    own: Sequence[Population], twins: Sequence[Population | None]
) -> Iterable[tuple[Population, Population | None]]:
    return [(one, twin) for one, twin in zip(own, twins, strict=True) if one.layer == own[-1].layer]
