"""Gaussian kernel matrix in float32 tiles (cached, memory-mapped or recomputed), multiplied in float64."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from maetheory.core import InputError, Progress, no_progress
from maetheory.core.memory import available_memory
from maetheory.empirical.kernel.points import centre_points, duplicate_groups

T = TypeVar("T")
TILE_BYTES = 2**30  # each tile reads all points, so small tiles read them often
BLOCK_SIZE = {"cpu": 256}  # of the blocks that are converted to float64 and multiplied: one must stay in a CPU's cache
LARGEST_SQUARED = 1e150  # bandwidth, so that its square is finite
MEMORY_FRACTION = 0.5  # of the free memory that cached tiles may take


class GaussianKernelMatrix:
    """Matrix k(x, y) = exp(−‖x − y‖² / (2 b²)) of N points, cached if memory allows, else recomputed for each product.

    Entries are computed in float32 tiles, rounded once, and multiplied and added in float64: all products are those of
    one fixed matrix, whose entries differ from the kernel's by a relative `rounding_error`. The matrix is symmetric,
    and only the half on and above the diagonal is computed and cached.

    Parameters
    ----------
    points : array or Tensor, shape (N, q)
        Finite. They are centred, which keeps distances and makes their rounding small.
    bandwidth : float
        b, positive; 0 gives the identity (1 also between points that coincide), infinity the matrix of ones. A
        bandwidth at which float32 distances cannot be told from 0 is refused.
    device : str or torch.device
        Where tiles are computed and cached.
    memory_budget : int, optional
        Bytes the cached tiles may take; half of the free memory by default.
    scratch_dir : path, optional
        Folder of a memory-mapped file of about 2 N² bytes, used if the budget is too small; without it tiles are
        recomputed.
    cache : bool
        Whether to cache the entries at all; caching does not pay off for a single product.
    shard : (int, int)
        (r, w): hold every w-th tile of rows from the r-th on; products are then this shard's term of a sum.
    progress : Progress

    Raises
    ------
    InputError
        If there are fewer than two points, one is not finite, the bandwidth is negative or too small, or not even one
        row fits.

    Examples
    --------
    >>> matrix = GaussianKernelMatrix(np.array([[0.0], [1.0], [3.0]]), 1.0)
    >>> matrix.matmul(np.eye(3)).round(4)
    array([[1.    , 0.6065, 0.0111],
           [0.6065, 1.    , 0.1353],
           [0.0111, 0.1353, 1.    ]])
    """

    process_group = None  # as of a `ShardedKernelMatrix`: one process holds it all

    def __init__(
        self,
        points: Any,
        bandwidth: float,
        *,
        device: str | torch.device = "cpu",
        memory_budget: int | None = None,
        scratch_dir: str | Path | None = None,
        cache: bool = True,
        shard: tuple[int, int] = (0, 1),
        progress: Progress = no_progress,
    ) -> None:
        self.device = torch.device(device)
        self.points = centre_points(points).to(self.device)
        self.n = len(self.points)
        self.squared_norms = self.points.square().sum(1)
        self.bandwidth = self._check_bandwidth(bandwidth)
        self._duplicate_groups = duplicate_groups(points).to(self.device) if self.bandwidth == 0 else None
        self.block_size = BLOCK_SIZE.get(self.device.type, 4096)
        self.tile_rows = max(1, min(self.n, self.block_size, TILE_BYTES // (4 * self.n)))
        self.tile_starts = range(shard[0] * self.tile_rows, self.n, shard[1] * self.tile_rows)
        free = available_device_memory(self.device) if memory_budget is None else memory_budget
        if 12 * self.tile_rows * self.n > free:
            raise InputError(
                f"{self.n:,} points need tiles of {12e-9 * self.tile_rows * self.n:.2g} GB, but only "
                f"{free / 1e9:.2g} GB may be used; take fewer images"
            )
        cache_bytes = free if memory_budget is not None else int(MEMORY_FRACTION * free)
        self._entries = self._cached_entries(cache_bytes, scratch_dir, progress) if cache else None

    def run_on_root(self, job: Callable[[], T]) -> T:
        """Run a job that uses products of this matrix; counterpart of `ShardedKernelMatrix.run_on_root`."""
        return job()

    @property
    def is_cached(self) -> bool:
        """Whether the entries are cached, in memory or in a file."""
        return self._entries is not None

    @property
    def rounding_error(self) -> float:
        """Relative error of an entry from float32 distance and exponential, modelled as a random walk."""
        eps = float(np.finfo(np.float32).eps)
        if not 0 < self.bandwidth < np.inf:
            return 0.0
        return 2 * eps + (self._smallest_resolved_bandwidth() / self.bandwidth) ** 2

    @property
    def n_entries(self) -> int:
        """Number of entries of the tiles held here, those below the diagonal in square blocks included."""
        starts = np.array(self.tile_starts, np.int64)
        return int((np.minimum(self.tile_rows, self.n - starts) * (self.n - starts)).sum())

    def matmul(self, x: Any, *, power: int = 1) -> np.ndarray:
        """Return the product with x (N,) or (N, c) of the matrix with entries k to the `power`.

        A shard returns the contribution of its tiles and of their mirror images.
        """
        given = torch.as_tensor(np.asarray(x, np.float64)).to(self.device)
        rows = given.reshape(self.n, -1).T.contiguous()  # (c, N): skinny products are twice as fast from the left
        out = torch.zeros_like(rows)
        buffer = torch.empty(self.tile_rows * self.block_size, dtype=torch.float64, device=self.device)
        for start, tile in self._tiles():
            here = slice(start, start + len(tile))
            for columns in column_blocks(start, here.stop, self.n, self.block_size):
                part = tile[:, columns.start - start : columns.stop - start]  # (t, w)
                block = buffer[: part.numel()].view(part.shape).copy_(part)  # one buffer stays in the cache
                if power != 1:
                    block.pow_(power)
                out[:, here].addmm_(rows[:, columns], block.T)  # (c, w) @ (w, t)
                if columns.start >= here.stop:
                    out[:, columns].addmm_(rows[:, here], block)  # (c, t) @ (t, w)
        return np.asarray(out.T.reshape(given.shape).cpu().numpy())

    def _check_bandwidth(self, bandwidth: float) -> float:
        if not bandwidth >= 0:
            raise InputError(f"the bandwidth must not be negative, but it is {bandwidth}")
        least = self._smallest_resolved_bandwidth()
        if 0 < bandwidth < least:
            raise InputError(
                f"the bandwidth {bandwidth:.3g} is too small for these points, whose distances are known "
                f"to float32; take at least {least:.3g}, or 0 to join only what coincides"
            )
        return float(bandwidth)

    def _smallest_resolved_bandwidth(self) -> float:
        """Bandwidth at which the rounding of a squared distance changes an entry by a factor of e."""
        terms = np.sqrt(self.points.shape[1]) + 4
        return float(np.sqrt(2 * float(np.finfo(np.float32).eps) * terms * float(self.squared_norms.max())))

    def _tiles(self) -> Iterator[tuple[int, Tensor]]:
        """Yield the first row of each tile and its rows from the diagonal on, (t, N - start)."""
        offset = 0
        for start in self.tile_starts:
            stop = min(start + self.tile_rows, self.n)
            count = (stop - start) * (self.n - start)
            if self._entries is None:
                yield start, self._tile(start, stop)
            else:
                yield start, self._entries[offset : offset + count].view(stop - start, self.n - start)
            offset += count

    def _tile(self, start: int, stop: int) -> Tensor:
        """Compute rows start..stop of the matrix from the diagonal on, (t, N - start)."""
        if self._duplicate_groups is not None:
            return (self._duplicate_groups[start:stop, None] == self._duplicate_groups[None, start:]).float()
        norms = self.squared_norms
        return gaussian_kernel(
            self.points[start:stop], self.points[start:], norms[start:stop], norms[start:], self.bandwidth
        )

    def _cached_entries(self, cache_bytes: int, scratch_dir: str | Path | None, progress: Progress) -> Tensor | None:
        """Compute all tiles into memory or a file, one behind the other; None if neither is available."""
        if 4 * self.n_entries <= cache_bytes:
            entries = torch.empty(self.n_entries, device=self.device)
        elif scratch_dir is not None:
            entries = _memory_map(Path(scratch_dir), self.n_entries)
        else:
            return None
        offset = 0
        for start in self.tile_starts:
            stop = min(start + self.tile_rows, self.n)
            tile = self._tile(start, stop)
            entries[offset : offset + tile.numel()] = tile.view(-1)
            offset += tile.numel()
            progress(stop, self.n, "computing kernel tiles")
        return entries


def column_blocks(start: int, stop: int, end: int, block_size: int) -> Iterator[slice]:
    """Yield columns start..end of rows start..stop in blocks, the square block on the diagonal first."""
    yield slice(start, stop)
    for first in range(stop, end, block_size):
        yield slice(first, min(first + block_size, end))


def gaussian_kernel(x: Tensor, y: Tensor, x_squares: Tensor, y_squares: Tensor, bandwidth: float) -> Tensor:
    """Return exp(−‖x − y‖² / (2 b²)), (t, n), b > 0, for y that begins with x; its first block is made symmetric."""
    squares = (x_squares[:, None] + y_squares[None, :]).addmm_(x, y.T, alpha=-2).clamp_(min=0)  # (t, q) @ (q, n)
    diagonal_block = squares[:, : len(x)]
    diagonal_block.copy_(torch.minimum(diagonal_block, diagonal_block.T))
    diagonal_block.diagonal().zero_()
    if bandwidth > LARGEST_SQUARED:  # its square would overflow, and every entry is 1 to the last bit
        return torch.ones_like(squares)
    return squares.mul_(-0.5 / bandwidth**2).exp_()


def available_device_memory(device: torch.device) -> int:
    """Return the bytes that can still be allocated on a device."""
    if device.type == "cuda":
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # freed, but held by torch
        return int(torch.cuda.mem_get_info(device)[0]) + reserved
    return available_memory()


def _memory_map(folder: Path, size: int) -> Tensor:
    """Return `size` float32 numbers mapped to an unnamed file, which is deleted with the last reference."""
    with tempfile.TemporaryFile(dir=folder) as handle:  # the map outlives the handle
        handle.truncate(4 * size)
        return torch.from_numpy(np.memmap(handle, np.float32, "r+", shape=(size,)))
