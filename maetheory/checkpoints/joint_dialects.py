"""Joint-embedding methods keep two encoders, and all but MoCo-v3 evaluate the slower, averaged one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maetheory.checkpoints.dialect import IMAGENET, Dialect, Fact, Tensors
from maetheory.checkpoints.model_names import named_facts
from maetheory.checkpoints.read import Contents

CLS = r"cls_token"
OF_VIT = (r"patch_embed\.proj\.weight", r"pos_embed", r"blocks\.0\.attn\.qkv\.weight", r"norm\.weight")
DEFAULTS: Mapping[str, Any] = {"eps": 1e-6, "activation": "gelu", "mean": IMAGENET[0], "std": IMAGENET[1]}
OF_DINOV2 = (r"patch_embed\.proj\.weight", CLS, r"blocks\.(\d+\.)?0\.attn\.qkv\.weight",
             r"blocks\.(\d+\.)?0\.ls1\.gamma")  # fmt: skip
REGISTERS = r"register_tokens"
ITS_OWN = r"mask_token|blocks\.(\d+\.)?0\.mlp\.w12\.weight|(dino|ibot)_head\..*"
DINOV2_RENAME = (
    (r"blocks\.\d+\.(\d+)\.mlp\.w12\.(.*)", r"blocks.\1.mlp.fc1.\2"),
    (r"blocks\.\d+\.(\d+)\.mlp\.w3\.(.*)", r"blocks.\1.mlp.fc2.\2"),
    (r"blocks\.\d+\.(\d+)\.(.*)", r"blocks.\1.\2"),
    (r"blocks\.(\d+)\.mlp\.w12\.(.*)", r"blocks.\1.mlp.fc1.\2"),
    (r"blocks\.(\d+)\.mlp\.w3\.(.*)", r"blocks.\1.mlp.fc2.\2"),
    (REGISTERS, "reg_token"),
)
DINOV2: Mapping[str, Any] = {
    "weights": ("teacher", "model", "state_dict", "student", ""),
    "prefixes": ("backbone.", "teacher.backbone.", "student.backbone.", ""),
    "rename": DINOV2_RENAME,
    "left": ((r"mask_token", "the mask token"), (r"(.*\.)?(dino|ibot)_(head|loss)\..*", "the projection heads")),
    "facts": named_facts,
    "defaults": DEFAULTS,
}
MOCO_HEADS = {384: 12, 768: 12, 1024: 16, 1280: 16}


def _moco_heads(contents: Contents, tensors: Tensors) -> dict[str, Fact]:
    """Return MoCo-v3's heads: its small model has twelve, where everyone else's has six (Chen et al. 2021)."""
    width = tensors["patch_embed.proj.weight"].shape[0] if "patch_embed.proj.weight" in tensors else 0
    return {"heads": Fact(MOCO_HEADS[width], "MoCo-v3's table of widths")} if width in MOCO_HEADS else {}


JOINT_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "MoCo-v3",
        "PyTorch code of Chen et al. 2021, pretrained; its own code goes on with the base encoder",
        required=(*OF_VIT, CLS, r"predictor\..*|(base|momentum)_encoder\..*"),
        weights=("state_dict", "model", ""),
        prefixes=("base_encoder.", "momentum_encoder."),
        left=(
            (r"head\..*", "the projection head"),
            (r"predictor\..*", "the predictor"),
            (r"(base|momentum)_encoder\..*", "the other encoder"),
        ),
        facts=_moco_heads,
        defaults=DEFAULTS,
    ),
    Dialect(
        "facebookresearch/dinov2",
        "PyTorch code of Oquab et al. 2023 with registers (Darcet et al. 2024)",
        required=(*OF_DINOV2, REGISTERS),
        antialias=True,
        **DINOV2,
    ),
    Dialect(
        "facebookresearch/dinov2",
        "PyTorch code of Oquab et al. 2023, which interpolates positions to a side 0.1 of a patch longer",
        required=(*OF_DINOV2, ITS_OWN),
        forbidden=(REGISTERS,),
        offset=0.1,
        **DINOV2,
    ),
    Dialect(
        "DINO",
        "PyTorch code of Caron et al. 2021, pretrained, and iBOT of Zhou et al. 2022",
        required=(*OF_VIT, CLS),
        forbidden=(REGISTERS, ITS_OWN),
        weights=("teacher", "student"),
        prefixes=("backbone.", ""),
        left=((r"head\d*\..*", "the projection head"), (r"masked_embed", "the mask token")),
        facts=named_facts,
        defaults=DEFAULTS,
    ),
    Dialect(
        "MSN",
        "PyTorch code of Assran et al. 2022",
        required=(*OF_VIT, CLS),
        weights=("target_encoder", "encoder"),
        left=((r"(fc|pred)\..*", "the projection head"),),
        facts=named_facts,
        defaults=DEFAULTS,
    ),
    Dialect(
        "I-JEPA",
        "PyTorch code of Assran et al. 2023",
        required=OF_VIT,
        forbidden=(CLS,),
        weights=("target_encoder", "encoder"),
        facts=named_facts,
        defaults=DEFAULTS,
        head_readout="mean",
    ),
)
