"""Spectrum and label error together do not determine the probe error.

Setting
-------
Two graphs with r classes of r equally likely views and r targets. In the first the views of a class share a target, in
the second each target is shared by one view of every class. Every view determines its label, so α = 0.

Assumptions
-----------
None: the claim is about these two graphs, for every r ≥ 1.

Claim
-----
Relabelling the views turns one graph into the other, so the spectrum (r ones, then zeros), the least spectral contrast
−r and every quantity without labels agree, and so does α = 0. Yet the residuals ‖(I − P)Y‖_F² of the r leading features
are 0 and 1 − 1/r. Proof: Ā is a projection P; the residual is 1 − tr YᵀPY, where PY = Y in the first, and in the second
each target spreads the mass of a class evenly over r views, so tr YᵀPY = 1/r. Hence no valid bound of the residual in
terms of loss, spectrum and α is below 1 − 1/r there: φ, or α and α₂, must enter.

Slack
-----
None: an identity.

Tight when
----------
Always.

Reference
---------
Ours, on Zhang, Wang and Wang 2022, theorem 4.1.
"""

from __future__ import annotations

import numpy as np

from maetheory.core import InputError
from maetheory.graph import MaskGraph
from maetheory.theory.exact_probe import probe_residual
from maetheory.theory.statements.pair_error_bounded_by_label_errors import same_spectrum_opposite_labels
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import eigenvalues


def label_blind_pair(classes: int) -> tuple[MaskGraph, MaskGraph]:
    """The two graphs of the counterexample; :func:`same_spectrum_opposite_labels` returns the case of two classes.

    Raises
    ------
    InputError
        If `classes` is not a positive integer.

    Examples
    --------
    >>> within, across = label_blind_pair(3)
    >>> within.pair_label_error().value, round(across.pair_label_error().value, 12)
    (0.0, 0.666666666667)
    """
    if not isinstance(classes, int | np.integer) or classes < 1:
        raise InputError(f"classes must be a positive integer, but {classes!r} was given")
    if classes == 2:
        return same_spectrum_opposite_labels()
    labels = np.repeat(np.arange(classes), classes)
    within = np.kron(np.eye(classes), np.ones((classes, 1))) / classes**2
    across = np.tile(np.eye(classes), (classes, 1)) / classes**2
    return MaskGraph.from_joint(within, labels), MaskGraph.from_joint(across, labels)


def _residual_difference(classes: int) -> float:
    within, across = (probe_residual(graph, minimiser(graph, classes)) for graph in label_blind_pair(classes))
    return across - within


def _terms(classes: int) -> dict[str, float]:
    within, across = label_blind_pair(classes)
    size = within.shape[0]
    return {
        "largest difference of eigenvalues": float(
            np.abs(eigenvalues(within, size) - eigenvalues(across, size)).max(initial=0.0)
        ),
        "alpha within": float(within.label_error()),
        "alpha across": float(across.label_error()),
        "residual within": probe_residual(within, minimiser(within, classes)),
        "residual across": probe_residual(across, minimiser(across, classes)),
    }


def tight() -> Objects:
    """Return the counterexample with two classes: residuals 0 and ½."""
    return {"classes": 2}


THEOREM = Theorem(
    slug="label-error-alone-is-not-enough",
    statement="same label-free quantities and α = 0, but the residuals differ by 1 - 1/r",
    reference="Ours, on Zhang, Wang and Wang 2022, theorem 4.1",
    objects=("classes",),
    lhs=_residual_difference,
    rhs=lambda classes: 1.0 - 1.0 / classes,
    direction="==",
    scale=lambda: 1.0,
    terms=_terms,
    needs_graph=False,
    tight=tight,
    sample=lambda rng: {"classes": int(rng.integers(1, 8))},
)
