"""Dialects of MoCo-v3, DINO, iBOT, DINOv2, MSN and I-JEPA.

Joint-embedding methods keep two encoders; all but MoCo-v3 evaluate the one with averaged weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from maetheory.checkpoints.dialects.dialect import COMMON_DEFAULTS, ConfigValue, Dialect, Tensors, embed_dim
from maetheory.checkpoints.dialects.dotted_path import lookup_dotted_path
from maetheory.checkpoints.dialects.model_names import config_values_from_name
from maetheory.checkpoints.reading.contents import CheckpointContents

CLS = r"cls_token"
VIT_KEYS = (r"patch_embed\.proj\.weight", r"pos_embed", r"blocks\.0\.attn\.qkv\.weight", r"norm\.weight")
DINOV2_KEYS = (
    r"patch_embed\.proj\.weight",
    CLS,
    r"blocks\.(\d+\.)?0\.attn\.qkv\.weight",
    r"blocks\.(\d+\.)?0\.ls1\.gamma",
)
REGISTERS = r"register_tokens"
DINOV2_ONLY_KEYS = r"mask_token|blocks\.(\d+\.)?0\.mlp\.w12\.weight|(dino|ibot)_head\..*"
DINOV2_RENAME = (
    (r"blocks\.\d+\.(\d+)\.mlp\.w12\.(.*)", r"blocks.\1.mlp.fc1.\2"),
    (r"blocks\.\d+\.(\d+)\.mlp\.w3\.(.*)", r"blocks.\1.mlp.fc2.\2"),
    (r"blocks\.\d+\.(\d+)\.(.*)", r"blocks.\1.\2"),
    (r"blocks\.(\d+)\.mlp\.w12\.(.*)", r"blocks.\1.mlp.fc1.\2"),
    (r"blocks\.(\d+)\.mlp\.w3\.(.*)", r"blocks.\1.mlp.fc2.\2"),
    (REGISTERS, "reg_token"),
)
DINOV2_FIELDS: Mapping[str, Any] = {
    "state_dict_paths": ("teacher", "model", "state_dict", "student", ""),
    "prefixes": ("backbone.", "teacher.backbone.", "student.backbone.", ""),
    "rename": DINOV2_RENAME,
    "unused": ((r"mask_token", "the mask token"), (r"(.*\.)?(dino|ibot)_(head|loss)\..*", "the projection heads")),
    "config_values": config_values_from_name,
    "defaults": COMMON_DEFAULTS,
}
MOCO_V3_HEADS_BY_WIDTH = {384: 12, 768: 12, 1024: 16, 1280: 16}


def _moco_v3_heads(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return MoCo-v3's heads: its small model has twelve, those of other code six (Chen et al. 2021)."""
    width = embed_dim(tensors)
    return (
        {"heads": ConfigValue(MOCO_V3_HEADS_BY_WIDTH[width], "MoCo-v3's table of widths", "assumed")}
        if width in MOCO_V3_HEADS_BY_WIDTH
        else {}
    )


def _requires_state_dicts(*names: str) -> Callable[[CheckpointContents, Tensors], bool]:
    """Return a test of whether the file holds state dicts of all these names: an encoder and its average."""
    return lambda contents, tensors: all(lookup_dotted_path(contents.tree, name) is not None for name in names)


JOINT_EMBEDDING_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "MoCo-v3",
        "PyTorch code of Chen et al. 2021, pretrained; its own code goes on with the base encoder",
        required=(*VIT_KEYS, CLS, r"predictor\..*|(base|momentum)_encoder\..*"),
        state_dict_paths=("state_dict", "model", ""),
        prefixes=("base_encoder.", "momentum_encoder."),
        unused=(
            (r"head\..*", "the projection head"),
            (r"predictor\..*", "the predictor"),
            (r"(base|momentum)_encoder\..*", "the other encoder"),
        ),
        config_values=_moco_v3_heads,
        defaults=COMMON_DEFAULTS,
    ),
    Dialect(
        "facebookresearch/dinov2",
        "PyTorch code of Oquab et al. 2023 with registers (Darcet et al. 2024)",
        required=(*DINOV2_KEYS, REGISTERS),
        antialias=True,
        **DINOV2_FIELDS,
    ),
    Dialect(
        "facebookresearch/dinov2",
        "PyTorch code of Oquab et al. 2023, which interpolates positions to a side 0.1 of a patch longer",
        required=(*DINOV2_KEYS, DINOV2_ONLY_KEYS),
        forbidden=(REGISTERS,),
        interpolate_offset=0.1,
        **DINOV2_FIELDS,
    ),
    Dialect(
        "DINO",
        "PyTorch code of Caron et al. 2021, pretrained, and iBOT of Zhou et al. 2022",
        required=(*VIT_KEYS, CLS),
        forbidden=(REGISTERS, DINOV2_ONLY_KEYS),
        state_dict_paths=("teacher", "student"),
        evidence=_requires_state_dicts("teacher", "student"),
        prefixes=("backbone.", ""),
        unused=((r"head\d*\..*", "the projection head"), (r"masked_embed", "the mask token")),
        config_values=config_values_from_name,
        defaults=COMMON_DEFAULTS,
    ),
    Dialect(
        "iBOT",
        "PyTorch code of Zhou et al. 2022, the encoder alone, with its mask token",
        required=(*VIT_KEYS, CLS, r"masked_embed"),
        forbidden=(REGISTERS, DINOV2_ONLY_KEYS),
        state_dict_paths=("state_dict", "model", ""),
        unused=((r"head\d*\..*", "the projection head"), (r"masked_embed", "the mask token")),
        config_values=config_values_from_name,
        defaults=COMMON_DEFAULTS,
    ),
    Dialect(
        "MSN",
        "PyTorch code of Assran et al. 2022",
        required=(*VIT_KEYS, CLS),
        state_dict_paths=("target_encoder", "encoder"),
        evidence=_requires_state_dicts("target_encoder"),
        unused=((r"(fc|pred)\..*", "the projection head"),),
        config_values=config_values_from_name,
        defaults=COMMON_DEFAULTS,
    ),
    Dialect(
        "I-JEPA",
        "PyTorch code of Assran et al. 2023",
        required=VIT_KEYS,
        forbidden=(CLS,),
        state_dict_paths=("target_encoder", "encoder"),
        evidence=_requires_state_dicts("target_encoder"),
        config_values=config_values_from_name,
        defaults=COMMON_DEFAULTS,
        head_readout="mean",
    ),
)
