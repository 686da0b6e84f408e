"""Infer image size and kind of position embedding from the position table of a state dict."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isqrt
from typing import Any

from torch import Tensor

from maetheory.checkpoints.dialects.dialect import ConfigValue
from maetheory.checkpoints.resize_positions import is_sincos_embedding
from maetheory.core import InputError

ROTARY_KEY = re.compile(r"(.*\.)?(rope\w*|rotary\w*|periods|inv_freq|freqs_cis)(\..*)?")
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
            return _infer_relative_positions(tensors[name], kind, known)
    if any(ROTARY_KEY.fullmatch(name) for name in tensors) or "positions" not in known:
        raise InputError(
            "this file holds neither a position table nor relative positions, so its positions are "
            "rotary (DINOv3, EVA-02) or come from elsewhere, and it cannot be loaded"
        )
    size = overrides.get("image_size", known["image_size"].value if "image_size" in known else None)
    if size is None:
        raise InputError("without positions no shape tells the image size: pass image_size= (--image-size)")
    return {
        "image_size": (
            ConfigValue(size, "argument", "given by the caller") if "image_size" in overrides else known["image_size"]
        ),
        "position_prefix": ConfigValue(0, "names"),
    }


def _infer_absolute_positions(
    table: Tensor, known: Mapping[str, ConfigValue], overrides: Mapping[str, Any]
) -> dict[str, ConfigValue]:
    """Split the rows of a table into a prefix and a square grid of patches."""
    if table.ndim != 3 or table.shape[0] != 1 or not table.numel():
        raise InputError(
            f"a position table must have shape (1, rows, features), but this file's is {tuple(table.shape)}"
        )
    rows, patch = table.shape[-2], known["patch"].value
    cls, registers = int(known["cls"].value), known["registers"].value
    prefix_options = sorted({0, cls, cls + registers})
    if "position_prefix" in known:
        prefix_options = [known["position_prefix"].value]
    grids = {k: isqrt(rows - k) for k in prefix_options if rows > k and isqrt(rows - k) ** 2 == rows - k}
    if not grids:
        raise InputError(
            f"a position table of {rows} rows leaves no square grid of patches beside {cls} cls and "
            f"{registers} register tokens"
        )
    stated = known.get("image_size")
    wanted = overrides.get("image_size", stated.value if stated is not None else None)
    if len(grids) > 1:
        grids = {k: grid for k, grid in grids.items() if wanted is not None and grid * patch == wanted}
    if len(grids) != 1:
        raise InputError(
            f"a position table of {rows} rows can be read in more than one way beside {cls} cls and "
            f"{registers} register tokens: pass image_size= (--image-size)"
        )
    (k, grid), *_ = grids.items()
    return {
        "positions": ConfigValue("table", "names"),
        "position_prefix": ConfigValue(k, f"{rows} rows of positions"),
        "image_size": _infer_image_size(table, k, grid, patch, stated, overrides.get("image_size")),
    }


def _infer_image_size(
    table: Tensor, prefix: int, grid: int, patch: int, stated: ConfigValue | None, wanted: int | None
) -> ConfigValue:
    """Return the side of the images; only a statement or a table of sines and cosines shows that they are square."""
    side, rows = grid * patch, f"{table.shape[-2]} rows of positions"
    if wanted == side:
        return ConfigValue(side, "argument", "given by the caller")
    if stated is not None and stated.value == side and not stated.assumed:
        return stated
    patches = table.reshape(-1, table.shape[-1])[prefix:].float()
    if not table.is_meta and any(is_sincos_embedding(patches, grid, swapped) for swapped in (False, True)):
        return ConfigValue(side, f"{rows}, sines and cosines of a square", "inferred from shapes")
    return ConfigValue(side, f"{rows}, read as {grid} x {grid} patches", "assumed")


def _infer_relative_positions(table: Tensor, kind: str, known: Mapping[str, ConfigValue]) -> dict[str, ConfigValue]:
    """Return the grid of a table of relative positions, (2 G - 1)² rows and three more for a cls token."""
    rows = table.shape[0] - 3 * int(known["cls"].value)
    side = isqrt(max(rows, 0))
    if side * side != rows or side % 2 == 0:
        raise InputError(
            f"a relative position table must have (2 G - 1)² rows, and three more for a cls token, but "
            f"it has {table.shape[0]}"
        )
    return {
        "positions": ConfigValue(kind, "names"),
        "position_prefix": ConfigValue(0, "names"),
        "image_size": ConfigValue(
            (side + 1) // 2 * known["patch"].value, "rows of the relative table", "inferred from shapes"
        ),
    }
