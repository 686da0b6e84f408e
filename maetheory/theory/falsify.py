"""Counterexample search: random worlds, descent on the slack, and shrinking of a world that violates the claim.

A search draws worlds (random ones, structured ones, ones close to equality, and every third from
:mod:`~maetheory.theory.hard_worlds`), then decreases the slack from the most
promising ones, by gradient steps and by single coordinates. If it finds a violation, it shrinks the world until a
person can read it. The seed and the number of the world determine everything.
"""

from __future__ import annotations

import inspect
import math
from collections import Counter
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from maetheory.core import InputError, Progress, generator, no_progress
from maetheory.theory.exact_worlds import FIRST_EXACT, exact_world
from maetheory.theory.hard_worlds import draw_random_or_hard_world, search_number
from maetheory.theory.small_worlds import SmallWorld, complexity, coordinates, simplifications, with_coordinates
from maetheory.theory.theorem import Check, Theorem, Verdict
from maetheory.theory.theorem_objects import SHAPES

_MAX_DESCENTS = 6
_STEP_BUDGET = 250
_FINITE_DIFFERENCE_STEP = 1e-6
_KEPT_SLACK_FRACTION = 0.1


@dataclass(frozen=True)
class SearchedWorld:
    """A world of a search with its check, and the numbers that reproduce it.

    Attributes
    ----------
    slug : str
    seed, number : int
        ``replay(theorem, seed=seed, number=number, descend=descended)`` returns the same world before shrinking;
        numbers from a million on are worlds of :mod:`~maetheory.theory.hard_worlds`, and from two million on of
        :mod:`~maetheory.theory.exact_worlds`.
    world : SmallWorld
        ``world.all_objects()`` returns the objects for :func:`check`.
    check : Check
    descended : bool
        Whether it was reached by descent from the drawn world.
    """

    slug: str
    seed: int
    number: int
    world: SmallWorld
    check: Check
    descended: bool = False

    @property
    def relative_slack(self) -> float:
        """Slack divided by scale; −∞ if a side is not a number."""
        return self.check.relative_slack

    def __str__(self) -> str:
        way = ", after descent" if self.descended else ""
        return f"{self.slug}, world {self.number} of seed {self.seed}{way}\n{self.check}\n{self.world}"


@dataclass(frozen=True)
class SearchResult:
    """Result of a search: how many worlds were checked, and the one of smallest slack.

    Attributes
    ----------
    slug : str
    worlds : int
        Worlds drawn.
    applicable : int
        Those where every assumption held and both sides are finite.
    smallest : SearchedWorld or None
        World of smallest relative slack among those that decide, shrunk if it violates the claim; an undecided world if
        none decides, and None if no world was applicable.
    decided : int
        Applicable worlds whose verdict is not UNDECIDED: the worlds that are evidence.
    undecided_because : tuple of str
        Why worlds decided nothing: each reason once, the most frequent first.
    only_zero : bool
        Whether both sides were 0 in every applicable world, so that none is evidence.
    """

    slug: str
    worlds: int
    applicable: int
    smallest: SearchedWorld | None
    decided: int = 0
    undecided_because: tuple[str, ...] = ()
    only_zero: bool = False

    @property
    def violated(self) -> bool:
        """Whether a counterexample was found."""
        return self.smallest is not None and self.smallest.check.verdict is Verdict.VIOLATED


def search(
    theorem: Theorem, *, worlds: int = 200, seed: int = 0, descend: bool = True, progress: Progress = no_progress
) -> SearchResult:
    """Search for the world of smallest slack.

    Parameters
    ----------
    theorem : Theorem
    worlds : int
        Number of worlds to draw; at least 1.
    seed : int
        World ``i`` depends only on ``seed``, the slug and ``i``.
    descend : bool
        Whether to descend from the best six.
    progress : Progress
        Called after each world and each descent.

    Raises
    ------
    InputError
        If `worlds` is not positive, or the theorem needs ``sample`` to be drawn.
    """
    if worlds < 1:
        raise InputError(f"worlds must be at least 1, but {worlds} was given")
    found: list[SearchedWorld] = []
    reasons: Counter[str] = Counter()

    def result(drawn: int, smallest: SearchedWorld | None) -> SearchResult:
        decided = sum(_is_decided(f) for f in found)
        only_zero = bool(found) and all(
            both_sides_are_zero(theorem, f.check) for f in (*found, *filter(None, [smallest]))
        )
        return SearchResult(theorem.slug, drawn, len(found), smallest, decided, _most_frequent(reasons), only_zero)

    for index in range(worlds):
        here = _draw_searched_world(theorem, seed, search_number(index), reasons)
        progress(index + 1, worlds, theorem.slug)
        if here is not None:
            found.append(here)
            if here.check.verdict is Verdict.VIOLATED:
                return result(index + 1, _shrink_counterexample(theorem, here))
            if not _is_decided(here):
                reasons[here.check.note] += 1
    best = sorted(found, key=_sort_key)[:1]
    for start in _descent_starts([f for f in found if _is_decided(f)]) if descend else ():
        lower = _descend_on_slack(theorem, start)
        best = sorted([*best, lower], key=_sort_key)[:1]
        if lower.check.verdict is Verdict.VIOLATED:
            return result(worlds, _shrink_counterexample(theorem, lower))
    return result(worlds, best[0] if best else None)


