"""The rotary positions of known code bases, recognised by model names, pickled modules or tensor names.

Rotary positions are computed, not stored, so that no shape shows them. A model's name or a pickled module states them;
without either, the names of the tensors tell the code base, and its usual positions are assumed, which a note says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from maetheory.checkpoints.dialects.dialect import ConfigValue, Tensors
from maetheory.checkpoints.dialects.pickled_modules import SOURCE
from maetheory.checkpoints.rotary_positions import RotaryPositions
from maetheory.core import InputError

EVA = RotaryPositions("axial", reference_grid=(16, 16))
ROPE_VIT = RotaryPositions("axial", 100.0, column_first=True)
ROPE_VIT_MIXED = RotaryPositions("mixed", 10.0, column_first=True)
DINOV3 = RotaryPositions("normalized", 100.0, split_halves=True)
POSITIONS_BY_NAME = (
    (r".*(dinov3|lingbot|eupe|sapiens2).*", DINOV3),
    (r".*eva02(?!_enormous).*|.*_rope_reg\d_gap_.*", EVA),
    (r".*_rope_mixed_.*", ROPE_VIT_MIXED),
    (r".*_rope_.*", ROPE_VIT),
    (r"vit_pe_core_base_.*", RotaryPositions("axial", reference_grid=(14, 14), offset=1.0, column_first=True)),
    (r"vit_pe_\w+_gigantic_.*", RotaryPositions("axial", reference_grid=(32, 32), column_first=True)),
    (r"vit_pe_core_.*", RotaryPositions("axial", reference_grid=(24, 24), offset=1.0, column_first=True)),
    (r"vit_pe_.*", RotaryPositions("axial", reference_grid=(32, 32), offset=1.0, column_first=True)),
)
ROTARY_CLASS = re.compile(r".*(rope|rotary).*(embed|position).*", re.IGNORECASE)
HUGGING_FACE_DINOV3_CLASS = "DINOv3ViTRopePositionEmbedding"
TIMM_CLASSES = {"RotaryEmbeddingCat": "axial", "RotaryEmbeddingDinoV3": "normalized", "RotaryEmbeddingMixed": "mixed"}


def rotary_positions_of_name(name: str) -> RotaryPositions | None:
    """Return the rotary positions of a model of timm's by its name, None where it has none."""
    return next((positions for pattern, positions in POSITIONS_BY_NAME if re.fullmatch(pattern, name)), None)


def rotary_positions_of_module(attributes: Mapping[str, Any], classes: Mapping[str, str]) -> ConfigValue | None:
    """Return the rotary positions that a pickled module states, None if it has none.

    Parameters
    ----------
    attributes, classes : mapping from dotted name to attribute and to class name
        As in `CheckpointContents`, relative to the encoder.

    Raises
    ------
    InputError
        If they are of a class that is not known.
    """
    place = next((name for name, kind in classes.items() if ROTARY_CLASS.fullmatch(kind)), None)
    if place is None:
        return None
    if classes[place] == HUGGING_FACE_DINOV3_CLASS and isinstance(attributes.get(f"{place}.base"), int | float):
        return ConfigValue(replace(DINOV3, temperature=float(attributes[f"{place}.base"])), SOURCE)
    kind = TIMM_CLASSES.get(classes[place])
    if kind is None or attributes.get(f"{place}.in_pixels"):
        raise InputError(
            f"its module {place} is a {classes[place]}, rotary positions of a form that no encoder here computes"
        )
    reference = attributes.get(f"{place}.ref_feat_shape")
    positions = RotaryPositions(
        kind,  # type: ignore[arg-type]  # one of the three names in TIMM_CLASSES
        float(attributes.get(f"{place}.temperature", 100.0 if kind == "normalized" else 10000.0)),
        tuple(reference) if reference else None,
        float(attributes.get(f"{place}.grid_offset", 0.0)),
        attributes.get(f"{place}.grid_indexing", "ij") == "xy",
        bool(attributes.get(f"{place}.rotate_half", kind == "normalized")),
    )
    return ConfigValue(positions, SOURCE)


