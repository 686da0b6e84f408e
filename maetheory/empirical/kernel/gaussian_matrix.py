"""The Gaussian kernel of N points is a matrix too large to write down carelessly, known by its products."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from maetheory.core import InputError, Progress, silent
from maetheory.core.memory import available_memory

T = TypeVar("T")
TILE_BYTES = 2**30  # small tiles read all points too often
BLOCK_SIZE = {"cpu": 256}  # of the blocks that are widened and multiplied: on a CPU one must stay in its cache
MEMORY_FRACTION = 0.5  # of the free memory that a table may take
MEDIAN_SAMPLE = 2048  # points whose distances give the median


class GaussianKernelMatrix:
    """k(x, y) = exp(−‖x − y‖² / (2 b²)) of N points, kept where there is room, else computed again at each product.

    Entries are computed in float32 tiles, once rounded, and then multiplied and added in float64: the products are
    those of one exact matrix, whose entries differ from the kernel's by a relative `rounding`. It is symmetric, and
    only the half on and above the diagonal is computed and kept.

    Parameters
    ----------
    points : array or Tensor, shape (N, q)
        Finite. Centred here, which leaves distances alone and their rounding small.
    bandwidth : float
        b, positive; 0 gives the identity (points that coincide excepted), infinity the matrix of ones. So small that
        float32 distances cannot be told from 0 beside it, it is refused.
    device : str or torch.device
        Where tiles are computed and kept.
    room : int, optional
        Bytes the table may take; half of the free memory by default.
    scratch_dir : path, optional
        A folder for a file of 2 N² bytes and a little, when memory has no room; else tiles are computed again.
    keep : bool
        Whether to keep the entries at all; not worth it for a single product.
    share : (int, int)
        (r, w): hold every w-th tile of rows from the r-th on; products are then this share's part of a sum.
    progress : Progress

    Raises
    ------
    InputError
        If there are fewer than two points, one is not finite, the bandwidth is negative or too small, or not even one
        row fits.

    Examples
    --------
    >>> table = GaussianKernelMatrix(np.array([[0.0], [1.0], [3.0]]), 1.0)
    >>> table.times(np.eye(3)).round(4)
    array([[1.    , 0.6065, 0.0111],
           [0.6065, 1.    , 0.1353],
           [0.0111, 0.1353, 1.    ]])
    """

    def __init__(
        self,
        points: Any,
        bandwidth: float,
        *,
        device: str | torch.device = "cpu",
        room: int | None = None,
        scratch_dir: str | Path | None = None,
        keep: bool = True,
        share: tuple[int, int] = (0, 1),
        progress: Progress = silent,
    ) -> None:
        self.device = torch.device(device)
        self.points = centre_points(points).to(self.device)
        self.n = len(self.points)
        if not bandwidth >= 0:
            raise InputError(f"the bandwidth must not be negative, but it is {bandwidth}")
        self.bandwidth = float(bandwidth)
        self.squares = self.points.square().sum(1)
        least = self._resolution()
        if 0 < self.bandwidth < least:
            raise InputError(
                f"the bandwidth {bandwidth:.3g} is too small for these points, whose distances are known "
                f"to float32; take at least {least:.3g}, or 0 to join only what coincides"
            )
        self._duplicate_groups = duplicate_groups(points).to(self.device) if self.bandwidth == 0 else None
        self.block_size = BLOCK_SIZE.get(self.device.type, 4096)
        self.rows = max(1, min(self.n, self.block_size, TILE_BYTES // (4 * self.n)))
        self.starts = range(share[0] * self.rows, self.n, share[1] * self.rows)
        free = available_device_memory(self.device) if room is None else room
        if 12 * self.rows * self.n > free:
            raise InputError(
                f"{self.n:,} points need tiles of {12e-9 * self.rows * self.n:.2g} GB, but only "
                f"{free / 1e9:.2g} GB may be used; take fewer images"
            )
        most = free if room is not None else int(MEMORY_FRACTION * free)
        self._table = self._cached_tiles(most, scratch_dir, progress) if keep else None

    process_group = None  # nobody shares it

    def together(self, job: Callable[[], T]) -> T:
        """Do a job with products of this table, as `ShardedKernelMatrix.together` does with many processes."""
        return job()

    @property
    def kept(self) -> bool:
        """Whether the entries were computed once and kept, in memory or in a file."""
        return self._table is not None

    @property
    def rounding(self) -> float:
        """Relative error of an entry, of distance and exponential in float32; rounding is taken as a random walk."""
        eps = float(np.finfo(np.float32).eps)
        if not 0 < self.bandwidth < np.inf:
            return 0.0
        return 2 * eps + (self._resolution() / self.bandwidth) ** 2

    def _resolution(self) -> float:
        """Bandwidth at which the rounding of a squared distance changes an entry by a factor of e."""
        terms = np.sqrt(self.points.shape[1]) + 4
        return float(np.sqrt(2 * float(np.finfo(np.float32).eps) * terms * float(self.squares.max())))

    @property
    def size(self) -> int:
        """Entries on and above the diagonal of the tiles held, those below it inside a tile's first block included."""
        starts = np.array(self.starts, np.int64)
        return int((np.minimum(self.rows, self.n - starts) * (self.n - starts)).sum())

    def times(self, x: Any, *, power: int = 1) -> np.ndarray:
        """Return the product with x (N,) or (N, c) of the matrix whose entries are k to the `power`.

        Of a share it is the part that the tiles held, and those they mirror, add to it.
        """
        given = torch.as_tensor(np.asarray(x, np.float64)).to(self.device)
        across = given.reshape(self.n, -1).T.contiguous()  # (c, N): skinny products are twice as fast from the left
        out = torch.zeros_like(across)
        room = torch.empty(self.rows * self.block_size, dtype=torch.float64, device=self.device)  # stays in the cache
        for start, tile in self._tiles():
            here = slice(start, start + len(tile))
            for place in column_blocks(start, here.stop, self.n, self.block_size):
                part = tile[:, place.start - start : place.stop - start]  # (t, w)
                block = room[: part.numel()].view(part.shape).copy_(part)
                if power != 1:
                    block.pow_(power)
                out[:, here].addmm_(across[:, place], block.T)  # (c, w) @ (w, t)
                if place.start >= here.stop:
                    out[:, place].addmm_(across[:, here], block)  # (c, t) @ (t, w)
        return np.asarray(out.T.reshape(given.shape).cpu().numpy())

    def _tiles(self) -> Iterator[tuple[int, Tensor]]:
        """Rows of the table, each tile from its diagonal on, (t, N - start)."""
        place = 0
        for start in self.starts:
            stop = min(start + self.rows, self.n)
            count = (stop - start) * (self.n - start)
            if self._table is None:
                yield start, self._tile(start, stop)
            else:
                yield start, self._table[place : place + count].view(stop - start, self.n - start)
            place += count

    def _tile(self, start: int, stop: int) -> Tensor:
        """Compute rows start..stop of the table from their diagonal on, (t, N - start)."""
        if self._duplicate_groups is not None:
            return (self._duplicate_groups[start:stop, None] == self._duplicate_groups[None, start:]).float()
        return gaussian(
            self.points[start:stop], self.points[start:], self.squares[start:stop], self.squares[start:], self.bandwidth
        )

    def _cached_tiles(self, room: int, scratch_dir: str | Path | None, progress: Progress) -> Tensor | None:
        if 4 * self.size <= room:
            table = torch.empty(self.size, device=self.device)
        elif scratch_dir is not None:
            table = _memory_map(Path(scratch_dir), self.size)
        else:
            return None
        place = 0
        for start in self.starts:
            stop = min(start + self.rows, self.n)
            tile = self._tile(start, stop)
            table[place : place + tile.numel()] = tile.view(-1)
            place += tile.numel()
            progress(stop, self.n, "comparing images")
        return table


