"""One process solves and the others multiply, so that all need not round alike to stay in step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator

from maetheory.core import InputError
from maetheory.empirical.ranks import Ranks

T = TypeVar("T")
STOP, FORWARD, BACKWARD = range(3)


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
    shared = _Shared(ranks, block, starts)
    return ranks.agreed(shared.serve if ranks.number else lambda: shared.lead(solve))


class _Shared:
    """The products of the shared matrix, asked for by the first process."""

    def __init__(self, ranks: Ranks, block: sparse.csr_array, starts: np.ndarray):
        self.ranks, self.block, self.adjoint = ranks, block, block.T.tocsr()
        self.lengths = np.diff(starts).tolist()
        self.shape = (int(starts[-1]), block.shape[1])

    def lead(self, solve: Callable[[LinearOperator], T]) -> T:
        """Solve with the products of the whole matrix, then release the others."""
        operator = LinearOperator(self.shape, dtype=np.float64, matvec=self._forward, rmatvec=self._backward,
                                  matmat=self._forward, rmatmat=self._backward)  # fmt: skip
        try:
            found = solve(operator)
        except InputError:
            self.call(STOP, 0)
            raise
        self.call(STOP, 0)
        return found

    def serve(self) -> None:
        """Multiply until the first process stops asking."""
        while True:
            what, columns = self.call(None, None)
            if what == STOP:
                return
            (self._images if what == FORWARD else self._sums)(None, columns)

    def call(self, what: int | None, columns: int | None) -> list[int]:
        """Say what product comes next."""
        said = None if what is None else np.array([what, columns])
        return [int(word) for word in self.ranks.told(said, (2,), np.int64)]

    def _forward(self, x: np.ndarray) -> np.ndarray:
        wide = x.reshape(self.shape[1], -1)
        self.call(FORWARD, wide.shape[1])
        return self._images(wide, wide.shape[1]).reshape((self.shape[0], *x.shape[1:]))

    def _backward(self, y: np.ndarray) -> np.ndarray:
        wide = y.reshape(self.shape[0], -1)
        self.call(BACKWARD, wide.shape[1])
        return self._sums(wide, wide.shape[1]).reshape((self.shape[1], *y.shape[1:]))

    def _images(self, x: np.ndarray | None, columns: int) -> np.ndarray:
        told = self.ranks.told(x, (self.shape[1], columns))
        return self.ranks.gathered_first(self.block @ told, self.lengths)  # (n_r, N2) @ (N2, c) -> (N1, c)

    def _sums(self, y: np.ndarray | None, columns: int) -> np.ndarray:
        mine = self.ranks.dealt(y, self.lengths, (columns,))
        return self.ranks.summed_first(self.adjoint @ mine)  # (N2, n_r) @ (n_r, c) -> (N2, c)
