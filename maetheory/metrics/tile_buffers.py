"""Buffers reused for every tile of rows whose moments are added."""

from __future__ import annotations

import numpy as np

from maetheory.metrics.validation import Floats


class TileBuffers:
    """Buffers for the copies and products of a tile, reused because allocating them anew costs a fifth of the time."""

    def __init__(self, n: int, d: int, dtype: type) -> None:
        self.tile: Floats = np.empty((n, d), dtype)
        self.unit: Floats = np.empty((n, d), dtype)
        self.gram_buffer: Floats = np.empty((d, d), dtype)

    def cast(self, rows: Floats) -> Floats:
        """Return `rows` (n, D) in the dtype of the buffers, copied if necessary."""
        if rows.dtype == self.tile.dtype:
            return rows
        self.tile[: len(rows)] = rows
        return self.tile[: len(rows)]

    def scale_rows(self, tile: Floats, factors: Floats) -> Floats:
        """Return the rows of `tile` (n, D) multiplied by `factors` (n,)."""
        return np.multiply(tile, factors[:, None], out=self.unit[: len(tile)])

    def gram(self, tile: Floats) -> Floats:
        """Return ``tileᵀ tile``, (D, n) @ (n, D) -> (D, D); the next call overwrites it."""
        return np.matmul(tile.T, tile, out=self.gram_buffer)
