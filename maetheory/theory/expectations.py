"""The losses of masked autoencoding as exact sums over a mask graph.

Rows belong to views x₁ (N1 of them) or targets x₂ (N2); every expectation is under the joint law M of the graph, and
x₁⁺ is a second view drawn given the same target. Differences are squared before they are summed, so a loss that is zero
comes out as zero and not as the difference of two large numbers.
"""

from __future__ import annotations

import math

import numpy as np

from maetheory.graph import MaskGraph

_MERGED = 1e-24


def mean_square(degrees: np.ndarray, rows: np.ndarray) -> float:
    """E‖rows‖² under the law `degrees`."""
    return float(degrees @ (rows**2).sum(1))  # (N,) @ (N,)


def reconstruction_loss(graph: MaskGraph, h: np.ndarray, targets: np.ndarray) -> float:
    """L_MAE = E‖h(x₁) − x₂‖², Eq. 2 of Zhang, Wang and Wang 2022."""
    pairs = graph.joint.tocoo()
    x1, x2 = pairs.coords
    return float(pairs.data @ ((h[x1] - targets[x2]) ** 2).sum(1))  # (pairs,) @ (pairs,)


def asymmetric_alignment_loss(graph: MaskGraph, h: np.ndarray, h_g: np.ndarray) -> float:
    """L_asym = −E h(x₁)ᵀ h_g(x₂), Eq. 4."""
    return -float((h * (graph.joint @ h_g)).sum())  # (N1, d)


def alignment_loss(graph: MaskGraph, h: np.ndarray) -> float:
    """L_align = −E h(x₁)ᵀ h(x₁⁺)."""
    return -mean_square(graph.degrees[1], aligned(graph, h))


def aligned(graph: MaskGraph, h: np.ndarray) -> np.ndarray:
    """E[h(x₁) | x₂], shape (N2, d)."""
    return (graph.joint.T @ h) / graph.degrees[1][:, None]  # (N2, N1) @ (N1, d) -> (N2, d)


def pair_distance(graph: MaskGraph, h: np.ndarray) -> float:
    """E‖h(x₁) − h(x₁⁺)‖², which is twice the distance of h to its mean given the target."""
    return 2.0 * reconstruction_loss(graph, h, aligned(graph, h))


def uniformity_loss(graph: MaskGraph, features: np.ndarray) -> float:
    """L_unif = E (f(x₁)ᵀ f(x₁⁻))² over independent views, Eq. 11; equals ‖E f fᵀ‖_F²."""
    second_moment = features.T @ (graph.degrees[0][:, None] * features)  # (k, N1) @ (N1, k) -> (k, k)
    return float((second_moment**2).sum())


def umae_loss(graph: MaskGraph, h: np.ndarray, targets: np.ndarray, features: np.ndarray, weight: float) -> float:
    """L_U-MAE = L_MAE(h) + weight · L_unif(f)."""
    return reconstruction_loss(graph, h, targets) + weight * uniformity_loss(graph, features)


def spectral_loss(graph: MaskGraph, features: np.ndarray) -> float:
    """L_spec = 2 L_align(f) + L_unif(f), the spectral contrastive loss of HaoChen et al. 2021."""
    return 2.0 * alignment_loss(graph, features) + uniformity_loss(graph, features)


def autoencoding_error(graph: MaskGraph, h_g: np.ndarray, targets: np.ndarray) -> float:
    """ε = E‖h_g(x₂) − x₂‖², the plain autoencoding error without a mask (assumption 3.1), measured."""
    return mean_square(graph.degrees[1], h_g - targets)


def weighted_rows(graph: MaskGraph, features: np.ndarray) -> np.ndarray:
    """F, the rows √d₁ f(x₁)."""
    return np.sqrt(graph.degrees[0])[:, None] * features  # (N1, k)


def pair_lipschitz(graph: MaskGraph, features: np.ndarray, h: np.ndarray) -> float:
    """Least L with ‖f − f⁺‖² ≤ L ‖h − h⁺‖² on all positive pairs; infinite if h merges a pair that f tells apart.

    Where f is aligned on every pair any constant serves, and 1 is returned.
    """
    pairs = graph.pair_law.tocoo()
    x1, other = pairs.coords
    far = ((features[x1] - features[other]) ** 2).sum(1)  # (pairs,)
    near = ((h[x1] - h[other]) ** 2).sum(1)  # (pairs,)
    apart = far > _MERGED * (features**2).sum(1).max(initial=0.0)
    if not apart.any():
        return 1.0
    near = np.where(near > _MERGED * (h**2).sum(1).max(), near, 0.0)[apart]
    return float((far[apart] / near).max()) if near.all() else math.inf


def eigenvalues(graph: MaskGraph) -> np.ndarray:
    """All eigenvalues λ_i = σ_i² of Ā that can differ from zero, descending, by a dense decomposition."""
    return np.linalg.svd(graph.normalized_matrix.toarray(), compute_uv=False) ** 2


def frobenius_square(graph: MaskGraph) -> float:
    """‖Ā‖_F² = Σ λ_i²."""
    return float((graph.augmentation.data**2).sum())


def factorisation_error(graph: MaskGraph, features: np.ndarray) -> float:
    """‖Ā − FFᵀ‖_F², entry by entry, one block of rows at a time."""
    rows = weighted_rows(graph, features)
    graph_rows = graph.augmentation
    step = max(1, 4_000_000 // len(rows))
    total = 0.0
    for start in range(0, len(rows), step):
        here = slice(start, start + step)
        total += float(((graph_rows[here].toarray() - rows[here] @ rows.T) ** 2).sum())  # (step, N1)
    return total
