"""The search finds every planted falsehood of every theorem; ``pytest -n 0 -s -k table`` prints the list."""

from __future__ import annotations

import math
import time

import pytest
from planted import BLIND_TO_THE_LAW, FALSE, OTHER_LAW, plant

from maetheory.theory import THEOREMS, Verdict, falsify

WORLDS = 300


def test_every_theorem_has_a_false_version():
    assert {slug for slug, _ in FALSE.values()} == set(THEOREMS)


def test_every_theorem_on_a_graph_has_a_version_under_another_law_or_a_reason():
    on_graphs = {slug for slug, theorem in THEOREMS.items() if theorem.needs_graph}
    assert OTHER_LAW.keys() | BLIND_TO_THE_LAW.keys() == on_graphs


@pytest.mark.parametrize("name", FALSE)
def test_false_versions_are_found_and_stay_false_when_shrunk(name):
    slug, change = FALSE[name]
    planted = plant(slug, change)
    found = falsify(planted, worlds=WORLDS)
    assert found is not None
    again = planted.check(**found.world.all_objects())
    assert again.verdict is Verdict.VIOLATED
    assert again.slack == found.check.slack < 0
    assert THEOREMS[slug].check(**found.world.all_objects()).verdict is not Verdict.VIOLATED


@pytest.mark.parametrize("slug", OTHER_LAW)
def test_the_uniform_law_in_place_of_the_true_one_is_found(slug):
    assert falsify(plant(slug, OTHER_LAW[slug]), worlds=WORLDS) is not None


@pytest.mark.parametrize("side", ["lhs", "rhs"])
@pytest.mark.parametrize("slug", THEOREMS)
def test_a_side_that_is_not_a_number_is_found(slug, side):
    found = falsify(plant(slug, {side: lambda: math.nan}), worlds=20)
    assert found is not None
    assert found.relative_slack == -math.inf


def row(name, slug, change):
    found = falsify(plant(slug, change), worlds=WORLDS)
    if found is None:
        return f"{name:<62} NOT FOUND"
    way = f"descent from {found.number}" if found.descended else f"world {found.number}"
    return f"{name:<62} {way:<18} {found.relative_slack:9.2e}"


@pytest.mark.slow
def test_table_of_what_finds_what():
    began = time.perf_counter()
    lines = [f"{'planted falsehood':<62} {'found by':<18} slack over scale"]
    for slug in THEOREMS:
        lines += ["", slug]
        lines += [row(f"  {name}", slug, change) for name, (of, change) in FALSE.items() if of == slug]
        if slug in OTHER_LAW:
            lines.append(row("  under the uniform law", slug, OTHER_LAW[slug]))
        lines += [row(f"  {side} not a number", slug, {side: lambda: math.nan}) for side in ("lhs", "rhs")]
        if slug in BLIND_TO_THE_LAW:
            lines.append(f"  under the uniform law: {BLIND_TO_THE_LAW[slug]}")
    planted = len(FALSE) + len(OTHER_LAW) + 2 * len(THEOREMS)
    missed = sum("NOT FOUND" in line for line in lines)
    lines += ["", f"{planted - missed} of {planted} planted falsehoods found in {time.perf_counter() - began:.0f} s"]
    print("\n".join(lines))
    assert missed == 0
