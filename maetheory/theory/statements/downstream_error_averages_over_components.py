"""The downstream bound of a law is the average of the bounds of its masks, so that a prefix and masks can be compared.

Setting
-------
Positions are kept, so that a target determines its mask: the graph of a law of masks is that of its masks side by side,
M = ⊕ p_m M_m, and no view or target is shared. More generally M = ⊕ p_c M_c over the connected components, of mass p_c,
pair label error φ_c and eigenvalues λ_i^(c), and k_c is the rank of the ``features`` on the views of component c.

Assumptions
-----------
``leading eigenvectors``: on each component the features span k_c leading eigenvectors of its Ā, and their rank is
Σ_c k_c, so that the features of one component are free of those of another. They may be off as far as in
:mod:`spectral_features_bound_downstream_error`.
``spectral gap``: λ_{k_c+1}^(c) < 1 on each component, that is k_c ≥ 1; without it the right side is infinite, and the
claim says nothing.

Claim
-----
‖(I − P_F)Y‖_F² ≤ Σ_c p_c φ_c/(1 − λ_{k_c+1}^(c)). Proof: P_F is block diagonal, so the residual is the sum of the
residuals of the components, and the spectral bound holds in each. The right side is at most φ/(1 − max_c
λ_{k_c+1}^(c)), as φ = Σ_c p_c φ_c. That is the spectral bound of the whole graph where the features are its Σ_c k_c
leading eigenvectors; where they are not, the bound of those leading eigenvectors may be smaller.
Masks and prefixes: the first v of n patches are one of the C(n, v) masks of the uniform law. So φ of the uniform law is
the average of φ over its masks, its singular values are those of all masks together, and hence λ_i(uniform) ≥
λ_i(prefix) for every i: at equal share of visible patches and equally many features in all, the gap is never in
favour of masks. With as many features for each mask the bound of the uniform law is the average of the bounds of its
masks, so that a prefix has the better bound iff it is better than the average mask. That targets of many masks
connect more samples than those of one prefix is true with positions dropped: there masks share targets, and by
data processing no σ_i rises.

Slack
-----
The sum of the slacks of the components.

Tight when
----------
On every component the labels are supported on eigenvectors with λ_i = 1 or λ_i = λ_{k_c+1}, i > k_c. Example: two
components with gaps of their own, where the bound of the whole graph is loose.

Reference
---------
Ours, on the comparison of autoregressive and masked prediction in Zhang et al. 2024 (arXiv 2407.00935), of which only
the abstract was at hand.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from maetheory.core import Estimate
from maetheory.graph import MaskGraph
from maetheory.theory.exact_probe import measured_residual
from maetheory.theory.statements import spectral_features_bound_downstream_error as spectral
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import column_basis, eigenvalues, weighted_rows

LEADING, GAP = "leading eigenvectors of each component", "spectral gap in each component"


@lru_cache(maxsize=4)
def component_graphs(graph: MaskGraph) -> tuple[tuple[float, np.ndarray, MaskGraph], ...]:
    """Mass, views and graph of each connected component, whose images are its views with their Bayes labels.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.25, 0.0], [0.0, 0.75]], labels=[0, 1])
    >>> [(round(mass, 12), views.tolist(), part.shape) for mass, views, part in component_graphs(graph)]
    [(0.25, [0], (1, 1)), (0.75, [1], (1, 1))]
    """
    views, targets = graph.components
    found = []
    for component in range(graph.n_components):
        rows, columns = np.flatnonzero(views == component), np.flatnonzero(targets == component)
        block = graph.joint[rows][:, columns]
        mass = float(block.sum())
        found.append((mass, rows, MaskGraph.from_joint(block / mass, graph.view_labels[rows])))
    return tuple(found)


def _features_of_components(graph: MaskGraph, features: np.ndarray) -> list[tuple[float, MaskGraph, np.ndarray]]:
    """Mass and graph of each component, with a basis of the features on its views, shape (N1_c, k_c)."""
    found = []
    for mass, rows, part in component_graphs(graph):
        basis = column_basis(weighted_rows(part, features[rows]))  # orthonormal, (N1_c, k_c)
        found.append((mass, part, basis / np.sqrt(part.degrees[0])[:, None]))
    return found


def componentwise_bound(graph: MaskGraph, features: np.ndarray) -> Estimate:
    """Average Σ_c p_c φ_c/(1 − λ_{k_c+1}^(c)) of the spectral bounds of the components, with its error.

    Parameters
    ----------
    graph : MaskGraph
        With labels.
    features : ndarray, shape (N1, k)
        Only their rank k_c on the views of each component counts, besides the error.

    Examples
    --------
    >>> round(componentwise_bound(**tight()), 12)
    0.5
    """
    bounds = [
        (mass, spectral.spectral_bound_of_features(part, own)) if own.shape[1] else (mass, Estimate(np.inf))
        for mass, part, own in _features_of_components(graph, features)
    ]
    return Estimate(sum(mass * float(one) for mass, one in bounds), sum(mass * one.error for mass, one in bounds))


def _terms(graph: MaskGraph, features: np.ndarray) -> dict[str, float]:
    whole = spectral.spectral_bound(graph, int(np.linalg.matrix_rank(weighted_rows(graph, features))))
    return {"bound of the whole graph": float(whole)}


def _are_leading(graph: MaskGraph, features: np.ndarray) -> tuple[bool, str]:
    parts = _features_of_components(graph, features)
    ranks = [own.shape[1] for _, _, own in parts]
    joined = column_basis(weighted_rows(graph, features)).shape[1]
    judged = [spectral.THEOREM.assumptions["leading eigenvectors"](part, own) for _, part, own in parts if own.size]
    failing = [words for holds, words in judged if not holds]
    words = f"rank {joined}, of the components {sum(ranks)}"
    return joined == sum(ranks) and not failing, "; ".join([words, *failing[:1]])


def _have_gaps(graph: MaskGraph, features: np.ndarray) -> tuple[bool, str]:
    parts = _features_of_components(graph, features)
    gaps = [1 - float(eigenvalues(part, own.shape[1] + 1)[own.shape[1]]) for _, part, own in parts]
    least = min(gaps)
    return (
        least > spectral.LEADING_TOLERANCE,
        f"the least 1 - λ is {least if least > spectral.LEADING_TOLERANCE else 0:.3g}",
    )


def leading_features_of_components(graph: MaskGraph, per_component: int) -> np.ndarray:
    """Return spectral features that are 0 outside one component, so many for each component, shape (N1, k).

    A component with fewer positive eigenvalues has fewer. The columns are ordered by component.
    """
    columns = []
    for _, rows, part in component_graphs(graph):
        own = minimiser(part, min(per_component, *part.shape))
        alone = np.zeros((graph.shape[0], own.shape[1]))
        alone[rows] = own
        columns.append(alone[:, np.abs(own).max(0) > 1e-8])  # the feature of a zero eigenvalue is 0
    return np.concatenate(columns, axis=1)


def use_features_of_components(world: dict[str, Any]) -> Objects:
    """Replace the features by leading ones of each component, about as many in all."""
    graph = world["graph"]
    each = max(1, round(world["features"].shape[1] / graph.n_components))
    return {**world, "features": leading_features_of_components(graph, each)}


def tight() -> Objects:
    """Return two pairs of views with two labels each, of which one shares targets more than the other."""
    blocks = 0.25 * np.array([[0.75, 0.25], [0.25, 0.75]]), 0.25 * np.array([[0.9, 0.1], [0.1, 0.9]])
    joint = np.block([[blocks[0], np.zeros((2, 2))], [np.zeros((2, 2)), blocks[1]]])
    graph = MaskGraph.from_joint(joint, np.array([0, 1, 0, 1]))
    return {"graph": graph, "features": leading_features_of_components(graph, 1)}


def broken() -> dict[str, Objects]:
    """Return a feature that tilts out of the eigenvectors, and a component without a feature."""
    world = tight()
    tilted = world["features"] + np.array([[1.0, 0], [0, 0], [0, 0], [0, 0]])
    return {
        LEADING: {**world, "features": tilted},
        GAP: {**world, "features": world["features"][:, :1]},
    }


THEOREM = Theorem(
    slug="downstream-error-averages-over-components",
    statement="‖(I - P_F)Y‖_F² <= Σ_c p_c φ_c / (1 - λ_{k_c+1}^(c)) for k_c leading eigenvectors of each component",
    reference="Ours, on Zhang et al. 2024",
    objects=("features",),
    lhs=measured_residual,
    rhs=componentwise_bound,
    direction="<=",
    assumptions={LEADING: _are_leading, GAP: _have_gaps},
    size=lambda: 1.0,
    trivial=1.0,
    terms=_terms,
    tight=tight,
    broken=broken,
    conform=use_features_of_components,
)
