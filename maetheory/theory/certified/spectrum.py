"""Verified enclosures of all eigenvalues of a symmetric matrix, multiple eigenvalues included.

Eigenvectors X are computed in floats and refined by Newton steps at the working precision. The enclosure then follows
from two theorems: by Ostrowski λ_i(XᵀSX) = θ_i λ_i(S) with |θ_i − 1| ≤ ‖XᵀX − I‖, by Weyl
|λ_i(XᵀSX) − t_i| ≤ ‖XᵀSX − diag t‖ for sorted t. The proof does not depend on how X was found, and no eigenvalue needs
to be simple.

References
----------
Ogita and Aishima 2018, Iterative refinement for symmetric eigenvalue decomposition (the Newton step).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from maetheory.theory.certified.balls import (
    Ball,
    BallMatrix,
    UndecidedError,
    ball,
    ball_around,
    ball_matrix,
    from_rows,
    nonnegative_sqrt,
    squared_norm,
    to_float_array,
    working_bits,
)

_MAX_NEWTON_STEPS = 12
_MIXING_THRESHOLD = 1e-3
_CLOSE_GAP = 1e-6


def eigenvalues(symmetric: BallMatrix, start: BallMatrix | None = None) -> tuple[list[Ball], BallMatrix]:
    """Enclose all eigenvalues of a symmetric matrix.

    Parameters
    ----------
    symmetric : arb_mat, shape (n, n)
    start : arb_mat, shape (n, n), optional
        Eigenvectors found at a lower precision; they only save steps.

    Returns
    -------
    values : list of n arb
        Enclosures, descending.
    vectors : arb_mat, shape (n, n)
        The eigenvectors used, without error bounds.

    Raises
    ------
    UndecidedError
        If an entry is not finite, or the eigenvectors found are too far from orthogonal for an enclosure.

    Examples
    --------
    >>> from maetheory.theory.certified.balls import enclosure, precision
    >>> with precision(212):
    ...     found = [enclosure(v) for v in eigenvalues(ball_matrix(np.array([[2.0, 1.0], [1.0, 2.0]])))[0]]
    >>> [round(v.mid, 12) for v in found], max(v.radius for v in found) < 1e-15
    ([3.0, 1.0], True)
    """
    if not all(x.is_finite() for x in symmetric.entries()):
        raise UndecidedError("a matrix has an entry that is not finite")
    middle = symmetric.mid()
    vectors = _refine_eigenvectors(middle, _float_eigenvectors(middle) if start is None else start)
    here, unit = _congruence(symmetric, vectors), vectors.transpose() * vectors
    found = [here[i, i].mid() for i in range(here.nrows())]
    off = nonnegative_sqrt(squared_norm(here - _diagonal(found)))
    skew = nonnegative_sqrt(squared_norm(unit - _diagonal([ball(1)] * len(found))))
    if not skew < 1:
        raise UndecidedError("the eigenvectors are not orthogonal enough to enclose the eigenvalues")
    return [ball_around(value, off) / ball_around(ball(1), skew) for value in sorted(found, reverse=True)], vectors


def _float_eigenvectors(middle: BallMatrix) -> BallMatrix:
    floats = to_float_array(middle)
    return ball_matrix(np.linalg.eigh((floats + floats.T) / 2)[1])


def _refine_eigenvectors(middle: BallMatrix, vectors: BallMatrix) -> BallMatrix:
    """Eigenvectors of a symmetric matrix of points, refined by Newton steps until the error no longer decreases."""
    bits, least, best = working_bits(), math.inf, vectors
    goal = 2.0 ** (4 - bits) * middle.nrows()
    for _ in range(_MAX_NEWTON_STEPS):
        better, wrong = _newton_step(middle, vectors)
        settled = 2 * wrong > least and least < 2.0 ** (-bits / 2)
        if wrong < least:
            least, best = wrong, vectors
        if wrong <= goal or settled or not math.isfinite(wrong):
            break
        vectors = better
    return best


def _newton_step(middle: BallMatrix, vectors: BallMatrix) -> tuple[BallMatrix, float]:
    """Return the vectors after one Newton step, and the size of the error before it.

    Two vectors that mix weakly, compared with the gap of their eigenvalues, are corrected to first order. Vectors that
    mix strongly form a cluster, whose block is scaled to unit size and diagonalised.
    """
    n = middle.nrows()
    t, r = _congruence(middle, vectors).mid().tolist(), (vectors.transpose() * vectors).mid().tolist()
    values = [(t[i][i] / r[i][i]).mid() for i in range(n)]
    mixing = _pairwise_mixing(values, t, r)
    sizes = np.array([[abs(float(x)) for x in row] for row in mixing])
    member = _cluster_indices(_eigenvalue_gaps(values), sizes)
    skewed = max(abs(float(r[i][j] - (i == j))) for i in range(n) for j in range(n))
    change = [
        [
            (1.5 if i == j else 0.0) - r[i][j] / 2 + (x / (values[j] - values[i]) if x != 0 and apart else 0)
            for j, (x, apart) in enumerate(zip(row, member != member[i]))
        ]
        for i, row in enumerate(mixing)
    ]
    better = (vectors * from_rows(change, n, n).mid()).mid()
    return _rediagonalise_clusters(better, t, member), max(float(sizes.max()), skewed)


def _pairwise_mixing(values: list[Ball], t: list[list[Ball]], r: list[list[Ball]]) -> list[list[Ball]]:
    """Rotation that each pair of vectors still needs; exactly symmetric, so that the step is orthogonal."""
    n = len(values)
    mixing = [[ball(0)] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1, n):
            mixing[i][j] = mixing[j][i] = (t[i][j] - (values[i] + values[j]) * r[i][j] / 2).mid()
    return mixing


def _eigenvalue_gaps(values: list[Ball]) -> np.ndarray:
    """Pairwise distances of the values, without cancellation."""
    floats = np.array([float(value) for value in values])
    gaps = np.abs(floats[:, None] - floats[None, :])
    for i, j in zip(*np.nonzero(gaps < _CLOSE_GAP)):
        gaps[i, j] = abs(float(values[i] - values[j]))
    return gaps


def _cluster_indices(gaps: np.ndarray, mixing: np.ndarray) -> np.ndarray:
    """Cluster index of each vector, from 0; vectors of equal eigenvalues form one even if they do not mix."""
    return connected_components(csr_array(mixing >= _MIXING_THRESHOLD * gaps), directed=False)[1]


def _rediagonalise_clusters(vectors: BallMatrix, t: list[list[Ball]], member: np.ndarray) -> BallMatrix:
    """Rotate the vectors of each cluster so that they diagonalise its block."""
    columns = vectors.transpose().tolist()
    n = len(columns)
    for cluster in np.flatnonzero(np.bincount(member) > 1):
        inside = np.flatnonzero(member == cluster)
        centre, m = t[inside[0]][inside[0]], len(inside)
        block = from_rows([[t[i][j] - (centre if i == j else 0) for j in inside] for i in inside], m, m)
        size = max(abs(float(x)) for x in block.entries())
        if size > 0:
            rotated = _orthogonal_eigenvectors(to_float_array(block / ball(size))) * from_rows(
                [columns[i] for i in inside], m, n
            )
            for i, column in zip(inside, rotated.mid().tolist()):
                columns[i] = column
    return from_rows(columns, n, n).transpose()


def _orthogonal_eigenvectors(block: np.ndarray) -> BallMatrix:
    """Transposed eigenvectors of a float matrix, orthogonalised to the working precision."""
    found = ball_matrix(np.linalg.eigh((block + block.T) / 2)[1].T)
    three = _diagonal([ball(3)] * len(block))
    for _ in range(max(1, math.ceil(math.log2(working_bits() / 48)))):
        found = (((three - found * found.transpose()) * found) * 0.5).mid()
    return found


def _congruence(symmetric: BallMatrix, vectors: BallMatrix) -> BallMatrix:
    return vectors.transpose() * (symmetric * vectors)


def _diagonal(values: list[Ball]) -> BallMatrix:
    n, zero = len(values), ball(0)
    return from_rows([[value if i == j else zero for j in range(n)] for i, value in enumerate(values)], n, n)
