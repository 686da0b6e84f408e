"""The factorisation error of the features and the label disagreement of positive pairs bound the probe residual.

Setting
-------
Y has the rows √d₁ 1[y(x₁) = c] for the Bayes labels of the views, P_F projects on the columns of F, φ is the
probability that a positive pair disagrees in label, and p_max = ‖Y‖₂² is the largest class mass.

Assumptions
-----------
None beyond labels on the images.

Claim
-----
‖(I − P_F)Y‖_F² ≤ (√p_max ‖Ā − FFᵀ‖_F + √φ)² ≤ 2 p_max ‖Ā − FFᵀ‖_F² + 2φ, because (I − P_F)Y is
(I − P_F)(Ā − FFᵀ)Y + (I − P_F)(I − Ā)Y and ‖(I − Ā)Y‖_F² ≤ tr Yᵀ(I − Ā)Y = φ. Step (a) towards the downstream bound.

Slack
-----
No closed form.

Tight when
----------
For instance FFᵀ = Ā with Ā a projection: then the residual is φ.

Reference
---------
HaoChen et al. 2021; for masks a step of Zhang, Wang and Wang 2022, theorem 4.1; constants ours.
"""

from __future__ import annotations

import math

import numpy as np

from maetheory.core import Estimate
from maetheory.graph import MaskGraph
from maetheory.graph.functionals import mean_square
from maetheory.theory.exact_probe import class_masses, measured_residual
from maetheory.theory.propagated_errors import eigenvalue_error, square_root, squared_sum
from maetheory.theory.statements.pair_error_bounded_by_label_errors import same_spectrum_opposite_labels
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import factorisation_error


def _rhs(graph: MaskGraph, features: np.ndarray) -> Estimate:
    root = math.sqrt(class_masses(graph)[0])
    rounding = eigenvalue_error(graph) * (1 + mean_square(graph.degrees[0], features))
    spread = Estimate(root * math.sqrt(factorisation_error(graph, features)), root * rounding)
    return squared_sum(spread, square_root(graph.pair_label_error()))


def tight() -> Objects:
    """Return the minimiser on a graph whose targets are shared by views of different classes: φ = residual = ½."""
    graph = same_spectrum_opposite_labels()[1]
    return {"graph": graph, "features": minimiser(graph, 2)}


THEOREM = Theorem(
    slug="factorisation-bounds-probe-residual",
    statement="‖(I - P_F)Y‖_F² <= (√p_max ‖Ā - FFᵀ‖_F + √φ)²",
    reference="A step of Zhang, Wang and Wang 2022, theorem 4.1, after HaoChen et al. 2021 (constants ours)",
    objects=("features",),
    lhs=measured_residual,
    rhs=_rhs,
    direction="<=",
    size=lambda: 1.0,
    trivial=1.0,
    tight=tight,
)
