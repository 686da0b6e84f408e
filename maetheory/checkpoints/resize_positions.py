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
    grid: int,
    *,
    antialias: bool,
    interpolate_offset: float = 0.0,
    recompute_sincos: bool = True,
) -> tuple[Tensor, str]:
    """Return the table (1, prefix + grid², d) of another grid, and a description of the method.

    Parameters
    ----------
    table : Tensor, shape (1, prefix + G², d)
        The first `prefix` rows belong to tokens before the patches and are kept.
    prefix, grid : int
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
    needed = BYTES_PER_ENTRY * table.shape[-1] * grid**2
    check_memory(needed, f"position embeddings of {grid:,} x {grid:,} patches", "take a smaller image size")
    kept, patches = table[:, :prefix], table[:, prefix:]
    side = round(patches.shape[1] ** 0.5)
    for order, swapped in (("MAE's", False), ("MoCo-v3's", True)):
        if recompute_sincos and is_sincos_embedding(patches[0], side, swapped):
            recomputed = _sincos_table(table.shape[-1], grid, swapped)[None].to(table)
            return torch.cat([kept, recomputed], 1), f"sines and cosines in {order} order, computed anew exactly"
    image = patches.reshape(1, side, side, -1).permute(0, 3, 1, 2)  # (1, G², d) -> (1, d, G, G)
    target: dict[str, Any] = (
        {"scale_factor": (grid + interpolate_offset) / side} if interpolate_offset else {"size": (grid, grid)}
    )
    new = F.interpolate(image, **target, mode="bicubic", align_corners=False, antialias=antialias)
    method = "bicubic interpolation with antialiasing" if antialias else "bicubic interpolation without antialiasing"
    method += f", to a side {interpolate_offset:g} of a patch longer" if interpolate_offset else ""
    return torch.cat([kept, new.flatten(2).mT], 1), method


def is_sincos_embedding(patches: Tensor, side: int, swapped: bool) -> bool:
    """Return whether rows (G², d) are the fixed table within 2⁻⁸; bfloat16 rounds values near 1 by up to 2⁻⁹."""
    if patches.shape[1] % 4:
        return False
    return torch.allclose(patches, _sincos_table(patches.shape[1], side, swapped).to(patches), rtol=0, atol=2**-8)


def _sincos_table(width: int, grid: int, swapped: bool) -> Tensor:
    """Return the fixed table (grid², width); `swapped` exchanges the halves of row and column, as MoCo-v3 does."""
    table = sincos_positions(width, grid, grid, cls=False)[0]
    return torch.cat([table[:, width // 2 :], table[:, : width // 2]], 1) if swapped else table
