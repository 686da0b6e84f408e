"""The sum of all eigenvalues needs only products: what is low-rank exactly, the rest by random probes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator

from maetheory.core import Estimate, InputError, generator
from maetheory.spectra.counting_operator import EPS, Array, Products, is_sparse

BUDGET = 90


def trace(operator: Any, *, budget: int = BUDGET, seed: int = 0) -> Estimate:
    """Estimate the trace of a square matrix by Hutch++.

    A third of the products finds a subspace Q that holds most of A, a third takes its trace exactly there, and a third
    probes what is left: tr(QᵀAQ) + mean gᵀ(I − QQᵀ)A(I − QQᵀ)g. For positive semidefinite A the error falls like one
    over the budget, for plain probing only like its root.

    Parameters
    ----------
    operator : (n, n) sparse matrix, array or LinearOperator
        The matrix A; best symmetric positive semidefinite.
    budget : int, default 90
        Products allowed, at least 6; with n or more the trace is exact.
    seed : int, default 0
        Draws the probes.

    Returns
    -------
    Estimate
        The trace; `error` is one standard error, or the rounding when it is exact.

    Raises
    ------
    InputError
        If the matrix is not square or the budget is below 6.

    References
    ----------
    Meyer, Musco, Musco and Woodruff 2021, Hutch++: Optimal Stochastic Trace Estimation, Algorithm 1.

    Examples
    --------
    >>> trace(np.diag([1.0, 2.0, 3.0]))
    6 ± 4.62e-15
    """
    return _trace(Products(operator), budget, seed)


def tail(operator: Any, values: Array, *, budget: int = BUDGET, seed: int = 0) -> Estimate:
    """Sum of the squares of the singular values of B that are not among the top ones given.

    ‖B‖_F² − Σ_{i ≤ k} σᵢ²; the norm is exact for an explicit matrix, and by Hutch++ for a LinearOperator.

    Parameters
    ----------
    operator : (N1, N2) sparse matrix, array or LinearOperator
        The matrix B. For the tail Σ λᵢ² of an augmentation graph hand over that graph, λᵢ being its eigenvalues.
    values : (k,) array
        The largest singular values, as `spectrum` finds them.
    budget, seed : int
        As for `trace`; used for a LinearOperator only.

    Returns
    -------
    Estimate
        Never negative; `error` is the rounding, or one standard error when sampled.

    Examples
    --------
    >>> round(tail(np.diag([3.0, 2.0, 1.0]), np.array([3.0])).value, 12)
    5.0
    """
    values = np.asarray(values, dtype=np.float64)
    products = Products(operator)
    if isinstance(products.matrix, LinearOperator):
        turned = products if products.shape[0] >= products.shape[1] else products.transposed
        whole = _trace(_GramOperator(turned), budget, seed)
    else:
        stored = products.matrix.data if is_sparse(products.matrix) else products.matrix
        norm = float(np.sum(stored**2))
        whole = Estimate(norm, EPS * np.sqrt(stored.size) * norm)
    rounding = EPS * np.sqrt(max(len(values), 1)) * float(np.sum(values**2))
    return Estimate(max(whole - float(np.sum(values**2)), 0.0), whole.error + rounding, whole.sampled)


class _GramOperator:
    """The products with BᵀB."""

    def __init__(self, products: Products):
        self.products = products
        self.shape = (products.shape[1], products.shape[1])

    def forward(self, x: Array) -> Array:
        return self.products.backward(self.products.forward(x))


def _trace(products: Products | _GramOperator, budget: int, seed: int) -> Estimate:
    n, columns = products.shape
    if n != columns:
        raise InputError(f"operator has shape {products.shape}, but a trace needs a square matrix")
    if budget < 6:
        raise InputError(f"budget is {budget}, but at least 6 products are expected")
    if budget >= n:
        diagonal = np.diag(products.forward(np.eye(n)))
        return Estimate(float(diagonal.sum()), EPS * np.sqrt(n) * 2 * float(np.abs(diagonal).sum()))
    rng, third = generator(seed, "trace"), budget // 3
    basis = np.linalg.qr(products.forward(rng.choice([-1.0, 1.0], size=(n, third))))[0]  # (n, m)
    probes = rng.choice([-1.0, 1.0], size=(n, third))
    probes -= basis @ (basis.T @ probes)
    held = float(np.sum(basis * products.forward(basis)))
    rest = np.sum(probes * products.forward(probes), axis=0)  # (m,)
    error = float(rest.std(ddof=1)) / np.sqrt(third) + EPS * np.sqrt(n) * abs(held)
    return Estimate(held + float(rest.mean()), error, sampled=True)
