"""The bound over all images covers the truth of known worlds, is not vacuous there, and notices a wrong factor."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.empirical.population_bound import population_bound, upper_mean
from maetheory.graph import MaskGraph
from maetheory.theory.exact_probe import image_error, probe_residual, view_error
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser
from maetheory.theory.statements.spectral_features_bound_downstream_error import tight

DRAWS = 200


def _sample(graph: MaskGraph, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """View and target of n independent draws from the joint law."""
    joint = graph.joint.toarray()
    return np.divmod(np.random.default_rng(seed).choice(joint.size, n, p=joint.ravel()), joint.shape[1])


def _ideal_scores(graph: MaskGraph) -> np.ndarray:
    """Class probabilities of the view given the target, (N2, r)."""
    law = graph.joint.toarray().T @ np.eye(graph.n_classes)[graph.view_labels]
    return law / law.sum(1, keepdims=True)


def _random_graph(seed: int) -> MaskGraph:
    rng = np.random.default_rng(seed)
    joint = rng.random((9, 4)) ** 4
    return MaskGraph.from_joint(joint / joint.sum(), np.arange(9) % 3)


@pytest.mark.parametrize("seed", range(5))
def test_brier_score_of_the_ideal_rule_is_phi_and_of_any_other_is_more(seed: int) -> None:
    graph = _random_graph(seed)
    joint, labels = graph.joint.toarray(), np.eye(3)[graph.view_labels]

    def brier(scores: np.ndarray) -> float:
        return sum(
            joint[view, target] * ((labels[view] - scores[target]) ** 2).sum()
            for view in range(9)
            for target in range(4)
        )

    phi = float(graph.pair_label_error())
    assert brier(_ideal_scores(graph)) == pytest.approx(phi, abs=1e-13)
    assert brier(np.full((4, 3), 1 / 3)) > phi + 1e-3


@pytest.mark.parametrize("mean", [0.02, 0.3, 0.95])
def test_the_mean_is_covered(mean: float) -> None:
    rng = np.random.default_rng(0)
    found = [upper_mean((rng.random(200) < mean).astype(float), 0.1) for _ in range(DRAWS)]
    missed = np.mean(np.array(found) < mean)
    assert missed <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / DRAWS)
    assert np.mean(found) < mean + 3 * np.sqrt(mean * (1 - mean) / 200) + 5 / 200


@pytest.mark.parametrize("n", [50, 500])
def test_without_an_error_no_bound_may_be_below_that_of_clopper_and_pearson(n: int) -> None:
    exact = 1 - 0.05 ** (1 / n)
    assert exact <= upper_mean(np.zeros(n), 0.05) <= 2.5 * exact


def test_spread_matters() -> None:
    steady, spread = np.full(400, 0.5), np.tile([0.0, 1.0], 200)
    assert upper_mean(steady, 0.05) < upper_mean(spread, 0.05)
    assert upper_mean(np.ones(30), 0.05) == 1.0


def test_a_tight_world_is_certified_and_half_the_bound_would_be_wrong() -> None:
    graph = tight()["graph"]
    features = minimiser(graph, graph.shape[1])
    view, target = _sample(graph, 5000, 0)
    found = population_bound(graph.view_labels[view], graph.view_labels[view], _ideal_scores(graph)[target])
    residual, views, images = probe_residual(graph, features), view_error(graph, features), image_error(graph, features)
    assert found.residual / 2 < residual <= found.residual < 1
    assert found.view_error / 2 < views <= found.view_error
    assert images <= found.one_view_error <= found.image_error < 0.7


def test_bounds_cover_the_residual_of_random_worlds() -> None:
    for seed in range(20):
        graph = _random_graph(seed)
        view, target = _sample(graph, 400, seed)
        found = population_bound(graph.view_labels[view], graph.view_labels[view], _ideal_scores(graph)[target])
        assert float(graph.pair_label_error()) <= found.phi_bound
        features = minimiser(graph, 4)
        assert probe_residual(graph, features) <= found.residual
        assert view_error(graph, features) <= found.view_error


def test_alpha_counts_labels_of_images_that_views_do_not_tell() -> None:
    labels = np.tile([0, 1], 400)
    images = np.where(np.arange(800) % 10 == 0, 1 - labels, labels)
    found = population_bound(labels, images, np.eye(2)[labels])
    assert found.alpha == pytest.approx(0.1)
    assert 0.1 < found.alpha_bound < 0.15
    assert found.one_view_error == 2 * found.phi_bound + found.alpha_bound
    assert found.image_error == 2 * found.one_view_error


@pytest.mark.parametrize(
    ("labels", "images", "scores", "message"),
    [
        ([0, 1], [0, 1, 1], np.eye(2), "one row for each image"),
        ([0, 1], [0, 1], 2 * np.eye(2), "sum to 1"),
        ([0, 2], [0, 1], np.eye(2), "between 0 and 1"),
    ],
)
def test_bad_input_is_one_sentence(labels: list[int], images: list[int], scores: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        population_bound(np.array(labels), np.array(images), scores)


def test_means_outside_the_range_are_refused() -> None:
    for values in ([], [1.5], [np.nan]):
        with pytest.raises(InputError, match=r"all in \[0, 1\]"):
            upper_mean(np.array(values), 0.05)
    with pytest.raises(InputError, match="error probability"):
        upper_mean(np.zeros(3), 1.0)
    with pytest.raises(InputError, match="confidence"):
        population_bound(np.array([0, 1]), np.array([0, 1]), np.eye(2), confidence=1.0)


def test_the_bound_of_phi_is_twice_that_of_half_the_score() -> None:
    """Draws in [0, 2] are halved for the bound, and the bound doubled: no more, which would cover too."""
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 3, 400)
    scores = rng.dirichlet(np.ones(3), 400)
    brier = ((np.eye(3)[labels] - scores) ** 2).sum(1)
    found = population_bound(labels, labels, scores, confidence=0.9)
    assert found.phi_bound == 2 * upper_mean(brier / 2, 0.05)
    assert found.phi < found.phi_bound < 1.1 * found.phi + 0.1


def test_scores_that_are_wrong_beyond_rounding_are_at_most_two() -> None:
    scores = np.array([[0.0, 1 + 2e-16], [1.0, 0.0]])
    assert population_bound(np.array([0, 0]), np.array([0, 0]), scores).phi == 1.0
    with pytest.raises(InputError, match="one row for each image"):
        population_bound(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2)))
