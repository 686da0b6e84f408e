"""How far trained low-rank factors can be from the best ones, from gradients and conditioning alone."""

from __future__ import annotations

import numpy as np


def furthest_from_optimum(columns: np.ndarray, aim: np.ndarray, weights: np.ndarray) -> float:
    """Bound ‖columns @ weights − aim‖² − its least value at that rank, for full-rank columns (n, k) near the best ones.

    First the weights: the loss is quadratic in them with Hessian 2CᵀC, so least squares gains at most ‖∇‖²/(4 λ_min).
    Then the span: with A = aim aimᵀ in blocks T, R, S along and across it, A ≤ diag(T + Rᵀ(θ − S)⁻¹R, θ) for
    θ = λ_min(T) > λ_max(S), so the k leading eigenvalues exceed tr T by at most ‖R‖_F²/(θ − λ_max(S)).
    """
    gradient = 2 * columns.T @ (columns @ weights - aim)
    of_weights = float((gradient**2).sum() / (4 * np.linalg.eigvalsh(columns.T @ columns)[0]))
    full = np.linalg.qr(columns, mode="complete")[0]
    k = columns.shape[1]
    along, across = full[:, :k].T @ aim, full[:, k:].T @ aim
    gap = np.linalg.eigvalsh(along @ along.T)[0] - np.linalg.eigvalsh(across @ across.T)[-1]
    assert gap > 0
    return of_weights + float(((across @ along.T) ** 2).sum() / gap)
