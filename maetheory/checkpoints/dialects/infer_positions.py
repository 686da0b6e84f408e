"""Infer image size and kind of position embedding from the position table of a state dict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import Any

from torch import Tensor

from maetheory.checkpoints.dialects.dialect import ConfigValue
from maetheory.checkpoints.encoder_config import Size, format_size, one_size, two_sides
from maetheory.checkpoints.resize_positions import is_sincos_embedding
from maetheory.core import InputError

FIRST_RELATIVE_TABLE_NAME = "blocks.0.attn.relative_position_bias_table"
SHARED_RELATIVE_TABLE_NAME = "rel_pos_bias.relative_position_bias_table"


def infer_positions(
    tensors: Mapping[str, Tensor], known: Mapping[str, ConfigValue], overrides: Mapping[str, Any]
) -> dict[str, ConfigValue]:
    """Return the fields image_size, positions and position_prefix.

    Parameters
    ----------
    tensors : mapping from canonical name to Tensor
    known : mapping from field of `EncoderConfig` to `ConfigValue`
        With patch, cls and registers; image_size and position_prefix where they are stated.
    overrides : mapping from field to value
        The caller's arguments.

    Raises
    ------
    InputError
        If the tensors have no positions that an `Encoder` computes, or a table fits more than one grid or none.
    """
    if "pos_embed" in tensors:
        if FIRST_RELATIVE_TABLE_NAME in tensors or SHARED_RELATIVE_TABLE_NAME in tensors:
            raise InputError(
                "this file holds a position table and relative positions at once, which no encoder here computes"
            )
        return _infer_absolute_positions(tensors["pos_embed"], known, overrides)
    for name, kind in ((FIRST_RELATIVE_TABLE_NAME, "relative"), (SHARED_RELATIVE_TABLE_NAME, "shared relative")):
        if name in tensors:
            return _infer_relative_positions(tensors[name], kind, known, overrides)
    if "positions" not in known:
        raise InputError(
            "this file holds neither a position table nor relative positions, so its positions are rotary of an "
            "unknown form or come from elsewhere, and it cannot be loaded"
        )
    return {"image_size": _size_without_table(known, overrides), "position_prefix": ConfigValue(0, "names")}


def _size_without_table(known: Mapping[str, ConfigValue], overrides: Mapping[str, Any]) -> ConfigValue:
    """Return the image size that the caller, the file or the code base says."""
    if "image_size" in overrides:
        return ConfigValue(overrides["image_size"], "argument", "given by the caller")
    if "image_size" not in known:
        raise InputError("without positions no shape tells the image size: pass image_size= (--image-size)")
    size = known["image_size"]
    if not size.assumed:
        return size
    fits = all(side % patch == 0 for side, patch in zip(two_sides(size.value), two_sides(known["patch"].value)))
    if not fits:
        raise InputError(
            f"no shape tells the image size, and patches of {format_size(known['patch'].value)} do not divide the "
            f"usual {format_size(size.value)}: pass image_size= (--image-size)"
        )
    return ConfigValue(size.value, f"{size.source}, as no shape tells it", "assumed")


def _infer_absolute_positions(
    table: Tensor, known: Mapping[str, ConfigValue], overrides: Mapping[str, Any]
) -> dict[str, ConfigValue]:
    """Split the rows of a table into a prefix and a square grid of patches."""
    if table.ndim != 3 or table.shape[0] != 1 or not table.numel():
        raise InputError(
            f"a position table must have shape (1, rows, features), but this file's is {tuple(table.shape)}"
        )
    rows = table.shape[-2]
    cls, registers = int(known["cls"].value), known["registers"].value
    prefix_options = sorted({0, cls, cls + registers})
    if "position_prefix" in known:
        prefix_options = [known["position_prefix"].value]
    stated = known.get("image_size")
    given = overrides.get("image_size")
    sizes = [size for size in (given, stated.value if stated is not None else None) if size is not None]
    grids = _grids_of_table(table, prefix_options, known["patch"].value, sizes)
    if not grids:
        raise InputError(_no_grid(rows, prefix_options, cls, registers))
    if len(grids) > 1:
        raise InputError(
            f"a position table of {rows} rows can be read in more than one way beside {cls} cls and "
            f"{registers} register tokens: pass image_size= (--image-size)"
        )
    (k, grid), *_ = grids.items()
    return {
        "positions": ConfigValue("table", "names"),
        "position_prefix": ConfigValue(k, f"{rows} rows of positions"),
        "image_size": _image_size(table, k, grid, known["patch"].value, stated, given),
    }


def _grids_of_table(
    table: Tensor, prefix_options: Sequence[int], patch: Size, sizes: Sequence[Size]
) -> dict[int, tuple[int, int]]:
    """Return rows and columns of the patches by number of rows before them, in every way that the table can be read.

    The grid of a given or stated size comes first, then that of a table of sines and cosines, then squares: 64 patches
    may be 8 x 8 or 4 x 16.
    """
    rows = table.shape[-2]
    for size in sizes:
        grid = grid_of(size, patch)
        exact = {k: grid for k in prefix_options if grid is not None and grid[0] * grid[1] == rows - k}
        if exact:
            return dict([max(exact.items())]) if len(exact) == 1 else exact
    squares = {k: (isqrt(rows - k),) * 2 for k in prefix_options if rows > k and isqrt(rows - k) ** 2 == rows - k}
    fixed = {k: grid for k, grid in squares.items() if _is_sincos(table, k, grid)}
    return fixed or _grids_of_sincos(table, prefix_options) or squares


def _grids_of_sincos(table: Tensor, prefix_options: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return the grid whose fixed table this is; of one row of patches and one column, the one in MAE's order."""
    grids = ((k, grid) for k in prefix_options for grid in factor_pairs(table.shape[-2] - k))
    fitting = [(k, grid) for k, grid in grids if _is_sincos(table, k, grid)]
    in_mae_order = [(k, grid) for k, grid in fitting if _is_sincos(table, k, grid, orders=(False,))]
    return dict((in_mae_order or fitting)[:1])


