"""Every metric under every convention, and how far another sample of images could have moved it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from maetheory import metrics
from maetheory.core import Estimate, InputError
from maetheory.evaluation.populations import Population, merged
from maetheory.metrics import CONVENTIONS, OF_MOMENTS, Moments, PowerLawFit
from maetheory.metrics.uncertainty import jackknife_error

HALVES = 12
FLOAT32 = float(1 / np.finfo(np.float32).eps)
FEWEST = 8  # units of which halves say something
ENOUGH = 8  # rows for each dimension from which bands of ranks hold the limit, see `of_population`
Needs = Literal["moments", "rows", "views"]
LIMIT = "jackknife, of infinitely many images"
HALF_SAMPLES = "random halves, of other images as many"


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
    """A value with two standard errors and a band of as many, how both were found and of what, and what to know."""

    value: float
    low: float
    high: float
    error: float
    method: str
    note: str = ""


NOTHING = Measured(np.nan, np.nan, np.nan, np.nan, "")


RANKS = ("effective_rank", "rankme", "stable_rank", "participation_ratio", "nesum")  # none passes the dimension
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


def of_population(
    chosen: Sequence[Measure], population: Population, *, exact: bool = True, row_bands: bool = True
) -> tuple[Measured | None, ...]:
    """Measure a population: metrics of moments with the jackknife, those of rows with random halves.

    The value is the metric of these images, as its publication defines it. Ranks of few images are too low, by more
    than other images as many would change them; so the band of a metric of moments is that of the value at infinitely
    many images, from which the bias of order 1/n is removed, and need not hold the value itself. The limit of effective
    ranks of Gaussian rows lay in it in 91 to 97 of 100 draws in 32 dimensions, by spectrum, with `ENOUGH` rows for each
    dimension, in 89 to 92 with half as many; with fewer the correction overshoots. The largest singular value of nearly
    even ones is biased by more than the order 1/n, so the band of such a stable rank misses.

    Parameters
    ----------
    chosen : sequence of Measure
    population : Population
    exact : bool, default True
        Take singular values of the rows themselves where all are kept, and metrics of rows; else all is of the moments,
        whose squaring error then widens the band.
    row_bands : bool, default True
        Whether metrics of rows get a band, which costs seven times as much.

    Returns
    -------
    tuple of Measured
        None for what is of views, and of rows unless `exact`.
    """
    spectral = _of_moments([one for one in chosen if one.needs == "moments"], population, exact)
    return tuple(
        spectral[one] if one.needs == "moments"
        else of_rows(one, population.rows, population.groups, band=row_bands) if one.needs == "rows" and exact
        else None
        for one in chosen
    )  # fmt: skip


def _of_moments(chosen: Sequence[Measure], population: Population, exact: bool) -> dict[Measure, Measured]:
    """Return values and bands; each group of images is left out once, for all metrics together."""
    if not chosen:
        return {}
    parts = population.parts
    whole = merged(parts)
    held = exact and population.streamed is None
    features = population.rows.astype(np.float64) if held else whole
    values = {one: _tried(one, features) for one in chosen}
    sound = [one for one, value in values.items() if not isinstance(value, str) and np.isfinite(value)]
    left: dict[Measure, list[float]] = {one: [] for one in sound}
    packed = whole.pack()
    for part in parts:
        others = Moments.unpack(packed - part.pack())
        for one in sound:
            left[one].append(one(others))
    found = {}
    for one, value in values.items():
        if isinstance(value, str):
            found[one] = NOTHING._replace(note=value)
            continue
        note = _remark(one, features, value)
        found[one] = NOTHING._replace(value=float(value), note=note)
        if one in left:
            squaring = 0.0 if held else getattr(value, "error", 0.0)
            found[one] = _limit(float(value), one(whole), left[one], squaring, note)
            if one.metric in RANKS:  # nor does their limit; the error is of other images as many, and stays
                most = float(population.d)
                found[one] = found[one]._replace(
                    low=np.minimum(found[one].low, most), high=np.minimum(found[one].high, most)
                )
    return found


def _tried(measure: Measure, features: Any) -> float | str:
    """Return the value, or why there is none."""
    try:
        return measure(features)
    except InputError as error:
        return str(error)


def _limit(value: float, whole: float, left: Sequence[float], squaring: float, note: str) -> Measured:
    """Return a value with the band of its limit; bias is that of moments alone, lest their round-off be multiplied."""
    with np.errstate(invalid="ignore"):
        bias = (len(left) - 1) * (float(np.mean(left)) - float(whole))
        return _banded(value, value - bias, 2 * jackknife_error(left) + squaring, LIMIT, note)


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
            return Measured(value, np.nan, np.nan, np.nan, "", "too few images for a band" if few else "")
        rng = np.random.default_rng(seed)
        chosen = [rng.permutation(len(names)) < len(names) // 2 for _ in range(HALVES)]
        halves = [measure(rows[half[place]]) for half in chosen]
    except InputError as error:
        return NOTHING._replace(note=str(error))
    with np.errstate(invalid="ignore"):
        return _banded(value, value, 2 * float(np.std(halves, ddof=1)), HALF_SAMPLES)


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


def _banded(value: float, middle: float, error: float, method: str, note: str = "") -> Measured:
    if not np.isfinite(error) or not np.isfinite(middle):
        return Measured(value, np.nan, np.nan, np.nan, "", note or "a part of the images gives no finite value")
    return Measured(value, middle - error, middle + error, error, method, note)
