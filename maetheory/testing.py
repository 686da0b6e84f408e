"""assert_holds: check your own theorem in a pytest suite.

The search looks for a counterexample. The printed downstream bound of Zhang, Wang and Wang 2022 (theorem 4.1), with the
other constants as derived here and c₄ = 0, is refuted by one image and the zero encoder, whose ties count as errors:

>>> from dataclasses import replace
>>> from maetheory.testing import assert_holds
>>> from maetheory.theory import THEOREMS
>>> explicit = THEOREMS["umae-bounds-downstream-error"]
>>> def without_c4(graph, features, h, h_g, targets, lipschitz):
...     terms = explicit.terms(graph, features, h, h_g, targets, lipschitz)
...     return terms["loss"] + terms["labels"] + terms["epsilon"]
>>> claim = "Pr[p_f != y] <= 32 p_max L·L_U-MAE + 8φ + 2α + 32 p_max L ε"
>>> printed = replace(explicit, slug="c4-is-zero", statement=claim, rhs=without_c4, terms=None, trivial=None)
>>> assert_holds(printed, worlds=50)
Traceback (most recent call last):
    ...
AssertionError: c4-is-zero is violated: Pr[p_f != y] <= 32 p_max L·L_U-MAE + 8φ + 2α + 32 p_max L ε...
"""

from __future__ import annotations

from maetheory.theory.falsify import falsify
from maetheory.theory.theorem import Theorem


def assert_holds(theorem: Theorem, *, worlds: int = 200, seed: int = 0, descend: bool = True) -> None:
    """Raise AssertionError with a small, readable counterexample if the search finds a violation of the theorem.

    Parameters
    ----------
    theorem : Theorem
        The claim, with ``conform`` or ``sample`` if random worlds would not meet its assumptions.
    worlds, seed, descend
        As for :func:`maetheory.theory.falsify.search`.

    Raises
    ------
    AssertionError
        With the counterexample, and the seed and number that lead to it.
    InputError
        If no world met the assumptions, so that the theorem was never tested.

    Examples
    --------
    >>> from maetheory.theory import THEOREMS
    >>> assert_holds(THEOREMS["reconstruction-bounds-alignment"], worlds=20)
    """
    counterexample = falsify(theorem, worlds=worlds, seed=seed, descend=descend)
    if counterexample is not None:
        raise AssertionError(f"{theorem.slug} is violated: {theorem.statement}\n{counterexample}")
