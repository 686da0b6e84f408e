"""Coordinator/worker protocol: rank 0 runs the solver and requests matrix products, the other ranks compute a share.

Only the root decides when an iteration stops, so processes stay in step even where their rounding errors differ.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator

from maetheory.empirical.parallel.process_group import ProcessGroup

T = TypeVar("T")
STOP = -1
MATMAT, RMATMAT = range(2)


def solve_on_root(
    process_group: ProcessGroup, local_rows: sparse.csr_array, offsets: np.ndarray, solve: Callable[[LinearOperator], T]
) -> T | None:
    """Run a solver on the root with products of a matrix whose rows are distributed over the processes.

    A product Bx broadcasts x and gathers the rows of the image; Bᵀy scatters the rows of y and reduces the partial
    products. Only the root holds the solver's vectors.

    Parameters
    ----------
    process_group : ProcessGroup
    local_rows : csr_array, shape (n_r, N2)
        The rows of this process.
    offsets : ndarray of int, shape (w + 1,)
        Index of the first row of each process, then the number of rows.
    solve : callable
        Takes B as a LinearOperator, shape (N1, N2).

    Returns
    -------
    What `solve` returns, on the root; None on the other processes.

    Raises
    ------
    InputError
        On every process, if `solve` raised one on the root.
    """
    matrix = _RowShardedMatrix(process_group, local_rows, offsets)
    return process_group.run_everywhere(
        matrix.run_worker if process_group.rank else lambda: matrix.run_root(lambda: solve(matrix.operator))
    )


class RootDriven(ABC):
    """Coordinator/worker protocol for matrix products that the root requests and all processes compute.

    The root calls `run_root` with a job that may call `request`; all other processes call `run_worker`.
    """

    def __init__(self, process_group: ProcessGroup):
        self.process_group = process_group

    def run_root(self, job: Callable[[], T]) -> T:
        """Run a job that may call `request`, then release the workers; on the root only."""
        try:
            result = job()
        except Exception:
            self._broadcast_request(STOP, 0)
            raise
        self._broadcast_request(STOP, 0)
        return result

    def run_worker(self) -> None:
        """Compute this process's share of each requested product until the root stops; on all other processes."""
        while True:
            operation, columns = self._broadcast_request(None, None)
            if operation == STOP:
                return
            self.multiply(operation, columns, None)

    def request(self, operation: int, columns: int, operand: np.ndarray) -> np.ndarray:
        """Compute a product with an operand of so many columns, together with the workers; on the root only."""
        self._broadcast_request(operation, columns)
        return self.multiply(operation, columns, operand)

    @abstractmethod
    def multiply(self, operation: int, columns: int, operand: np.ndarray | None) -> np.ndarray:
        """Compute this process's share of a product; operand and result are defined on the root only."""

    def _broadcast_request(self, operation: int | None, columns: int | None) -> list[int]:
        """Send the next request from the root, or receive it, as (operation, columns)."""
        message = None if operation is None else np.array([operation, columns])
        return [int(entry) for entry in self.process_group.broadcast(message, (2,), np.int64)]


class _RowShardedMatrix(RootDriven):
    """Sparse matrix whose rows are distributed over the processes in contiguous ranges."""

    def __init__(self, process_group: ProcessGroup, local_rows: sparse.csr_array, offsets: np.ndarray):
        super().__init__(process_group)
        self.local_rows, self.adjoint = local_rows, local_rows.T.tocsr()
        self.lengths = np.diff(offsets).tolist()
        self.shape = (int(offsets[-1]), local_rows.shape[1])

    @property
    def operator(self) -> LinearOperator:
        """The whole matrix as a LinearOperator; on the root only."""
        return LinearOperator(
            self.shape,
            dtype=np.float64,
            matvec=self._forward,
            rmatvec=self._backward,
            matmat=self._forward,
            rmatmat=self._backward,
        )

    def _forward(self, x: np.ndarray) -> np.ndarray:
        wide = x.reshape(self.shape[1], -1)
        return self.request(MATMAT, wide.shape[1], wide).reshape((self.shape[0], *x.shape[1:]))

    def _backward(self, y: np.ndarray) -> np.ndarray:
        wide = y.reshape(self.shape[0], -1)
        return self.request(RMATMAT, wide.shape[1], wide).reshape((self.shape[1], *y.shape[1:]))

    def multiply(self, operation: int, columns: int, operand: np.ndarray | None) -> np.ndarray:
        """Compute this process's rows of Bx, or its term of Bᵀy."""
        if operation == MATMAT:
            x = self.process_group.broadcast(operand, (self.shape[1], columns))
            return self.process_group.gather(self.local_rows @ x, self.lengths)  # (n_r, N2) @ (N2, c) -> (N1, c)
        y = self.process_group.scatter(operand, self.lengths, (columns,))
        return self.process_group.reduce(self.adjoint @ y)  # (N2, n_r) @ (n_r, c) -> (N2, c)
