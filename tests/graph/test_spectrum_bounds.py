"""Bounds of a graph's spectrum cover the exact values of D₁^-½ M D₂^-½ in 50 digits, in worlds where it is hard."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from exact_singular_values import DIGITS, exact_matrix, exact_singular_values

from maetheory.graph import MaskGraph
from maetheory.spectra import small_components, solvers


def exact_spectrum(joint: np.ndarray) -> list[mpmath.mpf]:
    with mpmath.workdps(DIGITS):
        law = exact_matrix(joint)
        rows = [sum(law[i, j] for j in range(law.cols)) for i in range(law.rows)]
        columns = [sum(law[i, j] for i in range(law.rows)) for j in range(law.cols)]
        for i in range(law.rows):
            for j in range(law.cols):
                law[i, j] /= mpmath.sqrt(rows[i] * columns[j])
        return exact_singular_values(law)


def wide_masses(rng: np.random.Generator) -> np.ndarray:
    """Masses spread over thirteen decades."""
    return 10.0 ** rng.uniform(-13, 0, (6, 5))


def nearly_tied(rng: np.random.Generator) -> np.ndarray:
    """Two components whose second values differ by 1e-11."""
    joint = np.zeros((6, 6))
    for at, off in ((0, 0.1), (2, 0.1 * (1 + 1e-11)), (4, 0.3)):
        joint[at : at + 2, at : at + 2] = [[0.5 - off, off], [off, 0.5 - off]]
    return joint


def nearly_disconnected(rng: np.random.Generator) -> np.ndarray:
    """Two components joined by an edge of mass 1e-13: σ₂ is 1 − 4e-13 but no second 1."""
    joint = np.zeros((4, 4))
    joint[:2, :2], joint[2:, 2:] = rng.random((2, 2)) + 0.1, rng.random((2, 2)) + 0.1
    joint[0, 3] = 1e-13
    return joint


def rank_deficient(rng: np.random.Generator) -> np.ndarray:
    """Views with equal conditional laws: the values beyond the rank are zero."""
    return rng.random((6, 2)) @ rng.random((2, 5))


@pytest.mark.parametrize("world", [wide_masses, nearly_tied, nearly_disconnected, rank_deficient])
@pytest.mark.parametrize("limits", ["usual", "lowered"])
def test_bounds_cover_the_exact_values(world, limits: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if limits == "lowered":  # every component is large
        monkeypatch.setattr(solvers, "DENSE_SIDE", 0)
        monkeypatch.setattr(small_components, "DENSE_SIDE", 0)
        monkeypatch.setattr(solvers, "GRAM_SIDE", 0)
    for seed in range(6):
        joint = world(np.random.default_rng(seed))
        graph = MaskGraph.from_joint(joint / joint.sum())
        exact = exact_spectrum(graph.joint.toarray())
        for k in range(1, min(joint.shape) + 1):
            found = graph.spectrum(k)
            assert all(low <= value for low, value in zip(found.lower, exact, strict=False))
            assert all(value <= high for high, value in zip(found.upper, exact, strict=False))
            following = exact[k] if k < len(exact) else 0
            assert following <= found.missed_below
            assert not found.missed
            assert found.enclosure_radius < 1e-13
            if found.complete:
                assert following < found.values[-1] + found.enclosure_radius


def test_a_gap_above_the_rounding_error_is_seen_and_a_tie_is_not() -> None:
    tied = nearly_tied(np.random.default_rng(0))
    graph = MaskGraph.from_joint(tied / tied.sum())
    values = graph.spectrum(6).values
    assert graph.n_components == 3
    assert 3e-12 < values[3] - values[4] < 3e-11
    assert [graph.spectrum(k).complete for k in range(1, 6)] == [False, False, True, True, True]
    joined = nearly_disconnected(np.random.default_rng(0))
    one = MaskGraph.from_joint(joined / joined.sum())
    assert one.n_components == 1
    assert 0 < 1 - one.spectrum(2).values[1] < 1e-11
    assert one.spectrum(1).complete
