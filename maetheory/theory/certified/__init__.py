"""Theorems in verified arithmetic: a second implementation of their sides, whose verdicts are proofs.

:func:`certify` evaluates both sides of a theorem and its assumptions in ball arithmetic (Arb, through python-flint) and
raises the precision until the sign of the slack is certain:

>>> from maetheory.theory import THEOREMS
>>> certificate = certify("alignment-split", **THEOREMS["alignment-split"].tight())
>>> certificate.verdict, certificate.bits
(<Verdict.TIGHT: 'TIGHT'>, 53)

"Proved" means that the verdict follows from the numbers as they are stored, and rests on three things:

- **Arb**, through python-flint: every operation on balls encloses the results on all of their points, at the precision
  of the context. Arb is taken on trust, as are Python's integers and fractions. Floats and NumPy only make guesses
  (eigenvectors, a level, a multiplier, shares of classes), which balls then verify; a bad guess widens an enclosure.
- **Our enclosures**, which turn residuals into radii: eigenvalues by Ostrowski and Weyl (:mod:`spectrum`), projections
  and regressions by a solved system on columns whose rank is exact (:mod:`probe`, :mod:`linear_maes`), the least value
  of a convex function by secants (:mod:`probe_bounds`), water-filling by weak duality (:mod:`labels_and_ranks`), and
  the costs of assumptions that are met only up to rounding error (:mod:`assumptions`, :mod:`graph_assumptions`). Each
  gives its reason in its docstring; the tests compare them with mpmath at a hundred digits, on worlds with multiple
  eigenvalues, gaps of 1e-11 and masses of 1e-13.
- **The reading of the input**: floats, long doubles and integers are read as the exact numbers they store, and laws are
  divided by their exact sums. The proof is about that world. It says nothing about the decimals that were typed, or
  about data from which the world was estimated. What is not a number (labels, masks, which pairs occur, connected
  components) is read from the graph as it is.

Whoever does not trust this can check eleven statements with :mod:`check_certificate`, one file of under 200 lines that
imports nothing of this package and has formulas of its own, and the counterexamples of ten more with
:mod:`check_counterexample`, another. :mod:`certificate_files` and :mod:`counterexample_files` write what they read, in
numbers of :mod:`portable_worlds`.

What a proof does not cover: the statement's own text in :mod:`maetheory.theory.statements`, and a theorem or
:class:`Sides` of your own, whose ball version is trusted to be that of the claim.

Read in this order: :mod:`balls` (arithmetic), :mod:`spectrum` (verified eigenvalues), :mod:`graph` and :mod:`probe` (a
mask graph and a linear probe in balls), :mod:`assumptions` and :mod:`graph_assumptions` (margins), :mod:`sides` with
the modules of sides (:mod:`paper_statements`, :mod:`own_statements`, :mod:`labels_and_ranks`, :mod:`feature_ranks`,
:mod:`probe_bounds`, :mod:`components`, :mod:`linear_maes`, :mod:`gaussian_images`, :mod:`graph_comparison_theorems`
and :mod:`sampled_graphs`, collected in :mod:`sides_by_slug`),
:mod:`verdicts` and :mod:`certificate`. :mod:`survey` certifies many theorems on many worlds, and gives the verdicts to
:mod:`certificate_files`.
"""

from maetheory.theory.certified.balls import Enclosure
from maetheory.theory.certified.certificate import certify
from maetheory.theory.certified.certificate_files import CertificateFiles
from maetheory.theory.certified.sides import Sides
from maetheory.theory.certified.sides_by_slug import CERTIFIED_SIDES
from maetheory.theory.certified.survey import TheoremCertificates, certify_theorems
from maetheory.theory.certified.verdicts import Certificate

__all__ = [
    "CERTIFIED_SIDES",
    "Certificate",
    "CertificateFiles",
    "Enclosure",
    "Sides",
    "TheoremCertificates",
    "certify",
    "certify_theorems",
]
