"""Certificates enclose float results, prove claims of tiny slack, and leave undecided what is open."""

from __future__ import annotations

import sys
from dataclasses import replace
from time import process_time

import numpy as np
import pytest
from scipy import sparse

from maetheory.core import InputError
from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS, Theorem, Verdict, certify, check
from maetheory.theory.certified import sides_by_slug as table
from maetheory.theory.certified.assumptions import Margin, bi_lipschitz, least_lipschitz
from maetheory.theory.certified.balls import arb_library, ball, ball_around, precision
from maetheory.theory.certified.graph import BallGraph
from maetheory.theory.certified.probe import BallProbe, independent_columns, winning_class
from maetheory.theory.certified.sides import Sides
from maetheory.theory.small_worlds import draw_world
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser
from maetheory.theory.theorem_objects import call_with_named_objects

SLUGS = [slug for slug in THEOREMS if slug in table.CERTIFIED_SIDES]
TRUE = {Verdict.HOLDS, Verdict.TIGHT, Verdict.VACUOUS}
PROVED_FALSE = {Verdict.VIOLATED, Verdict.INAPPLICABLE}


def random_worlds(theorem, number):
    """Half of them are moved to where the assumptions hold."""
    for seed in range(number):
        world = draw_world(theorem, np.random.default_rng([seed, len(theorem.slug)])).all_objects()
        yield dict(theorem.conform(world)) if theorem.conform and seed % 2 else world


def blurred(world):
    """Whether features depend on one another up to rounding error, but not exactly."""
    features = world.get("features", np.eye(1))
    return np.isfinite(features).all() and np.linalg.matrix_rank(features) < len(independent_columns(features))


def large_world(n1, n2, d=3, seed=0):
    rng = np.random.default_rng(seed)
    graph = MaskGraph.from_joint((joint := rng.random((n1, n2)) ** 3) / joint.sum(), rng.integers(0, 3, n1))
    return graph, rng.normal(size=(n1, d)), rng.normal(size=(n2, d))


def test_every_theorem_can_be_certified():
    assert list(THEOREMS) == SLUGS


@pytest.mark.parametrize("slug", SLUGS)
def test_floats_lie_in_the_enclosures(slug):
    theorem = THEOREMS[slug]
    for world in random_worlds(theorem, 16):
        if blurred(world):
            continue  # floats do not count a direction that is rounding error, balls do
        found, proved = theorem.check(**world), certify(slug, **world)
        assert (found.verdict in PROVED_FALSE) == (proved.verdict in PROVED_FALSE), (found, proved)
        if proved.verdict is not Verdict.INAPPLICABLE:
            arrays = [value for value in world.values() if isinstance(value, np.ndarray) and value.ndim == 2]
            squares = sum(float(np.square(value, dtype=float).max(initial=1.0)) for value in arrays)
            allowed = 1e-12 * proved.scale.high + 1e-28 * squares  # squares of rounding errors
            for side in ("lhs", "rhs"):
                value, where = float(getattr(found, side)), getattr(proved, side)
                off = allowed + getattr(found, side).error
                assert where.low - off <= value <= where.high + off, (side, found, proved)


@pytest.mark.parametrize("slug", SLUGS)
def test_equality_is_certified_to_be_equality(slug):
    theorem = THEOREMS[slug]
    if theorem.tight is None:
        pytest.skip("no tight world")
    proved = certify(slug, **theorem.tight())
    assert proved.verdict in TRUE
    assert max(-proved.slack.low, proved.slack.high) <= 1e-10 * max(proved.scale.low, 0.0)
    assert all(a.holds for a in proved.assumptions)


@pytest.mark.parametrize("slug", SLUGS)
def test_a_false_constant_is_proved_false(slug):
    theorem, sides = THEOREMS[slug], table.CERTIFIED_SIDES[slug]
    honest_one = certify(slug, **theorem.tight()) if theorem.tight else None
    if honest_one is None or abs(honest_one.rhs.mid) <= max(1e-10 * honest_one.scale.low, 1e-25):
        pytest.skip("no world where equality is more than zero against zero")
    off = 0.95 if theorem.direction == "<=" else 1.05

    def planted(**world):
        honest = call_with_named_objects(sides.rhs, world)
        return honest * (off if honest > 0 else 2 - off)

    proved = certify(theorem, sides=replace(sides, rhs=planted), **theorem.tight())
    assert proved.verdict is Verdict.VIOLATED
    assert proved.slack.high < -0.01 * abs(proved.rhs.mid)


