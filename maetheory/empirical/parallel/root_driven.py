"""One process asks and the others serve, so that all need not round alike to stay in step."""

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
    process_group: ProcessGroup, block: sparse.csr_array, offsets: np.ndarray, solve: Callable[[LinearOperator], T]
) -> T | None:
    """Run `solve` on the first process with the products of a matrix whose rows all processes share.

    A product Bx sends x to everyone and gathers the rows of the image; Bᵀy deals out the rows of y and adds up what the
    processes make of them. Only the first process holds the solver's vectors.

    Parameters
    ----------
    process_group : Ranks
    block : csr_array, shape (n_r, N2)
        The rows of this process.
    offsets : ndarray of int, shape (w + 1,)
        Where the rows of each process begin.
    solve : callable
        Takes B as a LinearOperator, shape (N1, N2).

    Returns
    -------
    What `solve` returns, on the first process; None on the others.

    Raises
    ------
    InputError
        On every process, if `solve` raised one on the first.
    """
    shared = _RowShardedMatrix(process_group, block, offsets)
    return process_group.run_everywhere(
        shared.run_worker if process_group.number else lambda: shared.run_root(lambda: solve(shared.operator))
    )


class RootDriven(ABC):
    """Products that the first process asks for and all processes compute together."""

    def __init__(self, process_group: ProcessGroup):
        self.process_group = process_group

    def run_root(self, job: Callable[[], T]) -> T:
        """Do a job, which may `ask`, then release the others; for the first process."""
        try:
            found = job()
        except Exception:
            self._broadcast_request(STOP, 0)
            raise
        self._broadcast_request(STOP, 0)
        return found

    def run_worker(self) -> None:
        """Multiply until the first process stops asking; for the others."""
        while True:
            what, columns = self._broadcast_request(None, None)
            if what == STOP:
                return
            self.multiply(what, columns, None)

    def ask(self, what: int, columns: int, given: np.ndarray) -> np.ndarray:
        """Compute a product with so many columns together with the others; for the first process."""
        self._broadcast_request(what, columns)
        return self.multiply(what, columns, given)

    @abstractmethod
    def multiply(self, what: int, columns: int, given: np.ndarray | None) -> np.ndarray:
        """Do this process's part of a product; `given`, and a result that means anything, are the first process's."""

    def _broadcast_request(self, what: int | None, columns: int | None) -> list[int]:
        """Say, or hear, what product comes next."""
        said = None if what is None else np.array([what, columns])
        return [int(word) for word in self.process_group.told(said, (2,), np.int64)]


class _RowShardedMatrix(RootDriven):
    """The products of a sparse matrix, each process holding the rows of a range."""

    def __init__(self, process_group: ProcessGroup, block: sparse.csr_array, offsets: np.ndarray):
        super().__init__(process_group)
        self.block, self.adjoint = block, block.T.tocsr()
        self.lengths = np.diff(offsets).tolist()
        self.shape = (int(offsets[-1]), block.shape[1])

    @property
    def operator(self) -> LinearOperator:
        """The whole matrix, for the first process."""
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
        return self.ask(MATMAT, wide.shape[1], wide).reshape((self.shape[0], *x.shape[1:]))

    def _backward(self, y: np.ndarray) -> np.ndarray:
        wide = y.reshape(self.shape[0], -1)
        return self.ask(RMATMAT, wide.shape[1], wide).reshape((self.shape[1], *y.shape[1:]))

    def multiply(self, what: int, columns: int, given: np.ndarray | None) -> np.ndarray:
        if what == MATMAT:
            told = self.process_group.told(given, (self.shape[1], columns))
            return self.process_group.gather(self.block @ told, self.lengths)  # (n_r, N2) @ (N2, c) -> (N1, c)
        mine = self.process_group.scatter(given, self.lengths, (columns,))
        return self.process_group.reduce(self.adjoint @ mine)  # (N2, n_r) @ (n_r, c) -> (N2, c)
