"""Residual enclosures of singular values, and a randomised bound on the largest missed one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from maetheory.core import InputError
from maetheory.spectra.counting_operator import EPS, Array, CountingOperator

PROBES = 8
POWER = 16
FAILURE_PROBABILITY = 1e-6
SMALLEST_NORM = 1e-75  # of B: below it ‖BᵀB x‖² underflows, and an iteration sees zeros


@dataclass(frozen=True)
class NormBounds:
    """A lower bound on a norm, which is certain, and an upper bound that fails with at most `failure_probability`."""

    lower: float
    upper: float
    failure_probability: float


def residual_block(products: CountingOperator, values: Array, left: Array, right: Array) -> Array:
    """Return R = H X − X diag(σ), shape (N1 + N2, k), for X = (U; V) / √2 and H = [[0, B], [Bᵀ, 0]]."""
    left_residual = products.matmat(right) - left * values  # (N1, k)
    right_residual = products.rmatmat(left) - right * values  # (N2, k)
    return np.vstack([left_residual, right_residual]) / np.sqrt(2.0)


def enclosure_radius(
    residual: Array, left: Array, right: Array, norm: float, *, rounding_error: float | None = None
) -> float:
    """Radius of intervals around k approximate singular values that hold k true ones.

    For any X of full column rank and any symmetric Θ, k eigenvalues of H lie, paired, within ‖HX − XΘ‖₂ / σ_min(X)
    of those of Θ: the norm is that of the whole block, not of its columns. The true values need not be the largest.

    Parameters
    ----------
    residual : (N1 + N2, k) array
        The block of `residual_block`.
    left, right : (N1, k) and (N2, k) arrays
        The approximate singular vectors.
    norm : float
        The norm of B or an estimate of it; `rounding_error` ‖B‖ ‖X‖_F is added to the norm of the residual.
    rounding_error : float, optional
        Relative rounding error of the products, `CountingOperator.rounding_error`; by default ε √(N1 + N2).

    Returns
    -------
    float
        The radius, never negative; infinite when the vectors are linearly dependent up to rounding error.

    References
    ----------
    Kahan 1967, Inclusion theorems for clusters of eigenvalues of Hermitian matrices; Cao, Xie and Li 1996 for
    X not orthonormal.

    Examples
    --------
    >>> b, e = np.diag([2.0, 1.0]), np.eye(2)[:, :1]
    >>> bool(enclosure_radius(residual_block(CountingOperator(b), np.array([2.0]), e, e), e, e, 2.0) < 1e-14)
    True
    """
    gram = (left.T @ left + right.T @ right) / 2.0  # (k, k)
    relative = EPS * np.sqrt(len(residual)) if rounding_error is None else rounding_error
    rounding = relative * norm * np.sqrt(np.trace(gram))
    return _divide_by_smallest(_spectral_norm(residual) + rounding, gram, len(residual))


def coupling_bound(
    residual: Array, left: Array, right: Array, norm: float, *, rounding_error: float | None = None
) -> float:
    """Bound on what couples the spans of singular vectors to the rest of B; `Spectrum.coupling_bound` says its use.

    max(‖BV − U diag(σ)‖, ‖BᵀU − V diag(σ)‖) / min(σ_min(U), σ_min(V)), which is at most √2 times `enclosure_radius` for
    orthonormal vectors. Parameters, rounding error and infinity are those of `enclosure_radius`.

    Examples
    --------
    >>> b, e = np.array([[0.0, 0.0], [1.0, 0.0]]), np.eye(2)[:, :1]
    >>> residual = residual_block(CountingOperator(b), np.array([0.0]), e, e)
    >>> round(enclosure_radius(residual, e, e, 1.0), 12), round(coupling_bound(residual, e, e, 1.0), 12)
    (0.707106781187, 1.0)
    """
    relative = EPS * np.sqrt(len(residual)) if rounding_error is None else rounding_error
    blocks = ((residual[: len(left)], right), (residual[len(left) :], left))
    size = max(np.sqrt(2.0) * _spectral_norm(block) + relative * norm * np.linalg.norm(x) for block, x in blocks)
    return max(_divide_by_smallest(size, x.T @ x, len(residual)) for x in (left, right))


def missed_below(
    products: CountingOperator,
    right: Array,
    *,
    rng: np.random.Generator,
    probes: int = PROBES,
    power: int = POWER,
    failure_probability: float = FAILURE_PROBABILITY,
    norm: float = 0.0,
) -> NormBounds:
    """Bound ‖B(I − VVᵀ)‖ from both sides; for any k columns V, it bounds σ_{k+1}(B).

    Only one side is deflated: deflating both would bound σ_{2k+1} only (B = I₂, u = e₁, v = e₂ would give 0). With
    Gaussian probes wᵢ drawn after V and C = B(I − VVᵀ), Σ‖(CCᵀ)^q C wᵢ‖² ≥ ‖C‖^{4q+2} χ²_r, so the
    lower quantile χ²_{r,p} gives an upper bound on ‖C‖; the power iterate gives the lower bound.

    Parameters
    ----------
    products : CountingOperator
        The matrix B, (N1, N2).
    right : (N2, k) array
        Right vectors to deflate, of full column rank; k may be 0.
    rng : numpy Generator
        Must not have been used to compute `right`.
    probes : int, default 8
        Number of Gaussian probes r.
    power : int, default 16
        Number of power steps q.
    failure_probability : float, default 1e-6
        Probability p, between 0 and 1, that the upper bound is wrong.
    norm : float
        The norm of B, if known, to scale the rounding error; by default the larger of ‖BV‖ and the lower bound.

    Returns
    -------
    NormBounds
        Lower and upper bound on the norm; the rounding error of a product is taken from the lower one and added to the
        upper one. They are 0 and infinity where ‖B‖ is below 1e-75, whose powers underflow.

    Raises
    ------
    InputError
        If `failure_probability` is not inside (0, 1), or `probes` or `power` is below 1.

    References
    ----------
    Halko, Martinsson and Tropp 2011, Finding Structure with Randomness, Section 4.3.

    Examples
    --------
    >>> b = CountingOperator(np.diag([1.0, 0.5, 0.25]))
    >>> bounds = missed_below(b, np.eye(3)[:, :1], rng=np.random.default_rng(0))
    >>> bool(0.45 < bounds.lower <= 0.5 <= bounds.upper < 0.55)
    True
    """
    if not 0.0 < failure_probability < 1.0 or probes < 1 or power < 1:
        raise InputError(
            f"failure_probability is {failure_probability}, probes {probes} and power {power}, but a probability "
            "inside (0, 1) and counts of at least 1 are expected"
        )
    basis = np.linalg.qr(right)[0]  # (N2, k)
    block = rng.standard_normal((products.shape[1], probes))  # (N2, r)
    if not norm and basis.size:
        norm = float(np.linalg.norm(products.matmat(basis), 2))
    rounding = products.rounding_error
    block, log_scale = _project_out(basis, block), 0.0
    for _ in range(power):
        image = products.matmat(block)  # (N1, r)
        block = _project_out(basis, products.rmatmat(image))
        scale = float(np.linalg.norm(block))
        if scale == 0.0:
            break
        log_scale += np.log(scale)
        block /= scale
    else:
        image = products.matmat(block)
    total = float(np.sum(image**2))
    if 0.0 < max(float(np.abs(image).max()), norm) < SMALLEST_NORM:
        return NormBounds(0.0, np.inf, failure_probability)
    if scale == 0.0 or total == 0.0:
        return NormBounds(0.0, rounding * norm, failure_probability)
    exponent = np.log(total) + 2.0 * log_scale - np.log(chi2.ppf(failure_probability, probes))
    upper = float(np.exp(exponent / (4 * power + 2)))
    largest = _largest_norm_ratio(block, image, basis, norm)
    error = rounding * max(largest, norm)
    return NormBounds(max(largest - error, 0.0), max(upper, largest) + error, failure_probability)


def _project_out(basis: Array, block: Array) -> Array:
    """Project twice: what is nearly parallel to the basis leaves a rounding error along it the first time."""
    for _ in range(2):
        block = block - basis @ (basis.T @ block)
    return block


def _largest_norm_ratio(block: Array, image: Array, basis: Array, norm: float) -> float:
    """Largest (‖B z‖ − ‖B‖ ‖Vᵀz‖) / ‖z‖ over the columns z: a lower bound on ‖B(I − VVᵀ)‖; 0 if none is positive."""
    sizes = np.linalg.norm(block, axis=0)
    stretched = np.linalg.norm(image, axis=0) - norm * np.linalg.norm(basis.T @ block, axis=0)
    return float(np.max(np.divide(stretched, sizes, out=np.zeros_like(sizes), where=sizes > 0), initial=0.0))


def _divide_by_smallest(size: float, gram: Array, rows: int) -> float:
    """Return size / σ_min(X) for the Gram matrix XᵀX less its rounding error; infinite if nothing is left."""
    smallest = float(np.linalg.eigvalsh(gram)[0]) - EPS * np.sqrt(rows) * float(np.trace(gram))
    return float(size / np.sqrt(smallest)) if smallest > 0.0 else float("inf")


def _spectral_norm(block: Array) -> float:
    return float(np.sqrt(max(np.linalg.eigvalsh(block.T @ block)[-1], 0.0)))
