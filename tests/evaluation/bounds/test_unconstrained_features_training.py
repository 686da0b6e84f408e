"""Unconstrained features trained by gradient descent reach the closed-form optima, and nothing below them."""

from __future__ import annotations

import numpy as np
import pytest
from reduced_rank import furthest_from_optimum

from maetheory.core import InputError
from maetheory.data import worlds
from maetheory.evaluation.bounds.unconstrained_features_training import train_unconstrained_features
from maetheory.graph import MaskGraph
from maetheory.graph.functionals import best_prediction, mean_square, positive_pair_distance, uniformity_loss
from maetheory.masks import UniformMasks
from maetheory.theory import Verdict, check
from maetheory.theory.statements.effective_rank_grows_with_uniformity import predicted_spectrum
from maetheory.theory.statements.linear_decoders_keep_the_top_singular_directions import linear_decoder_optimum
from maetheory.theory.theorem_quantities import eigenvalues, weighted_rows

RANK = "effective-rank-grows-with-uniformity"


@pytest.fixture(scope="module")
def graph() -> MaskGraph:
    return MaskGraph.enumerate(worlds.markov(5, 2, 0.75), UniformMasks(5, 3), "dropped")


@pytest.mark.parametrize(("weight", "lipschitz", "energy"), [(0.2, 1.0, 1.0), (1.0, 0.5, 2.0), (4.0, 1.0, 1.0)])
def test_the_predicted_spectrum_is_found_by_descent(graph, weight, lipschitz, energy):
    """The bound at a spectrum s is convex in it with modulus 2λ, so an excess δ moves s by at most √(δ/λ)."""
    (last,) = train_unconstrained_features(
        graph, 4, weight=weight, lipschitz=lipschitz, energy=energy, learning_rate=0.1, steps=800
    )
    checked = check(
        RANK, graph, features=last.features, h=last.h, targets=last.targets, weight=weight, lipschitz=lipschitz
    )
    assert checked.verdict in (Verdict.HOLDS, Verdict.TIGHT)
    excess = max(float(checked.lhs) - float(checked.rhs), 1e-15 * checked.scale)
    assert excess < 1e-5 * checked.scale  # how far descent has come; what follows holds at any excess
    assert float(checked.lhs) == last.loss
    found = np.linalg.svd(weighted_rows(graph, last.features), compute_uv=False) ** 2
    lam = np.minimum(eigenvalues(graph, 4), 1)
    predicted = predicted_spectrum(lam, weight=weight, lipschitz=lipschitz, energy=energy)
    assert np.linalg.norm(found - predicted) <= np.sqrt(excess / weight) + 1e-12
    assert found.sum() == pytest.approx(energy, rel=1e-12)


def test_the_loss_of_followed_targets_is_alignment_and_penalty(graph):
    first, last = train_unconstrained_features(graph, 3, weight=0.7, lipschitz=2.0, n_measurements=2, steps=50)
    for table in (first, last):
        aligned = positive_pair_distance(graph, table.features) / 4
        assert table.loss == pytest.approx(aligned + 0.7 * uniformity_loss(graph, table.features), rel=1e-12)
        np.testing.assert_allclose(table.h, table.features / np.sqrt(2), rtol=1e-15)
    assert (first.step, last.step) == (0, 50)
    assert last.loss < first.loss


def test_a_trained_linear_decoder_reaches_the_top_singular_directions(graph):
    targets, k = graph.targets("packed"), 1
    (last,) = train_unconstrained_features(graph, k, weight=0.0, targets=targets, decoder="trained", steps=800)
    best = linear_decoder_optimum(graph, targets, k)
    aim = weighted_rows(graph, best_prediction(graph, targets))
    rows = weighted_rows(graph, last.features)
    decoder = np.linalg.lstsq(rows, weighted_rows(graph, last.h))[0]
    bound = furthest_from_optimum(rows, aim, decoder)
    rounding_error = 1e-13 * mean_square(graph.degrees[1], targets)
    assert -rounding_error <= last.loss - best.loss <= bound + rounding_error
    assert bound < 1e-6 * best.loss
    assert linear_decoder_optimum(graph, targets, 2).loss < best.loss - 1e3 * bound


def test_pixels_under_an_isometry_obey_the_bound_with_its_constant(graph):
    targets = 2 * graph.targets("packed") - 1
    (last,) = train_unconstrained_features(graph, 2, weight=0.3, lipschitz=0.5, targets=targets, steps=200)
    checked = check(RANK, graph, features=last.features, h=last.h, targets=targets, weight=0.3, lipschitz=0.5)
    assert checked.verdict is Verdict.HOLDS
    assert mean_square(graph.degrees[0], last.features) == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(last.h @ last.h.T, 2 * last.features @ last.features.T, atol=1e-12)
    assert (
        check(RANK, graph, features=last.features, h=last.h, targets=targets, weight=0.3, lipschitz=0.49).verdict
        is Verdict.INAPPLICABLE
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"k": 0}, "at least 1"),
        ({"weight": -1.0}, "not negative"),
        ({"targets": np.zeros((3, 2))}, "one row for each"),
        ({"k": 5, "targets": "packed"}, "cannot lay 5 features into 2 pixels"),
        ({"decoder": "trained"}, "fixed targets"),
        ({"decoder": "mlp"}, "isometry"),
    ],
)
def test_errors_are_one_sentence(graph, options, says):
    if isinstance(options.get("targets"), str):
        options = {**options, "targets": graph.targets("packed")}
    with pytest.raises(InputError, match=says):
        train_unconstrained_features(graph, **{"k": 2, "weight": 1.0, "steps": 1, **options})
