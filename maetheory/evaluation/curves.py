"""Spectra beside those of features that learned nothing, and ranks as the number of images grows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maetheory import metrics
from maetheory.evaluation.baselines import noise_moments
from maetheory.evaluation.populations import Population
from maetheory.metrics import Moments, singular_values

SHARES = (1, 2, 5, 10, 20)  # groups of images of twenty, each a random part of the next
GROWING = {"effective_rank": metrics.effective_rank, "rankme": metrics.rankme}
SELF, TWIN, SHUFFLED, NOISE = "checkpoint", "random twin", "shuffled", "noise"


def spectrum_of(population: Population) -> NDArray[np.float64]:
    """Return the singular values over √n."""
    return singular_values(population.merged) / np.sqrt(population.n)


def noise_spectrum(n: int, d: int, like: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the singular values of noise of a shape, of the same mean square as those of `like`."""
    noise = singular_values(noise_moments(n, d))
    return noise * np.linalg.norm(like) / np.linalg.norm(noise)


def growth_of(population: Population) -> tuple[dict[str, Any], ...]:
    """Return effective rank and RankMe of nested random subsets of the images, to see whether they have settled."""
    rows: list[dict[str, Any]] = []
    parts = population.parts
    seen, number = Moments(population.d), 0
    for share in [share for share in SHARES if share <= len(parts)]:
        for part in parts[number:share]:
            seen.merge(part)
        number = share
        if seen.count < 2:
            continue
        images = round(population.images * share / len(parts))
        rows += [{"metric": name, "images": images, "n": seen.count, "value": float(metric(seen))}
                 for name, metric in GROWING.items()]  # fmt: skip
    return tuple(rows)
