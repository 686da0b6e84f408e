"""Masks that hide one near-square block of patches at a uniformly drawn position."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isqrt
from typing import final

import numpy as np

from maetheory.core import InputError
from maetheory.masks.law import MaskLaw, check_masks


@final
@dataclass(frozen=True)
class BlockMasks(MaskLaw):
    """Uniform distribution over the positions of one hidden block; exactly `n_visible` patches stay visible.

    The block is the rectangle nearest to a square that holds the hidden patches and fits the grid; when they do not
    fill it, the lowest cells of its last column stay visible. Its complement at 1 − ρ is *not* a block mask, so this
    law breaks the mask-ratio duality of uniform and Bernoulli masks.

    Parameters
    ----------
    grid : int or (int, int)
        Rows and columns of the patch grid, patches counted in raster order; an int means a square grid.
    n_visible : int
        Visible patches, from 1 to rows·columns − 1.

    Examples
    --------
    >>> BlockMasks((2, 2), 2).support()[0].astype(int).tolist()
    [[0, 0, 1, 1], [1, 1, 0, 0]]
    """

    grid: int | tuple[int, int]
    n_visible: int

    def __post_init__(self) -> None:
        if isinstance(self.grid, int):
            object.__setattr__(self, "grid", (self.grid, self.grid))
        if not 1 <= self.n_visible < self.n_patches:
            raise InputError(
                f"n_visible must lie between 1 and rows x columns - 1 = {self.n_patches - 1}, "
                f"but it is {self.n_visible}"
            )

    @property
    def grid_shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        assert isinstance(self.grid, tuple)
        return self.grid

    @property
    def n_patches(self) -> int:  # type: ignore[override]  # read-only here; a dataclass field in other laws
        """Number of patches, rows times columns."""
        return self.grid_shape[0] * self.grid_shape[1]

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns of the hidden block."""
        hidden = self.n_patches - self.n_visible
        rows, columns = self.grid_shape
        height = max(ceil(hidden / columns), min(rows, isqrt(hidden)))
        return height, ceil(hidden / height)

    @property
    def mask_ratio(self) -> float:
        """Exactly 1 − n_visible / n_patches."""
        return 1.0 - self.n_visible / self.n_patches

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw `n` masks, shape (n, n_patches)."""
        masks, _ = self.support()
        return masks[rng.integers(len(masks), size=n)]

    def support(self) -> tuple[np.ndarray, np.ndarray]:
        """Return one mask per position of the block, in raster order, all equally likely."""
        (rows, columns), (height, width) = self.grid_shape, self.block_shape
        block = np.ones((height, width), bool)
        surplus = height * width - (self.n_patches - self.n_visible)
        block[height - surplus :, -1] = False
        corners = [(i, j) for i in range(rows - height + 1) for j in range(columns - width + 1)]
        masks = np.ones((len(corners), rows, columns), bool)
        for mask, (i, j) in zip(masks, corners, strict=True):
            mask[i : i + height, j : j + width] &= ~block
        return masks.reshape(len(corners), -1), np.full(len(corners), 1.0 / len(corners))

    def probability(self, masks: np.ndarray) -> np.ndarray:
        """Return one over the number of positions for a block mask, else 0."""
        masks = check_masks(masks, self.n_patches)
        known = {mask.tobytes() for mask in self.support()[0]}
        return np.array([mask.tobytes() in known for mask in masks]) / len(known)
