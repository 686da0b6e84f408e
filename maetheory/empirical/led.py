"""One process asks and the others serve, so that all need not round alike to stay in step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator

from maetheory.empirical.ranks import Ranks

T = TypeVar("T")
STOP = -1
FORWARD, BACKWARD = range(2)


def led(ranks: Ranks, block: sparse.csr_array, starts: np.ndarray, solve: Callable[[LinearOperator], T]) -> T | None:
    """Run `solve` on the first process with the products of a matrix whose rows all processes share.

    A product Bx sends x to everyone and gathers the rows of the image; Bᵀy deals out the rows of y and adds up what the
    processes make of them. Only the first process holds the solver's vectors.

    Parameters
    ----------
    ranks : Ranks
    block : csr_array, shape (n_r, N2)
        The rows of this process.
    starts : ndarray of int, shape (w + 1,)
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
    shared = _SharedRows(ranks, block, starts)
    return ranks.agreed(shared.serve if ranks.number else lambda: shared.lead(lambda: solve(shared.operator)))


class Led(ABC):
    """Products that the first process asks for and all processes compute together."""

    def __init__(self, ranks: Ranks):
        self.ranks = ranks

    def lead(self, job: Callable[[], T]) -> T:
        """Do a job, which may `ask`, then release the others; for the first process."""
        try:
            found = job()
        except Exception:
            self._told(STOP, 0)
            raise
        self._told(STOP, 0)
        return found

    def serve(self) -> None:
        """Multiply until the first process stops asking; for the others."""
        while True:
            what, columns = self._told(None, None)
            if what == STOP:
                return
            self.multiply(what, columns, None)

    def ask(self, what: int, columns: int, given: np.ndarray) -> np.ndarray:
        """Compute a product with so many columns together with the others; for the first process."""
        self._told(what, columns)
        return self.multiply(what, columns, given)

    @abstractmethod
    def multiply(self, what: int, columns: int, given: np.ndarray | None) -> np.ndarray:
        """Do this process's part of a product; `given`, and a result that means anything, are the first process's."""

    def _told(self, what: int | None, columns: int | None) -> list[int]:
        """Say, or hear, what product comes next."""
        said = None if what is None else np.array([what, columns])
        return [int(word) for word in self.ranks.told(said, (2,), np.int64)]


class _SharedRows(Led):
    """The products of a sparse matrix, each process holding the rows of a range."""

    def __init__(self, ranks: Ranks, block: sparse.csr_array, starts: np.ndarray):
        super().__init__(ranks)
        self.block, self.adjoint = block, block.T.tocsr()
        self.lengths = np.diff(starts).tolist()
        self.shape = (int(starts[-1]), block.shape[1])

    @property
    def operator(self) -> LinearOperator:
        """The whole matrix, for the first process."""
        return LinearOperator(self.shape, dtype=np.float64, matvec=self._forward, rmatvec=self._backward,
                              matmat=self._forward, rmatmat=self._backward)  # fmt: skip

    def _forward(self, x: np.ndarray) -> np.ndarray:
        wide = x.reshape(self.shape[1], -1)
        return self.ask(FORWARD, wide.shape[1], wide).reshape((self.shape[0], *x.shape[1:]))

    def _backward(self, y: np.ndarray) -> np.ndarray:
        wide = y.reshape(self.shape[0], -1)
        return self.ask(BACKWARD, wide.shape[1], wide).reshape((self.shape[1], *y.shape[1:]))

    def multiply(self, what: int, columns: int, given: np.ndarray | None) -> np.ndarray:
        if what == FORWARD:
            told = self.ranks.told(given, (self.shape[1], columns))
            return self.ranks.gathered_first(self.block @ told, self.lengths)  # (n_r, N2) @ (N2, c) -> (N1, c)
        mine = self.ranks.dealt(given, self.lengths, (columns,))
        return self.ranks.summed_first(self.adjoint @ mine)  # (N2, n_r) @ (n_r, c) -> (N2, c)
