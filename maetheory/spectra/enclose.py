"""Residuals say how near the values are to singular values, and a random probe says that none was missed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from maetheory.core import InputError
from maetheory.spectra.counting_operator import EPS, Array, Products

PROBES = 8
POWER = 16
FAILURE_PROBABILITY = 1e-6


@dataclass(frozen=True)
class NormBounds:
    """Two bounds on a norm: lower certain, upper wrong with probability at most `failure_probability`."""

    lower: float
    upper: float
    failure_probability: float


def residual_block(products: Products, values: Array, left: Array, right: Array) -> Array:
    """Return R = H X − X diag(σ), shape (N1 + N2, k), for X = (U; V) / √2 and H = [[0, B], [Bᵀ, 0]]."""
    above = products.forward(right) - left * values  # (N1, k)
    below = products.backward(left) - right * values  # (N2, k)
    return np.vstack([above, below]) / np.sqrt(2.0)


def enclosure(residual: Array, left: Array, right: Array, norm: float) -> float:
    """Radius about the approximate singular values within which as many true ones lie.

    For any X of full column rank and any symmetric Θ, k eigenvalues of H lie, paired, within ‖HX − XΘ‖₂ / σ_min(X)
    of those of Θ: the norm of the whole block, not of its columns. It does not say that they are the largest.

    Parameters
    ----------
    residual : (N1 + N2, k) array
        The block of `residual_block`.
    left, right : (N1, k) and (N2, k) arrays
        The approximate singular vectors.
    norm : float
        The norm of B or an estimate of it, which sets the scale of the rounding added: ε √(k (N1 + N2)) ‖B‖.

    Returns
    -------
    float
        The radius, never negative; infinite when the vectors are linearly dependent.

    References
    ----------
    Kahan 1967, Inclusion theorems for clusters of eigenvalues of Hermitian matrices; Cao, Xie and Li 1996 for
    X not orthonormal.

    Examples
    --------
    >>> b, e = np.diag([2.0, 1.0]), np.eye(2)[:, :1]
    >>> bool(enclosure(residual_block(Products(b), np.array([2.0]), e, e), e, e, 2.0) < 1e-14)
    True
    """
    gram = (left.T @ left + right.T @ right) / 2.0  # (k, k)
    smallest = float(np.linalg.eigvalsh(gram)[0])
    if smallest <= 0.0:
        return float("inf")
    rows, k = residual.shape
    rounding = EPS * np.sqrt(k * rows) * norm
    return float(np.sqrt(_largest_eigenvalue(residual.T @ residual) / smallest) + rounding)


def missed_below(
    products: Products,
    right: Array,
    *,
    rng: np.random.Generator,
    probes: int = PROBES,
    power: int = POWER,
    failure_probability: float = FAILURE_PROBABILITY,
    norm: float = 0.0,
) -> NormBounds:
    """Bracket ‖B(I − VVᵀ)‖, which bounds σ_{k+1}(B) for any k columns V.

    One side only is deflated: deflating both bounds σ_{2k+1} only (B = I₂, u = e₁, v = e₂ would give 0). With
    Gaussian probes wᵢ drawn after V and C = B(I − VVᵀ), Σ‖(CCᵀ)^q C wᵢ‖² ≥ ‖C‖^{4q+2} χ²_r, so its root over the
    lower quantile χ²_{r,p} bounds ‖C‖ from above; the power iterate itself bounds it from below.

    Parameters
    ----------
    products : Products
        The matrix B, (N1, N2).
    right : (N2, k) array
        Right vectors to deflate, of full column rank; k may be 0.
    rng : numpy Generator
        Must not have been used to compute `right`.
    probes, power : int
        Gaussian probes r and power steps q.
    failure_probability : float
        Probability p, between 0 and 1, that the upper bound is wrong.
    norm : float
        The norm of B, if known, to scale the rounding; the bracket's own lower bound serves otherwise.

    Returns
    -------
    Bracket
        Lower and upper bound on the norm; rounding of ε √(N1 + N2) ‖B‖ is added to the upper one.

    Raises
    ------
    InputError
        If `failure_probability` is not inside (0, 1), or `probes` or `power` is below 1.

    References
    ----------
    Halko, Martinsson and Tropp 2011, Finding Structure with Randomness, Section 4.3.

    Examples
    --------
    >>> b = Products(np.diag([1.0, 0.5, 0.25]))
    >>> bracket = missed_below(b, np.eye(3)[:, :1], rng=np.random.default_rng(0))
    >>> bool(0.45 < bracket.lower <= 0.5 <= bracket.upper < 0.55)
    True
    """
    if not 0.0 < failure_probability < 1.0 or probes < 1 or power < 1:
        raise InputError(
            f"failure is {failure_probability}, probes {probes} and power {power}, but a probability inside (0, 1) and counts "
            "of at least 1 are expected"
        )
    basis = np.linalg.qr(right)[0]  # (N2, k)
    block = rng.standard_normal((products.shape[1], probes))  # (N2, r)
    rounding = EPS * np.sqrt(sum(products.shape))
    logscale = 0.0
    for _ in range(power):
        block = _deflate(basis, products.backward(products.forward(_deflate(basis, block))))
        size = float(np.linalg.norm(block))
        if size == 0.0:
            return NormBounds(0.0, rounding * norm, failure_probability)
        logscale += np.log(size)
        block /= size
    image = products.forward(block)  # (N1, r)
    total = float(np.sum(image**2))
    if total == 0.0:
        return NormBounds(0.0, rounding * norm, failure_probability)
    exponent = np.log(total) + 2.0 * logscale - np.log(chi2.ppf(failure_probability, probes))
    upper = float(np.exp(exponent / (4 * power + 2)))
    lower = _largest_norm_ratio(block, image)
    return NormBounds(lower, max(upper, lower) + rounding * max(lower, norm), failure_probability)


def _deflate(basis: Array, block: Array) -> Array:
    return block - basis @ (basis.T @ block)


def _largest_norm_ratio(block: Array, image: Array) -> float:
    """Largest ‖B z‖ / ‖z‖ over the columns z, a lower bound on the norm."""
    sizes = np.linalg.norm(block, axis=0)
    stretched = np.linalg.norm(image, axis=0)
    return float(np.max(np.divide(stretched, sizes, out=np.zeros_like(sizes), where=sizes > 0)))


def _largest_eigenvalue(gram: Array) -> float:
    return max(float(np.linalg.eigvalsh(gram)[-1]), 0.0)
