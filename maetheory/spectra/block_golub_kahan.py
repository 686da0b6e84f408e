"""Thick-restart block Golub–Kahan bidiagonalisation for the largest singular triplets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maetheory.spectra.counting_operator import EPS, Array, CountingOperator
from maetheory.spectra.orthonormalise import orthonormalise
from maetheory.spectra.triplets import SingularTriplets, rayleigh_ritz

BLOCK_SIZE = 16
MAX_RESTARTS = 200


def block_golub_kahan_svd(
    products: CountingOperator,
    k: int,
    rng: np.random.Generator,
    *,
    block_size: int = BLOCK_SIZE,
    max_restarts: int = MAX_RESTARTS,
    max_basis_columns: int | None = None,
    tolerance: float = 0.0,
) -> SingularTriplets:
    """Return the k largest singular triplets by block Golub–Kahan bidiagonalisation with thick restarts.

    A block method finds repeated singular values that a single starting vector may miss. Bases are reorthogonalised
    fully, twice; a restart keeps the k + block_size best Ritz triplets and continues with the same residual block. All
    products have `block_size` columns.

    Parameters
    ----------
    products : CountingOperator
        The matrix B, (N1, N2).
    k : int
        Number of triplets, from 1 to min(N1, N2).
    rng : numpy Generator
        Draws the first block.
    block_size : int, default 16
        Columns of a block; copies of a singular value beyond this number can be missed, so it should exceed the
        expected multiplicity by 8.
    max_restarts : int, default 200
        Number of restarts after which the current triplets are returned, converged or not; check their residuals.
    max_basis_columns : int, optional
        Columns of the basis at which it is restarted; by default the larger of k + 8 blocks and 3k. More save products.
    tolerance : float, default 0.0
        Residual, relative to the largest value, at which the iteration stops; at least 8 ε √(N1 + N2). If given, it is
        checked after every block, not only at restarts.

    Returns
    -------
    SingularTriplets
        Values descending; residuals are near ε ‖B‖ when converged.

    References
    ----------
    Baglama and Reichel 2006, Restarted Block Lanczos Bidiagonalization Methods.

    Examples
    --------
    >>> matrix = CountingOperator(np.diag([3.0, 3.0, 3.0, 1.0]))
    >>> block_golub_kahan_svd(matrix, 4, np.random.default_rng(0)).values.round(12)
    array([3., 3., 3., 1.])
    """
    if products.shape[0] < products.shape[1]:
        of_transpose = block_golub_kahan_svd(
            products.transposed,
            k,
            rng,
            block_size=block_size,
            max_restarts=max_restarts,
            max_basis_columns=max_basis_columns,
            tolerance=tolerance,
        )
        return of_transpose.transposed
    side = products.shape[1]
    block_size = min(block_size, side)
    max_basis_columns = min(
        side,
        max(3 * k, k + 8 * block_size) if max_basis_columns is None else max(max_basis_columns, k + 2 * block_size),
    )
    check_every_block = tolerance > 0  # products are then expensive compared with a dense SVD of the projection
    tolerance = max(tolerance, 8 * EPS * np.sqrt(sum(products.shape)))
    state = _start_bases(products, block_size, rng)
    for _ in range(max_restarts):
        while state.right.shape[1] < max_basis_columns and state.residual_basis.shape[1]:
            state = _expand_bases(products, state, rng)
            if check_every_block and _largest_residual(state, k) <= tolerance:
                break
        state, residuals = _restart_bases(state, min(k + block_size, state.right.shape[1]))
        if residuals[:k].max() <= tolerance * state.projected[0, 0]:
            break
    return rayleigh_ritz(products, np.linalg.qr(state.right[:, :k])[0])


@dataclass(frozen=True)
class _GolubKahanState:
    """B right = left projected and Bᵀ left = right projectedᵀ + residual_basis coupling, all bases orthonormal."""

    left: Array  # (N1, m)
    right: Array  # (N2, m)
    projected: Array  # (m, m)
    residual_basis: Array  # (N2, b), orthogonal to right
    coupling: Array  # (b, m)


def _start_bases(products: CountingOperator, block_size: int, rng: np.random.Generator) -> _GolubKahanState:
    n1, n2 = products.shape
    residual_basis = np.linalg.qr(rng.standard_normal((n2, block_size)))[0]
    return _GolubKahanState(
        np.empty((n1, 0)), np.empty((n2, 0)), np.empty((0, 0)), residual_basis, np.empty((block_size, 0))
    )


def _expand_bases(products: CountingOperator, state: _GolubKahanState, rng: np.random.Generator) -> _GolubKahanState:
    m, b = state.right.shape[1], state.residual_basis.shape[1]
    right = np.hstack([state.right, state.residual_basis])  # (N2, m + b)
    off_diagonal, diagonal, new = orthonormalise(products.matmat(state.residual_basis), state.left, rng)
    projected = np.block([[state.projected, off_diagonal], [np.zeros((b, m)), diagonal]])  # (m + b, m + b)
    _, last, residual_basis = orthonormalise(products.rmatmat(new), right, rng)
    coupling = np.hstack([np.zeros((len(last), m)), last])
    return _GolubKahanState(np.hstack([state.left, new]), right, projected, residual_basis, coupling)


def _largest_residual(state: _GolubKahanState, k: int) -> float:
    """Largest residual of the top k Ritz triplets, relative to the largest value; infinite while there are fewer."""
    if state.right.shape[1] < k:
        return float("inf")
    left, values, _ = np.linalg.svd(state.projected)
    return float(np.linalg.norm(state.coupling @ left[:, :k], axis=0).max()) / float(values[0])


def _restart_bases(state: _GolubKahanState, keep: int) -> tuple[_GolubKahanState, Array]:
    """Return the state reduced to the best Ritz triplets, and their residuals."""
    left, values, vt = np.linalg.svd(state.projected)
    left, right = left[:, :keep], vt[:keep].T
    coupling = state.coupling @ left
    kept = _GolubKahanState(
        state.left @ left, state.right @ right, np.diag(values[:keep]), state.residual_basis, coupling
    )
    return kept, np.linalg.norm(coupling, axis=0)
