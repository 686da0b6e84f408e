"""Every metric under every convention, and how far another sample of images could have moved it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from maetheory import metrics
from maetheory.core import Estimate, InputError
from maetheory.evaluation.populations import Population
from maetheory.metrics import CONVENTIONS, OF_MOMENTS, PowerLawFit
from maetheory.metrics.uncertainty import jackknife_error

HALVES = 12
FLOAT32 = float(1 / np.finfo(np.float32).eps)
FEWEST = 8  # units of which halves say something
Needs = Literal["moments", "rows", "views"]
JACKKNIFE = "jackknife over groups of images"
HALF_SAMPLES = "random halves of the images"


@dataclass(frozen=True)
class Measure:
    """A metric under one convention, and what it is a function of."""

    metric: str
    convention: str
    of: Callable[..., Any]
    needs: Needs

    def __call__(self, features: Any) -> float:
        """Return the value of features, Moments or views."""
        if self.metric == "mask_pair_alignment":
            return float(self.of(features))
        value = self.of(features, convention=self.convention)
        if isinstance(value, PowerLawFit):
            return Estimate(value.alpha, value.error) if np.isfinite(value.error) else value.alpha
        return value


class Measured(NamedTuple):
    """A value with its band of two standard errors, how the band was found, and what to know beside it."""

    value: float
    low: float
    high: float
    method: str
    note: str = ""


QUICK = ("effective_rank", "rankme", "stable_rank", "participation_ratio", "umae_uniformity", "mean_cosine")
OF_ROWS = ("uniformity", "coherence", "twonn")
OF_VIEWS = ("lidar", "mask_pair_alignment")


def measures(names: Sequence[str] | None = None, *, every_convention: bool = False) -> tuple[Measure, ...]:
    """Return the measures of these names, all by default, under the publication's convention or under every one.

    Raises
    ------
    InputError
        If there is no such metric.
    """
    known: dict[str, Needs] = {**dict.fromkeys(OF_MOMENTS, "moments"), **dict.fromkeys(OF_ROWS, "rows"),
                               **dict.fromkeys(OF_VIEWS, "views")}  # fmt: skip
    wrong = [name for name in names or () if name not in known]
    if wrong:
        raise InputError(f"there is no metric {wrong[0]!r} of collapse; the metrics are {', '.join(known)}")
    return tuple(
        Measure(name, convention.name, _function(name), known[name])
        for name in (known if names is None else names)
        for convention in CONVENTIONS[_listed(name)][: None if every_convention else 1]
    )


def _listed(name: str) -> str:
    return "alignment" if name == "mask_pair_alignment" else name


def _function(name: str) -> Callable[..., Any]:
    return metrics.mask_alignment if name == "mask_pair_alignment" else getattr(metrics, name)


def of_population(measure: Measure, population: Population, *, exact: bool = True, band: bool = True) -> Measured:
    """Measure a population: a metric of moments with the jackknife, one of rows with random halves.

    Parameters
    ----------
    measure : Measure
        Not one of views.
    population : Population
    exact : bool, default True
        Take singular values of the rows themselves where all are kept; else of the moments, whose squaring error then
        widens the band.
    band : bool, default True
        Whether the uncertainty is found too; a metric of rows costs seven times as much with it.
    """
    if measure.needs == "rows":
        return of_rows(measure, population.rows, population.groups, band=band)
    held = exact and population.streamed is None
    try:
        features = population.rows.astype(np.float64) if held else population.merged
        value = measure(features)
    except InputError as error:
        return Measured(np.nan, np.nan, np.nan, "", str(error))
    note = _remark(measure, features, value)
    if not band or not np.isfinite(value):
        return Measured(float(value), np.nan, np.nan, "", note)
    with np.errstate(invalid="ignore"):
        spread = 2 * jackknife_error([measure(other) for other in population.others])
    return _banded(float(value), spread + (0.0 if held else getattr(value, "error", 0.0)), JACKKNIFE, note)


def of_rows(measure: Measure, features: Any, units: Any = None, *, band: bool = True, seed: int = 0) -> Measured:
    """Measure rows (n, d) or views (n, q, d) with the spread over random halves of their units.

    A half drawn without replacement varies around the whole as the whole varies around the truth, and repeats no image,
    which a bootstrap would: distances between repeated images are 0.

    Parameters
    ----------
    measure : Measure
    features : ndarray (n, d) or (n, q, d)
    units : ndarray (n,), optional
        Rows of one unit stay together, as all tokens of an image must; by default each row is its own.
    band, seed
        Whether halves are drawn, and from which seed.

    References
    ----------
    Politis, Romano and Wolf 1999, Subsampling, Section 2.2.
    """
    rows = np.asarray(features, np.float64)
    names, place = np.unique(np.arange(len(rows)) if units is None else units, return_inverse=True)
    try:
        value = measure(rows)
        few = len(names) < FEWEST or (measure.metric == "coherence" and len(rows) < 4 * rows.shape[-1])
        if not band or not np.isfinite(value) or few:  # as few rows as dimensions are always coherent alike
            return Measured(value, np.nan, np.nan, "", "too few images for a band" if few else "")
        rng = np.random.default_rng(seed)
        chosen = [rng.permutation(len(names)) < len(names) // 2 for _ in range(HALVES)]
        halves = [measure(rows[half[place]]) for half in chosen]
    except InputError as error:
        return Measured(np.nan, np.nan, np.nan, "", str(error))
    with np.errstate(invalid="ignore"):
        return _banded(value, 2 * float(np.std(halves, ddof=1)), HALF_SAMPLES)


def _remark(measure: Measure, features: Any, value: float) -> str:
    """Say what a power law was fitted to, which decides much of it, and which directions are round-off."""
    if measure.metric == "condition_number" and value > FLOAT32:
        return "a direction is missing" + ("" if np.isinf(value) else ", up to the round-off of float32 features")
    if measure.metric != "alpha_req":
        return "infinite" if np.isinf(value) else ""
    fit = measure.of(features, convention=measure.convention)
    if np.isnan(fit.alpha):
        return "fewer than three covariance eigenvalues are positive in the ranks fitted"
    return f"ranks {fit.range[0]} to {fit.range[1]}, r² {fit.r2:.2f}"


def _banded(value: float, error: float, method: str, note: str = "") -> Measured:
    if not np.isfinite(error):
        return Measured(value, np.nan, np.nan, "", note or "a part of the images gives no finite value")
    return Measured(value, value - error, value + error, method, note)
