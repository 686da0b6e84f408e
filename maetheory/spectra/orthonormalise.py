"""Orthonormalisation of a block of vectors against an orthonormal basis."""

from __future__ import annotations

import numpy as np

from maetheory.spectra.counting_operator import EPS, Array

REORTHOGONALISE_BELOW = 1e-3  # directions shrunk below this by the projection are orthonormalised again


def orthonormalise(block: Array, basis: Array, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Factor a block as basis · S + new · A, with `new` orthonormal and orthogonal to an orthonormal basis.

    Rank-deficient directions of the block are replaced by random ones, with zero rows in A, so that the iteration goes
    on when the Krylov space is exhausted; `new` has fewer columns than the block only if the whole space is used up.

    Parameters
    ----------
    block : (n, b) array
        Block to orthonormalise.
    basis : (n, m) array
        Orthonormal columns.
    rng : numpy Generator
        Draws the replacements of deficient directions.

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
    norm = float(np.linalg.norm(block))
    coefficients = basis.T @ block
    rest = block - basis @ coefficients
    correction = basis.T @ rest
    rest -= basis @ correction
    new, corner = np.linalg.qr(rest)
    if new.shape[1] + basis.shape[1] > len(block) or np.abs(np.diag(corner)).min() <= REORTHOGONALISE_BELOW * norm:
        corner, new = _fill_deficient(rest, basis, norm, rng)
    return coefficients + correction, corner, new


def _fill_deficient(rest: Array, basis: Array, norm: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Orthonormalise a projected block that has lost some of its directions, wholly or nearly."""
    n, b = rest.shape
    new, scale, vt = np.linalg.svd(rest, full_matrices=False)
    n_new = min(b, n - basis.shape[1])
    rank = min(int(np.sum(scale > EPS * np.sqrt(n) * norm)), n_new)
    new, corner = _orthonormalise_against(new[:, :rank], basis), scale[:rank, None] * vt[:rank]
    if rank < n_new:
        fill = rng.standard_normal((n, n_new - rank))
        new = np.hstack([new, _orthonormalise_against(fill, np.hstack([basis, new]))])
        corner = np.vstack([corner, np.zeros((n_new - rank, b))])
    return corner, new


def _orthonormalise_against(block: Array, basis: Array) -> Array:
    """Orthonormalise a block against a basis, keeping the sign of each direction."""
    for _ in range(2):
        block, triangle = np.linalg.qr(block - basis @ (basis.T @ block))
        block = block * np.copysign(1.0, np.diag(triangle))
    return block
