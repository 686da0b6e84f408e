"""Probes without a direction: nuisance, labels, paired intervals, and labels that cannot be probed."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.core import Estimate
from maetheory.evaluation.explanation.removal import (
    PROBES,
    RemovalEffect,
    paired_interval,
    project_out,
    removal_effects,
    usable_labels,
)

N = 400
OUTCOMES = [(0.1, (0.05, 0.15)), (-0.1, (-0.15, -0.05)), (0.0, (-0.1, 0.1)), (0.1, (0.0, 0.2))]


def planted(scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features whose classes lie along one direction, with a nuisance of this size along another."""
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 2
    directions, _ = np.linalg.qr(rng.standard_normal((16, 3)))
    Z = 0.3 * rng.standard_normal((N, 16)) + np.outer(2.0 * labels, directions[:, 0])
    Z += np.outer(scale * rng.standard_normal(N), directions[:, 1])
    Z += 10 * scale * directions[:, 2]  # far from 0, where angles, which k-NN compares, are as distances
    return Z, labels, directions[:, [0]], directions[:, [1]]


@pytest.mark.parametrize(("probe", "scale"), [("linear", 3000.0), ("knn", 100.0)])
def test_a_nuisance_raises_probes_and_the_direction_of_labels_lowers_them(probe: str, scale: float) -> None:
    """The penalty of the linear probe, and the distances of k-NN, are those of the nuisance."""
    Z, labels, of_labels, nuisance = planted(scale)
    effects = removal_effects(Z, labels, {"nuisance": nuisance, "both": np.hstack([of_labels, nuisance])})
    assert {(one.probe, one.removed) for one in effects} == {
        (name, removed) for name in PROBES for removed in ("nothing", "nuisance", "both")
    }
    found = {one.removed: one for one in effects if one.probe == probe}
    assert float(found["nothing"].accuracy) < 0.9
    assert found["nothing"].change == 0
    assert float(found["nuisance"].accuracy) > 0.97
    assert found["nuisance"].outcome == "gains"
    assert 0.35 < float(found["both"].accuracy) < 0.65
    clean = project_out(Z, nuisance)
    for one in removal_effects(clean, labels, {"labels": of_labels, "nuisance": nuisance}):
        if one.removed == "labels":
            assert one.outcome == "loses"
        if one.removed == "nuisance":
            assert one.change == 0  # it is not there any more


def test_every_image_is_tested_once_by_the_other_half() -> None:
    """Features that name the image help nobody who has not seen it."""
    labels = np.random.default_rng(0).integers(0, 2, 60)
    effects = removal_effects(np.eye(60), labels, {"1": np.eye(60)[:, [0]]})
    assert all(0.25 < float(one.accuracy) < 0.75 for one in effects if one.probe == "linear")


def test_projecting_out_is_linear_and_leaves_the_rest() -> None:
    rng = np.random.default_rng(0)
    V, _ = np.linalg.qr(rng.standard_normal((5, 2)))
    Z = rng.standard_normal((9, 5)) + 3
    without = project_out(Z, V)
    np.testing.assert_allclose(without @ V, 0, atol=1e-12)
    np.testing.assert_allclose(project_out(without, V), without, atol=1e-12)
    np.testing.assert_allclose(project_out(2 * Z[:4], V), 2 * without[:4], atol=1e-12)


def test_the_paired_interval_contains_the_true_change_and_not_always() -> None:
    """Half of the images that change are gained: the true change is 0."""
    rng = np.random.default_rng(0)
    inside, together = [], []
    for _ in range(400):
        before = rng.random(300) < 0.6
        after = np.where(rng.random(300) < 0.6, rng.random(300) < 0.6, before)
        low, high = paired_interval(before, after)
        inside.append(low < 0 < high)
        low, high = paired_interval(before, after, looks=20)
        together.append(low < 0 < high)
    assert 0.92 < np.mean(inside) < 0.985
    assert np.mean(together) > 0.99
    low, high = paired_interval(before, before)
    assert low == -high < 0
    independent = paired_interval(before, rng.permutation(before))
    assert independent[1] - independent[0] > 2 * (high - low)  # pairing is what makes it narrow


def test_labels_that_cannot_be_probed() -> None:
    assert usable_labels(None) is None
    assert usable_labels(np.zeros(30, dtype=int)) is None
    assert usable_labels(np.arange(30)) is None
    found = usable_labels(np.array([5, 5, 9, 7, 7, 7]))
    assert found is not None
    assert found.tolist() == [0, 1, 3, 4, 5]


def test_outcomes() -> None:

    effects = [RemovalEffect("1", "knn", Estimate(0.5), change, *ends) for change, ends in OUTCOMES]

    assert [one.outcome for one in effects] == ["gains", "loses", "undecided", "undecided"]
