"""Mergeable first, second and fourth moments of features."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from maetheory.core import InputError
from maetheory.metrics.tile_buffers import TileBuffers
from maetheory.metrics.validation import Floats, check_features, check_no_zero_rows, normalize_rows

_TILE = 4096
_PRECISIONS = {"float64": np.float64, "float32": np.float32}


class Moments:
    """The mergeable moments of features: ``n, Σz, Σzzᵀ, Σẑ, Σẑẑᵀ`` with ``ẑ = z / ‖z‖``, kept in float64.

    Every spectral metric is a function of these sums, which add up over batches, workers and processes. Memory is O(D²)
    for any number of rows. Squaring the spectrum loses half the digits: see `error`.

    Parameters
    ----------
    d : int
        Number of feature dimensions D.
    precision : {"float64", "float32"}
        Precision of the products within a tile of 4096 rows, which are added in float64. float32 takes half the time
        and suffices when the spectrum is well above its larger `error`; the error of each metric of moments tells.

    Attributes
    ----------
    count : int
        Number of rows added, n.
    zero_rows : int
        Number of rows that are zero; they have no direction and add nothing to ``Σẑ`` and ``Σẑẑᵀ``.
    sum : ndarray (D,)
        Σz.
    second_moment : ndarray (D, D)
        Σzzᵀ.
    direction_sum : ndarray (D,)
        Σẑ.
    direction_second_moment : ndarray (D, D)
        Σẑẑᵀ.
    fourth_moment : float
        Σ‖z‖⁴, the diagonal that averages over pairs of unnormalised features exclude.

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
        self.fourth_moment = 0.0
        self.sum: NDArray[np.float64] = np.zeros(self.d)
        self.second_moment: NDArray[np.float64] = np.zeros((self.d, self.d))
        self.direction_sum: NDArray[np.float64] = np.zeros(self.d)
        self.direction_second_moment: NDArray[np.float64] = np.zeros((self.d, self.d))
        self._rounding = 0.0  # Σ ε ‖z‖², ε that of the precision each tile was multiplied in
        self._direction_rounding = 0.0
        self._cache: dict[str, NDArray[np.float64]] = {}

    @property
    def n(self) -> int:
        """Number of rows added."""
        return self.count

    @property
    def error(self) -> float:
        """Squaring error: bound on the difference of each eigenvalue of ``Σzzᵀ`` and the squared singular value.

        ``(64 + √D + √(n/4096)) ε Σ‖z‖²``: 64 for rounding that keeps its sign within a tile (equal rows), the roots for
        rounding that does not. Singular values below its root are indistinguishable from zero and are counted as zero.
        """
        return self._rounding_factor * self._rounding

    @property
    def direction_error(self) -> float:
        """The squaring error of the eigenvalues of ``Σẑẑᵀ``, whose trace is the number of nonzero rows."""
        return self._rounding_factor * self._direction_rounding

    def update(self, batch: Any) -> Self:
        """Add the rows of `batch` (N, D), an array or tensor, tile by tile; return self.

        Raises
        ------
        InputError
            If `batch` is not (N, D), holds NaN or infinity, or numbers whose fourth power overflows; then no row is
            added.
        """
        rows = check_features(batch, "batch", min_rows=0, dtype=None)
        if rows.shape[1] != self.d:
            raise InputError(f"batch has {rows.shape[1]} columns, but these moments are over {self.d} dimensions")
        if rows.dtype.itemsize >= 8 and max(rows.max(initial=0), -rows.min(initial=0)) > 1e70:
            raise InputError("batch has entries above 1e70, whose fourth powers overflow; scale the features down")
        buffers = TileBuffers(min(len(rows), _TILE), self.d, _PRECISIONS[self.precision])
        for start in range(0, len(rows), _TILE):
            self._add_tile(rows[start : start + _TILE], buffers)
        self._cache.clear()
        return self

    def merge(self, other: Moments) -> Self:
        """Add the moments of `other`, which is not modified; return self."""
        if not isinstance(other, Moments) or other.d != self.d:
            found = f"{other.d} dimensions" if isinstance(other, Moments) else type(other).__name__
            raise InputError(f"other must be Moments over {self.d} dimensions, but it is {found}")
        self._load_packed(self.pack() + other.pack())
        return self

    def pack(self) -> NDArray[np.float64]:
        """Return the moments as one vector; merging adds such vectors, so an all-reduce merges processes."""
        scalars = [self.count, self.zero_rows, self.fourth_moment, self._rounding, self._direction_rounding]
        parts = [self.sum, self.direction_sum, self.second_moment.ravel(), self.direction_second_moment.ravel()]
        return np.concatenate([scalars, *parts])

    @classmethod
    def unpack(cls, packed: NDArray[np.float64], *, precision: str = "float64") -> Moments:
        """Return the moments whose `pack` is this vector.

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
        return self.second_moment - np.outer(self.sum, self.sum) / max(self.count, 1)

    def cached(self, key: str, compute: Callable[[], NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return a copy of the array stored under `key`, computed on first use; adding rows clears the cache."""
        if key not in self._cache:
            self._cache[key] = compute()
        return self._cache[key].copy()

    @property
    def second(self) -> NDArray[np.float64]:
        """Old name of `second_moment`."""
        warnings.warn("Moments.second was renamed; use Moments.second_moment", DeprecationWarning, stacklevel=2)
        return self.second_moment

    @property
    def direction_second(self) -> NDArray[np.float64]:
        """Old name of `direction_second_moment`."""
        new = "Moments.direction_second_moment"
        warnings.warn(f"Moments.direction_second was renamed; use {new}", DeprecationWarning, stacklevel=2)
        return self.direction_second_moment

    @property
    def fourth(self) -> float:
        """Old name of `fourth_moment`."""
        warnings.warn("Moments.fourth was renamed; use Moments.fourth_moment", DeprecationWarning, stacklevel=2)
        return self.fourth_moment

    @property
    def _rounding_factor(self) -> float:
        return float(64 + np.sqrt(self.d) + np.sqrt(self.count / _TILE))

    def _load_packed(self, packed: NDArray[np.float64]) -> None:
        d = self.d
        self.count, self.zero_rows = int(packed[0]), int(packed[1])
        self.fourth_moment, self._rounding, self._direction_rounding = (float(number) for number in packed[2:5])
        self.sum, self.direction_sum = packed[5 : 5 + d].copy(), packed[5 + d : 5 + 2 * d].copy()
        self.second_moment, self.direction_second_moment = packed[5 + 2 * d :].reshape(2, d, d).copy()
        self._cache.clear()

    def _add_tile(self, rows: Floats, buffers: TileBuffers) -> None:
        tile = buffers.cast(rows)
        squares = np.einsum("nd,nd->n", tile, tile)
        if self.precision == "float32" and not _in_float32_range(squares):
            buffers = TileBuffers(len(rows), self.d, np.float64)
            tile = buffers.cast(rows)
            squares = np.einsum("nd,nd->n", tile, tile)
        unit = buffers.scale_rows(tile, 1 / np.sqrt(squares)) if _in_float32_range(squares) else normalize_rows(tile)
        zero = int((~tile.any(axis=1)).sum()) if squares.min() < 1e-30 else 0
        epsilon = float(np.finfo(tile.dtype).eps)
        self.count += len(tile)
        self.zero_rows += zero
        self.fourth_moment += float(np.square(squares, dtype=np.float64).sum())
        self.sum += tile.sum(axis=0, dtype=np.float64)
        self.second_moment += buffers.gram(tile)
        self.direction_sum += unit.sum(axis=0, dtype=np.float64)
        self.direction_second_moment += buffers.gram(unit)
        self._rounding += epsilon * float(squares.sum(dtype=np.float64))
        self._direction_rounding += epsilon * (len(tile) - zero)


def require_rows(moments: Moments, min_rows: int = 2) -> Moments:
    """Return `moments` if they are of at least `min_rows` rows, else raise InputError."""
    if moments.count < min_rows:
        found = f"{moments.count} row" + ("" if moments.count == 1 else "s")
        raise InputError(f"these moments are of {found}, but this metric needs at least {min_rows}")
    return moments


def require_nonzero_rows(moments: Moments) -> Moments:
    """Return `moments` if they are of at least two rows, none of them zero, else raise InputError."""
    check_no_zero_rows(require_rows(moments).zero_rows, moments.count)
    return moments


def _in_float32_range(squares: Floats) -> bool:
    """Whether squared lengths are nonzero and far from overflow and underflow in float32."""
    return bool(squares.min() > 1e-30 and squares.max() < 1e30)
