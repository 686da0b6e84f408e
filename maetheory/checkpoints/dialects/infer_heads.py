"""Infer the number of attention heads: from arguments, shapes, stated values, the width, or 64 features a head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from maetheory.checkpoints.dialects.dialect import ConfigValue
from maetheory.checkpoints.dialects.infer_positions import FIRST_RELATIVE_TABLE_NAME, SHARED_RELATIVE_TABLE_NAME
from maetheory.core import InputError

HEADS_BY_WIDTH = {
    **{192: 3, 384: 6, 512: 8, 768: 12, 1024: 16, 1152: 16, 1280: 16, 1408: 16, 1536: 24},
    **{1664: 16, 1792: 16},  # ViT-G of OpenCLIP and EVA-02-E
}
WIDTH_OF_TWO_GIANTS, HEADS_WITHOUT_LAYER_SCALE = 1536, 16  # SigLIP 2's has no LayerScale, DINOv2's and RADIO's do


def infer_heads(
    tensors: Mapping[str, Tensor], known: Mapping[str, ConfigValue], overrides: Mapping[str, Any]
) -> tuple[ConfigValue, tuple[str, ...]]:
    """Return the number of heads with its source, and a note if it was assumed or contradicts a stated value.

    Raises
    ------
    InputError
        If the number asked for does not fit the shapes, or nothing determines one.
    """
    inner, width = known["inner"].value, known["width"].value
    shape = _heads_from_shapes(tensors, inner)
    heads = overrides.get("heads")
    if heads is not None:
        return _check_requested_heads(heads, inner, shape), _contradiction_note(heads, known.get("heads"))
    if shape is not None:
        return shape, ()
    if "heads" in known:
        return known["heads"], ()
    layer_scale = known.get("layer_scale")
    if width == inner == WIDTH_OF_TWO_GIANTS and layer_scale is not None and not layer_scale.value:
        place = "the table of widths, without LayerScale"
        return ConfigValue(HEADS_WITHOUT_LAYER_SCALE, place, "assumed"), ()
    if width in HEADS_BY_WIDTH and inner % HEADS_BY_WIDTH[width] == 0:
        return ConfigValue(HEADS_BY_WIDTH[width], "the table of widths", "assumed"), ()
    if inner % 64 == 0:
        return ConfigValue(inner // 64, "64 features a head", "assumed"), ()
    raise InputError(
        f"nothing in this file says how many heads its {inner} attention features form: pass heads= (--heads)"
    )


def _check_requested_heads(heads: int, inner: int, shape: ConfigValue | None) -> ConfigValue:
    """Return the number of heads of the caller if it agrees with the shapes."""
    if heads < 1 or inner % heads or (shape is not None and shape.value != heads):
        requirement = f"must be {shape.value}, as the {shape.source} say" if shape else f"must divide {inner}"
        raise InputError(f"heads= (--heads) {requirement}, but it is {heads}")
    return ConfigValue(heads, "argument", "given by the caller")


def _contradiction_note(heads: int, stated: ConfigValue | None) -> tuple[str, ...]:
    """Return a note if the file states another number of heads than the caller."""
    if stated is None or stated.value == heads:
        return ()
    return (f"{heads} heads as asked for, though by {stated.source} there are {stated.value}",)


def _heads_from_shapes(tensors: Mapping[str, Tensor], inner: int) -> ConfigValue | None:
    """Return the heads that a relative position table or a query norm shows, None without either."""
    for name in (FIRST_RELATIVE_TABLE_NAME, SHARED_RELATIVE_TABLE_NAME):
        if name in tensors:
            return ConfigValue(tensors[name].shape[1], "columns of the relative table", "inferred from shapes")
    for name in ("blocks.0.attn.rel_pos.mlp.fc2.weight", "shared_rel_pos.mlp.fc2.weight"):
        if name in tensors:
            return ConfigValue(tensors[name].shape[0], "rows of the relative positions", "inferred from shapes")
    norm = tensors.get("blocks.0.attn.q_norm.weight")
    if norm is None:
        return None
    if norm.numel() == inner or inner % norm.numel():
        raise InputError(
            f"query norms must be of one head's width, but this file's is over {norm.numel()} of {inner} features"
        )
    return ConfigValue(inner // norm.numel(), "shapes of the query norms", "inferred from shapes")
