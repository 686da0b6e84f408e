"""Lanczos tridiagonalisation of a symmetric matrix as Gauss quadrature of its spectral measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh_tridiagonal

from maetheory.spectra.counting_operator import EPS, Array


@dataclass(frozen=True)
class GaussQuadrature:
    """Nodes and weights of a Gauss rule with Σ weight f(node) ≈ wᵀ f(A) w for a unit vector w."""

    nodes: Array
    weights: Array


def lanczos(matvec: Callable[[Array], Array], start: Array, steps: int) -> GaussQuadrature:
    """Run Lanczos with full reorthogonalisation on a symmetric matrix, and return its Gauss rule.

    Parameters
    ----------
    matvec : callable
        The product with the matrix, (n,) to (n,).
    start : (n,) array
        Starting vector; normalised here.
    steps : int
        Number of products; Lanczos stops earlier when the Krylov space is exhausted.

    Returns
    -------
    GaussQuadrature
        Ritz values ascending, and the squared first components of their vectors, which sum to 1.

    References
    ----------
    Golub and Meurant 2010, Matrices, Moments and Quadrature with Applications, Chapter 6.

    Examples
    --------
    >>> matrix = np.diag([1.0, 2.0, 4.0])
    >>> rule = lanczos(lambda x: matrix @ x, np.ones(3), 3)
    >>> rule.nodes.round(12), rule.weights.round(12)
    (array([1., 2., 4.]), array([0.33333333, 0.33333333, 0.33333333]))
    """
    basis = np.empty((min(steps, len(start)), len(start)))  # (m, n)
    diagonal, off_diagonal = np.zeros(len(basis)), np.zeros(len(basis))
    next_vector = start / np.linalg.norm(start)
    for m in range(len(basis)):
        basis[m] = next_vector
        image = matvec(next_vector)
        diagonal[m] = next_vector @ image
        image_norm = np.linalg.norm(image)
        for _ in range(2):
            image = image - (basis[: m + 1] @ image) @ basis[: m + 1]
        off_diagonal[m] = np.linalg.norm(image)
        if off_diagonal[m] <= EPS * len(start) * image_norm:
            break
        next_vector = image / off_diagonal[m]
    nodes, vectors = eigh_tridiagonal(diagonal[: m + 1], off_diagonal[:m])
    return GaussQuadrature(np.asarray(nodes, dtype=np.float64), vectors[0] ** 2)
