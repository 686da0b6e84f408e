"""The steps of theorem 4.1, the vacuity of its explicit form, and the gap in α."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from maetheory.core import generator
from maetheory.data import worlds
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks
from maetheory.theory import THEOREMS, Verdict, check
from maetheory.theory.exact_probe import image_error, probe_residual, view_error
from maetheory.theory.statements.pair_error_bounded_by_label_errors import same_spectrum_opposite_labels
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser

LABELS_ONLY = (
    "factorisation-bounds-probe-residual",
    "probe-residual-bounds-view-error",
    "probe-residual-bounds-image-error",
)


def labelled(seed: int, n_images: int = 4, n1: int = 6, n2: int = 4, r: int = 2):
    """A random law of image, view and target, sparse enough to be interesting."""
    rng = generator(seed, "downstream")
    law = rng.random((n_images, n1, n2)) ** 4 * (rng.random((n_images, n1, n2)) < 0.4)
    law += 1e-5
    law /= law.sum()
    parts = [sparse.csr_array(law.sum(axis)) for axis in (0, 2, 1)]
    return MaskGraph(*parts, rng.integers(0, r, n_images)), rng


def world(seed: int, k: int = 2):
    graph, rng = labelled(seed)
    n1, n2 = graph.shape
    h, h_g = rng.normal(size=(n1, 3)), rng.normal(size=(n2, 3))
    return graph, {"features": rng.normal(size=(n1, k)), "h": h, "h_g": h_g, "targets": h_g}


def labels_by_hand(graph, side):
    law = side.toarray()
    out = []
    for column in law.T:
        mass = [sum(column[graph.image_labels == c]) for c in range(max(graph.image_labels) + 1)]
        out.append(mass.index(max(mass)))
    return out


@pytest.mark.parametrize("seed", range(6))
def test_the_probe_equals_weighted_least_squares_and_a_count_of_votes(seed):
    graph, objects = world(seed)
    f, (d1, _) = objects["features"], graph.degrees
    y = labels_by_hand(graph, graph.image_views)
    classes = max(graph.image_labels) + 1
    head, *_ = np.linalg.lstsq(np.sqrt(d1)[:, None] * f, np.sqrt(d1)[:, None] * np.eye(classes)[y], rcond=None)
    scores = f @ head
    residual = sum(d1[i] * sum((scores[i] - np.eye(classes)[y[i]]) ** 2) for i in range(len(y)))
    assert probe_residual(graph, f) == pytest.approx(residual, rel=1e-9)
    predicted = [int(np.argmax(row)) for row in scores]
    assert view_error(graph, f) == pytest.approx(sum(d1[i] for i in range(len(y)) if predicted[i] != y[i]))
    views, wrong = graph.image_views.toarray(), 0.0
    for image, truth in enumerate(graph.image_labels):
        votes = [sum(views[image][i] for i in range(len(y)) if predicted[i] == c) for c in range(classes)]
        wrong += views[image].sum() * (votes.index(max(votes)) != truth)
    assert image_error(graph, f) == pytest.approx(wrong)


def test_ties_of_scores_and_of_votes_are_errors():
    graph = MaskGraph.from_joint([[0.25, 0.0], [0.25, 0.0], [0.0, 0.5]], labels=[0, 1, 0])
    assert view_error(graph, np.array([[1.0, 0], [1.0, 0], [0, 1.0]])) == pytest.approx(0.5)
    assert image_error(graph, np.zeros((3, 1))) == pytest.approx(1.0)


@given(st.integers(0, 10**6), st.integers(1, 4), st.floats(-6, 1))
@settings(max_examples=60, deadline=None)
def test_no_link_of_the_chain_breaks_at_random_or_near_the_best_features(seed, k, exponent):
    graph, rng = labelled(seed, r=3)
    features = minimiser(graph, k) + 10**exponent * rng.normal(size=(graph.shape[0], k))
    for slug in LABELS_ONLY:
        assert check(slug, graph, features=features).slack >= 0
    assert check("umae-downstream-bound-exceeds-six", graph).slack >= 0
    assert check("pair-error-bounded-by-label-errors", graph).slack >= 0


@pytest.mark.parametrize("slug", LABELS_ONLY)
def test_each_link_is_strict_about_its_constant(slug):
    theorem = THEOREMS[slug]
    planted = replace(theorem, rhs=lambda graph, features: 0.95 * theorem.rhs(graph, features))
    assert planted.check(**theorem.tight()).verdict is Verdict.VIOLATED


def test_the_image_bound_needs_its_alpha():
    """One view shows two images of different classes: features are perfect for views, yet half the images err."""
    view = sparse.csr_array([[0.5], [0.5]])
    graph = MaskGraph(sparse.csr_array([[1.0]]), view, view, np.array([0, 1]))
    theorem = THEOREMS["probe-residual-bounds-image-error"]
    found = theorem.check(graph, features=np.ones((1, 1)))
    assert (found.lhs, found.rhs) == (pytest.approx(0.5), pytest.approx(1.0))
    dropped = replace(theorem, rhs=lambda graph, features: 4 * probe_residual(graph, features))
    assert dropped.check(graph, features=np.ones((1, 1))).verdict is Verdict.VIOLATED


@given(st.integers(0, 10**6), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_the_explicit_downstream_bound_holds_and_is_vacuous_on_every_world(seed, k):
    graph, objects = world(seed, k)
    found = check("umae-bounds-downstream-error", graph, **objects)
    assert found.verdict is Verdict.VACUOUS
    assert found.rhs >= 6 > 1 + 1e-12 >= found.lhs


def test_the_terms_of_the_downstream_bound():
    graph, objects = world(3)
    found = check("umae-bounds-downstream-error", graph, lipschitz=30.0, **objects)
    p_max = max(graph.degrees[0] @ (np.array(labels_by_hand(graph, graph.image_views)) == c) for c in (0, 1))
    umae = check("umae-bounds-spectral-contrast", graph, lipschitz=30.0, **objects).lhs
    assert found.terms["loss"] == pytest.approx(32 * p_max * 30 * umae)
    assert found.terms["labels"] == pytest.approx(8 * graph.pair_label_error() + 2 * graph.label_error())
    assert found.terms["graph"] == pytest.approx(8 * p_max * (graph.augmentation.toarray() ** 2).sum())
    assert found.rhs == pytest.approx(sum(found.terms.values()))


def balanced(r: int, inside: float) -> MaskGraph:
    """r classes, one view and one target each, joined to the others evenly; λ₂ = … = λ_r."""
    joint = np.full((r, r), (1 - inside) / (r * (r - 1)))
    np.fill_diagonal(joint, inside / r)
    return MaskGraph.from_joint(joint, np.arange(r))


def test_six_is_the_infimum_of_the_constant_part():
    r = 400
    sigma = np.sqrt(0.5)
    found = check("umae-downstream-bound-exceeds-six", balanced(r, (1 + (r - 1) * sigma) / r))
    assert 6 < found.lhs < 6.05
    planted = replace(THEOREMS["umae-downstream-bound-exceeds-six"], rhs=lambda: 6.3)
    assert planted.check(balanced(r, (1 + (r - 1) * sigma) / r)).verdict is Verdict.VIOLATED


def test_the_constants_cannot_be_left_out():
    """Without 8 p_max ‖Ā‖² the zero encoder on two components refutes the bound."""
    theorem = THEOREMS["umae-bounds-downstream-error"]
    without = replace(theorem, rhs=lambda **w: theorem.check(**w).rhs - theorem.check(**w).terms["graph"])
    graph, zero = MaskGraph.from_joint(np.diag([0.5, 0.5]), [0, 1]), np.zeros((2, 1))
    found = without.check(graph, features=zero, h=zero, h_g=zero, targets=zero)
    assert (found.lhs, found.rhs, found.verdict) == (1.0, 0.0, Verdict.VIOLATED)


@pytest.mark.parametrize("n_visible", [1, 2, 3])
@pytest.mark.parametrize("positions", ["kept", "dropped"])
def test_pair_errors_on_enumerated_worlds_equal_the_sums(n_visible, positions):
    graph = MaskGraph.enumerate(worlds.mixture(4, 2, 2, 0.15), UniformMasks(4, n_visible), positions)
    found = check("pair-error-bounded-by-label-errors", graph)
    views, targets = labels_by_hand(graph, graph.image_views), labels_by_hand(graph, graph.image_targets)
    joint, d2 = graph.joint.toarray(), graph.degrees[1]
    phi = sum(
        joint[a][j] * joint[b][j] / d2[j]
        for j in range(len(d2))
        for a in range(len(views))
        for b in range(len(views))
        if views[a] != views[b]
    )
    alpha, alpha2 = (
        sum(
            side.toarray()[s][i]
            for s in range(len(graph.image_labels))
            for i in range(len(labels))
            if labels[i] != graph.image_labels[s]
        )
        for side, labels in ((graph.image_views, views), (graph.image_targets, targets))
    )
    assert found.lhs == pytest.approx(phi, abs=1e-13)
    assert found.rhs == pytest.approx(2 * alpha + 2 * alpha2, abs=1e-13)
    assert (
        found.slack
        >= (sum(joint[a][j] for a in range(len(views)) for j in range(len(d2)) if views[a] != targets[j])) ** 2 - 1e-12
    )


def test_the_factor_two_is_the_least_and_the_targets_cannot_be_left_out():
    theorem = THEOREMS["pair-error-bounded-by-label-errors"]
    rare = MaskGraph.from_joint([[0.99], [0.01]], labels=[0, 1])
    assert (
        replace(theorem, rhs=lambda graph: 1.95 * (graph.label_error() + graph.target_label_error()))
        .check(rare)
        .verdict
        is Verdict.VIOLATED
    )
    across = same_spectrum_opposite_labels()[1]
    assert replace(theorem, rhs=lambda graph: 2 * graph.label_error()).check(across).verdict is Verdict.VIOLATED


def test_any_labels_will_do_and_their_shape_is_asked_for():
    graph, rng = labelled(1)
    for _ in range(20):
        mine = {"view_labels": rng.integers(0, 2, 6), "target_labels": rng.integers(0, 2, 4)}
        assert check("pair-error-bounded-by-label-errors", graph, **mine).slack >= 0
    with pytest.raises(ValueError, match=r"view_labels must have shape \(N1\) = \(6\)"):
        check("pair-error-bounded-by-label-errors", graph, view_labels=np.zeros(5, int))


def test_the_same_spectrum_and_alpha_go_with_opposite_downstream_errors():
    within, across = same_spectrum_opposite_labels()
    for graph in (within, across):
        lam = np.linalg.eigvalsh(graph.augmentation.toarray())[::-1]
        np.testing.assert_allclose(lam, [1, 1, 0, 0], atol=1e-14)
        assert graph.label_error() == 0
        features = minimiser(graph, 2)
        assert check("spectral-contrast-is-bounded-by-eigenvalues", graph, features=features).lhs == pytest.approx(-2)
    order = [0, 2, 1, 3]
    np.testing.assert_array_equal(within.joint.toarray()[order], across.joint.toarray())
    assert probe_residual(within, minimiser(within, 2)) == pytest.approx(0, abs=1e-14)
    assert probe_residual(across, minimiser(across, 2)) == pytest.approx(0.5)
    assert (within.target_label_error(), across.target_label_error()) == (0, pytest.approx(0.5))
