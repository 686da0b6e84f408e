"""Every spectral metric is a function of five sums that add up over batches, workers and processes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from maetheory.core import InputError
from maetheory.metrics.validation import Floats, check_features, check_no_zero_rows, normalize_rows

_TILE = 4096
_PRECISIONS = {"float64": np.float64, "float32": np.float32}


class Moments:
    """The mergeable moments of features: ``n, Σz, Σzzᵀ, Σẑ, Σẑẑᵀ`` with ``ẑ = z / ‖z‖``, kept in float64.

    Memory is O(D²) whatever the number of rows. Squaring the spectrum loses half the digits: see `error`.

    Parameters
    ----------
    d : int
        Number of feature dimensions D.
    precision : {"float64", "float32"}
        In what the products of a tile of 4096 rows are computed before they are added in float64. float32 takes half
        the time and is enough when the spectrum stands above its larger `error`; metrics of moments say whether.

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
    direction_second_moment : ndarray (D, D)
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

    def __init__(self, d: int, *, precision: str = "float64") -> None:
        if int(d) != d or d < 1:
            raise InputError(f"d must be a positive number of feature dimensions, but {d} was given")
        if precision not in _PRECISIONS:
            raise InputError(f'precision must be "float64" or "float32", but {precision!r} was given')
        self.d = int(d)
        self.precision = precision
        self.count = 0
        self.zero_rows = 0
        self.fourth = 0.0
        self.sum: NDArray[np.float64] = np.zeros(self.d)
        self.second: NDArray[np.float64] = np.zeros((self.d, self.d))
        self.direction_sum: NDArray[np.float64] = np.zeros(self.d)
        self.direction_second_moment: NDArray[np.float64] = np.zeros((self.d, self.d))
        self._rounding = 0.0  # Σ ε ‖z‖², ε that of the precision each tile was multiplied in
        self._direction_rounding = 0.0
        self._spectra: dict[str, NDArray[np.float64]] = {}

    @property
    def n(self) -> int:
        """Number of rows seen."""
        return self.count

    @property
    def error(self) -> float:
        """The squaring error: how far each eigenvalue of ``Σzzᵀ`` may lie from the squared singular value.

        ``(64 + √D + √(n/4096)) ε Σ‖z‖²``: 64 for rounding that keeps its sign within a tile (equal rows), the roots for
        rounding that does not. Singular values below its root are not told from zero and are counted as zero.
        """
        return self._growth * self._rounding

    @property
    def direction_error(self) -> float:
        """The same for the eigenvalues of ``Σẑẑᵀ``, whose trace is the number of rows that are not zero."""
        return self._growth * self._direction_rounding

    def update(self, batch: Any) -> Self:
        """Add the rows of `batch` (N, D), array or tensor, tile by tile; return self.

        Raises
        ------
        InputError
            If `batch` is not (N, D), holds NaN or infinity, or numbers whose fourth power overflows; nothing of it is
            then added.
        """
        rows = check_features(batch, "batch", min_rows=0, dtype=None)
        if rows.shape[1] != self.d:
            raise InputError(f"batch has {rows.shape[1]} columns, but these moments are over {self.d} dimensions")
        if rows.dtype.itemsize >= 8 and max(rows.max(initial=0), -rows.min(initial=0)) > 1e70:
            raise InputError("batch has entries above 1e70, whose fourth powers overflow; scale the features down")
        buffers = _TileBuffers(min(len(rows), _TILE), self.d, _PRECISIONS[self.precision])
        for start in range(0, len(rows), _TILE):
            self._add_tile(rows[start : start + _TILE], buffers)
        self._spectra.clear()
        return self

    def merge(self, other: Moments) -> Self:
        """Add what `other` has seen; return self, `other` stays as it was."""
        if not isinstance(other, Moments) or other.d != self.d:
            found = f"{other.d} dimensions" if isinstance(other, Moments) else type(other).__name__
            raise InputError(f"other must be Moments over {self.d} dimensions, but it is {found}")
        self._load_packed(self.pack() + other.pack())
        return self

    def pack(self) -> NDArray[np.float64]:
        """Return everything as one vector; such vectors add up as moments merge, so an all-reduce merges processes."""
        scalars = [self.count, self.zero_rows, self.fourth, self._rounding, self._direction_rounding]
        parts = [self.sum, self.direction_sum, self.second.ravel(), self.direction_second_moment.ravel()]
        return np.concatenate([scalars, *parts])

    @classmethod
    def unpack(cls, packed: NDArray[np.float64], *, precision: str = "float64") -> Moments:
        """Return the moments that `pack` made a vector of.

        Raises
        ------
        InputError
            If the length is not ``2D² + 2D + 5`` for any D.
        """
        d = round((np.sqrt(2 * len(packed) - 9) - 1) / 2) if len(packed) > 8 else 0
        if 2 * d * d + 2 * d + 5 != len(packed):
            raise InputError(f"packed must hold 2D² + 2D + 5 numbers for some D, but holds {len(packed)}")
        moments = cls(d, precision=precision)
        moments._load_packed(packed)
        return moments

    def scatter(self) -> NDArray[np.float64]:
        """Return the centred scatter ``Σzzᵀ − (Σz)(Σz)ᵀ / n`` (D, D)."""
        return self.second - np.outer(self.sum, self.sum) / max(self.count, 1)

    @property
    def _growth(self) -> float:
        return float(64 + np.sqrt(self.d) + np.sqrt(self.count / _TILE))

    def _load_packed(self, packed: NDArray[np.float64]) -> None:
        d = self.d
        self.count, self.zero_rows = int(packed[0]), int(packed[1])
        self.fourth, self._rounding, self._direction_rounding = (float(number) for number in packed[2:5])
        self.sum, self.direction_sum = packed[5 : 5 + d].copy(), packed[5 + d : 5 + 2 * d].copy()
        self.second, self.direction_second_moment = packed[5 + 2 * d :].reshape(2, d, d).copy()
        self._spectra.clear()

    def _add_tile(self, rows: Floats, buffers: _TileBuffers) -> None:
        tile = buffers.cast(rows)
        squares = np.einsum("nd,nd->n", tile, tile)
        if self.precision == "float32" and not _in_float32_range(squares):
            buffers = _TileBuffers(len(rows), self.d, np.float64)
            tile = buffers.cast(rows)
            squares = np.einsum("nd,nd->n", tile, tile)
        unit = buffers.scale_rows(tile, 1 / np.sqrt(squares)) if _in_float32_range(squares) else normalize_rows(tile)
        zero = int((~tile.any(axis=1)).sum()) if squares.min() < 1e-30 else 0
        epsilon = float(np.finfo(tile.dtype).eps)
        self.count += len(tile)
        self.zero_rows += zero
        self.fourth += float(np.square(squares, dtype=np.float64).sum())
        self.sum += tile.sum(axis=0, dtype=np.float64)
        self.second += buffers.gram(tile)
        self.direction_sum += unit.sum(axis=0, dtype=np.float64)
        self.direction_second_moment += buffers.gram(unit)
        self._rounding += epsilon * float(squares.sum(dtype=np.float64))
        self._direction_rounding += epsilon * (len(tile) - zero)


