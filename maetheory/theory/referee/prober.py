"""Check a claim world by world, and keep count of what was tried."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from maetheory.core import InputError
from maetheory.theory.falsify import PLACEHOLDER_CHECK, SearchedWorld, SideError, both_sides_are_zero
from maetheory.theory.small_worlds import SmallWorld
from maetheory.theory.theorem import Theorem, Verdict

NEAR_TIGHT = 0.01
"""A world is near-tight if its slack is at most this part of the scale."""
_SMALL_GAP = 1e-3
_SMALL_MASS = 1e-6


class BudgetSpentError(Exception):
    """The time is over, or the user pressed Ctrl-C: what was found so far is the result."""


@dataclass
class Budget:
    """Seconds that a referee may take; infinitely many by default, so that only the number of worlds ends a search."""

    seconds: float = math.inf
    began: float = field(default_factory=time.monotonic)

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began

    def check(self) -> None:
        """Raise BudgetSpentError if the time is over."""
        if self.spent > self.seconds:
            raise BudgetSpentError(f"stopped after {self.seconds:g} seconds")


@dataclass(frozen=True)
class Trial:
    """A world in which the claim was decided, and where it came from.

    Attributes
    ----------
    kind : str
        "random", "hard", "exact", "boundary", "descent", "broken" or "simplified".
    found : SearchedWorld
    """

    kind: str
    found: SearchedWorld


class Prober:
    """Checks of one claim on many worlds.

    Parameters
    ----------
    theorem : Theorem
        Worlds are moved by its `conform` before they are checked, unless a call says otherwise.
    seed : int
        Recorded with each world.
    budget : Budget

    Attributes
    ----------
    tried : Counter
        Worlds by kind.
    applicable, decided : int
        Worlds in which every assumption holds, and those of them whose verdict is not UNDECIDED.
    nonzero : int
        Decided worlds in which the sides are not both 0.
    verdicts : Counter
    near_tight : int
        Decided worlds whose slack is at most a hundredth of the scale, TIGHT ones included.
    reasons : Counter
        Why worlds decided nothing.
    unmet, open : Counter
        Those of the reasons for which a world is INAPPLICABLE, and UNDECIDED; the others could not be evaluated.
    degenerate : Counter
        Drawn worlds by what is degenerate about them.
    sizes : Counter
        Drawn worlds by their numbers of views and targets.
    trials : list of Trial
        Drawn and reached worlds that decide, as starts of descents; steps on the way are counted but not kept.
    lhs, rhs : tuple of float
        Smallest and largest value of each side in the decided worlds.
    """

    def __init__(self, theorem: Theorem, seed: int, budget: Budget) -> None:
        self.theorem, self.seed, self.budget = theorem, seed, budget
        self._bare = replace(theorem, conform=None)
        self.tried: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.unmet: Counter[str] = Counter()
        self.open: Counter[str] = Counter()
        self.degenerate: Counter[str] = Counter()
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.applicable = self.decided = self.nonzero = self.near_tight = 0
        self.lhs = self.rhs = (math.inf, -math.inf)
        self.trials: list[Trial] = []

    def check(
        self, world: SmallWorld, kind: str, number: int, *, keep: bool = False, conform: bool = True
    ) -> SearchedWorld | None:
        """Check the claim on a world; None where it is not decided.

        Parameters
        ----------
        world : SmallWorld
        kind : str
            Where it comes from, as in :class:`Trial`.
        number : int
            Number of the drawn world that led to it.
        keep : bool
            Whether it is drawn: it is then described and, if it decides, kept as a trial.
        conform : bool
            Whether it is moved by the theorem's `conform` first.

        Raises
        ------
        BudgetSpentError
            If the time is over.
        SideError
            If a function of the theorem raises something else than InputError in a drawn world; in a world that was
            reached from others, which may be degenerate, this only decides nothing.
        """
        self.budget.check()
        here = SearchedWorld(self.theorem.slug, self.seed, number, world, PLACEHOLDER_CHECK, kind == "descent")
        self.tried[kind] += 1
        try:
            if conform and self.theorem.conform is not None:
                moved = dict(self.theorem.conform(world.all_objects()))
                moved.pop("graph", None)
                here = replace(here, world=replace(world, objects=moved))
            objects = here.world.all_objects()
            check = self._bare.check(**objects)
        except InputError as error:
            self.reasons[str(error)] += 1
            return None
        except Exception as error:
            if keep:
                raise SideError(here, error) from error
            self.reasons[f"{type(error).__name__}: {error}"] += 1
            return None
        here = replace(here, check=check)
        if keep:
            self._describe(objects)
        if not self._counts(here):
            return None
        if keep:
            self.trials.append(Trial(kind, here))
        return here

    def _counts(self, here: SearchedWorld) -> bool:
        """Count a check, and return whether it decides."""
        check = here.check
        self.verdicts[check.verdict.value] += 1
        if check.verdict is Verdict.INAPPLICABLE:
            self.reasons[check.note] += 1
            self.unmet[check.note] += 1
            return False
        self.applicable += 1
        if check.verdict is Verdict.UNDECIDED:
            self.reasons[check.note] += 1
            self.open[check.note] += 1
            return False
        self.decided += 1
        self.nonzero += not both_sides_are_zero(self.theorem, check)
        self.near_tight += check.relative_slack <= NEAR_TIGHT and check.verdict is not Verdict.VIOLATED
        if not math.isnan(check.slack):
            self.lhs = (min(self.lhs[0], check.lhs.value), max(self.lhs[1], check.lhs.value))
            self.rhs = (min(self.rhs[0], check.rhs.value), max(self.rhs[1], check.rhs.value))
        return True

    def _describe(self, objects: Mapping[str, Any]) -> None:
        """Count the size of a world and what is degenerate about it."""
        graph = objects.get("graph")
        if graph is not None:
            self.sizes[graph.shape] += 1
        self.degenerate.update(degeneracies(objects))

    @property
    def violations(self) -> list[Trial]:
        """Worlds found that violate the claim, in the order in which they were found."""
        return [trial for trial in self.trials if trial.found.check.verdict is Verdict.VIOLATED]


def degeneracies(objects: Mapping[str, Any]) -> set[str]:
    """Return what is degenerate about a world, in words.

    Examples
    --------
    >>> from maetheory.graph import MaskGraph
    >>> graph = MaskGraph.from_joint([[0.5, 0.0], [0.0, 0.5]])
    >>> sorted(degeneracies({"graph": graph, "h": np.ones((2, 3))}))
    ['more than one component', 'rank-deficient array', 'repeated or nearly repeated singular value']
    """
    found = set()
    graph = objects.get("graph")
    if graph is not None:
        sigma = np.linalg.svd(graph.normalized_matrix.toarray(), compute_uv=False)
        found |= {"a single view or target"} if min(graph.shape) == 1 else set()
        found |= {"more than one component"} if graph.n_components > 1 else set()
        found |= {"repeated or nearly repeated singular value"} if (-np.diff(sigma) < _SMALL_GAP).any() else set()
        found |= {"mass below a millionth"} if min(map(np.min, graph.degrees)) < _SMALL_MASS else set()
    for value in objects.values():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim == 2 and value.size:
            if not value.any():
                found.add("zero array")
            elif np.linalg.matrix_rank(value) < min(value.shape):
                found.add("rank-deficient array")
    return found
