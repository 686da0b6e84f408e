"""Fixed two-dimensional sine-cosine position embedding."""

from __future__ import annotations

import torch
from torch import Tensor


def sincos_positions(width: int, rows: int, columns: int, *, cls: bool = True) -> Tensor:
    """Return the two-dimensional sine-cosine position embedding of MAE (He et al. 2022).

    The first half of the width encodes the column, the second half the row; in each half sines come before cosines.

    Parameters
    ----------
    width : int
        Must be divisible by four.
    rows, columns : int
        Size of the patch grid.
    cls : bool, default True
        Whether to prepend a zero row for the cls token.

    Returns
    -------
    Tensor, shape (1, rows * columns + cls, width)
    """
    frequency = 10000.0 ** -(torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    halves = []
    for position in (column.reshape(-1), row.reshape(-1)):
        angle = position[:, None].double() * frequency  # (p, width / 4)
        halves += [angle.sin(), angle.cos()]
    table = torch.cat(halves, dim=1).float()  # (p, width)
    if cls:
        table = torch.cat([torch.zeros(1, width), table])
    return table[None]
