"""Every statement has six headings, an equality, a failing world per assumption, and no violation."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from maetheory.theory import THEOREMS, Verdict

HEADINGS = ("Setting", "Assumptions", "Claim", "Slack", "Tight when", "Reference")
TRUE = {Verdict.HOLDS, Verdict.TIGHT, Verdict.VACUOUS}


def module_of(theorem):
    made_by = theorem.tight or theorem.rhs
    return sys.modules[made_by.__module__]


@pytest.mark.parametrize("slug", THEOREMS)
def test_the_six_headings_come_in_order(slug):
    lines = module_of(THEOREMS[slug]).__doc__.splitlines()
    assert [line for line in lines if line in HEADINGS] == list(HEADINGS)


@pytest.mark.parametrize("slug", THEOREMS)
def test_equality_is_reached_or_said_to_be_out_of_reach(slug):
    theorem = THEOREMS[slug]
    assert theorem.tight or theorem.never_tight
    if theorem.tight:
        found = theorem.check(**theorem.tight())
        degenerate = found.verdict is Verdict.VACUOUS and bool(theorem.never_tight)
        assert found.verdict is Verdict.TIGHT or degenerate, found
        assert all(a.holds for a in found.assumptions)
        if found.trivial is not None:
            says_nothing = abs(found.rhs - found.trivial) <= 1e-10 * found.scale
            assert not says_nothing or theorem.never_tight


@pytest.mark.parametrize("slug", THEOREMS)
def test_each_assumption_has_a_world_where_it_alone_fails(slug):
    theorem = THEOREMS[slug]
    worlds = theorem.broken() if theorem.broken else {}
    assert set(worlds) == set(theorem.assumptions)
    for name, objects in worlds.items():
        found = theorem.check(**objects)
        assert found.verdict is Verdict.INAPPLICABLE
        assert [a.name for a in found.assumptions if not a.holds] == [name]
        assert name in found.note


@pytest.mark.parametrize("slug", THEOREMS)
def test_a_nan_in_any_object_violates(slug):
    theorem = THEOREMS[slug]
    if theorem.tight is None:
        pytest.skip("no tight world to spoil")
    for name, value in theorem.tight().items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            spoiled = value.copy()
            spoiled.flat[-1] = np.nan
            assert theorem.check(**{**theorem.tight(), name: spoiled}).verdict is Verdict.VIOLATED