def both_sides_are_zero(theorem: Theorem, check: Check) -> bool:
    """Return whether a check compares 0 with 0, as with features that vanish, which is no evidence for a claim.

    It is what an identity may say, and a claim whose right side is a constant.
    """
    says_zero = theorem.direction == "==" or not inspect.signature(theorem.rhs).parameters
    return not says_zero and check.lhs.value == check.rhs.value == 0


def _is_decided(found: SearchedWorld) -> bool:
    return found.check.verdict is not Verdict.UNDECIDED


def _sort_key(found: SearchedWorld) -> tuple[bool, float]:
    return not _is_decided(found), found.relative_slack


def _most_frequent(reasons: Counter[str]) -> tuple[str, ...]:
    return tuple(reason for reason, _ in reasons.most_common(3))


def falsify(
    theorem: Theorem, *, worlds: int = 200, seed: int = 0, descend: bool = True, progress: Progress = no_progress
) -> SearchedWorld | None:
    """Return a small counterexample of a theorem, or None if the search found none.

    Parameters
    ----------
    theorem : Theorem
        One of :data:`maetheory.theory.THEOREMS`, or your own.
    worlds, seed, descend, progress
        As for :func:`search`.

    Raises
    ------
    InputError
        If `worlds` is not positive, the theorem needs ``sample`` to be drawn, or no world met its assumptions with
        finite sides that are not both 0, so that None would mean nothing. None is evidence only as far as worlds
        decided; `search` counts them.
    SideError
        If the claim's own code raises in a world.

    Examples
    --------
    >>> from maetheory.theory import Theorem, falsify
    >>> from maetheory.graph.functionals import mean_square, reconstruction_loss
    >>> bold = Theorem(
    ...     slug="reconstruction-costs-energy",
    ...     statement="L_MAE(h) >= E‖h‖²",
    ...     reference="nobody",
    ...     objects=("h", "targets"),
    ...     lhs=lambda graph, h, targets: reconstruction_loss(graph, h, targets),
    ...     rhs=lambda graph, h: mean_square(graph.degrees[0], h),
    ... )
    >>> found = falsify(bold, worlds=20)
    >>> found.check.verdict, found.world.law.shape
    (<Verdict.VIOLATED: 'VIOLATED'>, (1, 1, 1))
    """
    result = search(theorem, worlds=worlds, seed=seed, descend=descend, progress=progress)
    if result.smallest is None:
        why = f" ({'; '.join(result.undecided_because)})" if result.undecided_because else ""
        raise InputError(
            f"none of {worlds} worlds met the assumptions of {theorem.slug} with finite sides{why}: give it sample= or "
            "conform=, so that there is something to search"
        )
    if result.only_zero:
        raise InputError(
            f"both sides of {theorem.slug} are 0 in every one of {result.applicable} worlds that met its assumptions, "
            "so that they say nothing: give it sample= or conform=, so that there is something to search"
        )
    return result.smallest if result.violated else None


def replay(theorem: Theorem, *, seed: int, number: int, descend: bool = False) -> SearchedWorld:
    """Return the world that a search reached from this seed and number, before shrinking.

    Raises
    ------
    InputError
        If that world does not meet the assumptions, so that no search can have found it.
    """
    here = _draw_searched_world(theorem, seed, number)
    if here is None:
        raise InputError(f"world {number} of seed {seed} does not meet the assumptions of {theorem.slug}")
    return _descend_on_slack(theorem, here) if descend else here


class SideError(RuntimeError):
    """A side, an assumption or another function of a theorem raised; the message says in which world.

    Attributes
    ----------
    found : SearchedWorld
        The world, without a check.
    """

    def __init__(self, found: SearchedWorld, error: Exception) -> None:
        self.found = found
        super().__init__(
            f"{found.slug} raised {type(error).__name__}: {error}\nin world {found.number} of seed {found.seed}"
            f"{', after descent' if found.descended else ''}\n{found.world}"
        )


def draw_numbered_world(theorem: Theorem, seed: int, number: int) -> SmallWorld:
    """Return the world of a search with this seed and number, before the theorem's `conform`."""
    if number >= FIRST_EXACT:
        return exact_world(theorem, number - FIRST_EXACT)
    return draw_random_or_hard_world(theorem, number, generator(seed, theorem.slug, number))


def _draw_searched_world(
    theorem: Theorem, seed: int, number: int, reasons: Counter[str] | None = None
) -> SearchedWorld | None:
    world = draw_numbered_world(theorem, seed, number)
    return _check_at(theorem, SearchedWorld(theorem.slug, seed, number, world, PLACEHOLDER_CHECK), world, reasons)


