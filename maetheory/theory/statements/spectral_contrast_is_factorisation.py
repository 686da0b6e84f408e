"""The spectral contrastive loss is the error of a low-rank factorisation of the augmentation graph.

Setting
-------
f gives ``features`` (N1, k); F has the rows √d₁ f(x₁). L_spec(f) = 2 L_align(f) + L_unif(f), where
L_align(f) = −E f(x₁)ᵀ f(x₁⁺) over views that share a target and L_unif(f) = E (f(x₁)ᵀ f(x₁⁻))² over independent views.

Assumptions
-----------
None.

Claim
-----
L_spec(f) = ‖Ā − FFᵀ‖_F² − ‖Ā‖_F². Hence, by Eckart and Young, L_spec(f) ≥ −Σ_{i≤k} λ_i² for every f with k features:
the second theorem here.

Slack
-----
Zero; that of the second theorem is ‖Ā − FFᵀ‖_F² − Σ_{i>k} λ_i².

Tight when
----------
Always. The second at f*(x₁)_i = √λ_i v_i(x₁)/√d₁(x₁), unique up to rotation iff λ_k > λ_{k+1} or λ_k = 0.

Reference
---------
HaoChen et al. 2021 for contrastive pairs; used for masks by Zhang, Wang and Wang 2022, section 4.
"""

from __future__ import annotations

import numpy as np

from maetheory.graph import MaskGraph
from maetheory.graph.functionals import mean_square, spectral_loss
from maetheory.theory.example_graphs import four_view_graph
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import eigenvalues, factorisation_error, frobenius_square


def _spectral_contrast(graph: MaskGraph, features: np.ndarray) -> float:
    return spectral_loss(graph, features)


def _factorisation_side(graph: MaskGraph, features: np.ndarray) -> float:
    return factorisation_error(graph, features) - frobenius_square(graph)


def _minimum_contrast(graph: MaskGraph, features: np.ndarray) -> float:
    return -float((eigenvalues(graph, features.shape[1]) ** 2).sum())


def _scale(graph: MaskGraph, features: np.ndarray) -> float:
    return frobenius_square(graph) + mean_square(graph.degrees[0], features) ** 2


def minimiser(graph: MaskGraph, k: int) -> np.ndarray:
    """Minimiser f* of the spectral contrastive loss with k features, shape (N1, k); dense, for small graphs.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.25, 0.25], [0.25, 0.25]])
    >>> np.round(np.abs(minimiser(graph, 1)), 9).tolist()
    [[1.0], [1.0]]
    """
    left, sigma, _ = np.linalg.svd(graph.normalized_matrix.toarray(), full_matrices=False)
    rows = left[:, :k] * sigma[:k]  # (N1, k)
    return np.pad(rows, ((0, 0), (0, k - rows.shape[1]))) / np.sqrt(graph.degrees[0])[:, None]


def tight() -> Objects:
    """Return arbitrary features on a connected graph: the identity holds for all."""
    return {"graph": four_view_graph(), "features": np.array([[1.0, 0.3], [-0.5, 2.0], [0.2, 0.1], [1.5, -1.0]])}


def tight_minimum() -> Objects:
    """Return the two features that minimise the contrast on a graph of three directions."""
    return {"graph": four_view_graph(), "features": minimiser(four_view_graph(), 2)}


THEOREM = Theorem(
    slug="spectral-contrast-is-factorisation",
    statement="L_spec(f) == ‖Ā - FFᵀ‖_F² - ‖Ā‖_F²",
    reference="HaoChen et al. 2021",
    objects=("features",),
    lhs=_spectral_contrast,
    rhs=_factorisation_side,
    direction="==",
    scale=_scale,
    tight=tight,
)

MINIMUM = Theorem(
    slug="spectral-contrast-is-bounded-by-eigenvalues",
    statement="L_spec(f) >= -Σ_{i<=k} λ_i²",
    reference="HaoChen et al. 2021; Eckart and Young 1936",
    objects=("features",),
    lhs=_spectral_contrast,
    rhs=_minimum_contrast,
    scale=_scale,
    trivial=lambda graph, features: -float(min(*graph.shape, features.shape[1])),
    terms=lambda graph, features: {"tail": frobenius_square(graph) + _minimum_contrast(graph, features)},
    tight=tight_minimum,
)
