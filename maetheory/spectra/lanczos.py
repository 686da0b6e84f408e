"""A few Lanczos steps from one random vector see the top of a spectrum, and all of its density."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh_tridiagonal

from maetheory.core import InputError
from maetheory.spectra.components import Indices
from maetheory.spectra.counting_operator import EPS, Array, Products, is_sparse
from maetheory.spectra.enclose import FAILURE_PROBABILITY, NormBounds

STEPS = 32


@dataclass(frozen=True)
class GaussQuadrature:
    """Nodes and weights of the Gauss rule that Lanczos finds: Σ weight f(node) ≈ wᵀ f(A) w for a unit vector w."""

    nodes: Array
    weights: Array


def lanczos(matvec: Callable[[Array], Array], start: Array, steps: int) -> GaussQuadrature:
    """Run Lanczos with full reorthogonalisation on a symmetric matrix.

    Parameters
    ----------
    matvec : callable
        The product with the matrix, (n,) to (n,).
    start : (n,) array
        Starting vector; normalised here.
    steps : int
        Number of products; fewer are made when the Krylov space closes.

    Returns
    -------
    Quadrature
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
        size = np.linalg.norm(image)
        for _ in range(2):
            image = image - (basis[: m + 1] @ image) @ basis[: m + 1]
        off_diagonal[m] = np.linalg.norm(image)
        if off_diagonal[m] <= EPS * len(start) * size:
            break
        next_vector = image / off_diagonal[m]
    nodes, vectors = eigh_tridiagonal(diagonal[: m + 1], off_diagonal[:m])
    return GaussQuadrature(np.asarray(nodes, dtype=np.float64), vectors[0] ** 2)


def missed_below_by_lanczos(
    products: Products,
    right: Any,
    *,
    rng: np.random.Generator,
    steps: int = STEPS,
    failure_probability: float = FAILURE_PROBABILITY,
    norm: float = 0.0,
    columns: Indices | None = None,
) -> NormBounds:
    """Bracket ‖B(I − VVᵀ)‖ as `missed_below` does, with fewer products for the same width.

    With λ the square of that norm and ξ the largest Ritz value of m Lanczos steps from a uniformly random direction
    in n dimensions, ξ ≤ λ always, and ξ < (1 − ε) λ with probability at most 1.648 √n exp(−√ε (2m − 1)).

    Parameters
    ----------
    products : Products
        The matrix B, (N1, N2).
    right : (N2, k) array or sparse matrix
        Right vectors to deflate, of full column rank; k may be 0. Sparse ones must be orthonormal.
    rng : numpy Generator
        Must not have been used to compute `right`.
    steps : int
        Lanczos steps m, two products each; infinity is the upper bound when too few for `failure_probability`.
    failure_probability : float
        Probability, between 0 and 1, that the upper bound is wrong.
    norm : float
        The norm of B, if known, to scale the rounding; the bracket's own lower bound serves otherwise.
    columns : (n,) array of int, optional
        Look at these columns of B only, which share no row with others; `right` then has n rows.

    Returns
    -------
    Bracket
        Lower and upper bound on the norm.

    Raises
    ------
    InputError
        If `failure_probability` is not inside (0, 1) or `steps` is below 1.

    References
    ----------
    Kuczyński and Woźniakowski 1992, Estimating the Largest Eigenvalue by the Power and Lanczos Algorithms with a
    Random Start, Theorem 4.2.

    Examples
    --------
    >>> b = Products(np.diag([1.0, 0.5, 0.25]))
    >>> bracket = missed_below_by_lanczos(b, np.eye(3)[:, :1], rng=np.random.default_rng(0))
    >>> bool(0.4999 < bracket.lower <= 0.5 + 1e-15 and 0.5 <= bracket.upper < 0.53)
    True
    """
    if not 0.0 < failure_probability < 1.0 or steps < 1:
        raise InputError(
            f"failure is {failure_probability} and steps {steps}, but a probability inside (0, 1) and at least 1 step are expected"
        )
    side, k = right.shape
    if k >= side:
        return NormBounds(0.0, EPS * np.sqrt(sum(products.shape)) * norm, 0.0)
    inside: Any = right if is_sparse(right) else np.linalg.qr(right)[0]  # (N2, k)
    adjoint = inside.T.tocsr() if is_sparse(inside) else inside.T
    place = np.arange(side) if columns is None else columns

    def project_out(x: Array) -> Array:
        return x - inside @ (adjoint @ x)

    def matvec(x: Array) -> Array:
        padded = np.zeros(products.shape[1])
        padded[place] = x
        return project_out(products.backward(products.forward(padded))[place])

    start = project_out(project_out(rng.standard_normal(side)))
    largest = max(float(lanczos(matvec, start, steps).nodes[-1]), 0.0)
    relative = (np.log(1.648 * np.sqrt(side) / failure_probability) / (2 * steps - 1)) ** 2
    lost = EPS * np.sqrt(sum(products.shape)) * max(largest, norm**2)  # of the square, so more of a small root
    upper = np.sqrt(largest / (1.0 - relative) + lost) if relative < 1.0 else np.inf
    return NormBounds(float(np.sqrt(max(largest - lost, 0.0))), float(upper), failure_probability)
