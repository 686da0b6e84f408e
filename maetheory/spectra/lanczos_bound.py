"""Randomised Lanczos bound on the largest missed singular value."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse

from maetheory.core import InputError
from maetheory.spectra.connected_components import Indices
from maetheory.spectra.counting_operator import Array, CountingOperator
from maetheory.spectra.enclose import FAILURE_PROBABILITY, SMALLEST_NORM, NormBounds
from maetheory.spectra.lanczos import lanczos

STEPS = 32
ROUNDINGS = 8  # of a step: two products, a projection from both sides, two sweeps of orthogonalisation


def missed_below_by_lanczos(
    products: CountingOperator,
    right: Any,
    *,
    rng: np.random.Generator,
    steps: int = STEPS,
    failure_probability: float = FAILURE_PROBABILITY,
    norm: float = 0.0,
    columns: Indices | None = None,
) -> NormBounds:
    """Bound ‖B(I − VVᵀ)‖ as `missed_below` does, but with fewer products for the same accuracy.

    With λ the square of that norm and ξ the largest Ritz value of m Lanczos steps from a uniformly random direction
    in n dimensions, ξ ≤ λ always, and ξ < (1 − ε) λ with probability at most 1.648 √n exp(−√ε (2m − 1)).

    Parameters
    ----------
    products : CountingOperator
        The matrix B, (N1, N2).
    right : (N2, k) array or sparse matrix
        Right vectors to deflate, of full column rank; k may be 0. Sparse ones must be orthonormal.
    rng : numpy Generator
        Must not have been used to compute `right`.
    steps : int, default 32
        Lanczos steps m, two products each; with too few for `failure_probability` the upper bound is infinite.
    failure_probability : float, default 1e-6
        Probability, between 0 and 1, that the upper bound is wrong.
    norm : float
        The norm of B, if known, to scale the rounding error; by default the larger of ‖BV‖ and the lower bound.
    columns : (n,) array of int, optional
        Restrict B to these columns, which share no row with others; `right` then has n rows.

    Returns
    -------
    NormBounds
        Lower and upper bound on the norm; both allow for eight times the relative rounding error of a product in λ.
        They are 0 and infinity where ‖B‖ is below 1e-75, whose powers underflow.

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
    >>> b = CountingOperator(np.diag([1.0, 0.5, 0.25]))
    >>> bounds = missed_below_by_lanczos(b, np.eye(3)[:, :1], rng=np.random.default_rng(0))
    >>> bool(0.4999 < bounds.lower <= 0.5 + 1e-15 and 0.5 <= bounds.upper < 0.53)
    True
    """
    if not 0.0 < failure_probability < 1.0 or steps < 1:
        raise InputError(
            f"failure_probability is {failure_probability} and steps {steps}, but a probability inside (0, 1) and "
            "at least 1 step are expected"
        )
    side, k = right.shape
    if k >= side:
        return NormBounds(0.0, products.rounding_error * norm, 0.0)
    basis: Any = right if issparse(right) else np.linalg.qr(right)[0]  # (N2, k)
    adjoint = basis.T.tocsr() if issparse(basis) else basis.T
    selected = np.arange(side) if columns is None else columns

    def project_out(x: Array) -> Array:
        return x - basis @ (adjoint @ x)

    def pad(x: Array) -> Array:
        padded = np.zeros((products.shape[1], *x.shape[1:]))
        padded[selected] = x
        return padded

    def matvec(x: Array) -> Array:
        return project_out(products.rmatmat(products.matmat(pad(x)))[selected])

    if not norm and k:
        norm = float(np.linalg.norm(products.matmat(pad(basis.toarray() if issparse(basis) else basis)), 2))
    start = project_out(project_out(rng.standard_normal(side)))
    largest = max(float(lanczos(matvec, start, steps).nodes[-1]), 0.0)
    if 0.0 < max(np.sqrt(largest), norm) < SMALLEST_NORM:
        return NormBounds(0.0, np.inf, failure_probability)
    relative = (np.log(1.648 * np.sqrt(side) / failure_probability) / (2 * steps - 1)) ** 2
    rounding = ROUNDINGS * products.rounding_error * max(largest, norm**2)  # error of the squared norm
    upper = np.sqrt((largest + rounding) / (1.0 - relative)) if relative < 1.0 else np.inf
    return NormBounds(float(np.sqrt(max(largest - rounding, 0.0))), float(upper), failure_probability)