@pytest.mark.parametrize("slug", SLUGS)
def test_an_assumption_is_certified_to_fail(slug):
    theorem = THEOREMS[slug]
    for name, world in (theorem.broken() if theorem.broken else {}).items():
        proved = certify(slug, **world)
        assert proved.verdict is Verdict.INAPPLICABLE
        assert [a.name for a in proved.assumptions if not a.holds] == [name]
        assert name in proved.note


@pytest.mark.parametrize("slug", SLUGS)
def test_not_a_number_is_a_violation(slug):
    theorem = THEOREMS[slug]
    for name, value in (theorem.tight() if theorem.tight else {}).items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            spoiled = value.copy()
            spoiled.flat[-1] = np.nan
            proved = certify(slug, **{**theorem.tight(), name: spoiled})
            assert proved.verdict is Verdict.VIOLATED
            assert name in proved.note


def nearly_collapsed(distance):
    """Collapsed views whose one prediction misses the mean target by `distance`."""
    graph, _, targets = large_world(40, 40)
    mean = graph.degrees[1] @ targets
    h = np.tile(mean + np.array([distance, 0.0, 0.0]), (40, 1))
    return {"graph": graph, "features": np.ones((40, 1)), "h": h, "targets": targets}


def test_what_is_true_with_tiny_slack_needs_and_gets_more_bits():
    world = nearly_collapsed(1e-7)
    coarse = certify("full-collapse-costs-variance", max_bits=53, **world)
    fine = certify("full-collapse-costs-variance", **world)
    assert coarse.verdict is Verdict.TIGHT
    assert 0.0 in coarse.slack
    assert fine.verdict is Verdict.HOLDS
    assert fine.bits == 106
    assert "53 bits did not decide" in fine.note
    assert fine.slack.low == pytest.approx(1e-14, rel=1e-6)
    assert fine.slack.low < 1e-14 * fine.scale.high
    assert check("full-collapse-costs-variance", **world).verdict is Verdict.TIGHT


def test_what_is_false_with_tiny_slack_is_proved_false():
    sides = table.CERTIFIED_SIDES["full-collapse-costs-variance"]
    bold = replace(sides, rhs=lambda graph, targets: sides.rhs(graph, targets) + ball(2e-14))
    proved = certify("full-collapse-costs-variance", sides=bold, **nearly_collapsed(1e-7))
    assert proved.verdict is Verdict.VIOLATED
    assert proved.slack.high == pytest.approx(-1e-14, rel=1e-6)


def test_rounding_error_in_an_assumption_is_no_violation():
    theorem = THEOREMS["asymmetric-alignment-bounds-alignment"]
    world = dict(theorem.tight())
    world["h_g"] = world["h_g"] * (1 + 1e-14)
    world["h"] = world["h"] * (1 + 1e-14)
    proved = certify(theorem, **world)
    assert proved.verdict is Verdict.TIGHT
    assert proved.slack.high < 0
    assert "unit norms" in proved.note


def test_dependent_features_are_projected_on_and_nearly_dependent_ones_need_bits():
    graph, features, _ = large_world(12, 9)
    features[:, 2] = features[:, 0] + 2.0**-30 * features[:, 1]  # exact in floats only where no bit is lost
    rounded = np.round(features * 2**20) / 2**20
    rounded[:, 2] = rounded[:, 0] + 2 * rounded[:, 1]
    slug = "factorisation-bounds-probe-residual"
    exact = certify(slug, graph, features=rounded)
    assert exact.lhs.mid == pytest.approx(check(slug, graph, features=rounded).lhs, abs=1e-12)
    assert exact.lhs.mid == pytest.approx(certify(slug, graph, features=rounded[:, :2]).lhs.mid, abs=1e-15)
    coarse, fine = certify(slug, graph, max_bits=53, features=features), certify(slug, graph, features=features)
    assert coarse.verdict is Verdict.UNDECIDED
    assert "dependent" in coarse.note
    assert fine.verdict in TRUE
    assert fine.bits > 53


