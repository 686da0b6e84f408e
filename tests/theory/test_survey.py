"""A survey reports one violation among many worlds, whichever it is, and a certificate survey does too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maetheory.core import Estimate, InputError
from maetheory.graph import MaskGraph
from maetheory.theory import Theorem, Verdict
from maetheory.theory.certified import survey as certified_survey
from maetheory.theory.certified.survey import TheoremCertificates, certify_theorems
from maetheory.theory.certified.verdicts import violated_by_non_finite
from maetheory.theory.statements import THEOREMS
from maetheory.theory.survey import (
    BROKEN,
    RANDOM,
    STANDARD,
    TIGHT,
    TheoremSurvey,
    WorldCheck,
    select_theorems,
    survey,
    survey_worlds,
)
from maetheory.theory.theorem import Assumption

SPLIT = THEOREMS["alignment-split"]
CHECK = SPLIT.check(**SPLIT.tight())
KINDS = (TIGHT, STANDARD, RANDOM)


def surveyed(*checks, kind=STANDARD):
    return TheoremSurvey(SPLIT, tuple(WorldCheck(kind, str(n), check) for n, check in enumerate(checks)))


def of(verdict, slack=1.0, scale=1.0, lhs=2.0):
    return replace(CHECK, verdict=verdict, slack=slack, scale=scale, lhs=Estimate(lhs), rhs=Estimate(lhs - slack))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("position", [0, 7, 19])
def test_one_violation_among_many_worlds_is_reported(kind, position):
    checks = [of(Verdict.HOLDS)] * 20
    assert not surveyed(*checks, kind=kind).violated
    checks[position] = of(Verdict.VIOLATED, slack=-1.0)
    found = surveyed(*checks, kind=kind)
    assert found.violated
    assert found.counts["VIOLATED"] == 1
    assert found.counts["HOLDS"] == 19
    assert found.smallest is found.checks[position]


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict is not Verdict.VIOLATED])
def test_no_other_verdict_is_a_violation(verdict):
    assert not surveyed(of(verdict), of(verdict)).violated


def test_the_smallest_slack_is_of_a_world_that_is_not_tight_where_there_is_one():
    tight, near, far = of(Verdict.TIGHT, 0.0), of(Verdict.HOLDS, 0.1), of(Verdict.HOLDS, 0.5)
    elsewhere = of(Verdict.INAPPLICABLE, -5.0)
    assert surveyed(tight, far, near, elsewhere).smallest.check is near
    assert surveyed(tight, elsewhere).smallest.check is tight
    assert surveyed(elsewhere).smallest is None
    assert len(surveyed(tight, far, near, elsewhere).applicable) == 3


def test_the_slack_is_compared_with_the_scale_of_its_own_world():
    small, large = of(Verdict.HOLDS, 0.1, scale=0.1), of(Verdict.HOLDS, 0.5, scale=100.0)
    assert surveyed(small, large).smallest.check is large


def test_the_tightness_is_that_of_standard_and_random_worlds():
    checks = tuple(
        WorldCheck(kind, kind, of(Verdict.HOLDS, slack))
        for kind, slack in ((TIGHT, 0.0), (BROKEN, 0.0), (STANDARD, 1.0), (RANDOM, 1.0))
    )
    assert TheoremSurvey(SPLIT, checks).tightness == 0.5


def test_an_assumption_that_fails_is_read_from_the_worlds_that_break_it():
    fails, met = Assumption("p", False, "far off"), Assumption("q", True, "met")
    check = replace(CHECK, assumptions=(fails, met))
    assert surveyed(check, kind=BROKEN).failing_assumptions == {"p": fails}
    assert surveyed(check, kind=STANDARD).failing_assumptions == {}


def test_theorems_are_selected_in_order_and_each_once_and_all_by_none():
    first, second = "irreducible-split", "alignment-split"
    assert [t.slug for t in select_theorems(THEOREMS, [first, second, first])] == [first, second]
    assert select_theorems(THEOREMS, []) == tuple(THEOREMS.values())


@pytest.mark.parametrize("kind", ["tight", "broken"])
def test_a_world_of_the_theorem_itself_that_does_not_fit_it_is_an_error(kind):
    wrong = {**SPLIT.tight(), "h": np.ones((9, 9))}
    spoiled = replace(SPLIT, tight=lambda: wrong) if kind == "tight" else replace(SPLIT, broken=lambda: {"none": wrong})
    with pytest.raises(InputError, match="h must have shape"):
        survey([spoiled], worlds=0)


def test_a_world_that_lacks_what_a_theorem_needs_is_left_out():
    def refuses(graph):
        if graph.shape[0] > 8:
            raise InputError("too many views")
        return 1.0

    small = Theorem("small", "1 >= 0", "nobody", (), lhs=refuses, rhs=lambda: 0.0)
    sizes = [world.objects["graph"].shape[0] for world in survey_worlds(small, worlds=3)]
    checks = survey([small], worlds=3)[0].checks
    assert 0 < len(checks) == sum(size <= 8 for size in sizes) < len(sizes)


@pytest.mark.parametrize(("worlds", "seed"), [(-1, 0), (1, -1)])
def test_a_survey_needs_numbers_that_are_not_negative(worlds, seed):
    with pytest.raises(InputError, match="must not be negative"):
        survey([SPLIT], worlds=worlds, seed=seed)
    assert len(survey([SPLIT], worlds=0, seed=0)[0].checks) + 2 == len(survey([SPLIT], worlds=2, seed=0)[0].checks)


def test_one_proved_violation_among_many_certificates_is_reported():
    true = certify_theorems([SPLIT], worlds=1)[0].certificates
    false = ("a world", violated_by_non_finite(SPLIT, "planted"))
    assert len(true) > 3
    for position in (0, 2, len(true)):
        found = TheoremCertificates(SPLIT.slug, (*true[:position], false, *true[position:]))
        assert found.violated
        assert found.counts["VIOLATED"] == 1
    assert not TheoremCertificates(SPLIT.slug, true).violated


def test_certificates_are_for_small_worlds_that_are_not_broken(monkeypatch):
    slug = "full-collapse-costs-variance"
    names = [name for name, _ in certify_theorems([THEOREMS[slug]], worlds=0)[0].certificates]
    assert "tight example" in names
    assert not any("broken" in name for name in names)
    nodes = sum(THEOREMS[slug].tight()["graph"].shape)
    for most, kept in ((nodes, True), (nodes - 1, False)):
        monkeypatch.setattr(certified_survey, "MAX_SURVEY_NODES", most)
        names = [name for name, _ in certify_theorems([THEOREMS[slug]], worlds=0)[0].certificates]
        assert ("tight example" in names) is kept


GRAPH = MaskGraph.from_joint([[1.0]])


def checked(lhs, rhs=lambda: 0.0, scale=None):
    return Theorem("bare", "a >= b", "nobody", (), lhs=lhs, rhs=rhs, scale=scale).check(GRAPH)


def test_squares_that_underflow_decide_nothing_below_the_least_scale():
    """Below tiny / ε a square has lost digits; the flag alone is no reason where the scale is larger."""
    least = np.finfo(float).tiny / np.finfo(float).eps

    def lost(value):
        return lambda: value + float(np.float64(1e-200) * np.float64(1e-200))

    assert checked(lost(0.99 * least)).verdict is Verdict.INAPPLICABLE
    assert "underflow" in checked(lost(0.99 * least)).note
    assert checked(lost(1.01 * least)).verdict is Verdict.HOLDS
    assert checked(lambda: 0.99 * least).verdict is Verdict.HOLDS  # nothing has underflowed


def test_an_intermediate_result_that_overflows_decides_nothing():
    found = checked(lambda: 1.0 / float(np.float64(1e200) * np.float64(1e200)) + 1.0)
    assert found.verdict is Verdict.INAPPLICABLE
    assert "overflow" in found.note


def test_a_matrix_without_a_spectrum_is_an_error_unless_squares_overflow():
    def fails(factor):
        def side():
            np.float64(1e200) * np.float64(factor)
            raise np.linalg.LinAlgError("no convergence")

        return side

    with pytest.raises(np.linalg.LinAlgError):
        checked(fails(1.0))
    assert checked(fails(1e200)).verdict is Verdict.INAPPLICABLE


@pytest.mark.parametrize(("slack", "tightness"), [(0.99e-10, 1.0), (1.01e-10, 1 - 0.505e-10), (1.0, 0.5), (3.0, -0.5)])
def test_tightness_is_a_ratio_of_sides_and_one_where_tight(slack, tightness):
    assert of(Verdict.HOLDS, slack).tightness == pytest.approx(tightness, abs=1e-13)


def test_a_slack_relative_to_nothing_is_nothing_and_no_number_is_the_worst():
    assert of(Verdict.HOLDS, 1.0, scale=0.0).relative_slack == 0.0
    assert of(Verdict.HOLDS, 1.0, scale=4.0).relative_slack == 0.25
    assert of(Verdict.VIOLATED, float("nan")).relative_slack == -np.inf
