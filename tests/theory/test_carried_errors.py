"""Errors that a side carries for what is met only nearly reach the value that they stand for, and no farther."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from scipy import sparse

from maetheory.graph import MaskGraph
from maetheory.graph.functionals import reconstruction_loss
from maetheory.theory import THEOREMS, Theorem, Verdict, certify
from maetheory.theory.certified.assumptions import Margin
from maetheory.theory.certified.balls import ball, ball_around, precision
from maetheory.theory.certified.sides import Sides
from maetheory.theory.certified.verdicts import BallEvaluation, certificate_if_decided
from maetheory.theory.exact_probe import measured_image_error
from maetheory.theory.propagated_errors import eigenvalue_error
from maetheory.theory.statements.effective_rank_grows_with_uniformity import (
    _entropy_change,
    _error_of_shares,
    _with_error_of_shares,
    predicted_spectrum,
    rank_measures,
)
from maetheory.theory.theorem_quantities import scale_columns_alike

EPS = float(np.finfo(float).eps)
OFF = 1e-3
GRAPH = MaskGraph.from_joint([[0.2, 0.05, 0.0], [0.1, 0.15, 0.05], [0.0, 0.1, 0.15], [0.1, 0.0, 0.1]], [0, 1, 0, 1])
ONE = np.ones((4, 1))
TILT = np.array([[0.0], [1.0], [-0.5], [0.25]])


def constant_from(h):
    return np.repeat(h[:1], len(h), 0)


def of_two_masks(h):
    """The predictions with those of each mask made those of its first view: targets 0 and 1 show mask 0, 2 mask 1."""
    joint = GRAPH.joint.toarray()
    rows = [[h[0] if j < 2 else h[1] for j in range(3)] for _ in range(4)]
    return joint, np.array(rows)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("off", [OFF, 0.0])
def test_a_decoder_that_is_nearly_blind_carries_the_loss_of_one_that_is_blind(off, sign):
    """Predictions and targets differ by one number, so that the loss is a square of it and moves as far as it can."""
    h = 3.0 * ONE + sign * off * TILT
    found = THEOREMS["full-collapse-costs-variance"].lhs(GRAPH, ONE, h, np.zeros((3, 1)))
    away = sum(d * (row - h[0]) ** 2 for d, row in zip(GRAPH.degrees[0], h)).item()
    assert found.value == pytest.approx(reconstruction_loss(GRAPH, h, np.zeros((3, 1))))
    assert found.error == pytest.approx(2 * math.sqrt(found.value * away) + away)
    blind = reconstruction_loss(GRAPH, constant_from(h), np.zeros((3, 1)))
    assert abs(found.value - blind) <= found.error + 1e-14


@pytest.mark.parametrize("off", [OFF, 0.0])
def test_a_decoder_that_nearly_sees_the_mask_alone_carries_the_loss_of_one_that_does(off):
    """Views 0 to 3 see mask 0 first at view 0, and mask 1 first at view 1."""
    h, masks, targets = 3.0 * ONE + off * TILT, np.array([0, 0, 1]), np.zeros((3, 1))
    joint, blind = of_two_masks(h)
    away = sum(joint[i, j] * (h[i] - blind[i, j]) ** 2 for i in range(4) for j in range(3)).item()
    found = THEOREMS["full-collapse-costs-variance-given-the-mask"].lhs(GRAPH, ONE, h, targets, masks)
    assert found.error == pytest.approx(2 * math.sqrt(found.value * away) + away)
    other = THEOREMS["full-collapse-costs-variance-given-the-mask"].lhs(GRAPH, ONE, h, targets, np.zeros(3, int))
    alone = THEOREMS["full-collapse-costs-variance"].lhs(GRAPH, ONE, h, targets)
    assert (other.value, other.error) == pytest.approx((alone.value, alone.error))
    assert off == 0 or found.error != pytest.approx(other.error)


@pytest.mark.parametrize("slug", ["linear-decoder-optimum", "linear-decoder-optimum-given-features"])
@pytest.mark.parametrize("off", [OFF, 0.0])
def test_a_decoder_that_is_nearly_linear_carries_the_loss_of_the_nearest_that_is(slug, off):
    h, targets = 3.0 * ONE + off * TILT, np.zeros((3, 1))
    mean = GRAPH.degrees[0] @ h
    away = (GRAPH.degrees[0] @ (h - mean) ** 2).item()
    found = THEOREMS[slug].lhs(GRAPH, ONE, h, targets)
    assert found.error == pytest.approx(2 * math.sqrt(found.value * away) + away, abs=1e-13)
    linear = reconstruction_loss(GRAPH, constant_from(mean[None, :].repeat(4, 0)), targets)
    assert abs(found.value - linear) <= found.error + 1e-13


def shared(apart, labels=(0, 1)):
    """Two images, the second with two views of different classes that differ in mass by `apart`."""
    views = np.array([[0.4, 0.0, 0.0], [0.0, 0.3 + apart / 2, 0.3 - apart / 2]])
    law = sparse.csr_array(np.diag(views.sum(0)))
    owners = np.array([[0.4, 0.0, 0.0], [0.0, 0.3 + apart / 2, 0.3 - apart / 2]])
    return MaskGraph(law, sparse.csr_array(owners), sparse.csr_array(owners), np.array(labels))


@pytest.mark.parametrize(
    ("apart", "error"), [(0.0, 0.0), (1e-16, 0.0), (5e-15, 0.6), (0.5e-12, 0.6), (0.7e-12, 0.0), (0.1, 0.0)]
)
@pytest.mark.parametrize("labels", [(0, 1), (1, 0)])
def test_a_vote_that_is_nearly_tied_is_an_error_of_the_mass_of_its_image(apart, error, labels):
    """Votes of the views that features tell: the first view of the second image is told, the second is not."""
    features = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])  # the third view votes for no class
    found = measured_image_error(shared(apart, labels), features)
    assert found.error == pytest.approx(error)


@pytest.mark.parametrize("weight", [0.1, 2.0])
def test_the_bound_by_water_filling_has_the_error_of_its_eigenvalues_and_of_its_sum(weight):
    features = np.random.default_rng(0).normal(size=(4, 3))
    found = THEOREMS["effective-rank-grows-with-uniformity"].rhs(GRAPH, features, weight, 0.7)
    energy = float(GRAPH.degrees[0] @ (features**2).sum(1))
    assert found.error == pytest.approx(eigenvalue_error(GRAPH) * energy / 0.7 + 12 * EPS * found.value)


@pytest.mark.parametrize(("weight", "lipschitz"), [(0.3, 1.0), (1e-3, 2.0), (5.0, 0.5)])
def test_the_error_of_shares_covers_what_eigenvalues_within_their_error_do(weight, lipschitz):
    lam, energy, off = np.array([1.0, 0.7, 0.4, 0.1]), 0.8, eigenvalue_error(GRAPH)
    plain = predicted_spectrum(lam, weight=weight, lipschitz=lipschitz, energy=energy)
    error = _error_of_shares(GRAPH, plain, weight, lipschitz)
    per_height = off / (2 * weight * lipschitz)
    assert error == pytest.approx(4 * (2 * per_height / energy + 4 * EPS))
    magnified = 1e6  # so that rounding does not hide the change; the error is linear in that of the eigenvalues
    for signs in np.array(np.meshgrid(*[[-1.0, 1.0]] * 4)).reshape(4, -1).T:
        lifted = np.sort(lam + magnified * off * signs)[::-1]
        there = predicted_spectrum(lifted, weight=weight, lipschitz=lipschitz, energy=energy)
        assert np.abs(there - plain).sum() / energy <= magnified * error
    assert _error_of_shares(GRAPH, np.zeros(3), weight, lipschitz) == 0.0


@pytest.mark.parametrize("k", [2, 3, 10])
@pytest.mark.parametrize("variation", [1e-9, 0.01, 0.3])
def test_the_change_of_an_entropy_is_reached_by_one_share_that_is_spread(variation, k):
    spread = [1 - variation, *[variation / (k - 1)] * (k - 1)]
    reached = -sum(p * math.log(p) for p in spread)
    assert _entropy_change(variation, k) == pytest.approx(reached, rel=1e-6)
    assert _entropy_change(1 - 1 / k, k) == _entropy_change(0.999, k) == math.log(k)
    assert _entropy_change(1 - 1 / k - 1e-9, k) == pytest.approx(math.log(k), abs=1e-6)
    assert _entropy_change(0.5, 1) == 0.0


@pytest.mark.parametrize("error", [1e-9, 1e-3, 0.05])
def test_ranks_have_the_error_of_shares_that_differ_by_that_much_in_sum(error):
    size = np.array([3.0, 2.0, 1.0])
    share, plain = size / 6, rank_measures(size)
    found = {name: _with_error_of_shares(name, size, error) for name in plain}
    moves = [[1, -1, 0], [1, 0, -1], [-1, 1, 0], [-1, 0, 1], [0, 1, -1], [0, -1, 1]]
    for move in moves:
        there = rank_measures(share + error / 2 * np.array(move))
        assert all(abs(there[name] - plain[name]) <= found[name].error for name in plain)
    squares, top = float(share @ share), 0.5
    change = error * (2 * top + error)
    assert found["stable rank"].error == pytest.approx(1 / (top - error) - 2, rel=1e-5)
    assert found["participation ratio"].error == pytest.approx(1 / (squares - change) - 1 / squares, rel=1e-5)
    factor = math.exp(_entropy_change(error / 2, 3))
    assert found["effective rank"].error == pytest.approx(plain["effective rank"] * (factor - 1), rel=1e-5)


def test_ranks_of_nothing_or_without_error_are_exact_and_a_share_is_at_least_one_in_k():
    for name in ("effective rank", "participation ratio", "stable rank"):
        assert _with_error_of_shares(name, np.zeros(3), 0.1).error == 0.0
        assert _with_error_of_shares(name, np.array([3.0, 2.0, 1.0]), 0.0).error == 0.0
    nearly_equal = np.array([1.02, 0.99, 0.99])
    squares, top = float(nearly_equal @ nearly_equal) / 9, 0.34
    for name, middle, change in (("stable rank", top, 0.3), ("participation ratio", squares, 0.3 * (2 * top + 0.3))):
        found = _with_error_of_shares(name, nearly_equal, 0.3)
        assert found.error == pytest.approx(found.value - 1 / (middle + change))  # no rank is above three


@pytest.mark.parametrize(("power", "scaled"), [(20, False), (21, True)])
def test_columns_are_scaled_where_their_sizes_differ_by_more_than_twenty_powers_of_two(power, scaled):
    rows = np.array([[1.0, 0.0, 0.75], [0.5, 2.0**-power, 0.0]])
    found = scale_columns_alike(rows)
    assert np.array_equal(found, rows) is not scaled
    if scaled:
        assert (np.abs(found).max(0) == [0.5, 0.5, 0.75]).all()
    assert np.array_equal(scale_columns_alike(np.array([[0.0, 3.0]])), [[0.0, 3.0]])
    assert not scale_columns_alike(np.zeros((2, 2))).any()


BARE = Theorem("bare", "a >= b", "nobody", (), lhs=lambda: 0.0, rhs=lambda: 0.0)


def decided(slack, margin=None, scale=1.0, size=100.0):
    """Verdict of a slack at its last precision, under one assumption."""
    with precision(53):
        evaluation = BallEvaluation({"p": margin} if margin else {}, ball(slack), ball(0), ball(scale), ball(size))
        return certificate_if_decided(BARE, evaluation, 53, True).verdict


@pytest.mark.parametrize("of_scale", [True, False])
def test_a_cost_is_a_part_of_the_size_or_of_the_scale(of_scale):
    unit = 1.0 if of_scale else 100.0
    margin = Margin(ball(-1e-13), ball(1e-12), "nearly", ball(0.01), of_scale=of_scale)
    for share, verdict in ((0.9, Verdict.UNDECIDED), (1.1, Verdict.HOLDS), (-1.1, Verdict.VIOLATED)):
        assert decided(share * 0.01 * unit, margin) is verdict


def test_a_slack_that_only_equals_its_cost_decides_nothing():
    """A claim that may be off by one may hold with equality where its slack is minus one."""
    margin = Margin(ball(-1e-13), ball(1e-12), "nearly", ball(0.5), of_scale=True)
    above = float(np.nextafter(1.0, 2.0))
    for slack, verdict in ((-1.0, Verdict.UNDECIDED), (1.0, Verdict.UNDECIDED), (-above, Verdict.VIOLATED)):
        assert decided(slack, margin, scale=2.0) is verdict


def test_costs_of_several_assumptions_are_added():
    margins = [Margin(ball(-1e-13), ball(1e-12), "nearly", ball(0.01), of_scale=of_scale) for of_scale in (True, False)]
    for slack, verdict in ((1.005, Verdict.UNDECIDED), (1.015, Verdict.HOLDS)):
        with precision(53):
            evaluation = BallEvaluation(dict(zip("pq", margins)), ball(slack), ball(0), ball(1.0), ball(100.0))
            assert certificate_if_decided(BARE, evaluation, 53, True).verdict is verdict


@pytest.mark.parametrize(
    ("scale", "size", "most"), [(1.0, 100.0, 1e-10), (1e-95, 4.0, 4 * 2.0**-300), (1e-95, 1e-300, 1e-105)]
)
def test_equality_is_a_part_of_the_scale_or_next_to_nothing_of_the_size(scale, size, most):
    identity = Theorem("bare", "a == b", "nobody", (), lhs=lambda: 0.0, rhs=lambda: 0.0, direction="==")
    for share, verdict in ((0.99, Verdict.TIGHT), (1.01, Verdict.VIOLATED)):
        with precision(53):
            evaluation = BallEvaluation({}, ball(share * most), ball(0), ball(scale), ball(size))
            assert certificate_if_decided(identity, evaluation, 53, True).verdict is verdict


def test_a_size_is_at_least_the_scale():
    margin = Margin(ball(-1e-13), ball(1e-12), "nearly", ball(0.1))
    for slack, verdict in ((0.9, Verdict.UNDECIDED), (1.1, Verdict.HOLDS)):
        sides = Sides(
            lhs=lambda graph, slack=slack: ball(slack),
            rhs=lambda graph: ball(0),
            assumptions={"p": lambda graph: margin},
            scale=lambda graph: ball(10.0),
        )
        theorem = Theorem(
            "bare", "a >= b", "nobody", (), lhs=lambda: 0.0, rhs=lambda: 0.0, assumptions={"p": lambda: (True, "")}
        )
        assert certify(theorem, GRAPH, sides=sides).verdict is verdict


@pytest.mark.parametrize("below", [1e-3, 1e-7, 1e-12])
@pytest.mark.parametrize("variance", [0.04, 1e-20, 0.0])
def test_the_bound_on_votes_has_the_error_of_the_mean_and_of_the_spread(below, variance, monkeypatch):
    """Near one half the rounding of the mean, of as many terms as images have views, is most of what is left."""
    theorem = THEOREMS["votes-beat-views-when-errors-scatter"]
    module = sys.modules[theorem.rhs.__module__]
    mean = 0.5 - below
    monkeypatch.setattr(module, "_error_share_moments", lambda *_: (mean, variance))
    graph = shared(0.1)
    rounding, left = 4 * EPS * 3, 0.5 - mean
    value, *ends = (
        odds**2 / (1 + odds**2)
        for odds in (
            math.sqrt(variance) / left,
            (math.sqrt(variance) + rounding) / (left - rounding),
            max(math.sqrt(max(variance - 2 * math.sqrt(variance) * rounding, 0.0)), 0.0) / (left + rounding),
        )
    )
    found = theorem.rhs(graph, np.ones((3, 1)))
    assert found.value == pytest.approx(value, rel=1e-12)
    farthest = max(abs(end - value) for end in ends)
    assert farthest * (1 - 1e-6) <= found.error <= 1.01 * farthest + 20 * EPS * value
    monkeypatch.setattr(module, "_error_share_moments", lambda *_: (0.5, variance))
    assert (theorem.rhs(graph, np.ones((3, 1))).value, theorem.rhs(graph, np.ones((3, 1))).error) == (1.0, 0.0)


@pytest.mark.parametrize(("value", "stops"), [((-1e-13, 0.0), True), ((0.0, 1e-13), False)])
def test_what_no_precision_verifies_is_undecided_at_once_and_what_one_may_is_tried_again(value, stops):
    """An assumption that fails by rounding error and has no cost, or whose sign the balls leave open."""
    with precision(53):
        margin = Margin(ball_around(*map(ball, value)), ball(1e-12), "nearly")
        evaluation = BallEvaluation({"p": margin}, ball(1.0), ball(0), ball(1.0), ball(1.0))
        found = certificate_if_decided(BARE, evaluation, 53, False)
        assert (found is not None) is stops
        last = certificate_if_decided(BARE, evaluation, 53, True)
        assert last.verdict is Verdict.UNDECIDED
        assert "not verified in ball arithmetic: p: nearly" in last.note