def bare(**sides):
    """A theorem of two constants, and its ball version."""
    theorem = Theorem("bare", "a >= b", "nobody", (), lhs=lambda graph: 0.0, rhs=lambda graph: 0.0)
    return {"theorem": theorem, "graph": MaskGraph.from_joint([[1.0]]), "sides": Sides(**sides)}


def zero(graph):
    return ball(0.0)


@pytest.mark.parametrize("middle", [0.5, 0.0, -0.5])
def test_an_open_sign_is_undecided_and_the_width_is_told(middle):
    proved = certify(**bare(lhs=lambda graph: ball_around(ball(middle), ball(1.0)), rhs=zero))
    assert proved.verdict is Verdict.UNDECIDED
    assert proved.bits == 424
    assert "known to within 2" in proved.note


@pytest.mark.parametrize("middle", [2.0, -2.0])
def test_an_open_assumption_is_undecided(middle):
    margin = Margin(ball_around(ball(0.0), ball(1.0)), ball(1e-12), "who knows")
    proved = certify(**bare(lhs=lambda graph: ball(middle), rhs=zero, assumptions={"known": lambda graph: margin}))
    assert proved.verdict is Verdict.UNDECIDED
    assert "assumptions" in proved.note


@pytest.mark.parametrize(
    ("holds", "slack", "verdict"),
    [
        (False, 1.0, Verdict.INAPPLICABLE),
        (True, 1.0, Verdict.UNDECIDED),
        (True, -1e-14, Verdict.UNDECIDED),
        (True, -1.0, Verdict.UNDECIDED),
    ],
)
def test_an_assumption_without_balls_is_judged_in_floats_and_carries_no_proof(holds, slack, verdict):
    world = bare(lhs=lambda graph: ball(1.0 + slack), rhs=lambda graph: ball(1.0))
    judged = {"as it were": lambda graph: (holds, "as floats say")}
    proved = certify(**{**world, "theorem": replace(world["theorem"], assumptions=judged)})
    assert proved.verdict is verdict
    assert [(a.name, a.holds, a.measured) for a in proved.assumptions] == [("as it were", holds, "as floats say")]
    assert "as it were" in proved.note


def test_pairs_that_differ_by_rounding_error_do_not_count_for_the_decoder():
    graph = MaskGraph.from_joint([[0.25], [0.25], [0.5]])
    features, h = np.array([[1.0], [1.0 + 1e-14], [2.0]]), np.array([[1.0], [1.0], [3.0]])
    world = {"features": features, "h": h, "h_g": h[:1], "targets": h[:1]}
    proved = certify("reconstruction-bounds-encoder-alignment", graph, **world)
    (assumption,) = proved.assumptions
    assert assumption.holds
    assert "L = 0.25" in assumption.measured
    with precision(106):
        margin = bi_lipschitz(least := least_lipschitz(BallGraph(graph), world), least.value)
    assert least.n_ignored_pairs == 1
    assert -margin.allowed <= margin.value < 0


def test_a_class_that_balls_cannot_tell_may_or_may_not_be_an_error():
    graph = MaskGraph.from_joint(np.diag([0.25, 0.75]), [0, 1])
    with precision(53):
        assert winning_class([ball_around(ball(0.5), ball(0.1)), ball(0.5)]) == -2
        assert winning_class([ball_around(ball(0.8), ball(0.1)), ball(0.5)]) == 0
        for lead, radius, found in (
            (1e-12, 1e-14, -2),
            (0.8e-12, 1e-14, -1),
            (1.2e-12, 1e-14, 0),
            (5e-12, 4.5e-12, -2),
        ):
            assert winning_class([ball_around(ball(0.5 + lead), ball(radius)), ball(0.5)]) == found
        probe = BallProbe(BallGraph(graph), np.eye(2))
        probe.__dict__["predicted"] = [-2, 1]
        for error in (probe.view_error(), probe.image_error()):
            assert error.contains(ball(0))
            assert error.contains(ball(0.25))
            assert error < 0.5


def test_views_tied_by_rounding_error_do_not_refute_the_bound():
    view_of = np.array([[0.1, 0, 0.1, 0], [0, 0.1, 0, 0.1 + 1e-15], [0, 0, 0.3, 0], [0, 0, 0, 0.3]])
    target_of = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]).astype(float)
    law = view_of.sum(0)[:, None] * target_of
    graph = MaskGraph(*map(sparse.csr_array, (law, view_of, view_of @ target_of)), np.array([0, 1, 0, 1]))
    for slug in ("probe-residual-bounds-view-error", "probe-residual-bounds-image-error"):
        assert certify(slug, graph, features=target_of).verdict is Verdict.TIGHT


