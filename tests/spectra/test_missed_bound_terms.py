"""Every term of the bounds on missed values decides in one of these tests; 50-digit arithmetic is the judge."""

from __future__ import annotations

import numpy as np
import pytest
from exact_singular_values import exact_deflated_norm
from scipy import sparse
from scipy.stats import chi2

from maetheory.core import InputError
from maetheory.spectra import (
    CountingOperator,
    NormBounds,
    lanczos,
    missed_below,
    missed_below_by_lanczos,
)
from maetheory.spectra.enclose import _largest_norm_ratio

EPS = float(np.finfo(float).eps)
E = np.eye(4)
MISSED_BOUNDS = [missed_below, missed_below_by_lanczos]


def rank_one(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return B = u vᵀ for random unit vectors, and v, which deflates all of B but a rounding error."""
    u, v = (x / np.linalg.norm(x) for x in rng.standard_normal((2, n)))
    return np.outer(u, v), v[:, None]


@pytest.mark.parametrize("bound", MISSED_BOUNDS)
@pytest.mark.parametrize("size", [1.0, 1e8])
@pytest.mark.parametrize("norm", ["given", "measured"])
@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_rounding_errors_are_not_missed_values(bound, norm: str, size: float, n: int) -> None:
    """All of a matrix of rank one is deflated: what is left is rounding, which no bound may take for a value."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        b, v = rank_one(rng, n)
        truth = exact_deflated_norm(size * b, v) if n <= 5 else 0.0
        options = {"norm": size} if norm == "given" else {}
        found = bound(CountingOperator(size * b), v, rng=rng, **options)
        assert found.lower <= truth <= found.upper
        assert found.lower == 0.0
        assert found.upper < (1e-14 if bound is missed_below else 1e-6) * size


@pytest.mark.parametrize("bound", MISSED_BOUNDS)
def test_small_values_beside_large_deflated_ones_are_enclosed(bound) -> None:
    for size in (1.0, 1e-3, 1e-6):
        rng = np.random.default_rng(3)
        left, right = (np.linalg.qr(rng.standard_normal((5, 5)))[0] for _ in range(2))
        b = left * np.array([1.0, size, 0.5 * size, 0.1 * size, 0.0]) @ right.T
        for options in ({}, {"norm": 1.0}):
            found = bound(CountingOperator(b), right[:, :1], rng=rng, **options)
            truth = exact_deflated_norm(b, right[:, :1])
            assert 0.9 * truth < found.lower <= truth <= found.upper < 1.2 * truth


@pytest.mark.parametrize("probes", [1, 5])
@pytest.mark.parametrize("power", [1, 4])
@pytest.mark.parametrize("norm", [1.0, 50.0, 1e12, 1e16])
def test_the_power_bound_is_its_formula(probes: int, power: int, norm: float) -> None:
    rng = np.random.default_rng(5)
    b, right = rng.standard_normal((7, 6)), np.eye(6)[:, :2]  # whose projections are exact
    found = missed_below(
        CountingOperator(b),
        right,
        rng=np.random.default_rng(8),
        probes=probes,
        power=power,
        failure_probability=0.01,
        norm=norm,
    )
    c = b @ (np.eye(6) - right @ right.T)
    iterate = np.linalg.matrix_power(c.T @ c, power) @ np.random.default_rng(8).standard_normal((6, probes))
    ratio = (np.linalg.norm(c @ iterate, axis=0) / np.linalg.norm(iterate, axis=0)).max()
    upper = (np.sum((c @ iterate) ** 2) / chi2.ppf(0.01, probes)) ** (1 / (4 * power + 2))
    rounding = EPS * np.sqrt(13.0) * max(ratio, norm)
    assert found.lower == pytest.approx(max(ratio - rounding, 0.0), rel=1e-10, abs=0)
    assert found.upper == pytest.approx(max(upper, ratio) + rounding, rel=1e-10, abs=0)
    assert found.failure_probability == 0.01


def test_the_power_bound_never_falls_below_the_iterate() -> None:
    """At a failure probability near one the quantile is large, and the ratio of the iterate is the better bound."""
    b = CountingOperator(np.eye(3))
    found = missed_below(
        b, np.empty((3, 0)), rng=np.random.default_rng(0), power=1, probes=1, failure_probability=0.999
    )
    assert found.upper >= 1.0 >= found.lower > 1.0 - 10 * EPS


def test_a_matrix_that_is_deflated_exactly_leaves_nothing() -> None:
    for b, norm, left_over in ((np.diag([4.0, 0.0]), 0.0, 4.0), (np.diag([4.0, 0.0]), 8.0, 8.0)):
        found = missed_below(CountingOperator(b), E[:2, :1], rng=np.random.default_rng(0), norm=norm)
        assert found == NormBounds(0.0, EPS * 2.0 * left_over, 1e-6)
    assert missed_below(CountingOperator(np.zeros((2, 2))), np.empty((2, 0)), rng=np.random.default_rng(0)).upper == 0.0


def test_columns_of_probes_that_vanish_have_no_ratio() -> None:
    block, image = np.array([[0.0, 3.0], [0.0, 4.0]]), np.array([[0.0, 10.0]])
    assert _largest_norm_ratio(block, image, np.empty((2, 0)), 1.0) == 2.0
    assert _largest_norm_ratio(block, image, E[:2, :1], 0.0) == 2.0
    assert _largest_norm_ratio(block, image, E[:2, :1], 2.0) == (10.0 - 2.0 * 3.0) / 5.0
    assert _largest_norm_ratio(block, image, E[:2, :1], 20.0) == 0.0
    leaking = np.array([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [4.0, 4.0, 5.0]])  # a column leaks on its own account
    basis, image = E[:3, :2], np.array([[20.0, 0.0, 0.0], [0.0, 10.0, 15.0]])
    assert _largest_norm_ratio(leaking, image, basis, 1.0) == 17.0 / 5.0


@pytest.mark.parametrize("bound", MISSED_BOUNDS)
@pytest.mark.parametrize("deflated", [0, 1])
@pytest.mark.parametrize("scale", [1e-60, 1e-74, 1e-76, 1e-100])
def test_norms_whose_powers_underflow_bound_nothing(scale: float, deflated: int, bound) -> None:
    values = np.array([1.0, 0.9, 0.5, 0.1])
    found = bound(CountingOperator(scale * np.diag(values)), E[:, :deflated], rng=np.random.default_rng(0))
    truth = scale * values[deflated]
    assert found.lower <= truth <= found.upper
    assert np.isfinite(found.upper) == (scale > 1e-75)
    assert bound(CountingOperator(np.zeros((4, 4))), E[:, :1], rng=np.random.default_rng(0)).upper == 0.0


@pytest.mark.parametrize("steps", [5, 9])
@pytest.mark.parametrize("norm", [0.5, 30.0, 1e7])
@pytest.mark.parametrize("form", ["dense", "sparse", "columns"])
def test_the_lanczos_bound_is_its_formula(form: str, norm: float, steps: int) -> None:
    rng = np.random.default_rng(6)
    inner = rng.standard_normal((12, 10))
    right = np.linalg.qr(rng.standard_normal((10, 2)))[0]
    b, columns, options = inner, np.arange(10), {}
    if form == "columns":
        columns, b = np.arange(12)[[3, 0, 4, 5, 11, 7, 8, 9, 10, 1]], np.zeros((12, 12))
        b[:, columns], options = inner, {"columns": columns}
    found = missed_below_by_lanczos(
        CountingOperator(b),
        sparse.csr_array(right) if form == "sparse" else right,
        rng=np.random.default_rng(2),
        steps=steps,
        failure_probability=0.5,
        norm=norm,
        **options,
    )
    project = np.eye(10) - right @ right.T
    c = inner @ project
    start = project @ np.random.default_rng(2).standard_normal(10)
    largest = lanczos(lambda x: c.T @ (c @ x), start, steps).nodes[-1]
    relative = (np.log(1.648 * np.sqrt(10) / 0.5) / (2 * steps - 1)) ** 2
    rounding = 8 * EPS * np.sqrt(sum(b.shape)) * max(largest, norm**2)
    assert found.lower == pytest.approx(np.sqrt(max(largest - rounding, 0.0)), rel=1e-9, abs=0)
    assert found.upper == pytest.approx(np.sqrt((largest + rounding) / (1 - relative)), rel=1e-9, abs=0)
    assert found.failure_probability == 0.5


def test_too_few_lanczos_steps_bound_nothing() -> None:
    b, none = CountingOperator(np.eye(3)), np.empty((3, 0))
    for steps, bounded in ((1, False), (7, False), (8, True)):
        found = missed_below_by_lanczos(b, none, rng=np.random.default_rng(0), steps=steps)
        assert np.isfinite(found.upper) == bounded
        assert found.lower == pytest.approx(1.0, abs=20 * EPS)


def test_nothing_is_missed_beside_a_whole_basis() -> None:
    b = CountingOperator(np.diag([3.0, 2.0]))
    found = missed_below_by_lanczos(b, E[:2, :2], rng=np.random.default_rng(0), norm=3.0)
    assert found == NormBounds(0.0, EPS * 2.0 * 3.0, 0.0)
    assert b.matvecs == 0
    assert missed_below_by_lanczos(b, E[:2, :1], rng=np.random.default_rng(0)).lower > 1.9


@pytest.mark.parametrize(
    ("bound", "wrong"),
    [(missed_below, {"probes": 0}), (missed_below, {"power": 0}), (missed_below_by_lanczos, {"steps": 0})],
)
def test_an_effort_of_nothing_is_refused(bound, wrong: dict) -> None:
    with pytest.raises(InputError, match="at least"):
        bound(CountingOperator(np.eye(3)), E[:3, :1], rng=np.random.default_rng(0), **wrong)
    least = dict.fromkeys(wrong, 1)
    assert bound(CountingOperator(np.eye(3)), E[:3, :1], rng=np.random.default_rng(0), **least).lower > 0.9
