"""Metrics that can be computed from `Moments`, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from maetheory.metrics.alpha_req import alpha_req
from maetheory.metrics.cosines import direction_std, mean_cosine, self_cluster, umae_uniformity
from maetheory.metrics.effective_rank import effective_rank, rankme
from maetheory.metrics.matrix_entropy import matrix_entropy
from maetheory.metrics.ranks import condition_number, iso_score, nesum, participation_ratio, stable_rank

MOMENT_METRICS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "effective_rank": effective_rank,
        "rankme": rankme,
        "stable_rank": stable_rank,
        "participation_ratio": participation_ratio,
        "nesum": nesum,
        "condition_number": condition_number,
        "iso_score": iso_score,
        "matrix_entropy": matrix_entropy,
        "alpha_req": alpha_req,
        "umae_uniformity": umae_uniformity,
        "mean_cosine": mean_cosine,
        "self_cluster": self_cluster,
        "direction_std": direction_std,
    }
)
"""Functions of features or `Moments` and a convention; each value is a float or converts to one."""
