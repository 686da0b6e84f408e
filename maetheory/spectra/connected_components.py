"""Connected components of a sparse matrix, viewed as a bipartite graph of rows and columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from maetheory.spectra.counting_operator import Array

Indices = NDArray[np.integer]


@dataclass(frozen=True)
class Component:
    """One connected component: the indices of its rows and columns in the matrix, and its entries as a CSR triple."""

    rows: Indices
    columns: Indices
    data: Array
    indices: Indices
    indptr: Indices

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the component."""
        return len(self.rows), len(self.columns)

    @property
    def matrix(self) -> Any:
        """The component as a CSR array."""
        return sparse.csr_array((self.data, self.indices, self.indptr), shape=self.shape)

    def toarray(self) -> Array:
        """Return the component as a dense array."""
        dense = np.zeros(self.shape)
        row = np.repeat(np.arange(len(self.rows)), np.diff(self.indptr))
        dense[row, self.indices] = self.data
        return dense


def split_components(matrix: Any) -> list[Component]:
    """Split a sparse matrix into the connected components of its bipartite graph of rows and columns.

    Parameters
    ----------
    matrix : (N1, N2) sparse matrix
        Stored zeros are not edges.

    Returns
    -------
    list of Component
        Components with at least one entry, in the order of their first row; empty rows and columns are in none.

    Examples
    --------
    >>> [component.columns.tolist() for component in split_components(sparse.csr_array([[1, 1, 0, 0], [0, 0, 0, 2]]))]
    [[0, 1], [3]]
    """
    matrix = _canonical_csr(matrix)
    n1, n2 = matrix.shape
    indptr = np.append(matrix.indptr, np.full(n2, matrix.nnz, dtype=matrix.indptr.dtype))
    bipartite = sparse.csr_array((matrix.data, matrix.indices + n1, indptr), shape=(n1 + n2, n1 + n2))
    n, labels = csgraph.connected_components(bipartite, directed=False)
    if n == 1:
        return [Component(np.arange(n1), np.arange(n2), matrix.data, matrix.indices, matrix.indptr)]
    return _split_by_label(matrix, np.asarray(labels[:n1]), np.asarray(labels[n1:]), int(n))


def _canonical_csr(matrix: Any) -> Any:
    """Return a CSR array without duplicates or stored zeros; the argument is not modified."""
    matrix = sparse.csr_array(matrix)
    if not matrix.has_canonical_format or not matrix.data.all():
        matrix = matrix.copy()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
    return matrix


def _split_by_label(matrix: Any, row_label: Indices, column_label: Indices, n: int) -> list[Component]:
    rows, row_start = _group_by_label(row_label, n)
    columns, column_start = _group_by_label(column_label, n)
    local = np.empty(len(columns), dtype=matrix.indices.dtype)
    local[columns] = np.arange(len(columns)) - np.repeat(column_start[:-1], np.diff(column_start))
    by_component = matrix[rows]
    indptr, indices, data = by_component.indptr, local[by_component.indices], by_component.data
    components = []
    for c in np.flatnonzero((np.diff(row_start) > 0) & (np.diff(column_start) > 0)):
        first, last = row_start[c], row_start[c + 1]
        begin, end = indptr[first], indptr[last]
        components.append(
            Component(
                rows[first:last],
                columns[column_start[c] : column_start[c + 1]],
                data[begin:end],
                indices[begin:end],
                indptr[first : last + 1] - begin,
            )
        )
    return components


def _group_by_label(label: Indices, n: int) -> tuple[Indices, Indices]:
    """Return the indices sorted by label, and the offset at which each of the n groups starts (n + 1 numbers)."""
    return np.argsort(label, kind="stable"), np.append(0, np.cumsum(np.bincount(label, minlength=n)))
