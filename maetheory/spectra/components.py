"""A singular value of a graph belongs to one connected component, so the components are solved apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph


@dataclass(frozen=True)
class Block:
    """One connected component: which rows and columns of the whole matrix, and the matrix between them."""

    rows: NDArray[np.integer]
    columns: NDArray[np.integer]
    matrix: Any


def components(matrix: Any) -> list[Block]:
    """Split a sparse matrix into the connected components of its bipartite graph, rows against columns.

    Parameters
    ----------
    matrix : (N1, N2) sparse matrix
        Stored zeros do not connect anything.

    Returns
    -------
    list of Block
        Components with at least one entry, in the order of their first row; empty rows and columns are in none.

    Examples
    --------
    >>> [block.columns.tolist() for block in components(sparse.csr_array([[1, 1, 0, 0], [0, 0, 0, 2]]))]
    [[0, 1], [3]]
    """
    matrix = sparse.csr_array(matrix)
    if not matrix.data.all():
        matrix = matrix.copy()
        matrix.eliminate_zeros()
    n1, n2 = matrix.shape
    bipartite = sparse.csr_array(
        (matrix.data, matrix.indices + n1, np.append(matrix.indptr, np.full(n2, matrix.nnz))), shape=(n1 + n2, n1 + n2)
    )
    n, labels = csgraph.connected_components(bipartite, directed=False)
    if n == 1:
        return [Block(np.arange(n1), np.arange(n2), matrix)]
    return _cut(matrix, labels[:n1], labels[n1:], n)


def _cut(matrix: Any, row_label: NDArray[np.integer], column_label: NDArray[np.integer], n: int) -> list[Block]:
    rows, columns = np.argsort(row_label, kind="stable"), np.argsort(column_label, kind="stable")
    sorted_matrix = matrix[rows][:, columns]
    row_end = np.cumsum(np.bincount(row_label, minlength=n))
    column_end = np.cumsum(np.bincount(column_label, minlength=n))
    row_start, column_start = np.append(0, row_end[:-1]), np.append(0, column_end[:-1])
    full = np.flatnonzero((row_end > row_start) & (column_end > column_start))
    return [
        Block(
            rows[row_start[c] : row_end[c]],
            columns[column_start[c] : column_end[c]],
            sorted_matrix[row_start[c] : row_end[c], column_start[c] : column_end[c]],
        )
        for c in full
    ]
