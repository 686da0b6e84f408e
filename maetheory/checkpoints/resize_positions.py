"""A position table of one grid becomes a table of another: sines are computed anew, learned rows are interpolated."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from maetheory.models.positions import sincos_positions


def resize_position_embedding(
    table: Tensor, prefix: int, grid: int, *, antialias: bool, interpolate_offset: float = 0.0
) -> tuple[Tensor, str]:
    """Return the table (1, prefix + grid², d) of another grid, and in words how it was made.

    Parameters
    ----------
    table : Tensor, shape (1, prefix + G², d)
        The first `prefix` rows belong to tokens before the patches and stay.
    prefix, grid : int
    antialias : bool
        Whether a learned table is interpolated with an antialiased bicubic filter (timm) or a plain one (MAE).
    interpolate_offset : float
        By how much of a patch the side is longer that a learned table is stretched to, as DINOv2 does by 0.1; the new
        grid is then not centred on the old.
    """
    before, patches = table[:, :prefix], table[:, prefix:]
    side = round(patches.shape[1] ** 0.5)
    for words, swapped in (("MAE's", False), ("MoCo-v3's", True)):
        if is_sincos_embedding(patches[0], side, swapped):
            fresh = _sincos_table(table.shape[-1], grid, swapped)[None].to(table)
            return torch.cat([before, fresh], 1), f"sines and cosines in {words} order, computed anew exactly"
    picture = patches.reshape(1, side, side, -1).permute(0, 3, 1, 2)  # (1, G², d) -> (1, d, G, G)
    where: dict[str, Any] = (
        {"scale_factor": (grid + interpolate_offset) / side} if interpolate_offset else {"size": (grid, grid)}
    )
    new = F.interpolate(picture, **where, mode="bicubic", align_corners=False, antialias=antialias)
    how = "bicubic interpolation with antialiasing" if antialias else "bicubic interpolation without antialiasing"
    how += f", to a side {interpolate_offset:g} of a patch longer" if interpolate_offset else ""
    return torch.cat([before, new.flatten(2).mT], 1), how


def is_sincos_embedding(patches: Tensor, side: int, swapped: bool) -> bool:
    """Whether rows (G², d) are the fixed table; half-precision files are off by up to 2⁻⁹, a bfloat16's ε / 2 at 1."""
    if patches.shape[1] % 4:
        return False
    return torch.allclose(patches, _sincos_table(patches.shape[1], side, swapped).to(patches), rtol=0, atol=2**-8)


def _sincos_table(width: int, grid: int, swapped: bool) -> Tensor:
    """Return the fixed table (grid², width); MoCo-v3 has the halves of row and column the other way round."""
    table = sincos_positions(width, grid, grid, cls=False)[0]
    return torch.cat([table[:, width // 2 :], table[:, : width // 2]], 1) if swapped else table
