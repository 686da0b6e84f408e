"""Theorems in verified arithmetic: a second implementation of their sides, whose verdicts are proofs.

:func:`certify` evaluates both sides of a theorem and its assumptions in ball arithmetic (Arb, through python-flint) and
raises the precision until the sign of the slack is certain:

>>> from maetheory.theory import THEOREMS
>>> certificate = certify("alignment-split", **THEOREMS["alignment-split"].tight())
>>> certificate.verdict, certificate.bits
(<Verdict.TIGHT: 'TIGHT'>, 53)

Read in this order: :mod:`balls` (arithmetic), :mod:`spectrum` (verified eigenvalues), :mod:`graph` and :mod:`probe` (a
mask graph and a linear probe in balls), :mod:`assumptions` and :mod:`graph_assumptions` (margins), :mod:`sides` with
the modules of sides (:mod:`paper_statements`, :mod:`own_statements`, …, collected in :mod:`sides_by_slug`),
:mod:`verdicts` and :mod:`certificate`. :mod:`survey` certifies many theorems on many worlds.
"""

from maetheory.theory.certified.balls import Enclosure
from maetheory.theory.certified.certificate import certify
from maetheory.theory.certified.sides import Sides
from maetheory.theory.certified.sides_by_slug import CERTIFIED_SIDES
from maetheory.theory.certified.survey import TheoremCertificates, certify_theorems
from maetheory.theory.certified.verdicts import Certificate

__all__ = [
    "CERTIFIED_SIDES",
    "Certificate",
    "Enclosure",
    "Sides",
    "TheoremCertificates",
    "certify",
    "certify_theorems",
]
