"""Mergeable first, second and fourth moments of features."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from maetheory.core import InputError
from maetheory.metrics.centred_moments import CentredMoments
from maetheory.metrics.tile_buffers import TileBuffers
from maetheory.metrics.validation import Floats, check_features, check_no_zero_rows, normalize_rows

_TILE = 4096
_PRECISIONS = {"float64": np.float64, "float32": np.float32}


class Moments:
    """The mergeable moments of features: ``n, Σz, Σzzᵀ, Σẑ, Σẑẑᵀ`` with ``ẑ = z / ‖z‖``, kept in float64.

    Every spectral metric is a function of these moments, which merge over batches, workers and processes. Memory is
    O(D²) for any number of rows. Squaring the spectrum loses half the digits: see `error`. The scatter is accumulated
    around the mean of each tile (Chan, Golub and LeVeque 1983), so that a mean far larger than the spread costs none.

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
        self.direction_sum: NDArray[np.float64] = np.zeros(self.d)
        self.direction_second_moment: NDArray[np.float64] = np.zeros((self.d, self.d))
        self._centred = CentredMoments.of_no_rows(self.d)
        self._rounding = 0.0  # Σ ε ‖z‖², ε that of the precision each tile was multiplied in
        self._direction_rounding = 0.0
        self._cache: dict[str, NDArray[np.float64]] = {}

    @property
    def n(self) -> int:
        """Number of rows added."""
        return self.count

    @property
    def sum(self) -> NDArray[np.float64]:
        """Σz (D,)."""
        return self._centred.sum

    @property
    def second_moment(self) -> NDArray[np.float64]:
        """Σzzᵀ (D, D)."""
        if "second_moment" not in self._cache:
            self._cache["second_moment"] = self._centred.scatter + np.outer(self.sum, self.sum) / max(self.count, 1)
        return self._cache["second_moment"]

    @second_moment.setter
    def second_moment(self, matrix: NDArray[np.float64]) -> None:
        packed = self.pack()
        packed[5 + 2 * self.d : 5 + 2 * self.d + self.d**2] = np.ravel(matrix)
        self._load_packed(packed, np.zeros(self.d))

    @property
    def all_rows_equal(self) -> bool:
        """Whether the rows are known to be equal; moments that were packed about the origin do not know it."""
        return self._centred.rounding == 0

    @property
    def error(self) -> float:
        """Squaring error: bound on the difference of each eigenvalue of ``Σzzᵀ`` and the squared singular value.

        ``(64 + √D + √(n/4096)) ε Σ‖z‖²``: 64 for rounding that keeps its sign within a tile (equal rows), the roots for
        rounding that does not. Singular values below its root are indistinguishable from zero and are counted as zero.
        """
        return self._rounding_factor * self._rounding

    @property
    def centred_error(self) -> float:
        """The squaring error of the eigenvalues of the scatter: ε multiplies ``Σ‖z − z̄‖²`` in place of ``Σ‖z‖²``.

        ``ε² Σ‖z‖²`` is added, because numbers are known to their last digit only: centred singular values below
        ``ε ‖Z‖_F`` are counted as zero for features, too.
        """
        return self._rounding_factor * self._centred.rounding + float(np.finfo(float).eps) * self._rounding

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
        self._centred = self._centred.merged(other._centred)
        self.count += other.count
        self.zero_rows += other.zero_rows
        self.fourth_moment += other.fourth_moment
        self.direction_sum = self.direction_sum + other.direction_sum
        self.direction_second_moment = self.direction_second_moment + other.direction_second_moment
        self._rounding += other._rounding
        self._direction_rounding += other._direction_rounding
        self._cache.clear()
        return self

    def pack(self, centre: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Return the moments as one vector; merging adds such vectors, so an all-reduce merges processes.

        The vector holds ``Σ(z − c)`` and ``Σ(z − c)(z − c)ᵀ`` about `centre` c (D,), the origin by default. Around the
        origin a mean far larger than the spread costs digits, which `centred_error` accounts for; moments that are
        packed about one c close to their mean keep them.
        """
        scalars = [self.count, self.zero_rows, self.fourth_moment, self._rounding, self._direction_rounding]
        total, matrix = self._centred.about(np.zeros(self.d) if centre is None else centre)
        parts = [total, self.direction_sum, matrix.ravel(), self.direction_second_moment.ravel()]
        return np.concatenate([scalars, *parts, [] if centre is None else [self._centred.rounding]])

    @classmethod
    def unpack(
        cls, packed: NDArray[np.float64], *, precision: str = "float64", centre: NDArray[np.float64] | None = None
    ) -> Moments:
        """Return the moments whose `pack` about `centre` is this vector.

        Raises
        ------
        InputError
            If the length is not ``2D² + 2D + 5`` for any D, or one more where a centre (D,) is given.
        """
        length = len(packed) - (centre is not None)
        d = round((np.sqrt(2 * length - 9) - 1) / 2) if length > 8 else 0
        if 2 * d * d + 2 * d + 5 != length or (centre is not None and len(centre) != d):
            about = "" if centre is None else ", and one more about a centre of D numbers"
            raise InputError(f"packed must hold 2D² + 2D + 5 numbers for some D{about}, but holds {len(packed)}")
        moments = cls(d, precision=precision)
        moments._load_packed(packed, np.zeros(d) if centre is None else np.asarray(centre, np.float64))
        return moments

    def scatter(self) -> NDArray[np.float64]:
        """Return the centred scatter ``Σzzᵀ − (Σz)(Σz)ᵀ / n`` (D, D)."""
        return self._centred.scatter.copy()

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

    def _load_packed(self, packed: NDArray[np.float64], centre: NDArray[np.float64]) -> None:
        d = self.d
        self.count, self.zero_rows = int(packed[0]), int(packed[1])
        self.fourth_moment, self._rounding, self._direction_rounding = (float(number) for number in packed[2:5])
        total, self.direction_sum = packed[5 : 5 + d].copy(), packed[5 + d : 5 + 2 * d].copy()
        matrix, self.direction_second_moment = packed[5 + 2 * d : 5 + 2 * d + 2 * d * d].reshape(2, d, d).copy()
        rounding = float(packed[-1]) if len(packed) > 5 + 2 * d + 2 * d * d else self._rounding
        self._centred = CentredMoments.from_sums(self.count, centre, total, matrix, rounding)
        self._cache.clear()

    def _add_tile(self, rows: Floats, buffers: TileBuffers) -> None:
        tile = buffers.cast(rows)
        squares = np.einsum("nd,nd->n", tile, tile)
        if self.precision == "float32" and not _in_float32_range(squares):
            buffers = TileBuffers(len(rows), self.d, np.float64)
            tile = buffers.cast(rows)
            squares = np.einsum("nd,nd->n", tile, tile)
        self._centred = self._centred.merged(buffers.centred_moments(rows))
        unit = buffers.scale_rows(tile, 1 / np.sqrt(squares)) if _in_float32_range(squares) else normalize_rows(tile)
        zero = int((~tile.any(axis=1)).sum()) if squares.min() < 1e-30 else 0
        epsilon = float(np.finfo(tile.dtype).eps)
        self.count += len(tile)
        self.zero_rows += zero
        self.fourth_moment += float(np.square(squares, dtype=np.float64).sum())
        self.direction_sum += unit.sum(axis=0, dtype=np.float64)
        self.direction_second_moment += buffers.gram(unit)
        self._rounding += epsilon * float(squares.sum(dtype=np.float64))
        self._direction_rounding += epsilon * (len(tile) - zero)


def merge_moments(parts: Sequence[Moments]) -> Moments:
    """Return the moments of several disjoint sets of rows together."""
    total = Moments(parts[0].d)
    for part in parts:
        total.merge(part)
    return total


def leave_one_part_out(parts: Sequence[Moments], others: Moments | None = None) -> Iterator[Moments]:
    """Yield the moments of all parts but one, in the order of the parts, with `others` in each.

    The parts are merged, about ``g log₂ g`` times for g parts. Subtracting one from the total would lose the digits of
    the rest where that part has by far the largest spread.
    """
    others = Moments(parts[0].d) if others is None else others
    if len(parts) == 1:
        yield others
        return
    half = len(parts) // 2
    for kept, left_out in ((parts[half:], parts[:half]), (parts[:half], parts[half:])):
        yield from leave_one_part_out(left_out, merge_moments([others, *kept]))


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