def _check_at(
    theorem: Theorem, last: SearchedWorld, world: SmallWorld, reasons: Counter[str] | None = None
) -> SearchedWorld | None:
    """Check the theorem at `world`, after its `conform`; None where it does not apply, with the reason counted."""
    try:
        if theorem.conform is not None:
            conformed = dict(theorem.conform(world.all_objects()))
            conformed.pop("graph", None)
            world = replace(world, objects=conformed)
        check = theorem.check(**world.all_objects())
    except InputError as error:
        why = str(error)
    except Exception as error:
        raise SideError(replace(last, world=world, check=PLACEHOLDER_CHECK), error) from error
    else:
        if check.verdict is not Verdict.INAPPLICABLE:
            return replace(last, world=world, check=check)
        why = check.note
    if reasons is not None:
        reasons[why] += 1
    return None


def _descent_starts(found: list[SearchedWorld]) -> list[SearchedWorld]:
    """Worlds to descend from: the ones of smallest slack, and the ones of smallest slack that are not TIGHT."""
    ranked = sorted(found, key=lambda f: f.relative_slack)
    sloping = [f for f in ranked if f.check.verdict is not Verdict.TIGHT]
    half = _MAX_DESCENTS // 2
    return (ranked[:half] + [f for f in sloping if f not in ranked[:half]])[:_MAX_DESCENTS]


def _descend_on_slack(theorem: Theorem, start: SearchedWorld) -> SearchedWorld:
    """Descend in slack by gradient and single-coordinate steps with line search, until the budget is spent."""
    rng = generator(start.seed, theorem.slug, start.number, "downhill")
    here, budget, size = replace(start, descended=True), _STEP_BUDGET, 0.3
    while budget > 0 and here.check.verdict is not Verdict.VIOLATED:
        point = coordinates(here.world)
        if not point.size:
            break
        direction, spent = (
            _steepest_descent(theorem, here, point)
            if rng.random() < 0.3
            else (_random_coordinate_direction(rng, point), 0)
        )
        lower = _line_search(theorem, here, point, direction, size)
        size = min(1.0, 2 * size) if lower is not here else max(1e-4, size / 1.3)
        here, budget = lower, budget - spent - 4
    return here


def _random_coordinate_direction(rng: np.random.Generator, point: np.ndarray) -> np.ndarray:
    direction = np.zeros_like(point)
    direction[rng.integers(point.size)] = rng.choice([-1.0, 1.0]) * max(1.0, float(np.abs(point).mean()))
    return direction


def _steepest_descent(theorem: Theorem, here: SearchedWorld, point: np.ndarray) -> tuple[np.ndarray, int]:
    """Direction of steepest descent by forward differences, scaled to the norm of the point."""
    gradient = np.zeros_like(point)
    for index in range(point.size):
        shifted = point.copy()
        shifted[index] += _FINITE_DIFFERENCE_STEP
        there = _check_at(theorem, here, with_coordinates(here.world, shifted))
        if there is not None and math.isfinite(there.relative_slack):
            gradient[index] = (there.relative_slack - here.relative_slack) / _FINITE_DIFFERENCE_STEP
    length = float(np.linalg.norm(gradient))
    return (-gradient * max(1.0, float(np.linalg.norm(point))) / length if length else gradient), point.size


def _line_search(
    theorem: Theorem, here: SearchedWorld, point: np.ndarray, direction: np.ndarray, size: float
) -> SearchedWorld:
    for factor in (1.0, 0.25, 0.03, 0.003):
        there = _check_at(theorem, here, with_coordinates(here.world, point + size * factor * direction))
        if there is not None and _is_decided(there) and there.relative_slack < here.relative_slack:
            return there
    return here


def _shrink_counterexample(theorem: Theorem, found: SearchedWorld) -> SearchedWorld:
    """Replace the world by simpler neighbours that violate the claim by at least a tenth as much, until none does.

    Every replacement lowers `complexity`, so the loop ends.
    """
    shapes, floor, going = {**SHAPES, **theorem.shapes}, _KEPT_SLACK_FRACTION * found.relative_slack, True
    while going:
        going, at = False, 0
        while candidate := next(islice(simplifications(found.world, shapes), at, None), None):
            there = _check_at(theorem, found, candidate) if complexity(candidate) < complexity(found.world) else None
            if (
                there is not None
                and complexity(there.world) < complexity(found.world)
                and _still_violated(there, floor)
            ):
                found, going = there, True
            else:
                at += 1
    return found


def _still_violated(there: SearchedWorld, floor: float) -> bool:
    return there.check.verdict is Verdict.VIOLATED and there.relative_slack <= floor


PLACEHOLDER_CHECK = Theorem("nowhere", "0 >= 0", "", (), lambda: 0.0, lambda: 0.0, needs_graph=False).check()
"""Check of a world that was not checked yet."""
