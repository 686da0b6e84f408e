"""Every spectral metric is a function of five sums that add up over batches, workers and processes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from maetheory.core import InputError
from maetheory.metrics.rows import directions, finite_rows, refuse_zero_rows

_TILE = 4096


class Moments:
    """The mergeable moments of features: ``n, Σz, Σzzᵀ, Σẑ, Σẑẑᵀ`` with ``ẑ = z / ‖z‖``, in float64.

    Memory is O(D²) whatever the number of rows. Squaring the spectrum loses half the digits: see `error`.

    Parameters
    ----------
    d : int
        Number of feature dimensions D.

    Attributes
    ----------
    count : int
        Number of rows seen, n.
    zero_rows : int
        How many of them are zero; they have no direction and add nothing to ``Σẑ`` and ``Σẑẑᵀ``.
    sum : ndarray (D,)
        Σz.
    second : ndarray (D, D)
        Σzzᵀ.
    direction_sum : ndarray (D,)
        Σẑ.
    direction_second : ndarray (D, D)
        Σẑẑᵀ.
    fourth : float
        Σ‖z‖⁴, the diagonal that pair averages of unnormalised features leave out.

    Examples
    --------
    >>> import numpy as np
    >>> from maetheory.metrics import effective_rank
    >>> one, two = Moments(2), Moments(2)
    >>> one.update(np.eye(2)).merge(two.update(-np.eye(2))).count
    4
    >>> round(effective_rank(one), 6)
    2.0
    """

    def __init__(self, d: int) -> None:
        if int(d) != d or d < 1:
            raise InputError(f"d must be a positive number of feature dimensions, but {d} was given")
        self.d = int(d)
        self.count = 0
        self.zero_rows = 0
        self.fourth = 0.0
        self.sum: NDArray[np.float64] = np.zeros(self.d)
        self.second: NDArray[np.float64] = np.zeros((self.d, self.d))
        self.direction_sum: NDArray[np.float64] = np.zeros(self.d)
        self.direction_second: NDArray[np.float64] = np.zeros((self.d, self.d))

    @property
    def n(self) -> int:
        """Number of rows seen."""
        return self.count

    @property
    def error(self) -> float:
        """The squaring error: how far each eigenvalue of ``Σzzᵀ`` may lie from the squared singular value.

        ``ε (D + √n) Σ‖z‖²``, so singular values below its square root are not told from zero.
        """
        return float(np.finfo(float).eps * (self.d + np.sqrt(self.count)) * np.trace(self.second))

    @property
    def direction_error(self) -> float:
        """The same for the eigenvalues of ``Σẑẑᵀ``, whose trace is n."""
        return float(np.finfo(float).eps * (self.d + np.sqrt(self.count)) * np.trace(self.direction_second))

    def update(self, batch: Any) -> Self:
        """Add the rows of `batch` (N, D), array or tensor, tile by tile; return self.

        Raises
        ------
        InputError
            If `batch` is not (N, D) or holds NaN or infinity; nothing of it is then added.
        """
        rows = finite_rows(batch, "batch", least=0, dtype=None)
        if rows.shape[1] != self.d:
            raise InputError(f"batch has {rows.shape[1]} columns, but these moments are over {self.d} dimensions")
        for start in range(0, len(rows), _TILE):
            self._add(rows[start : start + _TILE].astype(np.float64))
        return self

    def merge(self, other: Moments) -> Self:
        """Add what `other` has seen; return self, `other` stays as it was."""
        if not isinstance(other, Moments) or other.d != self.d:
            found = f"{other.d} dimensions" if isinstance(other, Moments) else type(other).__name__
            raise InputError(f"other must be Moments over {self.d} dimensions, but it is {found}")
        self.count += other.count
        self.zero_rows += other.zero_rows
        self.fourth += other.fourth
        self.sum += other.sum
        self.second += other.second
        self.direction_sum += other.direction_sum
        self.direction_second += other.direction_second
        return self

    def scatter(self) -> NDArray[np.float64]:
        """Return the centred scatter ``Σzzᵀ − (Σz)(Σz)ᵀ / n`` (D, D)."""
        return self.second - np.outer(self.sum, self.sum) / max(self.count, 1)

    def _add(self, tile: NDArray[np.float64]) -> None:
        unit = directions(tile)
        self.count += len(tile)
        self.zero_rows += int((~tile.any(axis=1)).sum())
        self.fourth += float((np.einsum("nd,nd->n", tile, tile) ** 2).sum())
        self.sum += tile.sum(axis=0)
        self.second += tile.T @ tile  # (D, N) @ (N, D) -> (D, D)
        self.direction_sum += unit.sum(axis=0)
        self.direction_second += unit.T @ unit


def enough(moments: Moments, least: int = 2) -> Moments:
    """Return `moments` if they saw at least `least` rows, else raise InputError."""
    if moments.count < least:
        raise InputError(f"these moments saw {moments.count} rows, but this metric needs at least {least}")
    return moments


def pointed(moments: Moments) -> Moments:
    """Return `moments` if they saw at least two rows and none of them zero, else raise InputError."""
    refuse_zero_rows(enough(moments).zero_rows, moments.count)
    return moments
