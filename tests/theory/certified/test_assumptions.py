"""A certificate decides nothing within the cost of an assumption that is met only nearly or not verified in balls."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from maetheory.data import worlds
from maetheory.data.finite_world import FiniteWorld
from maetheory.graph import MaskGraph
from maetheory.masks import BernoulliMasks, ListedMasks, UniformMasks
from maetheory.theory import THEOREMS, Theorem, Verdict, certify, check
from maetheory.theory.certified.assumptions import LeastLipschitz, Margin, least_lipschitz
from maetheory.theory.certified.balls import as_stored, ball, ball_around, ball_matrix, precision
from maetheory.theory.certified.graph import BallGraph
from maetheory.theory.certified.graph_assumptions import images_known_exactly
from maetheory.theory.certified.labels_and_ranks import _cost_of_nearly_leading, spans_leading_eigenvectors
from maetheory.theory.certified.probe import independent_columns
from maetheory.theory.certified.sides import Sides
from maetheory.theory.certified.sides_by_slug import CERTIFIED_SIDES
from maetheory.theory.statements.label_error_grows_with_mask_ratio import MASKS
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser
from maetheory.theory.theorem_objects import call_with_named_objects

SPECTRAL, DUAL, GROWS = (
    "spectral-features-bound-downstream-error",
    "mask-ratio-duality",
    "label-error-grows-with-mask-ratio",
)
VOTES, PAIR, BIAS = (
    "votes-beat-views-when-errors-scatter",
    "pair-error-bounded-by-label-errors",
    "sampled-spectrum-is-biased-upward",
)
TRUE = {Verdict.HOLDS, Verdict.TIGHT, Verdict.VACUOUS}


def constants(slack, direction, margin):
    """Certify that 0 ≤, = or ≥ another constant, under one assumption."""
    theorem = Theorem(
        "bare", "a, b", "nobody", (), lhs=lambda graph: 0.0, rhs=lambda graph: 0.0, direction=direction, assumptions={}
    )
    sign = 1 if direction == "<=" else -1
    sides = Sides(
        lhs=lambda graph: ball(1.0),
        rhs=lambda graph: ball(1.0) + ball(sign * slack),
        assumptions={"the premise": lambda graph: margin},
    )
    return certify(theorem, MaskGraph.from_joint([[1.0]]), sides=sides)


@pytest.mark.parametrize("direction", [">=", "<=", "=="])
@pytest.mark.parametrize("slack", [0.5, 0.0, -1e-14, -0.5])
def test_only_an_assumption_that_is_met_exactly_or_tells_its_cost_carries_a_proof(direction, slack):
    exact = constants(slack, direction, Margin(ball(0.0), ball(1e-12), "met"))
    nearly = constants(slack, direction, Margin(ball(-1e-13), ball(1e-12), "nearly"))
    told = constants(slack, direction, Margin(ball(-1e-13), ball(1e-12), "nearly", ball(1e-13)))
    assert exact.verdict is not Verdict.UNDECIDED
    assert nearly.verdict is Verdict.UNDECIDED
    assert "the premise: nearly" in nearly.note
    assert told.verdict is (Verdict.TIGHT if abs(slack) <= 1e-14 else exact.verdict)


@pytest.mark.parametrize("direction", [">=", "<=", "=="])
@pytest.mark.parametrize(("cost", "decided"), [(0.1, True), (0.3, False), (math.inf, False), (math.nan, False)])
@pytest.mark.parametrize("slack", [0.25, -0.25])
def test_a_cost_that_covers_the_slack_leaves_it_open(direction, cost, decided, slack):
    found = constants(slack, direction, Margin(ball(-1e-13), ball(1e-12), "nearly", ball(cost)))
    assert (found.verdict is not Verdict.UNDECIDED) == decided
    assert decided or "the premise (nearly)" in found.note


def test_a_cost_is_part_of_the_scale():
    margin = Margin(ball(-1e-13), ball(1e-12), "nearly", ball(0.1))
    theorem = Theorem("bare", "a >= b", "nobody", (), lhs=lambda graph: 0.0, rhs=lambda graph: 0.0)
    verdicts = []
    for scale in (1.0, 100.0):
        sides = Sides(
            lhs=lambda graph: ball(0.0),
            rhs=lambda graph: ball(1.0),
            assumptions={"p": lambda graph: margin},
            scale=lambda graph, scale=scale: ball(scale),
        )
        verdicts.append(certify(theorem, MaskGraph.from_joint([[1.0]]), sides=sides).verdict)
    assert verdicts == [Verdict.VIOLATED, Verdict.UNDECIDED]


@pytest.mark.parametrize("slug", sorted(CERTIFIED_SIDES))
def test_no_theorem_leaves_an_assumption_to_floats(slug):
    assert set(THEOREMS[slug].assumptions) <= set(CERTIFIED_SIDES[slug].assumptions)


@pytest.mark.parametrize("slug", [s for s in sorted(CERTIFIED_SIDES) if THEOREMS[s].assumptions and THEOREMS[s].tight])
def test_an_assumption_taken_out_of_the_balls_takes_the_proof_with_it(slug):
    theorem, sides = THEOREMS[slug], CERTIFIED_SIDES[slug]
    for name in theorem.assumptions:
        kept = {other: premise for other, premise in sides.assumptions.items() if other != name}
        found = certify(theorem, sides=replace(sides, assumptions=kept), **theorem.tight())
        assert found.verdict is Verdict.UNDECIDED
        assert name in found.note


def small_gap(labels, features):
    e = 1e-11
    return {"graph": MaskGraph.from_joint([[0.5, e], [0.0, 0.5 - e]], labels), "features": np.array(features)}


def planted(slug, off):
    """The ball version with another right side."""
    sides = CERTIFIED_SIDES[slug]
    return replace(sides, rhs=lambda **world: call_with_named_objects(sides.rhs, world) + ball(off))


def test_nearly_leading_eigenvectors_prove_nothing_across_a_gap_as_small():
    world = small_gap([0, 0], [[1.0], [1.4]])
    found = certify(SPECTRAL, **world)
    assert found.lhs.low > 0.02 > found.rhs.high
    assert found.verdict is Verdict.UNDECIDED
    assert "leading eigenvectors" in found.note
    assert certify(THEOREMS[SPECTRAL], sides=planted(SPECTRAL, -1.0), **world).verdict is Verdict.VIOLATED


def test_exactly_leading_eigenvectors_prove_across_any_gap():
    for labels in ([0, 0], [0, 1]):
        assert certify(SPECTRAL, **small_gap(labels, [[1.0], [1.0]])).verdict in TRUE


def test_leading_eigenvectors_in_floats_prove_across_a_wide_gap():
    world = THEOREMS[SPECTRAL].tight()
    assert certify(SPECTRAL, **world).verdict in TRUE
    assert certify(THEOREMS[SPECTRAL], sides=planted(SPECTRAL, -1e-6), **world).verdict is Verdict.VIOLATED


def test_what_is_no_leading_eigenvector_is_told_from_one():
    graph = THEOREMS["spectral-contrast-is-factorisation"].tight()["graph"]
    graph = MaskGraph.from_joint(graph.joint, [0, 1, 0, 1])
    last_two = np.linalg.eigh(graph.augmentation.toarray())[1][:, :2] / np.sqrt(graph.degrees[0])[:, None]
    assert certify(SPECTRAL, graph, features=last_two).verdict is Verdict.INAPPLICABLE
    assert certify(SPECTRAL, graph, features=minimiser(graph, 2)).verdict is not Verdict.INAPPLICABLE


@pytest.mark.parametrize("off", [0.0, 1e-6, 1e-3, 0.05])
def test_the_cost_of_nearly_leading_eigenvectors_covers_the_residual(off):
    rng = np.random.default_rng(3)
    for _ in range(20):
        joint = rng.random((5, 4)) ** 4
        graph = MaskGraph.from_joint(joint / joint.sum(), rng.integers(0, 2, 5))
        features = minimiser(graph, 2) + off * rng.normal(size=(5, 2))
        with precision(106):
            margin = spans_leading_eigenvectors(BallGraph(graph), ball_matrix(features), {"features": features})
        found = check(SPECTRAL, graph, features=features)
        assert found.lhs <= float(found.rhs.value) + float(margin.cost.abs_upper()) + 1e-12
        measured = THEOREMS[SPECTRAL].assumptions["leading eigenvectors"](graph, features)[1]
        leak, short = re.findall(r"= (\S+)", measured.replace(",", ""))
        expected = -max(float(leak), float(short))
        assert float(margin.value) == pytest.approx(expected, rel=0.01, abs=1e-14)


@pytest.mark.parametrize(("leak", "short"), [(0.0, 0.0), (0.1, 0.0), (0.0, 0.1), (0.05, 0.2), (0.2, 0.0)])
def test_the_cost_is_the_largest_residual_that_solves_the_inequality(leak, short):
    graph = MaskGraph.from_joint([[0.2, 0.05, 0.0], [0.1, 0.15, 0.05], [0.0, 0.1, 0.15], [0.1, 0.0, 0.1]], [0, 1, 0, 1])
    with precision(106):
        balls = BallGraph(graph)
        gap, phi = 1 - float(balls.eigenvalue(2)), float(balls.pair_label_error())
        cost = float(_cost_of_nearly_leading(balls, 2, ball(leak), ball(short)))
    r = np.linspace(0, 20, 2_000_001)
    largest = r[(gap - short) * r - 2 * leak * np.sqrt(r) <= phi].max()
    assert cost == pytest.approx(largest - phi / gap, abs=2e-5)


def bits_world():
    states = np.array(list(itertools.product(range(2), repeat=4)))
    return FiniteWorld(states, np.ones(16) / 16, states[:, 0] ^ states[:, 2], np.array([0.0, 1.0]))


def listed(*sets):
    return ListedMasks(np.array([[i in one for i in range(4)] for one in sets]))


@pytest.mark.parametrize("positions", ["kept", "dropped"])
def test_masks_that_are_not_uniform_refute_nothing(positions):
    laws = listed((0, 1), (2, 3)), listed((0, 2), (1, 3))
    graph, other = (MaskGraph.enumerate(bits_world(), law, positions) for law in laws)
    for judge in (check, certify):
        found = judge(GROWS, graph, hides_more=other)
        assert found.verdict is Verdict.INAPPLICABLE
        assert "both mask laws are uniform" in found.note


@pytest.mark.parametrize(
    ("law", "other", "positions"),
    [
        (UniformMasks(4, 3), listed((0,)), "kept"),
        (UniformMasks(4, 3), listed((0,), (1,), (2,)), "kept"),
        (listed((0, 1, 2)), UniformMasks(4, 1), "kept"),
        (listed((0, 1, 2), (0, 1, 3), (0, 2, 3)), UniformMasks(4, 1), "kept"),
        (UniformMasks(4, 1), UniformMasks(4, 3), "kept"),
        (UniformMasks(4, 1), UniformMasks(4, 3), "dropped"),
        (UniformMasks(4, 3), listed((0, 1), (1, 2), (2, 3), (0, 3)), "dropped"),  # each patch as often as another
        (BernoulliMasks(4, 0.5), UniformMasks(4, 1), "kept"),
        (UniformMasks(4, 3), BernoulliMasks(4, 0.5), "kept"),
    ],
)
def test_one_law_of_two_that_is_not_uniform_or_shows_more_fails_the_premise_alone(law, other, positions):
    world = worlds.random(4, 3, 2, seed=5, n_states=9)
    graph, hides_more = (MaskGraph.enumerate(world, each, positions) for each in (law, other))
    for judge in (check, certify):
        found = judge(GROWS, graph, hides_more=hides_more)
        assert [a.name for a in found.assumptions if not a.holds] == [MASKS]


@pytest.mark.parametrize("positions", ["kept", "dropped"])
def test_uniform_masks_carry_a_proof(positions):
    world = worlds.random(4, 3, 2, seed=5, n_states=9)
    graph, other = (MaskGraph.enumerate(world, UniformMasks(4, k), positions) for k in (3, 1))
    assert certify(GROWS, graph, hides_more=other).verdict in TRUE
    assert certify(GROWS, graph, hides_more=graph).verdict is Verdict.TIGHT
    sides = planted(GROWS, -1.0)
    assert certify(THEOREMS[GROWS], graph, hides_more=other, sides=sides).verdict is Verdict.VIOLATED
    assert certify(GROWS, other, hides_more=graph).verdict is Verdict.INAPPLICABLE


def test_too_many_parts_to_compare_are_open(monkeypatch):
    monkeypatch.setattr("maetheory.theory.statements.label_error_grows_with_mask_ratio._MAX_PARTS", 3)
    graph, other = (MaskGraph.enumerate(bits_world(), UniformMasks(4, k), "dropped") for k in (3, 1))
    found = certify(GROWS, graph, hides_more=other)
    assert found.verdict is Verdict.UNDECIDED
    assert "both mask laws are uniform" in found.note


def test_the_other_masses_of_images_are_told():
    one, two = bits_world(), bits_world()
    masses = np.full(16, 1 / 16)
    masses[:2] += [1e-3, -1e-3]
    two = FiniteWorld(two.states, masses, two.labels, two.values)
    graph, other = (MaskGraph.enumerate(w, UniformMasks(4, k)) for w, k in ((one, 3), (two, 1)))
    found = certify(GROWS, graph, hides_more=other)
    assert found.verdict is Verdict.INAPPLICABLE
    assert [a.name for a in found.assumptions if not a.holds] == ["both graphs have the same images"]


def test_a_pair_of_no_mass_to_speak_of_is_no_proof_against_duality():
    tiny = 1e-13
    graph = MaskGraph.from_joint(np.diag([0.5, 0.5]), [0, 1])
    joined = MaskGraph.from_joint(np.array([[0.5, tiny], [0.0, 0.5 - tiny]]), [0, 1])
    found = certify(DUAL, graph, complement=joined)
    assert found.lhs.low > 0.9
    assert found.verdict is Verdict.UNDECIDED
    assert "complementary mask laws of the same images" in found.note


def test_a_small_view_that_sees_other_targets_is_no_proof_against_duality():
    tiny = 1e-13
    rows = np.array([[tiny, 3 * tiny], [0.5, 0.1], [0.1, 0.3 - 4 * tiny]])
    other = rows.copy()
    other[0] = other[0, ::-1]
    graph, complement = MaskGraph.from_joint(rows), MaskGraph.from_joint(other.T)
    assert certify(DUAL, graph, complement=complement).verdict is not Verdict.VIOLATED
    rows[0], other[0] = 1e6 * rows[0], 1e6 * other[0]
    graph, complement = MaskGraph.from_joint(rows / rows.sum()), MaskGraph.from_joint((other / other.sum()).T)
    assert certify(DUAL, graph, complement=complement).verdict is Verdict.INAPPLICABLE


def test_a_part_of_no_mass_to_speak_of_is_no_proof_against_duality():
    tiny, part, other = 1e-12, np.array([[0.4, 0.1], [0.1, 0.4]]), np.array([[0.3, 0.2], [0.2, 0.3]])
    laws = [np.zeros((3, 3)) for _ in range(2)]
    for law, block in zip(laws, (part, other)):
        law[0, 0], law[1:, 1:] = 1 - tiny, tiny * block
    found = certify(DUAL, MaskGraph.from_joint(laws[0]), complement=MaskGraph.from_joint(laws[1].T))
    assert found.lhs.low > 0.3
    assert found.verdict is Verdict.UNDECIDED


def test_transposed_graphs_carry_a_proof():
    world = {"graph": MaskGraph.enumerate(worlds.mixture(3, 2, 2, 0.2), UniformMasks(3, 1))}
    world["complement"] = MaskGraph.enumerate(worlds.mixture(3, 2, 2, 0.2), UniformMasks(3, 2))
    assert certify(DUAL, **world).verdict is Verdict.TIGHT
    assert certify(THEOREMS[DUAL], sides=planted(DUAL, 1e-6), **world).verdict is Verdict.VIOLATED


def near_half(apart):
    """Two images of two views: one tied within 1e-12, the other short of a tie by 4 `apart`."""
    tied = 1e-13
    views = np.array([[0.25 + tied, 0.25 - tied], [0.25 - apart, 0.25 + apart]])
    law = sparse.csr_array(np.diag(views.sum(0)))
    return MaskGraph(law, sparse.csr_array(views), sparse.csr_array(views), np.array([0, 1]))


def test_ties_prove_nothing_where_views_err_almost_half_the_time():
    found = certify(VOTES, near_half(3e-9), features=np.eye(2))
    assert found.slack.high < -1e-5
    assert found.verdict is Verdict.UNDECIDED
    assert "ties" in found.note
    world = {"graph": near_half(0.05), "features": np.eye(2)}
    assert certify(VOTES, **world).verdict is not Verdict.UNDECIDED
    assert certify(THEOREMS[VOTES], sides=planted(VOTES, -0.1), **world).verdict is Verdict.VIOLATED


def shared(target_of_second):
    """Two views that two images share, and two targets that they share too."""
    view_of = np.array([[0.3, 0.2], [0.1, 0.4]])
    joint = np.array([[0.25, 0.15], [0.25, 0.35]])
    target_of = np.array([[0.5 - target_of_second, target_of_second], [target_of_second, 0.5 - target_of_second]])
    return MaskGraph(*map(sparse.csr_array, (joint, view_of, target_of)), np.array([0, 1]))


@pytest.mark.parametrize("positions", ["kept", "dropped"])
def test_laws_of_images_that_fit_together_carry_a_proof(positions):
    graph = MaskGraph.enumerate(worlds.random(3, 2, 2, seed=1, n_states=6), UniformMasks(3, 1), positions)
    assert certify(PAIR, graph).verdict in TRUE
    assert certify(THEOREMS[PAIR], graph, sides=planted(PAIR, -3.0)).verdict is Verdict.VIOLATED


def test_laws_of_images_that_do_not_fit_together_refute_nothing():
    joint, target_of = np.full((2, 2), 0.25), np.diag([0.5, 0.5])
    pure = MaskGraph(*map(sparse.csr_array, (joint, target_of, target_of)), np.array([0, 1]))
    found = certify(PAIR, pure)
    assert found.slack.high < -0.1
    assert found.verdict is Verdict.INAPPLICABLE
    assert "law of the images" in found.note


def test_laws_of_images_for_which_no_common_law_is_found_are_open():
    graph = shared(0.001)
    noisy = MaskGraph(
        graph.joint, sparse.csr_array([[0.399, 0.001], [0.001, 0.599]]), graph.image_targets, np.array([0, 1])
    )
    with precision(53):
        margin = images_known_exactly(BallGraph(noisy))
    assert margin.value < 0
    found = certify(PAIR, noisy)
    assert found.verdict is Verdict.UNDECIDED
    assert "law of the images" in found.note


def test_nearly_independent_views_and_targets_tell_their_cost():
    off = 2e-13
    nearly = np.outer([0.25, 0.75], [0.3, 0.7]) + np.array([[off, -off], [-off, off]])
    slug = BIAS
    with precision(106):
        sides = CERTIFIED_SIDES[slug]
        graph = BallGraph(MaskGraph.from_joint(nearly))
        margin = sides.assumptions["view and target are independent"](graph, 5)
        apart = abs(sides.lhs(graph, 5) - sides.rhs(graph, 5))
        assert 0 < apart <= margin.cost
    assert certify(THEOREMS[slug], graph.float_graph, draws=5, sides=planted(slug, 0.01)).verdict is Verdict.VIOLATED


def of_h(aim):
    """Certify that the entries of h sum to more than a number, a claim of the numbers as they were given."""
    theorem = Theorem(
        "sum", "Σ h > a", "nobody", ("h",), lhs=lambda h: float(h.sum()), rhs=lambda: 0.0, needs_graph=False
    )
    return theorem, Sides(lhs=lambda h: sum(h.entries(), ball(0)), rhs=lambda: ball(aim))


@pytest.mark.parametrize(
    ("h", "aim"),
    [
        (np.array([[1 + np.longdouble(2) ** -60]]), 1),
        (np.array([[2**53 + 1]]), 2**53),
        (np.array([[2**64 - 1]], np.uint64), 2**64 - 2),
        (np.array([[2**200 + 1]], object), 2**200),
        (np.array([[200, 100]], np.uint8), 299),
        (np.array([[True, True]]), 1),
    ],
)
def test_numbers_are_read_as_they_were_given(h, aim):
    theorem, sides = of_h(aim)
    found = certify(theorem, h=h, sides=sides)
    assert found.slack.low > 0
    theorem, sides = of_h(aim + 1 if h.dtype.kind != "f" else ball(2))
    assert certify(theorem, h=h, sides=sides).slack.low <= 0


def test_integers_beyond_the_range_of_floats_are_read():
    theorem, sides = of_h(0)
    assert certify(theorem, h=np.array([[10**400, -5]], object), sides=sides).verdict is Verdict.HOLDS
    found = certify(theorem, h=np.array([[-(10**400), 5]], object), sides=sides)
    assert found.verdict is Verdict.VIOLATED
    assert "the claim fails by at least" in found.note


def test_a_positive_number_is_read_as_it_was_given():
    theorem = Theorem(
        "w", "w > a", "nobody", ("weight",), lhs=lambda weight: weight, rhs=lambda: 0.0, needs_graph=False
    )
    for weight, aim in ((2**70 + 1, 2**70), (1 + np.longdouble(2) ** -60, 1)):
        sides = Sides(lhs=lambda weight: weight, rhs=lambda aim=aim: ball(aim))
        assert certify(theorem, weight=weight, sides=sides).slack.low > 0


def test_a_long_double_that_is_not_a_number_is_found():
    theorem, sides = of_h(0)
    found = certify(theorem, h=np.array([[np.longdouble("nan")]]), sides=sides)
    assert found.verdict is Verdict.VIOLATED
    assert "not a finite number" in found.note


def test_assumptions_see_the_last_bits_of_long_doubles():
    world = dict(THEOREMS["full-collapse-costs-variance"].tight())
    h = world["h"].astype(np.longdouble)
    exact = certify("full-collapse-costs-variance", **{**world, "h": h})
    h[0] = h[0] * (1 + np.longdouble(2) ** -50)
    off = certify("full-collapse-costs-variance", **{**world, "h": h})
    said = [next(a.measured for a in c.assumptions if a.name == "position-blind decoder") for c in (exact, off)]
    assert "by up to 0," in said[0]
    assert "by up to 0," not in said[1]


def test_columns_that_differ_in_the_last_bits_of_long_doubles_are_independent():
    features = np.ones((2, 2), np.longdouble)
    assert independent_columns(features) == [0]
    features[0, 1] += np.longdouble(2) ** -60
    assert independent_columns(features) == [0, 1]


def test_weights_of_a_graph_may_be_long_doubles():
    tiny = np.longdouble(2) ** -60
    law = sparse.csr_array(np.array([[0.5 + tiny, 0.5 - tiny]], np.longdouble))
    with precision(106):
        graph = BallGraph(MaskGraph(law, law, law))
        assert graph.pairs[0][2] - 0.5 == ball(2.0**-60)


@pytest.mark.parametrize(
    ("slug", "name"),
    [
        ("full-collapse-costs-variance", "h"),
        ("reconstruction-bounds-asymmetric-alignment", "h"),
        ("asymmetric-alignment-bounds-alignment", "h_g"),
        ("linear-decoder-optimum", "h"),
    ],
)
@pytest.mark.parametrize("off", [2.0**-46, -(2.0**-46)])
def test_rounding_error_in_an_assumption_neither_refutes_nor_hides_what_is_false(slug, name, off):
    world = dict(THEOREMS[slug].tight())
    moved = world[name].copy()
    moved[0] *= 1 + off
    assert certify(slug, **{**world, name: moved}).verdict in TRUE
    sides = planted(slug, 0.01)
    assert certify(THEOREMS[slug], sides=sides, **{**world, name: moved}).verdict is Verdict.VIOLATED


def test_predictions_that_are_equal_in_every_digit_are_merged_whatever_their_mean_rounds_to():
    graph = MaskGraph.from_joint([[0.1], [0.2], [0.7]])
    features, h = np.array([[1.0], [2.0], [4.0]]), np.full((3, 1), 0.1)
    with precision(53):
        assert float(least_lipschitz(BallGraph(graph), {"features": features, "h": h}).value) == math.inf
        assert least_lipschitz(BallGraph(graph), {"features": h, "h": h}) == LeastLipschitz(ball(0), 0)
        assert least_lipschitz(BallGraph(graph), {"features": 2 * features, "h": features}).value == 4


def test_as_stored_rounds_nothing():
    assert as_stored(np.array([0.5], np.float32)).dtype == float
    assert as_stored(np.array([np.longdouble(0.5)])).dtype == float
    assert as_stored(np.array([np.longdouble(1) / 3])).dtype == np.longdouble
    assert as_stored(np.array([-(2**63)])).dtype == float
    assert as_stored(np.array([2**63 - 1])).tolist() == [2**63 - 1]
    with precision(53):
        assert ball(2**90 + 1) - 2**90 == 1
        assert not ball_around(ball(0), ball(1)).is_exact()
