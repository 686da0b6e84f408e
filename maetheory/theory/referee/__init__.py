"""A referee for claims: five questions about any `Theorem`, answered by search, with worlds that can be replayed.

>>> from maetheory.theory import THEOREMS
>>> report = referee_theorem(THEOREMS["pair-error-bounded-by-label-errors"], worlds=40)
>>> report.verdict, report.factors[0].is_sharp
('NO VIOLATION FOUND', True)

The questions are those of :class:`~maetheory.theory.referee.report.RefereeReport`: is the claim violated, does it ever
say more than what is known without it, which of its assumptions earn their place, how far can its constants be moved,
and how hard did the search look. An answer from a search is evidence and never proof, with one exception: a world that
violates the claim refutes it, and is confirmed in exact arithmetic where the claim allows it.

Read in this order: :mod:`report` (what is answered), :mod:`prober` (a claim checked world by world, with counts),
:mod:`descent` and :mod:`search` (how a violation is sought), :mod:`simplify`, :mod:`exact_arithmetic`,
:mod:`confirmation` and :mod:`replay_code` (what becomes of one), :mod:`claims` (claims derived from a claim) with
:mod:`vacuity`, :mod:`assumptions` and :mod:`tightness` (the other questions), :mod:`referee` (all of them), and
:mod:`theorem_files` (claims of a user's file).
"""

from maetheory.theory.referee.referee import DEFAULT_WORLDS, referee_theorem
from maetheory.theory.referee.report import (
    LEAST_WORLDS,
    AssumptionFinding,
    Coverage,
    Factor,
    Need,
    RefereeReport,
    Vacuity,
    Violation,
)
from maetheory.theory.referee.theorem_files import TEMPLATE, describe_error, load_theorems, select_theorem

__all__ = [
    "DEFAULT_WORLDS",
    "LEAST_WORLDS",
    "TEMPLATE",
    "AssumptionFinding",
    "Coverage",
    "Factor",
    "Need",
    "RefereeReport",
    "Vacuity",
    "Violation",
    "describe_error",
    "load_theorems",
    "referee_theorem",
    "select_theorem",
]
