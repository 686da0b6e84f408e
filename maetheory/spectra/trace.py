"""Hutch++ trace estimation, and the tail energy of a spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator

from maetheory.core import Estimate, InputError, generator
from maetheory.spectra.counting_operator import EPS, Array, CountingOperator, GramOperator
from maetheory.spectra.solvers import lapack_backward_error

BUDGET = 90


def trace(operator: Any, *, budget: int = BUDGET, seed: int = 0) -> Estimate:
    """Estimate the trace of a square matrix by Hutch++.

    A third of the products finds a subspace Q that captures most of A, a third computes the trace there exactly, and a
    third estimates the rest by random probes: tr(QᵀAQ) + mean gᵀ(I − QQᵀ)A(I − QQᵀ)g. For positive semidefinite A the
    error is proportional to 1 / budget; for plain Hutchinson probes it is proportional to 1 / √budget.

    Parameters
    ----------
    operator : (n, n) sparse matrix, array or LinearOperator
        The matrix A; best symmetric positive semidefinite.
    budget : int, default 90
        Number of products, at least 6; with n or more the trace is exact.
    seed : int, default 0
        Draws the probes.

    Returns
    -------
    Estimate
        The trace; `error` is one standard error, or the rounding error when the trace is exact.

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
    return _trace(CountingOperator(operator), budget, seed)


def tail_energy(operator: Any, values: Array, *, budget: int = BUDGET, seed: int = 0) -> Estimate:
    """Sum of the squared singular values of B beyond the k largest ones, which are given.

    ‖B‖_F² − Σ_{i ≤ k} σᵢ²; the norm is exact for an explicit matrix, and by Hutch++ for a LinearOperator.

    Parameters
    ----------
    operator : (N1, N2) sparse matrix, array or LinearOperator
        The matrix B; for Σ_{i > k} λᵢ² of an augmentation graph with eigenvalues λᵢ, the matrix of that graph.
    values : (k,) array
        The largest singular values, as computed by `spectrum`.
    budget : int, default 90
        As for `trace`; used for a LinearOperator only.
    seed : int, default 0
        As for `trace`.

    Returns
    -------
    Estimate
        Never negative; `error` is the rounding error, that of the given values included, or one standard error when
        sampled.

    Examples
    --------
    >>> round(tail_energy(np.diag([3.0, 2.0, 1.0]), np.array([3.0])).value, 12)
    5.0
    """
    values = np.asarray(values, dtype=np.float64)
    products = CountingOperator(operator)
    if isinstance(products.matrix, LinearOperator):
        estimate = _trace(GramOperator(products.tall), budget, seed)
        error = estimate.error + 2 * products.rounding_error * estimate
        squared_norm = Estimate(estimate, error, estimate.sampled)
    else:
        stored = products.matrix.data if issparse(products.matrix) else products.matrix
        total = float(np.sum(stored**2))
        squared_norm = Estimate(total, EPS * np.sqrt(stored.size) * total)
    given = float(np.sum(values**2))
    error = squared_norm.error + EPS * np.sqrt(len(values)) * given
    error += 2 * lapack_backward_error(products.shape) * float(values.max(initial=0.0) * values.sum())
    return Estimate(max(squared_norm - given, 0.0), error, squared_norm.sampled)


def _trace(operator: CountingOperator | GramOperator, budget: int, seed: int) -> Estimate:
    n, columns = operator.shape
    if n != columns:
        raise InputError(f"operator has shape {operator.shape}, but a trace needs a square matrix")
    if budget < 6:
        raise InputError(f"budget is {budget}, but at least 6 products are expected")
    if budget >= n:
        diagonal = np.diag(operator.matmat(np.eye(n)))
        return Estimate(float(diagonal.sum()), EPS * np.sqrt(n) * 2 * float(np.abs(diagonal).sum()))
    rng, third = generator(seed, "trace"), budget // 3
    basis = np.linalg.qr(operator.matmat(rng.choice([-1.0, 1.0], size=(n, third))))[0]  # (n, m)
    probes = rng.choice([-1.0, 1.0], size=(n, third))
    probes -= basis @ (basis.T @ probes)
    captured = basis * operator.matmat(basis)  # (n, m), with the sum tr(QᵀAQ)
    rest = np.sum(probes * operator.matmat(probes), axis=0)  # (m,)
    error = float(rest.std(ddof=1)) / np.sqrt(third) + EPS * np.sqrt(n) * 2 * float(np.abs(captured).sum())
    return Estimate(float(captured.sum()) + float(rest.mean()), error, sampled=True)