class _TileBuffers:
    """Where the copies and products of one tile after another are written: asking for memory anew costs a fifth."""

    def __init__(self, n: int, d: int, dtype: type) -> None:
        self.tile: Floats = np.empty((n, d), dtype)
        self.unit: Floats = np.empty((n, d), dtype)
        self.gram_buffer: Floats = np.empty((d, d), dtype)

    def cast(self, rows: Floats) -> Floats:
        """Return `rows` (n, D) in the format of this room."""
        if rows.dtype == self.tile.dtype:
            return rows
        self.tile[: len(rows)] = rows
        return self.tile[: len(rows)]

    def scale_rows(self, tile: Floats, factors: Floats) -> Floats:
        """Return the rows of `tile` (n, D) times `factors` (n,)."""
        return np.multiply(tile, factors[:, None], out=self.unit[: len(tile)])

    def gram(self, tile: Floats) -> Floats:
        """Return ``tileᵀ tile``, (D, n) @ (n, D) -> (D, D); the next call overwrites it."""
        return np.matmul(tile.T, tile, out=self.gram_buffer)


def require_rows(moments: Moments, min_rows: int = 2) -> Moments:
    """Return `moments` if they saw at least `min_rows` rows, else raise InputError."""
    if moments.count < min_rows:
        found = f"{moments.count} row" + ("" if moments.count == 1 else "s")
        raise InputError(f"these moments saw {found}, but this metric needs at least {min_rows}")
    return moments


def require_nonzero_rows(moments: Moments) -> Moments:
    """Return `moments` if they saw at least two rows and none of them zero, else raise InputError."""
    check_no_zero_rows(require_rows(moments).zero_rows, moments.count)
    return moments


def _in_float32_range(squares: Floats) -> bool:
    """Say whether squared lengths are far enough from overflow and underflow in float32, and none is zero."""
    return bool(squares.min() > 1e-30 and squares.max() < 1e30)