def grid_of(size: Size, patch: Size) -> tuple[int, int] | None:
    """Return rows and columns of patches in images of a size, None if patches do not divide it.

    Examples
    --------
    >>> grid_of((1024, 128), 16), grid_of(224, 14), grid_of(224, 15)
    ((64, 8), (16, 16), None)
    """
    (height, width), (patch_height, patch_width) = two_sides(size), two_sides(patch)
    if height % patch_height or width % patch_width:
        return None
    return height // patch_height, width // patch_width


def factor_pairs(n: int) -> list[tuple[int, int]]:
    """Return all rows and columns of n patches, those nearest to a square first.

    Examples
    --------
    >>> factor_pairs(12)
    [(3, 4), (4, 3), (2, 6), (6, 2), (1, 12), (12, 1)]
    """
    low = [rows for rows in range(isqrt(max(n, 0)), 0, -1) if n % rows == 0]
    pairs = [pair for rows in low for pair in ((rows, n // rows), (n // rows, rows))]
    return list(dict.fromkeys(pairs))


def _no_grid(rows: int, prefix_options: Sequence[int], cls: int, registers: int) -> str:
    """Return the sentence for a table that fits no square, with the rectangles that it fits."""
    prefix = max((k for k in prefix_options if k in (cls, cls + registers) and rows > k), default=0)
    pairs = [pair for pair in factor_pairs(rows - prefix) if min(pair) > 1] or factor_pairs(rows - prefix)
    listed = ", ".join(f"{height} x {width}" for height, width in pairs[:6])
    return (
        f"a position table of {rows} rows leaves no square grid of patches beside {cls} cls and {registers} register "
        f"tokens; of rectangles it can be {listed}: pass image_size= (--image-size HEIGHTxWIDTH) in pixels"
    )


def _is_sincos(table: Tensor, prefix: int, grid: tuple[int, int], orders: Sequence[bool] = (False, True)) -> bool:
    """Return whether the rows of the patches are the fixed table of a grid, with the halves in order or exchanged."""
    if table.is_meta:
        return False
    patches = table.reshape(-1, table.shape[-1])[prefix:].float()
    length = patches.square().sum(-1)  # of d/2 pairs sin² + cos²
    return bool((length - patches.shape[-1] / 2).abs().max() < 1e-2 * patches.shape[-1]) and any(
        is_sincos_embedding(patches, grid, swapped) for swapped in orders
    )


def _image_size(
    table: Tensor, prefix: int, grid: tuple[int, int], patch: Size, stated: ConfigValue | None, given: Size | None
) -> ConfigValue:
    """Return the size of the images; only a statement or a table of sines and cosines shows that they are square."""
    patch_height, patch_width = two_sides(patch)
    size, rows = one_size(grid[0] * patch_height, grid[1] * patch_width), f"{table.shape[-2]} rows of positions"
    if given is not None and two_sides(given) == two_sides(size):
        return ConfigValue(size, "argument", "given by the caller")
    if stated is not None and two_sides(stated.value) == two_sides(size) and not stated.assumed:
        return stated
    if _is_sincos(table, prefix, grid):
        shape = "a square" if grid[0] == grid[1] else f"{grid[0]} x {grid[1]} patches"
        return ConfigValue(size, f"{rows}, sines and cosines of {shape}", "inferred from shapes")
    return ConfigValue(size, f"{rows}, read as {grid[0]} x {grid[1]} patches", "assumed")


def _infer_relative_positions(
    table: Tensor, kind: str, known: Mapping[str, ConfigValue], overrides: Mapping[str, Any]
) -> dict[str, ConfigValue]:
    """Return the grid of a table of relative positions, (2 rows - 1)(2 columns - 1) and three more for a cls token."""
    rows = table.shape[0] - 3 * int(known["cls"].value)
    patch_height, patch_width = two_sides(known["patch"].value)
    stated = known.get("image_size")
    given = overrides.get("image_size")
    for size, value in (
        (given, ConfigValue(given, "argument", "given by the caller")),
        (stated.value if stated is not None and not stated.assumed else None, stated),
    ):
        grid = None if size is None else grid_of(size, known["patch"].value)
        if grid is not None and (2 * grid[0] - 1) * (2 * grid[1] - 1) == rows and value is not None:
            return {
                "positions": ConfigValue(kind, "names"),
                "position_prefix": ConfigValue(0, "names"),
                "image_size": value,
            }
    side = isqrt(max(rows, 0))
    if side * side != rows or side % 2 == 0:
        raise InputError(
            f"a relative position table must have (2 G - 1)² rows, and three more for a cls token, but "
            f"it has {table.shape[0]}; of rectangles pass image_size= (--image-size HEIGHTxWIDTH)"
        )
    n = (side + 1) // 2
    size = one_size(n * patch_height, n * patch_width)
    return {
        "positions": ConfigValue(kind, "names"),
        "position_prefix": ConfigValue(0, "names"),
        "image_size": ConfigValue(size, "rows of the relative table", "inferred from shapes"),
    }
