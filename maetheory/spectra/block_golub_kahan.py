"""A block of random directions sees every copy of a repeated singular value that a single one may miss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maetheory.spectra.counting_operator import EPS, Array, Products
from maetheory.spectra.triplets import SingularTriplets, rayleigh_ritz

WIDTH = 16
RESTARTS = 200
REORTHOGONALISE_BELOW = 1e-3  # a direction that lost more than this to the basis is orthonormalised again


def block_golub_kahan_svd(
    products: Products,
    k: int,
    rng: np.random.Generator,
    *,
    width: int = WIDTH,
    restarts: int = RESTARTS,
    max_basis_columns: int | None = None,
    tolerance: float = 0.0,
) -> SingularTriplets:
    """Return the top k triplets by block Golub–Kahan bidiagonalisation with thick restarts.

    Bases are reorthogonalised fully, twice; a restart keeps the k + width best Ritz triplets and goes on with the
    same residual block. All products are made `width` columns at a time.

    Parameters
    ----------
    products : Products
        The matrix B, (N1, N2).
    k : int
        How many triplets, from 1 to min(N1, N2).
    rng : numpy Generator
        Draws the first block.
    width : int
        Columns of a block; copies of a singular value beyond this number can be missed, so let it exceed the expected
        multiplicity by 8.
    restarts : int
        Give up improving after so many; what was reached is returned, its residuals tell.
    max_basis_columns : int, optional
        Columns of a basis before it is restarted; by default k and eight blocks, or 3 k. More of them spare products.
    tolerance : float
        Residual, as a share of the largest value, that is small enough; never below 8 ε √(N1 + N2). If given, it is
        looked at after every block, not only at restarts.

    Returns
    -------
    Triplets
        Values descending; residuals are near ε ‖B‖ when converged.

    References
    ----------
    Baglama and Reichel 2006, Restarted Block Lanczos Bidiagonalization Methods.

    Examples
    --------
    >>> block_golub_kahan_svd(Products(np.diag([3.0, 3.0, 3.0, 1.0])), 4, np.random.default_rng(0)).values.round(12)
    array([3., 3., 3., 1.])
    """
    if products.shape[0] < products.shape[1]:
        turned = block_golub_kahan_svd(
            products.transposed,
            k,
            rng,
            width=width,
            restarts=restarts,
            max_basis_columns=max_basis_columns,
            tolerance=tolerance,
        )
        return turned.transposed
    side = products.shape[1]
    width = min(width, side)
    max_basis_columns = min(
        side, max(3 * k, k + 8 * width) if max_basis_columns is None else max(max_basis_columns, k + 2 * width)
    )
    eager = tolerance > 0  # then products are dear, and a dense SVD after each block is not
    tolerance = max(tolerance, 8 * EPS * np.sqrt(sum(products.shape)))
    state = _start(products, width, rng)
    for _ in range(restarts):
        while state.right.shape[1] < max_basis_columns and state.residual_basis.shape[1]:
            state = _expand(products, state, rng)
            if eager and _largest_residual(state, k) <= tolerance:
                break
        state, residuals = _restart(state, min(k + width, state.right.shape[1]))
        if residuals[:k].max() <= tolerance * state.projected[0, 0]:
            break
    return rayleigh_ritz(products, np.linalg.qr(state.right[:, :k])[0])


@dataclass(frozen=True)
class _State:
    """B right = left middle and Bᵀ left = right middleᵀ + ahead coupling, all bases orthonormal."""

    left: Array  # (N1, m)
    right: Array  # (N2, m)
    projected: Array  # (m, m)
    residual_basis: Array  # (N2, b), orthogonal to right
    coupling: Array  # (b, m)


def _start(products: Products, width: int, rng: np.random.Generator) -> _State:
    n1, n2 = products.shape
    residual_basis = np.linalg.qr(rng.standard_normal((n2, width)))[0]
    return _State(np.empty((n1, 0)), np.empty((n2, 0)), np.empty((0, 0)), residual_basis, np.empty((width, 0)))


def _expand(products: Products, state: _State, rng: np.random.Generator) -> _State:
    m, b = state.right.shape[1], state.residual_basis.shape[1]
    right = np.hstack([state.right, state.residual_basis])  # (N2, m + b)
    beside, corner, new = orthonormalise(products.forward(state.residual_basis), state.left, rng)
    projected = np.block([[state.projected, beside], [np.zeros((b, m)), corner]])  # (m + b, m + b)
    _, last, residual_basis = orthonormalise(products.backward(new), right, rng)
    coupling = np.hstack([np.zeros((len(last), m)), last])
    return _State(np.hstack([state.left, new]), right, projected, residual_basis, coupling)


def _largest_residual(state: _State, k: int) -> float:
    """Largest residual of the top k Ritz triplets, as a share of the largest value; infinite while there are fewer."""
    if state.right.shape[1] < k:
        return float("inf")
    left, values, _ = np.linalg.svd(state.projected)
    return float(np.linalg.norm(state.coupling @ left[:, :k], axis=0).max()) / float(values[0])


def _restart(state: _State, keep: int) -> tuple[_State, Array]:
    """Keep the best Ritz triplets; return them with their residuals."""
    left, values, turn = np.linalg.svd(state.projected)
    left, right = left[:, :keep], turn[:keep].T
    coupling = state.coupling @ left
    kept = _State(state.left @ left, state.right @ right, np.diag(values[:keep]), state.residual_basis, coupling)
    return kept, np.linalg.norm(coupling, axis=0)


def orthonormalise(block: Array, basis: Array, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Write a block as basis · S + new · A with `new` orthonormal and orthogonal to an orthonormal basis.

    Directions in which the block is deficient are filled at random, with zero rows in A, so that a closed Krylov space
    opens again; `new` has fewer columns than the block only where the whole space is used up.

    Parameters
    ----------
    block : (n, b) array
        What to orthonormalise.
    basis : (n, m) array
        Orthonormal columns.
    rng : numpy Generator
        Fills the deficient directions.

    Returns
    -------
    S (m, b), A (b', b), new (n, b')
        With b' = min(b, n − m).

    Examples
    --------
    >>> s, a, new = orthonormalise(np.ones((3, 1)), np.eye(3)[:, :1], np.random.default_rng(0))
    >>> (np.eye(3)[:, :1] @ s + new @ a).round(12).ravel()
    array([1., 1., 1.])
    """
    size = float(np.linalg.norm(block))
    along = basis.T @ block
    rest = block - basis @ along
    again = basis.T @ rest
    rest -= basis @ again
    new, corner = np.linalg.qr(rest)
    if new.shape[1] + basis.shape[1] > len(block) or np.abs(np.diag(corner)).min() <= REORTHOGONALISE_BELOW * size:
        corner, new = _fill(rest, basis, size, rng)
    return along + again, corner, new


def _fill(rest: Array, basis: Array, size: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Orthonormalise what is left of a block when some of its directions are nearly or wholly gone."""
    n, b = rest.shape
    new, scale, turn = np.linalg.svd(rest, full_matrices=False)
    width = min(b, n - basis.shape[1])
    rank = min(int(np.sum(scale > EPS * np.sqrt(n) * size)), width)
    new, corner = _orthogonal(new[:, :rank], basis), scale[:rank, None] * turn[:rank]
    if rank < width:
        fill = rng.standard_normal((n, width - rank))
        new = np.hstack([new, _orthogonal(fill, np.hstack([basis, new]))])
        corner = np.vstack([corner, np.zeros((width - rank, b))])
    return corner, new


def _orthogonal(block: Array, basis: Array) -> Array:
    """Orthonormalise against a basis, keeping the sign of each direction."""
    for _ in range(2):
        block, triangle = np.linalg.qr(block - basis @ (basis.T @ block))
        block = block * np.copysign(1.0, np.diag(triangle))
    return block
