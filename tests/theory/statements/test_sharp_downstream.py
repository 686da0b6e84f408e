"""Bounds on the probe that can be less than one, each against slow sums and against false versions of itself."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.linalg import block_diag

from maetheory.data import worlds
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks
from maetheory.theory import THEOREMS, Verdict, check
from maetheory.theory.exact_probe import class_masses, image_error, view_error
from maetheory.theory.propagated_errors import eigenvalue_error, projector_error
from maetheory.theory.statements.certificate_bounds_downstream_error import bound_at_multiplier, certificate_bound
from maetheory.theory.statements.excess_loss_bounds_downstream_error import excess_bound, excess_contrast
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser
from maetheory.theory.statements.spectral_features_bound_downstream_error import spectral_bound
from maetheory.theory.theorem_quantities import eigenvalues

EPS = float(np.finfo(float).eps)
SPECTRAL, EXCESS, CERTIFICATE = (
    f"{name}-bound{s}-downstream-error"
    for name, s in (("spectral-features", ""), ("excess-loss", "s"), ("certificate", "s"))
)
ALONE, LOWER, VOTES = (
    "label-error-alone-is-not-enough",
    "pair-error-lower-bound",
    "votes-beat-views-when-errors-scatter",
)


def labelled(seed, n1=6, n2=4, n_images=4):
    rng = np.random.default_rng(seed)
    law = rng.random((n_images, n1, n2)) ** 4 * (rng.random((n_images, n1, n2)) < 0.4) + 1e-5
    parts = [sparse.csr_array((law / law.sum()).sum(axis)) for axis in (0, 2, 1)]
    return MaskGraph(*parts, rng.integers(0, 3, n_images)), rng


@given(st.integers(0, 10**6), st.integers(1, 4), st.floats(-7, 1))
@settings(max_examples=40, deadline=None)
def test_the_bounds_hold_in_order_near_the_best_features(seed, k, exponent):
    graph, rng = labelled(seed)
    features = minimiser(graph, k) + 10**exponent * rng.normal(size=(6, k))
    found = check(CERTIFICATE, graph, features=features)
    loose = excess_bound(graph, features)
    assert found.slack >= -found.rhs.error
    assert float(found.rhs) <= float(loose) + found.rhs.error + loose.error
    assert view_error(graph, features) <= found.terms["view error bound"] + 1e-9
    assert image_error(graph, features) <= found.terms["image error bound"] + 1e-9
    spectral = minimiser(graph, k)
    first, best = check(SPECTRAL, graph, features=spectral), certificate_bound(graph, spectral)
    assert first.slack >= -first.rhs.error
    assert float(best) <= float(first.rhs) + best.error + first.rhs.error


@pytest.mark.parametrize("seed", range(5))
def test_the_excess_equals_projections_by_least_squares(seed):
    graph, rng = labelled(seed)
    features = rng.normal(size=(6, 2))
    rows = np.sqrt(graph.degrees[0])[:, None] * features
    a = graph.augmentation.toarray()
    left = a - rows @ np.linalg.lstsq(rows, a, rcond=None)[0]
    lam = np.sort(np.linalg.eigvalsh(a))[::-1]
    assert excess_contrast(graph, features) == pytest.approx(sum(v**2 for v in left.flat) - sum(x**2 for x in lam[2:]))
    mixed = features @ np.array([[2.0, 1.0], [0.0, -3.0]])
    assert excess_contrast(graph, mixed) == pytest.approx(excess_contrast(graph, features))


def test_the_residual_of_the_tight_worlds_in_closed_form():
    assert check(SPECTRAL, **THEOREMS[SPECTRAL].tight()).lhs == pytest.approx(0.1)
    assert check(EXCESS, **THEOREMS[EXCESS].tight()).lhs == pytest.approx(0.6 * 0.2)
    assert check(CERTIFICATE, **THEOREMS[CERTIFICATE].tight()).lhs == pytest.approx(2 / 3)
    assert check(LOWER, **THEOREMS[LOWER].tight()).lhs > 0.1


def test_the_mask_ratio_series_of_two_classes():
    found = []
    for visible in range(1, 8):
        graph = MaskGraph.enumerate(worlds.mixture(8, 2, 2, 0.1), UniformMasks(8, visible), "dropped")
        found.append(4 * float(spectral_bound(graph, 2)) + 2 * float(graph.label_error()))
    np.testing.assert_allclose(found, [0.93, 0.88, 0.33, 0.38, 0.28, 0.51, 0.74], atol=0.0051)


@pytest.mark.parametrize("classes", [1, 2, 3, 5])
def test_the_two_graphs_agree_in_all_but_the_residual(classes):
    terms = check(ALONE, classes=classes).terms
    assert terms["largest difference of eigenvalues"] < 1e-12
    assert terms["alpha within"] == terms["alpha across"] == 0
    assert terms["residual within"] == pytest.approx(0, abs=1e-12)
    assert terms["residual across"] == pytest.approx(1 - 1 / classes)


def test_the_vote_bound_beats_twice_the_view_error_iff_errors_scatter():
    found = check(VOTES, **THEOREMS[VOTES].tight())
    assert (found.terms["e"], found.terms["e2"]) == pytest.approx((3 / 8, 5 / 32))
    assert float(found.lhs) == pytest.approx(0.5)
    assert float(found.rhs) == pytest.approx(0.5)
    assert float(found.rhs) < found.terms["twice e"]


def test_an_image_whose_views_all_err_half_the_time_is_beyond_the_vote_bound():
    view = sparse.csr_array([[0.5], [0.5]])
    graph = MaskGraph(sparse.csr_array([[1.0]]), view, view, np.array([0, 1]))
    assert check(VOTES, graph, features=np.ones((1, 1))).verdict is Verdict.INAPPLICABLE


def test_features_that_take_the_wrong_one_of_two_close_eigenvectors_violate_nothing():
    """They miss 4e-12 of the eigenvalues, within the assumption, and a small gap makes 1e-8 of that."""
    share = np.array([5e-5, 5e-5 + 1e-12])  # of two blocks of two views each; λ = (1 - 2 share)² beside two ones
    blocks = [np.array([[1 - s, s], [s, 1 - s]]) / 4 for s in share]
    graph = MaskGraph.from_joint(block_diag(*blocks), np.array([0, 1, 2, 2]))
    one, other = (np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]]), np.array([[0.0], [0], [1], [-1]]))
    found = check(SPECTRAL, graph, features=np.hstack([one, other]))
    assert all(a.holds for a in found.assumptions)
    assert found.slack < -1e-9
    assert found.verdict is Verdict.UNDECIDED
    right = check(SPECTRAL, graph, features=np.hstack([one, other[::-1]]))
    assert right.verdict is Verdict.HOLDS


@pytest.mark.parametrize("lean", [0.2, 0.5, 0.9])
def test_features_that_miss_a_large_part_of_the_gap_violate_nothing(lean):
    """As before with λ₃ − λ₄ that part of a gap of 1.05e-11: the residual exceeds the bound by 1 / (1 − part)."""
    share = np.array([2.6e-12 * (1 - lean), 2.6e-12])
    graph = MaskGraph.from_joint(block_diag(*(np.array([[1 - s, s], [s, 1 - s]]) / 4 for s in share)), [0, 1, 2, 2])
    features = np.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 1], [0, 1, -1]])
    found = check(SPECTRAL, graph, features=features)
    assert all(a.holds for a in found.assumptions)
    assert found.lhs == pytest.approx(found.rhs / (1 - lean), rel=1e-3)
    assert found.verdict is Verdict.UNDECIDED
    assert found.rhs.error == pytest.approx(float(found.rhs) * lean / (1 - lean), rel=0.05)


@pytest.mark.parametrize(
    ("leak", "short"), [(0.0, 0.0), (0.02, 0.0), (0.0, 0.1), (0.01, 0.1), (0.03, -0.1), (0.0, 0.7)]
)
def test_the_error_of_the_bound_covers_the_largest_residual_and_no_more_than_twice_that(leak, short, monkeypatch):
    module = sys.modules[spectral_bound.__module__]
    monkeypatch.setattr(module, "_deviation_from_leading", lambda *_: (leak, short))
    graph = MaskGraph.from_joint([[0.2, 0.05, 0.0], [0.1, 0.15, 0.05], [0.0, 0.1, 0.15], [0.1, 0.0, 0.1]], [0, 1, 0, 1])
    gap, phi = 1 - eigenvalues(graph, 3)[2], float(graph.pair_label_error())
    found = module.THEOREM.rhs(graph, np.ones((4, 2)))
    left = gap - max(short, 0.0)
    root = (leak + np.sqrt(leak**2 + left * phi)) / left  # of left r − 2 leak √r = φ
    assert left * root**2 - 2 * leak * root == pytest.approx(phi)
    missed = root**2 - phi / gap
    assert found.value == pytest.approx(phi / gap)
    assert missed - 1e-12 <= found.error <= 1.5 * missed + 1e-12
    monkeypatch.setattr(module, "_deviation_from_leading", lambda *_: (0.0, gap))
    assert module.THEOREM.rhs(graph, np.ones((4, 2))).error == np.inf


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("lean", [1.0, 1e-4, 1e-7])
def test_the_error_of_the_excess_bound_is_that_of_both_quotients(k, lean):
    """The excess has the rounding error of Ā and of the projector for each feature, times the largest class mass."""
    graph = MaskGraph.from_joint([[0.2, 0.05, 0.0], [0.1, 0.15, 0.05], [0.0, 0.1, 0.15], [0.1, 0.0, 0.1]], [0, 1, 0, 1])
    column, other = np.array([[1.0], [0.3], [-0.5], [2.0]]), np.array([[0.2], [-1.0], [0.7], [0.4]])
    features = np.hstack([column, column + lean * other])[:, :k]
    rounding, projector = eigenvalue_error(graph), projector_error(np.sqrt(graph.degrees[0])[:, None] * features)
    heaviest, phi = class_masses(graph)[0], graph.pair_label_error()
    lost, off = excess_contrast(graph, features), k * (2 * rounding + 4 * projector)
    lam = np.pad(np.linalg.eigvalsh(graph.augmentation.toarray())[::-1], (0, 2))
    highest = []
    for split in range(1, k + 1):
        gap, drop = 1 - lam[split], lam[split - 1] ** 2 - lam[k] ** 2
        spread, missed = phi.high / (gap - rounding), heaviest * (lost + off) / (drop - 4 * rounding)
        highest.append((np.sqrt(spread) + np.sqrt(missed)) ** 2)
    found = excess_bound(graph, features)
    assert found.value + found.error == pytest.approx(min(highest), rel=1e-12)
    if lean == 1e-7 and k == 2:
        assert found.error > 1e-10
        assert found.error == pytest.approx(min(highest) - found.value, rel=1e-4)


@pytest.mark.parametrize("lean", [1.0, 1e-6])
@pytest.mark.parametrize("gap", [1.0, 2.0])
def test_the_error_of_the_multiplier_bound_grows_with_its_multiplier_and_the_projector(gap, lean):
    """The multiplier that the error tells is the one at which the bound is attained."""
    joint = np.array([[0.3, 0.2, gap * 0.1], [0.1, 0.3, gap * 0.2], [gap * 0.1, 0.0, 0.1]])
    graph = MaskGraph.from_joint(joint / joint.sum(), [0, 1, 0])
    column, other = np.array([[1.0], [0.3], [-0.5]]), np.array([[0.2], [-1.0], [0.7]])
    features = np.hstack([column, column + lean * other])
    found, phi = certificate_bound(graph, features), graph.pair_label_error()
    assert phi.error > 0
    rest = found.error - projector_error(np.sqrt(graph.degrees[0])[:, None] * features)
    mu = (rest - 12 * EPS) / (12 * EPS + phi.error)
    assert mu > 0.1
    assert bound_at_multiplier(graph, features, mu) == pytest.approx(found.value, rel=1e-6)
    assert bound_at_multiplier(graph, features, 0.9 * mu) > found.value


def test_the_multiplier_bound_without_disagreement_has_the_error_of_the_projector():
    graph = MaskGraph.from_joint([[0.3, 0.1, 0.0], [0.1, 0.2, 0.0], [0.0, 0.0, 0.3]], [0, 0, 1])
    for lean in (1.0, 1e-6):
        features = np.array([[1.0, 1.0], [0.3, 0.3 + lean], [-0.5, -0.5]])
        projector = projector_error(np.sqrt(graph.degrees[0])[:, None] * features)
        assert certificate_bound(graph, features).error == pytest.approx(48 * EPS + projector)


def test_the_spectral_bound_is_infinite_without_a_gap_and_unknown_within_its_rounding_error():
    """The gap after one feature: none, or about four times 2.5e-16, which the rounding error of λ₂ covers."""
    one = np.ones((2, 1))
    for mass, finite in ((0.0, False), (2.5e-16, True)):
        graph = MaskGraph.from_joint(np.array([[0.5, mass], [0.0, 0.5]]), np.array([0, 1]))
        bound = spectral_bound(graph, 1)
        assert np.isfinite(bound.value) == finite
        assert bound.error == (np.inf if finite else 0.0)
        found = check(SPECTRAL, graph, features=one)
        assert found.verdict is Verdict.INAPPLICABLE
        assert (found.rhs.value, found.rhs.error) == (bound.value, bound.error)


def votes_by_loops(graph, features):
    """Error of the vote, and the mean and mean square of the share of wrong views, image by image."""
    shown, labels, classes = graph.image_views.toarray(), list(graph.image_labels), int(max(graph.image_labels)) + 1
    truth = []  # Bayes label of each view, the smallest class at a tie
    for view in shown.T:
        mass = [sum(m for m, label in zip(view, labels) if label == c) for c in range(classes)]
        truth.append(mass.index(max(mass)))
    root = np.sqrt(shown.sum(0))
    target = np.array([[float(label == c) for c in range(classes)] for label in truth])
    head = np.linalg.lstsq(root[:, None] * features, root[:, None] * target, rcond=None)[0]
    guess = []
    for row in features @ head:
        best = [c for c in range(classes) if row[c] > max(row) - 1e-9]
        guess.append(best[0] if len(best) == 1 else None)
    error = mean = square = 0.0
    for view, label in zip(shown, labels):
        votes = [sum(m for m, g in zip(view, guess) if g == c) for c in (*range(classes), None)]
        beaten = any(votes[c] >= votes[label] - 1e-9 * sum(view) for c in range(classes + 1) if c != label)
        wrong = sum(m for m, g in zip(view, guess) if g != label) / sum(view)
        error, mean, square = error + sum(view) * beaten, mean + sum(view) * wrong, square + sum(view) * wrong**2
    return error, mean, square


@pytest.mark.parametrize("seed", range(40))
def test_the_vote_bound_is_that_of_votes_counted_in_loops(seed):
    graph, rng = labelled(seed, n1=5, n_images=6)
    features = rng.normal(size=(5, 3)) * (rng.random((5, 1)) < 0.8)  # some views have none, and vote for nothing
    error, mean, square = votes_by_loops(graph, features)
    found = check(VOTES, graph, features=features)
    assert found.lhs == pytest.approx(error, abs=1e-12)
    assert found.terms == pytest.approx({"e": mean, "e2": square, "twice e": 2 * mean}, abs=1e-12)
    assert (found.verdict is Verdict.INAPPLICABLE) == (mean >= 0.5)
    if mean < 0.5:
        assert found.rhs == pytest.approx((square - mean**2) / (square - mean + 0.25), abs=1e-12)
        assert error <= float(found.rhs) + 1e-12
