"""Rotary positions of patches: rotations of queries and keys by angles that grow with row and column.

Rotary positions (Su et al. 2021) of images exist in three forms. Axial ones give half of each head's features to the
row and half to the column (EVA-02, Fang et al. 2023; Perception Encoder, Bolya et al. 2025; RoPE-ViT, Heo et al. 2024);
DINOv3 (Siméoni et al. 2025) does so with coordinates from -1 to 1; mixed ones learn a direction for each feature pair
(RoPE-ViT).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Literal, NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class RotaryPositions:
    """How the angles of rotary positions follow from the patch grid.

    Attributes
    ----------
    kind : str
        "axial" (angles proportional to row and column), "normalized" (to coordinates from -1 to 1) or "mixed" (learned
        frequencies for row and column, `rope.freqs`).
    temperature : float
        The lowest frequency is about 1/temperature of the highest; without meaning for "mixed".
    reference_grid : tuple of int, optional
        Axial rows and columns are scaled to this grid; None leaves them as they are.
    offset : float
        Row and column of the first patch.
    column_first : bool
        Whether the first half of the features belongs to the column.
    split_halves : bool
        Whether feature i forms a pair with feature i + half; else neighbours do.
    rounded_periods : bool
        Whether the periods are rounded to bfloat16, as in the published files of DINOv3.
    """

    kind: Literal["axial", "normalized", "mixed"]
    temperature: float = 10000.0
    reference_grid: tuple[int, int] | None = None
    offset: float = 0.0
    column_first: bool = False
    split_halves: bool = False
    rounded_periods: bool = False

    def __str__(self) -> str:
        """Return the form in a few words."""
        if self.kind == "mixed":
            return "mixed, with learned frequencies"
        scaled = f", scaled to {self.reference_grid[0]} x {self.reference_grid[1]}" if self.reference_grid else ""
        return f"{self.kind}, temperature {self.temperature:g}{scaled}"


class Rotation(NamedTuple):
    """Cosines and sines (…, p, features of a head) of the angles, and whether features pair up across halves."""

    cos: Tensor
    sin: Tensor
    split_halves: bool


def rotation_of_patches(
    positions: RotaryPositions, grid: tuple[int, int], head_dim: int, frequencies: Tensor | None = None
) -> Rotation:
    """Return the rotation of every patch, row by row.

    Parameters
    ----------
    positions : RotaryPositions
    grid : tuple of int
        Rows and columns of patches.
    head_dim : int
        Features of one head, a multiple of four.
    frequencies : Tensor, shape (2, depth, heads, head_dim / 2), optional
        The learned ones of the mixed form.

    Returns
    -------
    Rotation
        Of shape (p, head_dim), or (depth, heads, p, head_dim) for the mixed form.

    Examples
    --------
    >>> rotation = rotation_of_patches(RotaryPositions("axial"), (2, 3), 8)
    >>> rotation.cos.shape, rotation.cos[0].tolist()
    (torch.Size([6, 8]), [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    """
    rows, columns = (_patch_coordinates(positions, grid, axis) for axis in (0, 1))
    row, column = torch.meshgrid(rows, columns, indexing="ij")
    pair = (column, row) if positions.column_first else (row, column)
    axes = torch.stack([one.flatten() for one in pair], -1)  # (p, 2)
    if frequencies is not None:
        axes = axes.to(frequencies.device)
        angles = sum(axes[:, i, None] * frequencies[i].float().unsqueeze(-2) for i in (0, 1))  # (depth, h, p, e/2)
    else:
        angles = (axes[:, :, None] * _axis_frequencies(positions, head_dim // 4)).flatten(1)  # (p, 2, e/4) -> (p, e/2)
    assert isinstance(angles, Tensor)
    cos, sin = (_repeat_repeat_per_feature(part, positions.split_halves) for part in (angles.cos(), angles.sin()))
    return Rotation(cos, sin, positions.split_halves)


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Return queries or keys (B, heads, t, features of a head), of which the last rows are rotated.

    Tokens before the patches, t minus the rows of the rotation, have no position.
    """
    n = x.shape[-2] - rotation.cos.shape[-2]
    patches = x[:, :, n:]
    if rotation.split_halves:
        first, second = patches.chunk(2, -1)
        turned = torch.cat([-second, first], -1)
    else:
        turned = torch.stack([-patches[..., 1::2], patches[..., ::2]], -1).flatten(-2)
    rotated = patches * rotation.cos.to(x.dtype) + turned * rotation.sin.to(x.dtype)
    return torch.cat([x[:, :, :n], rotated], -2)


def select_patches(rotation: Rotation, indices: Tensor) -> Rotation:
    """Return the rotation (B, 1 or heads, v, e) of the patches at `indices` (B, v), of one block's rotation."""
    return rotation._replace(cos=_gather_rows(rotation.cos, indices), sin=_gather_rows(rotation.sin, indices))


def _gather_rows(values: Tensor, indices: Tensor) -> Tensor:
    """Gather rows: (p, e) -> (B, 1, v, e), (heads, p, e) -> (B, heads, v, e)."""
    picked = values[..., indices, :]
    return picked[:, None] if values.ndim == 2 else picked.movedim(0, 1)


def _patch_coordinates(positions: RotaryPositions, grid: tuple[int, int], axis: int) -> Tensor:
    """Return the coordinates of the patches along one axis."""
    n = grid[axis]
    steps = torch.arange(n, dtype=torch.float32)
    if positions.kind == "normalized":
        return 2 * ((steps + 0.5 + positions.offset) / n) - 1
    steps = steps + positions.offset
    return steps if positions.reference_grid is None else steps / n * positions.reference_grid[axis]


def _axis_frequencies(positions: RotaryPositions, n: int) -> Tensor:
    """Return the n frequencies of one axis, geometric from 1 down to about 1/temperature; times 2π if normalized."""
    exponents = torch.arange(n, dtype=torch.float32) / n
    periods = torch.tensor(positions.temperature) ** exponents
    if positions.rounded_periods:
        periods = periods.bfloat16().float()
    return (2 * pi if positions.kind == "normalized" else 1.0) / periods


def _repeat_repeat_per_feature(values: Tensor, split_halves: bool) -> Tensor:
    """Repeat values of pairs (…, e/2) for both features of a pair (…, e)."""
    return torch.cat([values, values], -1) if split_halves else values.repeat_interleave(2, -1)
