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

from maetheory.theory.falsify import SideError, falsify
from maetheory.theory.referee.prober import Budget, Prober
from maetheory.theory.referee.report import DRAWN
from maetheory.theory.referee.search import search_for_violation
from maetheory.theory.referee.simplify import simplify_violation
from maetheory.theory.theorem import Theorem

_MOST_REASONS = 3


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
    worlds : int
        Number of worlds to draw: random ones, ones at the edges of theorems, and small ones with integer weights.
    seed : int
        Seed of the random ones.
    descend : bool
        Whether to descend from the most promising worlds, and to walk to the edges of assumptions.
    decided : int, optional
        Least number of drawn worlds with a verdict other than UNDECIDED and INAPPLICABLE; by default a tenth of
        `worlds`, rounded up.

    Raises
    ------
    AssertionError
        With the counterexample, and the seed and number that lead to it; or with the world where the claim's own code
        raised; or, if fewer than `decided` worlds decided, with how many did and why the others did not.
    InputError
        If no world met the assumptions with finite sides that are not both 0, so that the theorem was never tested.

    Examples
    --------
    >>> from maetheory.theory import THEOREMS
    >>> assert_holds(THEOREMS["reconstruction-bounds-alignment"], worlds=20)
    """
    prober = Prober(theorem, seed, Budget())
    try:
        found = search_for_violation(prober, worlds=worlds, descend_too=descend)
        found = found and simplify_violation(prober, found)
        if not prober.nonzero:
            falsify(theorem, worlds=worlds, seed=seed, descend=descend)  # raises and says why
    except SideError as error:
        raise AssertionError(str(error)) from error
    if found is not None:
        raise AssertionError(f"{theorem.slug} is violated: {theorem.statement}\n{found}")
    needed = math.ceil(worlds / 10) if decided is None else decided
    n_decided = sum(trial.kind in DRAWN for trial in prober.trials)
    if n_decided < needed:
        reasons = [reason for reason, _ in prober.reasons.most_common(_MOST_REASONS)]
        raise AssertionError(
            f"{theorem.slug} was decided in {n_decided} of {worlds} worlds, but {needed} are needed: "
            f"{'; '.join(reasons) or 'draw more worlds'}"
        )
