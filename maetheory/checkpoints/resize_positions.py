"""Resize a position embedding to another patch grid: recompute sines and cosines, interpolate learned tables."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from maetheory.core.memory import check_memory
from maetheory.models.positions import sincos_positions

BYTES_PER_ENTRY = 24  # of a new table: computed in float64, converted to float32, and joined with the tokens before it


def resize_position_embedding(
    table: Tensor,
    prefix: int,
    grid: int | tuple[int, int],
    *,
    old_grid: tuple[int, int] | None = None,
    antialias: bool,
    interpolate_offset: float = 0.0,
    recompute_sincos: bool = True,
) -> tuple[Tensor, str]:
    """Return the table (1, prefix + rows · columns, d) of another grid, and a description of the method.

    Parameters
    ----------
    table : Tensor, shape (1, prefix + p, d)
        The first `prefix` rows belong to tokens before the patches and are kept.
    prefix : int
    grid : int or (int, int)
        Rows and columns of the new grid, one number if they are equal.
    old_grid : (int, int), optional
        Rows and columns of the table, by default equal.
    antialias : bool
        Whether a learned table is interpolated with an antialiased bicubic filter (timm) or a plain one (MAE).
    recompute_sincos : bool
        Whether a table of sines and cosines is computed anew, exactly, and not interpolated.
    interpolate_offset : float
        Fraction of a patch added to the side to which a learned table is interpolated (DINOv2 adds 0.1), so that the
        new grid is not centred on the old.

    Raises
    ------
    InputError
        If the table of the new grid would not fit into memory.
    """
    grid = (grid, grid) if isinstance(grid, int) else grid
    needed = BYTES_PER_ENTRY * table.shape[-1] * grid[0] * grid[1]
    check_memory(needed, f"position embeddings of {grid[0]:,} x {grid[1]:,} patches", "take a smaller image size")
    kept, patches = table[:, :prefix], table[:, prefix:]
    old = old_grid or (round(patches.shape[1] ** 0.5),) * 2
    for order, swapped in (("MAE's", False), ("MoCo-v3's", True)):
        if recompute_sincos and is_sincos_embedding(patches[0], old, swapped):
            recomputed = _sincos_table(table.shape[-1], grid, swapped)[None].to(table)
            return torch.cat([kept, recomputed], 1), f"sines and cosines in {order} order, computed anew exactly"
    image = patches.reshape(1, *old, -1).permute(0, 3, 1, 2)  # (1, p, d) -> (1, d, rows, columns)
    scales = tuple((new + interpolate_offset) / side for new, side in zip(grid, old))
    target: dict[str, Any] = {"scale_factor": scales} if interpolate_offset else {"size": grid}
    new = F.interpolate(image, **target, mode="bicubic", align_corners=False, antialias=antialias)
    method = "bicubic interpolation with antialiasing" if antialias else "bicubic interpolation without antialiasing"
    method += f", to a side {interpolate_offset:g} of a patch longer" if interpolate_offset else ""
    return torch.cat([kept, new.flatten(2).mT], 1), method


def is_sincos_embedding(patches: Tensor, grid: int | tuple[int, int], swapped: bool) -> bool:
    """Return whether rows (p, d) are the fixed table within 2⁻⁸; bfloat16 rounds values near 1 by up to 2⁻⁹."""
    rows, columns = (grid, grid) if isinstance(grid, int) else grid
    if patches.shape[1] % 4 or patches.shape[0] != rows * columns:
        return False
    table = _sincos_table(patches.shape[1], (rows, columns), swapped).to(patches)
    return torch.allclose(patches, table, rtol=0, atol=2**-8)


def _sincos_table(width: int, grid: tuple[int, int], swapped: bool) -> Tensor:
    """Return the fixed table (p, width); `swapped` exchanges the halves of row and column, as MoCo-v3 does."""
    table = sincos_positions(width, *grid, cls=False)[0]
    return torch.cat([table[:, width // 2 :], table[:, : width // 2]], 1) if swapped else table
