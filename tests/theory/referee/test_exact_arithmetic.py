"""Exact arithmetic: every exact functional equals that of floats, and a claim that is not rational is not proved."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from maetheory.core import generator
from maetheory.graph import functionals
from maetheory.theory import THEOREMS, Theorem
from maetheory.theory.exact_worlds import FIRST_EXACT, exact_world
from maetheory.theory.falsify import SearchedWorld
from maetheory.theory.referee import referee_theorem
from maetheory.theory.referee.confirmation import confirm
from maetheory.theory.referee.exact_arithmetic import (
    _EXACT,
    NotRationalError,
    exact_sides,
    exact_version,
    fractions_of,
)
from maetheory.theory.referee.exact_arithmetic import exact_world as in_fractions
from maetheory.theory.small_worlds import SmallWorld

SHAPED = replace(
    THEOREMS["umae-bounds-downstream-error"], slug="shaped", objects=("features", "h", "h_g", "targets"), sample=None
)
ARGUMENTS = {
    functionals.reconstruction_loss: ("h", "targets"),
    functionals.asymmetric_alignment: ("h", "h_g"),
    functionals.alignment_loss: ("h",),
    functionals.positive_pair_distance: ("h",),
    functionals.uniformity_loss: ("features",),
    functionals.spectral_loss: ("features",),
    functionals.conditional_mean: ("h",),
    functionals.best_prediction: ("targets",),
    functionals.irreducible_loss: ("targets",),
    functionals.target_variance: ("targets",),
}
WITHOUT_GRAPH = {float, functionals.mean_square, functionals.check_view_features, functionals.check_target_features}


def worlds():
    for index in range(3, 309, 17):
        yield exact_world(SHAPED, index)


def test_every_functional_with_an_exact_version_is_compared():
    assert set(_EXACT) == set(ARGUMENTS) | WITHOUT_GRAPH


@pytest.mark.parametrize("function", ARGUMENTS, ids=lambda function: function.__name__)
def test_exact_functionals_equal_those_of_floats(function):
    for world in worlds():
        objects, exact = world.all_objects(), in_fractions(world)
        wanted = function(objects["graph"], *(objects[name] for name in ARGUMENTS[function]))
        found = _EXACT[function](exact["graph"], *(exact[name] for name in ARGUMENTS[function]))
        np.testing.assert_allclose(np.asarray(found, float), np.asarray(wanted, float), rtol=1e-12, atol=1e-14)


def test_exact_label_errors_equal_those_of_floats():
    for world in worlds():
        graph, exact = world.all_objects()["graph"], in_fractions(world)["graph"]
        for name in ("label_error", "target_label_error", "pair_label_error"):
            found = getattr(exact, name)()
            assert isinstance(found, Fraction)
            assert float(found) == pytest.approx(float(getattr(graph, name)()), abs=1e-15)


def test_decimals_are_read_as_they_are_written():
    assert fractions_of(np.array([0.1, -0.25])).tolist() == [Fraction(1, 10), Fraction(-1, 4)]
    with pytest.raises(NotRationalError):
        fractions_of(np.array([np.nan]))


SCALE, TENTH = 3, 0.1


def double(value):
    return float(value) * 2


def test_constants_are_the_decimals_that_they_are_written_as():
    claim = Theorem(
        slug="tenths",
        statement="0.3 z - 0.1 >= 0.05",
        reference="made",
        objects=("z",),
        shapes={"z": ("n",)},
        lhs=lambda z: 0.3 * float(z.sum()) - TENTH,
        rhs=lambda: 0.05,
        needs_graph=False,
    )
    lhs, rhs, _ = exact_sides(claim, SmallWorld({"z": np.array([0.1, 0.2])}))
    assert (lhs, rhs) == (Fraction(-1, 100), Fraction(1, 20))


def test_functions_that_are_called_by_name_and_by_closure_are_exact_too():
    factor = lambda value: float(value) / SCALE  # noqa: E731  # a closure, as in a user's file
    claim = Theorem(
        slug="thirds",
        statement="2 z / 3 >= 2 / 3",
        reference="made",
        objects=("z",),
        shapes={"z": ("n",)},
        lhs=lambda z: double(factor(z.sum())),
        rhs=lambda: Fraction(2, 3),
        needs_graph=False,
    )
    lhs, rhs, verified = exact_sides(claim, SmallWorld({"z": np.array([0.1, 0.2])}))
    assert (lhs, rhs, verified) == (Fraction(1, 5), Fraction(2, 3), True)
    assert double(1.5) == 3.0  # the function of the module is as it was
    assert exact_version(np.sqrt) is np.sqrt


def test_another_thread_turns_fractions_into_floats_meanwhile():
    """The side is computed while a second thread converts a Fraction, which the first must not do."""
    heard = []

    def side(z):
        second = threading.Thread(target=lambda: heard.append(math.sqrt(Fraction(1, 4))))
        second.start()
        second.join()
        return z.sum()

    claim = Theorem("sum", "z <= 1", "made", ("z",), side, lambda: 1.0, "<=", shapes={"z": ("n",)}, needs_graph=False)
    assert exact_sides(claim, SmallWorld({"z": np.array([0.1, 0.2])}))[0] == Fraction(3, 10)
    assert heard == [0.5]


@pytest.mark.parametrize(
    "side",
    [
        lambda z: float(np.sqrt((z**2).sum())),
        lambda z: float(np.linalg.norm(z)),
        lambda z: math.sqrt((z**2).sum()),
        lambda z: int(10 * math.sqrt(float((z**2).sum()))),
        lambda z: 1 if math.sqrt(float((z**2).sum())) > 4.9 else 0,
    ],
)
def test_roots_and_norms_are_not_proved(side):
    """A root of floats is no fraction, even where it is a whole number."""
    claim = Theorem(
        "root", "side <= 0", "made", ("z",), side, lambda: 0.0, "<=", shapes={"z": ("n",)}, needs_graph=False
    )
    world = SmallWorld({"z": np.array([3.0, 4.0])})
    with pytest.raises(NotRationalError):
        exact_sides(claim, world)
    found = SearchedWorld("root", 0, 0, world, claim.check(z=np.array([3.0, 4.0])))
    sentence, proved = confirm(claim, found)
    assert not proved
    assert sentence.startswith("compared in float64: the claim fails by")


def test_a_violated_statement_of_the_package_under_a_false_name_is_not_certified_as_it():
    false = replace(THEOREMS["pair-error-lower-bound"], slug="false", rhs=lambda graph: 2.0)
    report = referee_theorem(false, worlds=8)
    assert report.violation.proved  # 2 is rational, and so is φ
    assert "exact rational arithmetic" in report.violation.proof


def test_an_assumption_that_is_not_rational_leaves_the_proof_to_floats():
    claim = Theorem(
        slug="assumed",
        statement="z <= 0",
        reference="made",
        objects=("z",),
        shapes={"z": ("n",)},
        lhs=lambda z: z.sum(),
        rhs=lambda: 0.0,
        direction="<=",
        assumptions={"norm": lambda z: (bool(np.linalg.norm(z) > 0), "positive")},
        needs_graph=False,
    )
    world = SmallWorld({"z": np.array([1.0])})
    sentence, proved = confirm(claim, SearchedWorld("assumed", 0, 0, world, claim.check(z=np.array([1.0]))))
    assert not proved
    assert "its assumptions were measured in floats" in sentence


def test_numbers_of_exact_worlds_begin_at_two_million():
    assert FIRST_EXACT == 2_000_000
    assert generator(0, "exact world", 3).random() == generator(0, "exact world", 3).random()
