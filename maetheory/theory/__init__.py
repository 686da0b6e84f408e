"""Theorems about masked autoencoders as executable checks: each is verified exactly on finite worlds.

A theorem consists of two sides, a direction and assumptions. Checking it on a finite world evaluates all of them and
returns a verdict:

>>> from maetheory.theory import THEOREMS, check
>>> print(check("alignment-split", **THEOREMS["alignment-split"].tight()).verdict)
TIGHT

Read in this order:

- :mod:`~maetheory.theory.theorem`: `Theorem`, `Check` and `Verdict`; :mod:`~maetheory.theory.theorem_objects`: the
  named arrays that a theorem takes; :mod:`~maetheory.theory.verdicts` and
  :mod:`~maetheory.theory.component_offsets`: what the sides, their errors and the size of what cancels decide, once
  common offsets are removed.
- :mod:`~maetheory.theory.theorem_quantities`, :mod:`~maetheory.theory.exact_probe`: constants, norms and the linear
  probe of a finite world, which several statements use; :mod:`~maetheory.theory.propagated_errors`: errors of quotients
  and projectors; :mod:`~maetheory.theory.example_graphs`: graphs on which statements attain equality;
  :mod:`~maetheory.theory.closed_form_mixture` and :mod:`~maetheory.theory.mask_ratio_sweep`: the spectrum and the
  bounds of one world at every mask ratio; :mod:`~maetheory.theory.law_comparison`: the same of several prediction laws;
  :mod:`~maetheory.theory.latent_levels`: which latents singular functions follow;
  :mod:`~maetheory.theory.ridgeless_masks`: masks as linear regression without a ridge.
- :mod:`~maetheory.theory.statements`: one statement per module; it lists `THEOREMS`, which
  :mod:`~maetheory.theory.theorem_names` finds by slug or by number of the paper.
- :mod:`~maetheory.theory.standard_worlds`, :mod:`~maetheory.theory.survey`: fixed worlds, and the summary of all
  theorems on them.
- :mod:`~maetheory.theory.small_worlds`, :mod:`~maetheory.theory.hard_worlds`, :mod:`~maetheory.theory.exact_worlds`,
  :mod:`~maetheory.theory.falsify`: random worlds, worlds at the edges of the theorems, all small ones with integer
  weights, and the search for a counterexample.
- :mod:`~maetheory.theory.certified`: the same theorems a second time in ball arithmetic, so that a verdict is a proof.
- :mod:`~maetheory.theory.referee`: five questions about any claim, answered by search.
"""

from __future__ import annotations

from maetheory.core.renames import renamed
from maetheory.theory.certified import Certificate, certify
from maetheory.theory.falsify import SearchedWorld, SearchResult, falsify, replay, search
from maetheory.theory.statements import THEOREMS, check
from maetheory.theory.theorem import Assumption, Check, Theorem, Verdict, combine

__all__ = [
    "THEOREMS",
    "Assumption",
    "Certificate",
    "Check",
    "SearchResult",
    "SearchedWorld",
    "Theorem",
    "Verdict",
    "certify",
    "check",
    "combine",
    "falsify",
    "replay",
    "search",
]

__getattr__ = renamed(
    __name__,
    {
        "Found": "SearchedWorld",
        "Search": "SearchResult",
    },
)
