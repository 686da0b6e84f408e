"""The referee answers its five questions rightly about claims whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.graph import MaskGraph
from maetheory.graph.functionals import mean_square, positive_pair_distance, reconstruction_loss
from maetheory.reports.referee_text import answers_by_question
from maetheory.testing import assert_holds
from maetheory.theory import THEOREMS, Theorem, Verdict
from maetheory.theory.falsify import SideError, falsify
from maetheory.theory.referee import LEAST_WORLDS, Need, assumptions, load_theorems, referee_theorem, vacuity
from maetheory.theory.referee.assumptions import examine_assumption
from maetheory.theory.referee.prober import Budget
from maetheory.theory.referee.simplify import law_denominator

USER_FILES = Path(__file__).parent.parent / "user_files"
FOLLOWUPS = Path(__file__).parents[3] / "docs" / "followups"
FALSE = load_theorems(USER_FILES / "five_false_claims.py")

DISTANCE = Theorem(
    slug="loss-exceeds-the-distance",
    statement="L_MAE(h) >= E‖h - h⁺‖²",
    reference="planted: the factor must be ½",
    objects=("h", "targets"),
    lhs=lambda graph, h, targets: reconstruction_loss(graph, h, targets),
    rhs=lambda graph, h: positive_pair_distance(graph, h),
)
DISTANCE_WORLD = {"graph": MaskGraph.from_joint([[1.0]]), "targets": np.zeros((1, 1))}
ENERGY = Theorem(
    slug="energy-below-nine",
    statement="(E‖z‖²) <= 9 where |z| <= 1",
    reference="planted: 1 is the best constant",
    objects=("z",),
    shapes={"z": ("n",)},
    lhs=lambda z: float((z**2).mean()),
    rhs=lambda: 9.0,
    direction="<=",
    assumptions={
        "bounded": lambda z: (bool(np.abs(z).max() <= 1), f"max |z| = {np.abs(z).max():.3g}"),
        "finite": lambda z: (bool(np.isfinite(z).all()), "finite"),
    },
    terms=lambda: {"four": 4.0, "five": 5.0},
    trivial=9.0,
    needs_graph=False,
    sample=lambda rng: {"z": rng.uniform(-1.4, 1.4, 3)},
)


def is_centred(graph: MaskGraph, h: np.ndarray) -> tuple[bool, str]:
    """No drawn world is centred but those of vanishing features."""
    return bool(np.abs(graph.degrees[0] @ h).max() < 1e-9), "mean"


CENTRED = Theorem(
    slug="centred-distance",
    statement="E‖h - h⁺‖² >= 3 E‖h‖² where h is centred",
    reference="planted: false for every centred h that does not vanish",
    objects=("h",),
    lhs=positive_pair_distance,
    rhs=lambda graph, h: 3 * mean_square(graph.degrees[0], h),
    assumptions={"centred": is_centred},
)


def with_some_centred(share: float) -> Theorem:
    """Return the claim with features centred in this share of the drawn worlds, and zero in the others."""

    def sample(rng: np.random.Generator) -> dict[str, Any]:
        h = np.array([[1.0], [-1.0]]) if rng.random() < share else np.zeros((2, 1))
        return {"graph": MaskGraph.from_joint(np.eye(2) / 2), "h": h}

    return replace(CENTRED, rhs=lambda graph, h: -mean_square(graph.degrees[0], h), sample=sample)


def test_zero_against_zero_is_no_evidence() -> None:
    report = referee_theorem(CENTRED, worlds=20)
    assert report.coverage.decided > LEAST_WORLDS
    assert report.verdict == "UNTESTED"
    assert "both sides are 0 in all" in answers_by_question(report)["violated?"][0]
    with pytest.raises(InputError, match="both sides of centred-distance are 0 in every one of"):
        falsify(CENTRED, worlds=20, descend=False)
    with pytest.raises(InputError, match="both sides of centred-distance are 0 in every one of"):
        assert_holds(CENTRED, worlds=20, descend=False, decided=1)
    few = referee_theorem(with_some_centred(0.5), worlds=10)
    assert 0 < few.coverage.nonzero < LEAST_WORLDS < few.coverage.decided
    assert few.verdict == "NO VIOLATION FOUND"
    assert (
        f"in only {few.coverage.nonzero} of them the sides are not both 0" in answers_by_question(few)["violated?"][0]
    )
    assert falsify(with_some_centred(0.5), worlds=10, descend=False) is None


def test_zero_against_zero_is_what_an_identity_or_a_constant_says() -> None:
    zero = with_some_centred(0.5)
    for change in (
        {"direction": "==", "lhs": lambda graph, h: 0.0 * h.sum(), "rhs": lambda graph, h: 0.0 * h.max()},
        {"direction": "<=", "lhs": lambda graph, h: 0.0 * h.sum(), "rhs": lambda: 0.0},
    ):
        claim = replace(zero, **change)
        assert referee_theorem(claim, worlds=10).coverage.nonzero > 0
        assert falsify(claim, worlds=10, descend=False) is None


@pytest.mark.parametrize("slug", FALSE)
def test_five_false_claims_are_violated_by_small_worlds_with_simple_weights(slug):
    report = referee_theorem(FALSE[slug], worlds=60)
    assert report.verdict == "VIOLATED"
    found = report.violation.found
    assert found.check.verdict is Verdict.VIOLATED
    assert max(found.world.law.shape[1:]) <= 3
    assert law_denominator(found.world.law) <= 1000
    assert FALSE[slug].check(**found.world.all_objects()).slack == found.check.slack < 0


def test_a_wrong_constant_is_refuted_by_two_views_and_mended_by_bisection():
    report = referee_theorem(DISTANCE, worlds=60)
    assert report.violation.found.world.law.shape[1:] == (2, 1)
    assert report.violation.proved
    assert "exact rational arithmetic" in report.violation.proof
    (factor,) = report.factors
    assert factor.sharper == "larger"
    assert 0.4 < factor.reached <= factor.broken
    assert factor.broken == pytest.approx(0.5, abs=0.02)


def test_an_idle_a_needed_and_a_loose_constant_are_told_apart():
    report = referee_theorem(ENERGY, worlds=60)
    assert report.verdict == "VACUOUS"
    bounded, finite = report.assumptions
    assert (bounded.need, finite.need) == (Need.IDLE, Need.IDLE)
    assert bounded.tries > 10
    assert finite.tries == 0
    whole, four, five = report.factors
    assert (whole.sharper, whole.term) == ("smaller", "right side")
    assert 0.9 / 9 <= whole.broken <= 1 / 9 + 1e-9
    assert four.reached == five.reached == 0  # either alone is enough
    sharp = replace(ENERGY, rhs=lambda: 1.0, trivial=None, terms=None)
    report = referee_theorem(sharp, worlds=60)
    bounded, finite = report.assumptions
    assert bounded.need is Need.NEEDED
    assert np.abs(bounded.world.world.objects["z"]).max() > 1
    assert 0.9 <= report.factors[0].broken <= 1 + 1e-9


def test_an_assumption_without_which_a_side_is_not_defined_is_needed_and_its_world_is_left_as_it_was():
    claim = replace(
        ENERGY,
        slug="energy-of-a-first-entry",
        lhs=lambda z: 0.0 if z[0] != 0 else 1.0 / 0.0,
        assumptions={"first": lambda z: (bool(z[0] != 0), f"z₁ = {z[0]:.3g}")},
        terms=None,
        sample=lambda rng: {"z": rng.integers(0, 2, 3).astype(float)},
    )
    found = examine_assumption(claim, "first", worlds=20, seed=0, budget=Budget())
    assert found.need is Need.NEEDED
    assert found.note.startswith("without it the claim is not defined: ")
    assert found.world.world.objects["z"][0] == 0
    assert found.world.check.slug == "nowhere"  # no side was evaluated in it


def test_a_world_of_rounding_errors_is_no_witness_of_the_best_factor():
    """Constant features whose targets are means of them: both sides are squares of rounding errors."""

    def third(graph, h):
        return 0.3 * positive_pair_distance(graph, h)

    claim = replace(DISTANCE, slug="a-third-of-the-distance", rhs=third, trivial=0.0)
    for seed in (0, 1):
        (whole,) = referee_theorem(claim, seed=seed).factors
        assert whole.broken == pytest.approx(5 / 3, rel=0.01)  # the factor ½ is the best
        assert whole.world.check.rhs.value > 1e-20


def test_a_factor_within_half_a_per_cent_is_not_bisected():
    sample = {"sample": lambda rng: {"z": np.ones(3)}, "conform": lambda z: {"z": np.ones(3)}, "terms": None}
    near, far = (replace(ENERGY, rhs=lambda bound=bound: bound, trivial=None, **sample) for bound in (1.003, 1.02))
    (whole,) = referee_theorem(near, worlds=10).factors
    assert (whole.reached, whole.broken) == (1.0, pytest.approx(1 / 1.003))
    (whole,) = referee_theorem(far, worlds=10).factors
    assert whole.broken < whole.reached < 1.0


def test_no_world_is_sought_that_passes_a_trivial_bound_where_one_was_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(vacuity, "_search_for_a_world_that_passes", None)
    assert referee_theorem(replace(ENERGY, rhs=lambda: 8.0, terms=None), worlds=10).vacuity.vacuous is False
    with pytest.raises(TypeError):
        referee_theorem(replace(ENERGY, terms=None), worlds=10)


def test_an_assumption_that_no_world_meets_is_never_met_and_the_claim_untested():
    report = referee_theorem(replace(ENERGY, assumptions={"never": lambda z: (False, "it never holds")}), worlds=20)
    assert report.verdict == "UNTESTED"
    (never,) = report.assumptions
    assert never.need is Need.NEVER_MET
    assert "untested" in never.note


def test_a_claim_of_two_signs_and_an_identity_have_no_factor_of_their_own():
    identity = referee_theorem(THEOREMS["alignment-split"], worlds=20)
    assert identity.factors == ()
    assert identity.vacuity.vacuous is None
    signs = referee_theorem(THEOREMS["reconstruction-bounds-asymmetric-alignment"], worlds=20)
    assert "both signs" in signs.factors[0].note


def test_no_factor_mends_a_claim_that_fails_where_its_right_side_is_zero():
    report = referee_theorem(
        replace(DISTANCE, direction="<=", slug="loss-below-the-distance", statement="L_MAE(h) <= E‖h - h⁺‖²"), worlds=40
    )
    assert report.verdict == "VIOLATED"
    assert report.factors[0].broken == np.inf
    assert np.isnan(report.factors[0].reached)


@pytest.mark.slow
def test_the_planners_of_a_world_model_are_refuted_at_risk_zero_and_vacuous_with_unit_norms():
    one, many = load_theorems(FOLLOWUPS / "world_model_planning.py").values()
    report = referee_theorem(one, worlds=60)
    assert report.verdict == "VIOLATED"
    check = report.violation.found.check
    assert check.rhs < 1e-12 < 0.02 < check.lhs
    joints = report.violation.found.world.objects["joints"]
    assert joints.shape[0] == 2
    assert joints.shape[1] == joints.shape[2] <= 3
    report = referee_theorem(many, worlds=30)
    assert report.verdict == "VACUOUS"
    assert report.vacuity.rhs[0] >= 2 * (3**0.5 - 1)
    assert report.vacuity.lhs[1] <= 1 + 1e-12


@pytest.mark.slow
def test_the_planner_of_risk_zero_has_regret_one_fifth_in_exact_fractions():
    """The world of the ledger, in which ties cannot occur: exact factors leave no risk, and c₀ √0 = 0 for every c₀."""
    joints = [[[F(3, 10), F(0)], [F(7, 10), F(0)]], [[F(0), F(3, 10)], [F(3, 10), F(4, 10)]]]
    world = {"joints": np.array(joints, dtype=float)}
    found = load_theorems(FOLLOWUPS / "world_model_planning.py")["planning-regret-below-risk"].check(**world)
    start = [sum(row) for row in joints[0]]
    assert [sum(row) for row in joints[1]] == start
    risks, scores, values = [], [], []
    for joint in joints:
        targets = [sum(column) for column in zip(*joint)]
        dynamics = [[m / d for m in row] for row, d in zip(joint, start)]
        score = [[p / t if t else F(0) for p, t in zip(row, targets)] for row in dynamics]  # gᵀf
        risks.append(
            sum(
                (m - d * t * s) ** 2 / (d * t)
                for row, own, d in zip(joint, score, start)
                for m, t, s in zip(row, targets, own)
                if t
            )
        )
        scores.append(score)
        values.append(dynamics)
    assert risks == [0, 0]
    regret = F(0)
    for x, goal in product(range(2), range(2)):
        best = max(range(2), key=lambda action: (scores[action][x][goal], values[action][x][goal]))
        regret += start[x] * (max(one[x][goal] for one in values) - values[best][x][goal]) / 2
    assert regret == F(1, 5)
    assert float(found.lhs) == pytest.approx(0.2, abs=1e-15)


@pytest.mark.slow
def test_the_norms_that_the_planner_needs_are_found_to_be_needed():
    """Without unit norms features can be moved until the risk is nearly 0, while the regret of a choice jumps."""
    many = load_theorems(FOLLOWUPS / "world_model_planning.py")["planning-regret-of-steps-below-risk"]
    finding = examine_assumption(many, "unit norms", worlds=20, seed=0, budget=Budget())
    assert finding.need is Need.NEEDED
    check = many.check(**finding.world.world.all_objects())
    assert [one.name for one in check.assumptions if not one.holds] == ["unit norms"]
    assert check.lhs > check.rhs


def rank_claim(**changes: Any) -> Theorem:
    """Claim whose left side jumps: the sign of the first entry is at most the norm of z, for z of norm one."""

    def norm(z: np.ndarray) -> tuple[bool, str]:
        size = float(np.linalg.norm(z))
        return abs(size - 1) < 1e-12, f"norm {size:.4g}"

    fields: dict[str, Any] = {
        "slug": "half-of-a-choice",
        "statement": "[z₁₁ > 0] <= 2 ‖z - a‖ for ‖z‖ = 1",
        "reference": "planted",
        "objects": ("z",),
        "shapes": {"z": ("n", "d")},
        "lhs": lambda z: float(z[0, 0] > 0),
        "rhs": lambda z: 2 * float(np.linalg.norm(z - 30.0)),
        "direction": "<=",
        "assumptions": {"norm one": norm},
        "needs_graph": False,
        "scale": lambda: 1.0,
        "sample": lambda rng: {"z": rng.normal(size=(2, 3))},
        "conform": lambda world: {"z": world["z"] / np.linalg.norm(world["z"])},
    }
    return Theorem(**{**fields, **changes})


def test_a_bound_that_falls_far_from_the_drawn_worlds_is_reached_although_the_other_side_jumps():
    finding = examine_assumption(rank_claim(), "norm one", worlds=12, seed=0, budget=Budget())
    assert finding.need is Need.NEEDED
    assert np.abs(finding.world.world.objects["z"] - 30).max() < 1
    held = rank_claim(rhs=lambda z: 1.0 + float(np.linalg.norm(z - 30.0)))
    assert examine_assumption(held, "norm one", worlds=4, seed=0, budget=Budget()).need is Need.IDLE


def test_without_an_assumption_its_objects_are_scaled_by_factors_of_a_thousand(monkeypatch: pytest.MonkeyPatch):
    """The claim jumps where a row is short, so that no descent leads there."""
    small = rank_claim(lhs=lambda z: float(np.linalg.norm(z, axis=1).min() > 0.02), rhs=lambda z: 0.5, direction=">=")
    assert examine_assumption(small, "norm one", worlds=12, seed=0, budget=Budget()).need is Need.NEEDED
    monkeypatch.setattr(assumptions, "_LARGEST_FACTOR", 1.0)
    assert examine_assumption(small, "norm one", worlds=12, seed=0, budget=Budget()).need is Need.IDLE


def test_an_assumption_whose_counterexample_floats_leave_undecided_is_needed_by_proof():
    pytest.importorskip("flint")
    for slug, name in (
        ("full-collapse-costs-variance", "position-blind decoder"),
        ("linear-decoder-optimum", "linear decoder"),
    ):
        finding = examine_assumption(THEOREMS[slug], name, worlds=1, seed=0, budget=Budget())
        assert finding.need is Need.NEEDED
        assert "proved in ball arithmetic" in finding.note
        assert finding.world.check.lhs < finding.world.check.rhs


def test_too_few_worlds_call_nothing_vacuous_and_what_decides_nothing_is_said_in_the_words_of_the_verdicts():
    out_of_reach = replace(DISTANCE, rhs=lambda: -1.0, trivial=0.0)
    few, enough = (referee_theorem(out_of_reach, worlds=number) for number in (1, LEAST_WORLDS))
    assert (few.verdict, enough.verdict) == ("UNDECIDED", "VACUOUS")
    assert "UNDECIDED after 1 world:" in answers_by_question(few)["vacuous?"][0]
    assert answers_by_question(enough)["vacuous?"][0].startswith("yes:")
    searched = answers_by_question(referee_theorem(THEOREMS["full-collapse-costs-variance"], worlds=20))["searched"][0]
    assert "INAPPLICABLE mostly because" in searched
    assert "undecided" not in searched


@pytest.mark.slow
def test_the_reports_on_the_papers_bounds_are_vacuous():
    for slug in ("umae-bounded-by-graph-tail", "umae-bounds-downstream-error"):
        report = referee_theorem(THEOREMS[slug], worlds=24)
        assert report.verdict == "VACUOUS", slug
        assert report.vacuity.margin < 0


def test_a_constant_bound_that_is_attained_is_not_vacuous_but_one_out_of_reach_is():
    attained = Theorem(
        slug="energy-is-positive",
        statement="E‖h‖² >= 0",
        reference="planted",
        objects=("h",),
        lhs=lambda graph, h: mean_square(graph.degrees[0], h),
        rhs=lambda: 0.0,
    )
    assert referee_theorem(attained, worlds=40).vacuity.vacuous is False
    assert referee_theorem(replace(attained, rhs=lambda: -1.0), worlds=40).vacuity.vacuous is True


def test_the_same_seed_and_number_of_worlds_give_the_same_report():
    from maetheory.reports.referee_records import claim_document

    one, two = (claim_document(referee_theorem(DISTANCE, worlds=20, seed=4)) for _ in range(2))
    one.pop("seconds"), two.pop("seconds")
    assert one == two
    other = claim_document(referee_theorem(DISTANCE, worlds=20, seed=5))
    assert other["vacuity"] != one["vacuity"]


def test_the_time_and_ctrl_c_end_a_report_with_what_was_found():
    theorem = THEOREMS["reconstruction-bounds-alignment"]
    short = referee_theorem(theorem, worlds=10**6, seconds=0.4)
    assert short.stopped == "stopped after 0.4 seconds"
    assert 0 < sum(short.coverage.tried.values()) < 10**5
    assert short.vacuity.lhs[1] > 0

    def press(done, total, message):
        if done == 10:
            raise KeyboardInterrupt

    stopped = referee_theorem(theorem, worlds=50, progress=press)
    assert stopped.stopped == "interrupted"
    assert sum(stopped.coverage.tried.values()) == 10


def test_a_side_that_raises_in_a_degenerate_world_spoils_no_report_of_a_drawn_one():
    """1 / (N2 - 1) is not defined for one target, to which simplification goes."""
    claim = replace(
        DISTANCE,
        rhs=lambda graph, h: positive_pair_distance(graph, h) / (graph.shape[1] - 1),
        assumptions={},
        sample=lambda rng: {
            "graph": MaskGraph.from_joint(np.full((2, 3), 1 / 6)),
            "h": rng.normal(size=(2, 1)),
            "targets": np.zeros((3, 1)),
        },
    )
    report = referee_theorem(claim, worlds=12)
    assert report.coverage.tried["random"] == 12
    raising = replace(claim, sample=lambda rng: {**DISTANCE_WORLD, "h": rng.normal(size=(1, 1))})
    with pytest.raises(SideError, match="ZeroDivisionError"):
        referee_theorem(raising, worlds=12)


def test_numbers_out_of_range_are_one_sentence():
    for wrong in ({"worlds": 0}, {"seed": -1}, {"seconds": 0.0}):
        with pytest.raises(InputError, match="worlds must be at least 1"):
            referee_theorem(DISTANCE, **wrong)


@pytest.mark.slow
def test_every_statement_of_the_package_passes_the_referee():
    """Thirty worlds each; the ten true claims of the criterion are among them."""
    for slug, theorem in THEOREMS.items():
        report = referee_theorem(theorem, worlds=30)
        print(f"{slug:<60} {report.verdict:<20} {report.seconds:6.1f} s")
        assert report.verdict in ("NO VIOLATION FOUND", "VACUOUS"), slug
        for finding in report.assumptions:
            assert finding.need is not Need.NEVER_MET, (slug, finding.name)
