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

import math

from maetheory.theory.falsify import SideError, falsify, search
from maetheory.theory.theorem import Theorem


def assert_holds(
    theorem: Theorem, *, worlds: int = 200, seed: int = 0, descend: bool = True, decided: int | None = None
) -> None:
    """Raise AssertionError with a small, readable counterexample if the search finds a violation of the theorem.

    Worlds that decide nothing (UNDECIDED, infinite sides, unmet assumptions) are no evidence, so a minimal number of
    decided worlds is required.

    Parameters
    ----------
    theorem : Theorem
        The claim, with ``conform`` or ``sample`` if random worlds would not meet its assumptions.
    worlds, seed, descend
        As for :func:`maetheory.theory.falsify.search`.
    decided : int, optional
        Least number of drawn worlds with a verdict other than UNDECIDED and INAPPLICABLE; by default a tenth of
        `worlds`, rounded up.

    Raises
    ------
    AssertionError
        With the counterexample, and the seed and number that lead to it; or with the world where the claim's own code
        raised; or, if fewer than `decided` worlds decided, with how many did and why the others did not.
    InputError
        If no world met the assumptions with finite sides, so that the theorem was never tested.

    Examples
    --------
    >>> from maetheory.theory import THEOREMS
    >>> assert_holds(THEOREMS["reconstruction-bounds-alignment"], worlds=20)
    """
    try:
        result = search(theorem, worlds=worlds, seed=seed, descend=descend)
    except SideError as error:
        raise AssertionError(str(error)) from error
    if result.smallest is None:
        falsify(theorem, worlds=worlds, seed=seed, descend=descend)  # raises and says why
    if result.violated:
        raise AssertionError(f"{theorem.slug} is violated: {theorem.statement}\n{result.smallest}")
    needed = math.ceil(worlds / 10) if decided is None else decided
    if result.decided < needed:
        raise AssertionError(
            f"{theorem.slug} was decided in {result.decided} of {worlds} worlds, but {needed} are needed: "
            f"{'; '.join(result.undecided_because) or 'draw more worlds'}"
        )