def test_the_printed_line_says_what_was_proved():
    proved = certify("umae-downstream-bound-exceeds-six", MaskGraph.from_joint(np.eye(2) / 2, [0, 1]))
    assert str(proved).startswith("TIGHT: 8 p_max ‖Ā‖_F² + 8φ >= 8(1 - φ + φ²) >= 6: 8 against 8, slack 0 (")


def test_targets_that_agree_in_one_value_are_no_obstacle():
    graph = MaskGraph.from_joint([[0.3, 0.1], [0.0, 0.6]])
    world = {"features": np.ones((2, 1)), "h": np.zeros((2, 2)), "targets": np.array([[-1.0, 0.0], [-1.0, 1.0]])}
    assert certify("full-collapse-costs-variance", graph, **world).verdict is Verdict.HOLDS


def test_two_hundred_views_take_seconds():
    graph, features, targets = large_world(200, 150)
    start = process_time()
    assert certify("spectral-contrast-is-bounded-by-eigenvalues", graph, features=features).verdict is Verdict.HOLDS
    assert certify("spectral-contrast-is-factorisation", graph, features=features).verdict is Verdict.TIGHT
    world = {"features": features, "h": features, "h_g": targets, "targets": targets}
    assert certify("umae-bounds-downstream-error", graph, **world).verdict is Verdict.VACUOUS
    assert process_time() - start < 30


@pytest.mark.slow
def test_equality_on_two_hundred_views_is_certified():
    graph = large_world(200, 150)[0]
    proved = certify("spectral-contrast-is-bounded-by-eigenvalues", graph, features=minimiser(graph, 3))
    assert proved.verdict is Verdict.HOLDS
    assert 0 < proved.slack.low <= proved.slack.high < 1e-25
    assert proved.bits == 212


def test_bad_requests_are_refused_in_plain_words():
    graph = MaskGraph.from_joint(np.full((401, 1), 1 / 401))
    with pytest.raises(InputError, match="at most 400 views and 400 targets, but graph has 401 views"):
        certify("umae-downstream-bound-exceeds-six", graph)
    with pytest.raises(InputError, match="there is no theorem 'nonsense'"):
        certify("nonsense", graph)
    other = replace(THEOREMS["reconstruction-bounds-alignment"], lhs=lambda graph: 0.0)
    with pytest.raises(InputError, match=r"no version in balls .* those that have one are: reconstruction-bounds-asym"):
        certify(other, graph)
    with pytest.raises(InputError, match="max_bits must be at least 53"):
        certify("umae-downstream-bound-exceeds-six", graph, max_bits=52)
    with pytest.raises(InputError, match="needs h="):
        certify("reconstruction-bounds-alignment", graph)


def test_a_missing_library_is_said_plainly(monkeypatch):
    arb_library.cache_clear()
    monkeypatch.setitem(sys.modules, "flint", None)
    try:
        with pytest.raises(InputError, match=r"pip install maetheory\[certify\]"):
            certify("umae-downstream-bound-exceeds-six", MaskGraph.from_joint([[1.0]], [0]))
    finally:
        arb_library.cache_clear()


@pytest.mark.parametrize("masks", [{}, {"masks": np.zeros(3, int)}])
def test_no_certificate_says_that_last_digits_tell_a_decoder_something(masks):
    slug = "full-collapse-costs-variance" + ("-given-the-mask" if masks else "")
    world = dict(THEOREMS["full-collapse-costs-variance"].tight())
    world["features"] = 1 + np.array([[0.0], [1e-14], [2e-14]])
    world["h"] = world["graph"].joint @ world["targets"] / world["graph"].degrees[0][:, None]
    assert certify(slug, **world, **masks).verdict is Verdict.INAPPLICABLE


def test_a_certificate_reads_laws_as_strictly_as_a_check():
    slug = "data-processing-raises-pair-error"
    world = {**THEOREMS[slug].tight(), "channel": np.diag([1 + 9e-10, 1, 1 - 9e-10])}
    assert certify(slug, **world).verdict is check(slug, **world).verdict is Verdict.INAPPLICABLE