def column_blocks(start: int, stop: int, end: int, block_size: int) -> Iterator[slice]:
    """Columns start..end of rows start..stop in blocks: the square one on the diagonal first."""
    yield slice(start, stop)
    for first in range(stop, end, block_size):
        yield slice(first, min(first + block_size, end))


def gaussian(x: Tensor, y: Tensor, x_squares: Tensor, y_squares: Tensor, bandwidth: float) -> Tensor:
    """Return exp(−‖x − y‖² / (2 b²)), (t, n), b > 0, for y that begins with x; its first block is made symmetric."""
    apart = (x_squares[:, None] + y_squares[None, :]).addmm_(x, y.T, alpha=-2).clamp_(min=0)  # (t, q) @ (q, n)
    square = apart[:, : len(x)]
    square.copy_(torch.minimum(square, square.T))
    square.diagonal().zero_()
    return apart.mul_(-0.5 / bandwidth**2).exp_() if np.isfinite(bandwidth) else torch.ones_like(apart)


def median_distance(points: Any, rng: np.random.Generator) -> float:
    """Return the median distance of two different points, from at most 2048 of them."""
    chosen = centre_points(points)
    if len(chosen) > MEDIAN_SAMPLE:
        chosen = chosen[torch.as_tensor(rng.choice(len(chosen), MEDIAN_SAMPLE, replace=False))]
    return float(torch.pdist(chosen.double()).median())


def median_heuristic(points: Any, factor: float, rng: np.random.Generator) -> float:
    """Return `factor` times the median distance; 0 and infinity stand for themselves, whatever the distances are."""
    return factor * median_distance(points, rng) if 0 < factor < np.inf else float(factor)


def duplicate_groups(points: Any) -> Tensor:
    """Return a number (N,) for each point (N, q), the same where points are the same to the last bit."""
    return torch.unique(_rows(points), dim=0, return_inverse=True)[1]


def _rows(points: Any) -> Tensor:
    return torch.as_tensor(points if isinstance(points, Tensor) else np.asarray(points))


def centre_points(points: Any) -> Tensor:
    """Return points (N, q) as float32 about their mean, or complain."""
    rows = _rows(points)
    if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] < 1:
        raise InputError(f"points must be (N, q) with at least two rows, but they are {tuple(rows.shape)}")
    wide = rows.double()
    bad = int((~torch.isfinite(wide)).any(1).sum())
    if bad:
        raise InputError(f"{bad} of {len(rows)} points hold NaN or infinity")
    return (wide - wide.mean(0)).float()


def available_device_memory(device: torch.device) -> int:
    """Return the bytes that tables may still take on a device."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # by torch, of what was freed
        return int(torch.cuda.mem_get_info(device)[0]) + kept
    return available_memory()


def _memory_map(folder: Path, size: int) -> Tensor:
    """Return `size` float32 numbers in a file that nobody else sees and that vanishes with its last user."""
    with tempfile.TemporaryFile(dir=folder) as handle:  # the map outlives it
        handle.truncate(4 * size)
        return torch.from_numpy(np.memmap(handle, np.float32, "r+", shape=(size,)))
