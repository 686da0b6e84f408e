"""Referee a claim: search for a violation, then answer the other four questions."""

from __future__ import annotations

from maetheory.core import InputError, Progress, no_progress
from maetheory.theory.certified import Sides
from maetheory.theory.falsify import SearchedWorld
from maetheory.theory.referee.assumptions import examine_assumption
from maetheory.theory.referee.confirmation import confirm
from maetheory.theory.referee.prober import Budget, BudgetSpentError, Prober
from maetheory.theory.referee.replay_code import pytest_file, python_code
from maetheory.theory.referee.report import AssumptionFinding, Coverage, Factor, RefereeReport, Vacuity, Violation
from maetheory.theory.referee.search import search_for_violation
from maetheory.theory.referee.simplify import simplify_violation
from maetheory.theory.referee.tightness import examine_factors
from maetheory.theory.referee.vacuity import examine_vacuity
from maetheory.theory.theorem import Theorem

DEFAULT_WORLDS = 300
_MOST_REASONS = 3


def referee_theorem(
    theorem: Theorem,
    *,
    worlds: int = DEFAULT_WORLDS,
    seed: int = 0,
    seconds: float | None = None,
    sides: Sides | None = None,
    file: str | None = None,
    progress: Progress = no_progress,
) -> RefereeReport:
    """Answer five questions about a claim: violated, vacuous, which assumptions, how tight, and how hard was the look.

    Parameters
    ----------
    theorem : Theorem
    worlds : int
        Number of worlds to draw; a third as many are drawn without each assumption. Without `seconds` the report
        depends on the theorem, the seed and this number alone, up to the time it took.
    seed : int
        Non-negative.
    seconds : float, optional
        Time after which the report is what was found so far.
    sides : Sides, optional
        Ball version of the claim, with which a violation is proved.
    file : str, optional
        File that defines the theorem, named by the code that replays a violation.
    progress : Progress
        Called after each drawn world and each further question.

    Returns
    -------
    RefereeReport
        With `stopped`, if the time was over or Ctrl-C was pressed.

    Raises
    ------
    InputError
        If a number is out of range, or the theorem cannot be drawn without ``sample``.
    SideError
        If a function of the theorem raises.

    Examples
    --------
    >>> from maetheory.theory import THEOREMS
    >>> report = referee_theorem(THEOREMS["umae-downstream-bound-exceeds-six"], worlds=20)
    >>> report.verdict, report.vacuity.rhs[0] >= 6
    ('NO VIOLATION FOUND', True)
    """
    if worlds < 1 or seed < 0 or (seconds is not None and not seconds > 0):
        raise InputError(
            f"worlds must be at least 1, the seed not negative and the seconds positive, but they are {worlds}, {seed} "
            f"and {seconds}"
        )
    budget = Budget() if seconds is None else Budget(seconds)
    draft = _Draft(theorem, worlds, seed, budget, sides, file, progress)
    stopped = ""
    try:
        draft.answer()
    except BudgetSpentError as error:
        stopped = str(error)
    except KeyboardInterrupt:
        stopped = "interrupted"
    return draft.report(stopped)


class _Draft:
    """A report in the making: every answer is there as soon as it is found."""

    def __init__(
        self,
        theorem: Theorem,
        worlds: int,
        seed: int,
        budget: Budget,
        sides: Sides | None,
        file: str | None,
        progress: Progress,
    ) -> None:
        self.theorem, self.worlds, self.seed, self.budget = theorem, worlds, seed, budget
        self.sides, self.file, self.progress = sides, file, progress
        self.prober = Prober(theorem, seed, budget)
        self.violation: Violation | None = None
        self.vacuity: Vacuity | None = None
        self.assumptions: list[AssumptionFinding] = []
        self.factors: tuple[Factor, ...] = ()
        self.searched = False

    def answer(self) -> None:
        """Answer the questions in turn."""
        theorem = self.theorem
        drawn = search_for_violation(self.prober, worlds=self.worlds, keep_going=True, progress=self.progress)
        self.searched = True
        if drawn is not None:
            self.violation = self._violation(drawn, drawn)
            self.violation = self._violation(simplify_violation(self.prober, drawn), drawn)
        names = () if self.violation else tuple(theorem.assumptions)
        steps = 2 + len(names)
        self.vacuity = examine_vacuity(theorem, self.prober, self.worlds, self.budget)
        self.progress(1, steps, f"{theorem.slug}: vacuity")
        for done, name in enumerate(names, 2):
            fewer = max(1, self.worlds // 3)
            self.assumptions.append(examine_assumption(theorem, name, worlds=fewer, seed=self.seed, budget=self.budget))
            self.progress(done, steps, f"{theorem.slug}: without {name}")
        self.factors = examine_factors(theorem, self.prober, self.worlds, self.budget)
        self.progress(steps, steps, f"{theorem.slug}: factors")

    def _violation(self, found: SearchedWorld, drawn: SearchedWorld) -> Violation:
        proof, proved = confirm(self.theorem, found, self.sides)
        return Violation(
            found,
            drawn,
            proof,
            proved,
            python_code(self.theorem, found, self.file),
            pytest_file(self.theorem, found, self.file),
        )

    def report(self, stopped: str) -> RefereeReport:
        """Return what was found so far."""
        prober = self.prober
        if self.violation is None and prober.violations:  # found, but not simplified in time
            first = prober.violations[0].found
            self.violation = self._violation(first, first)
        vacuity = self.vacuity
        if vacuity is None:  # from the worlds that were seen, without a search of its own
            vacuity = examine_vacuity(self.theorem, prober, self.worlds, Budget(), descend_too=False)
        return RefereeReport(
            theorem=self.theorem,
            worlds=self.worlds,
            seed=self.seed,
            violation=self.violation,
            vacuity=vacuity,
            assumptions=tuple(self.assumptions),
            factors=self.factors,
            coverage=_coverage(prober),
            seconds=self.budget.spent,
            stopped=stopped,
        )


def _coverage(prober: Prober) -> Coverage:
    sizes = {f"{n1} x {n2}": count for (n1, n2), count in sorted(prober.sizes.items())}
    reasons = tuple(reason for reason, _ in prober.reasons.most_common(_MOST_REASONS))
    unmet, undecided, not_evaluated = (
        next((reason for reason, _ in counted.most_common(1)), "")
        for counted in (prober.unmet, prober.open, prober.reasons - prober.unmet - prober.open)
    )
    return Coverage(
        dict(prober.tried),
        prober.applicable,
        prober.decided,
        prober.near_tight,
        dict(prober.verdicts),
        sizes,
        dict(prober.degenerate.most_common()),
        reasons,
        unmet,
        undecided,
        not_evaluated,
        prober.nonzero,
    )