def values_of_eva_arguments(arguments: Any, source: str) -> dict[str, ConfigValue]:
    """Return rotary positions and kind of block that ``model_args`` of timm's config.json state for its class Eva."""
    if not isinstance(arguments, Mapping) or not isinstance(arguments.get("use_rot_pos_emb"), bool):
        return {}
    rotary = _rotary_positions_of_arguments(arguments) if arguments["use_rot_pos_emb"] else None
    block = "post-norm" if arguments.get("use_post_norm") is True else "pre-norm"
    return {"rotary": ConfigValue(rotary, source), "block": ConfigValue(block, source)}


def _rotary_positions_of_arguments(arguments: Mapping[str, Any]) -> RotaryPositions:
    """Return the rotary positions that arguments of timm's class Eva mean.

    Raises
    ------
    InputError
        If they are of another form.
    """
    kind = {"cat": "axial", "dinov3": "normalized", "mixed": "mixed"}.get(str(arguments.get("rope_type", "cat")))
    temperature, offset = arguments.get("rope_temperature", 10000.0), arguments.get("rope_grid_offset", 0.0)
    reference = arguments.get("ref_feat_shape")
    numbers = [temperature, offset, *(reference if isinstance(reference, list | tuple) else [])]
    if kind is None or not all(type(number) in (int, float) for number in numbers):
        raise InputError("its config.json states rotary positions of a form that no encoder here computes")
    return RotaryPositions(
        kind,  # type: ignore[arg-type]  # one of the three names above
        float(temperature),
        tuple(reference) if reference and kind == "axial" else None,
        float(offset),
        arguments.get("rope_grid_indexing", "ij") == "xy",
        bool(arguments.get("rope_rotate_half", kind == "normalized")),
    )


QWEN3_ROWS = 48 * 48


def refuse_qwen3_encoder(raw: Tensors, name: str) -> None:
    """Raise an error for the vision encoder of Qwen3-VL, whose names are those of a plain Vision Transformer.

    Parameters
    ----------
    raw : mapping from name to Tensor
        Under the names of the file, without prefix.
    name : str
        Name of the model that the file states, "" without one.
    """
    if {"cls_token", "norm.weight", "fc_norm.weight"} & raw.keys() or "pos_embed" not in raw:
        return
    if raw["pos_embed"].shape[-2:-1] == (QWEN3_ROWS,) and (not name or "qwen" in name.lower()):
        raise InputError(
            "these are the tensors of Qwen3-VL's vision encoder, with 48 x 48 positions and no final norm, which adds "
            "rotary positions and reads patches in another order, as no encoder here does; pass dialect='timm' "
            "(--dialect) if they are another network's"
        )


def refuse_possible_rotary(raw: Tensors, path: str, dialect_given: bool) -> tuple[str, ...]:
    """Raise an error for tensors that DeiT III and RoPE-ViT name alike; return a note where DeiT III is likelier.

    Parameters
    ----------
    raw : mapping from name to Tensor
        Under the names of the file, without prefix.
    path : str
        Of the state dict in the file's tree.
    dialect_given : bool
        Whether the caller or a stated name settles the doubt.
    """
    if dialect_given or "pos_embed" not in raw or "rope.freqs" in raw or "norm_pre.weight" in raw:
        return ()
    if "blocks.0.gamma_1" not in raw or "blocks.0.attn.qkv.bias" not in raw:
        return ()
    if any("relative_position" in name for name in raw):
        return ()
    if path.rpartition(".")[2] != "model":
        raise InputError(
            "these are the tensors of DeiT III and of RoPE-ViT with a position table: their positions may be rotary, "
            "which the names and shapes of tensors do not show; pass dialect='DeiT III' or 'RoPE-ViT' (--dialect)"
        )
    return ("DeiT III was assumed: RoPE-ViT with a position table has the same names (--dialect RoPE-ViT)",)
