"""Metrics of collapse under their conventions, and the form of an estimate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from maetheory import metrics
from maetheory.core import Estimate
from maetheory.core.unknown_names import unknown_name_error
from maetheory.metrics import CONVENTIONS, MOMENT_METRICS, PowerLawFit

MetricInput = Literal["moments", "rows", "views"]
RANK_METRICS = ("effective_rank", "rankme", "stable_rank", "participation_ratio", "nesum")  # at most the dimension
QUICK_METRICS = (
    "effective_rank",
    "rankme",
    "stable_rank",
    "participation_ratio",
    "alpha_req",
    "mean_cosine",
    "direction_std",
    "umae_uniformity",
)  # what a quick report measures: no metric of rows or of masked views
DEFAULT_METRICS = ("effective_rank", "rankme", "stable_rank", "participation_ratio", "umae_uniformity", "mean_cosine")
ROW_METRICS = ("uniformity", "coherence", "twonn")
PAIR_METRICS = ("uniformity", "twonn")  # whose cost grows with the square of the number of rows
MAX_ROWS_OF_PAIRS = 12_800  # more than the sample that is kept of streamed rows
VIEW_METRICS = ("lidar", "mask_pair_alignment")


@dataclass(frozen=True)
class MetricSpec:
    """A metric under one convention.

    Attributes
    ----------
    metric, convention : str
    function : callable
        From features and ``convention=`` to the value.
    needs : "moments", "rows" or "views"
        What the function takes.
    """

    metric: str
    convention: str
    function: Callable[..., Any]
    needs: MetricInput

    @property
    def max_rows(self) -> int | None:
        """The largest number of rows that the metric is computed from; None for all."""
        return MAX_ROWS_OF_PAIRS if self.metric in PAIR_METRICS else None

    def n_rows(self, n: int) -> int:
        """Return from how many of `n` rows the metric is computed."""
        return n if self.max_rows is None else min(n, self.max_rows)

    def __call__(self, features: Any) -> float:
        """Return the value for features, Moments or views."""
        if self.metric == "mask_pair_alignment":
            return float(self.function(features))
        value = self.function(features, convention=self.convention)
        if isinstance(value, PowerLawFit):
            return Estimate(value.alpha, value.error) if np.isfinite(value.error) else value.alpha
        return value


class MetricEstimate(NamedTuple):
    """A value with its interval, two standard errors, the method of both, and a note.

    The limit is the value extrapolated to infinitely many images, for which the interval is; where there is none,
    `no_limit` says why.
    """

    value: float
    low: float
    high: float
    error: float
    method: str
    note: str = ""
    limit: float = np.nan
    no_limit: str = ""


NO_ESTIMATE = MetricEstimate(np.nan, np.nan, np.nan, np.nan, "")


def select_metrics(names: Sequence[str] | None = None, *, every_convention: bool = False) -> tuple[MetricSpec, ...]:
    """Return the metrics with the given names, all by default, under the publication's convention or every one.

    Raises
    ------
    InputError
        If there is no such metric.
    """
    known: dict[str, MetricInput] = {
        **dict.fromkeys(MOMENT_METRICS, "moments"),
        **dict.fromkeys(ROW_METRICS, "rows"),
        **dict.fromkeys(VIEW_METRICS, "views"),
    }
    wrong = [name for name in names or () if name not in known]
    if wrong:
        raise unknown_name_error("metric", wrong[0], known)
    return tuple(
        MetricSpec(name, convention.name, _metric_function(name), known[name])
        for name in (known if names is None else names)
        for convention in CONVENTIONS[_convention_key(name)][: None if every_convention else 1]
    )


def _convention_key(name: str) -> str:
    return "alignment" if name == "mask_pair_alignment" else name


def _metric_function(name: str) -> Callable[..., Any]:
    return metrics.mask_alignment if name == "mask_pair_alignment" else getattr(metrics, name)
