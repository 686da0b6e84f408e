"""What a referee found: the five questions with their answers, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from maetheory.theory.falsify import SearchedWorld
from maetheory.theory.theorem import Theorem

DRAWN = ("random", "hard", "exact")
"""Kinds of worlds that a search draws, as opposed to those that it reaches from others."""
LEAST_WORLDS = 20
"""A claim is VACUOUS if this many drawn worlds or more show it no stronger than what is known without it."""


class Need(StrEnum):
    """What a search found about an assumption: one of three labels."""

    NEEDED = "needed"
    IDLE = "idle so far"
    NEVER_MET = "never met"


@dataclass(frozen=True)
class Violation:
    """A world in which the claim fails, as small as it was found.

    Attributes
    ----------
    found : SearchedWorld
        The simplified world with its check.
    drawn : SearchedWorld
        The world as the search reached it.
    proof : str
        How the violation was confirmed, in one sentence.
    proved : bool
        Whether the confirmation is a proof (exact rational or ball arithmetic); otherwise it is a comparison of floats
        whose difference exceeds the bound of their errors.
    code : str
        Python code that builds the world and checks the claim on it.
    test : str
        Text of a pytest file that fails because of the world.
    """

    found: SearchedWorld
    drawn: SearchedWorld
    proof: str
    proved: bool
    code: str
    test: str


@dataclass(frozen=True)
class Vacuity:
    """Whether the right side ever says more than what is known without the claim.

    Attributes
    ----------
    lhs, rhs : tuple of float
        Smallest and largest value of each side over the worlds in which the claim was decided.
    trivial : str
        The bound that is known without the claim: the theorem's own, or else the extreme value of the left side found.
    vacuous : bool or None
        True if no world was found in which the right side passes that bound; None if nothing was decided, or for an
        identity.
    witness : SearchedWorld or None
        World in which the right side passes the bound by the most, or, if none does, comes closest.
    margin : float
        By how much it passes the bound there; negative or zero if it does not. The bound on the left side of a search
        is an estimate, so a small margin is weak evidence.
    least_slack : float
        Smallest slack found, an upper bound of the infimum of the gap between the sides.
    closest : SearchedWorld or None
        World of the smallest slack.
    """

    lhs: tuple[float, float]
    rhs: tuple[float, float]
    trivial: str
    vacuous: bool | None
    witness: SearchedWorld | None
    margin: float
    least_slack: float
    closest: SearchedWorld | None


@dataclass(frozen=True)
class AssumptionFinding:
    """Whether an assumption earns its place.

    Attributes
    ----------
    name : str
    need : Need
    tries : int
        Decided worlds in which this assumption fails and all others hold.
    met, failed : int
        Drawn worlds, moved by `conform` where the theorem has one, in which it holds and in which it fails.
    world : SearchedWorld or None
        World that breaks the claim without it, simplified.
    note : str
        What the numbers say, in one sentence.
    """

    name: str
    need: Need
    tries: int
    met: int
    failed: int
    world: SearchedWorld | None
    note: str


@dataclass(frozen=True)
class Factor:
    """How far a factor on the right side, or on one of its terms, can be moved before a violation is found.

    Attributes
    ----------
    term : str
        "right side", or the name of a term.
    sharper : str
        "larger" or "smaller": the direction in which the factor makes the claim stronger.
    reached : float
        Strongest factor for which the search found no violation; evidence, not proof. NaN if even the weakest failed.
    broken : float
        Weakest factor that a world was found to break: no true claim of this form is stronger than this. Infinite (or
        minus infinite) if none was found.
    world : SearchedWorld or None
        The world that breaks it.
    note : str
        Why there is no interval, where there is none.
    """

    term: str
    sharper: str
    reached: float
    broken: float
    world: SearchedWorld | None = None
    note: str = ""

    @property
    def is_sharp(self) -> bool:
        """Whether the factor cannot be improved by a thousandth: the constant is the best possible as it stands."""
        return abs(self.broken - 1) <= 1e-3


@dataclass(frozen=True)
class Coverage:
    """How hard the search looked.

    Attributes
    ----------
    tried : mapping of str to int
        Worlds checked, by where they came from; "descent" counts every step.
    applicable, decided, near_tight : int
        Worlds where every assumption holds; those whose verdict is not UNDECIDED; those within a hundredth of equality.
    verdicts : mapping of str to int
    sizes : mapping of str to int
        Drawn worlds by numbers of views and targets, "3 x 2".
    degenerate : mapping of str to int
        Drawn worlds by what is degenerate about them.
    reasons : tuple of str
        Why worlds decided nothing, the most frequent first.
    unmet, undecided, not_evaluated : str
        The most frequent reason why a world is INAPPLICABLE, why one is UNDECIDED, and why the claim could not be
        evaluated in one; empty if none.
    nonzero : int
        Decided worlds in which the sides are not both 0, as they are with features that vanish.
    """

    tried: Mapping[str, int]
    applicable: int
    decided: int
    near_tight: int
    verdicts: Mapping[str, int]
    sizes: Mapping[str, int]
    degenerate: Mapping[str, int]
    reasons: tuple[str, ...]
    unmet: str = ""
    undecided: str = ""
    not_evaluated: str = ""
    nonzero: int = 0

    @property
    def drawn(self) -> int:
        """Number of worlds drawn, as opposed to those that were reached from others."""
        return sum(self.tried.get(kind, 0) for kind in DRAWN)


@dataclass(frozen=True)
class RefereeReport:
    """Answers to the five questions about one claim.

    Attributes
    ----------
    theorem : Theorem
    worlds, seed : int
        Number of drawn worlds asked for, and the seed; together they determine the report.
    violation : Violation or None
    vacuity : Vacuity
    assumptions : tuple of AssumptionFinding
        Empty if the claim is violated, as the question is idle then.
    factors : tuple of Factor
        Of the whole right side first, then of its named terms; empty for an identity.
    coverage : Coverage
    seconds : float
        Time it took.
    stopped : str
        Why it ended early ("interrupted", "stopped after 10 seconds"); empty if it did not.
    """

    theorem: Theorem
    worlds: int
    seed: int
    violation: Violation | None
    vacuity: Vacuity
    assumptions: tuple[AssumptionFinding, ...]
    factors: tuple[Factor, ...]
    coverage: Coverage
    seconds: float
    stopped: str = ""

    @property
    def violated(self) -> bool:
        """Whether a world was found in which the claim fails."""
        return self.violation is not None

    @property
    def verdict(self) -> str:
        """One word or phrase for the claim.

        "VIOLATED"; "VACUOUS" if it never said more than the trivial bound or, without one, than the extreme left side
        that was found, or "UNDECIDED" if fewer than :data:`LEAST_WORLDS` worlds say so; "UNTESTED" if no world was
        decided, or both sides are 0 in all that were; otherwise "NO VIOLATION FOUND".
        """
        if self.violated:
            return "VIOLATED"
        if not self.coverage.decided or self.only_zero:
            return "UNTESTED"
        if not self.vacuity.vacuous:
            return "NO VIOLATION FOUND"
        return "UNDECIDED" if self.too_few else "VACUOUS"

    @property
    def only_zero(self) -> bool:
        """Whether both sides are 0 in every world that was decided, as with features that vanish."""
        return self.coverage.decided > 0 and not self.coverage.nonzero

    @property
    def too_few(self) -> bool:
        """Whether the worlds that were drawn are too few to call a claim VACUOUS."""
        return min(self.coverage.drawn, self.coverage.decided) < LEAST_WORLDS
