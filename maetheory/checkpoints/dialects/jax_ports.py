"""Dialects of the PyTorch ports of Google's Vision Transformer: jeonsworld/ViT-pytorch and PyTorch-Pretrained-ViT."""

from __future__ import annotations

from typing import Any

from maetheory.checkpoints.dialects.dialect import INCEPTION_MEAN_STD, WEIGHT_OR_BIAS, Dialect, fuse_qkv
from maetheory.checkpoints.dialects.torchvision import rename_mlp_head

DEFAULTS: dict[str, Any] = {
    "eps": 1e-6,
    "activation": "gelu",
    "mean": INCEPTION_MEAN_STD[0],
    "std": INCEPTION_MEAN_STD[1],
}
PATHS = ("", "model", "state_dict")
LAYER = r"transformer\.encoder\.layer\.(\d+)\."
BLOCK = r"transformer\.blocks\.(\d+)\."

JAX_PORT_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "jeonsworld/ViT-pytorch",
        "jeonsworld's port of Google's Vision Transformer, and code around it such as TransFG",
        required=(
            r"transformer\.embeddings\.patch_embeddings\.weight",
            LAYER + r"attention_norm\.weight",
            LAYER + r"attn\.query\.weight",
        ),
        state_dict_paths=PATHS,
        rename=(
            (r"transformer\.embeddings\.patch_embeddings\." + WEIGHT_OR_BIAS, r"patch_embed.proj.\1"),
            (r"transformer\.embeddings\.cls_token", "cls_token"),
            (r"transformer\.embeddings\.position_embeddings", "pos_embed"),
            (LAYER + r"attention_norm\." + WEIGHT_OR_BIAS, r"blocks.\1.norm1.\2"),
            (LAYER + r"ffn_norm\." + WEIGHT_OR_BIAS, r"blocks.\1.norm2.\2"),
            (LAYER + r"attn\.(q)uery\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.\2.\3"),
            (LAYER + r"attn\.(k)ey\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.\2.\3"),
            (LAYER + r"attn\.(v)alue\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.\2.\3"),
            (LAYER + r"attn\.out\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.proj.\2"),
            (LAYER + r"ffn\.(fc[12])\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.\2.\3"),
            (r"transformer\.encoder\.encoder_norm\." + WEIGHT_OR_BIAS, r"norm.\1"),
        ),
        unused=((r"part_head\..*|transformer\.encoder\.part_.*", "layers after the encoder"),),
        convert=fuse_qkv,
        defaults=DEFAULTS,
        recompute_sincos=False,
    ),
    Dialect(
        "PyTorch-Pretrained-ViT",
        "lukemelas's port of Google's Vision Transformer (pytorch_pretrained_vit)",
        required=(r"patch_embedding\.weight", BLOCK + r"attn\.proj_q\.weight", BLOCK + r"pwff\.fc1\.weight"),
        state_dict_paths=PATHS,
        rename=(
            (r"patch_embedding\." + WEIGHT_OR_BIAS, r"patch_embed.proj.\1"),
            ("class_token", "cls_token"),
            (r"positional_embedding\.pos_embedding", "pos_embed"),
            (BLOCK + r"norm([12])\." + WEIGHT_OR_BIAS, r"blocks.\1.norm\2.\3"),
            (BLOCK + r"attn\.proj_([qkv])\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.\2.\3"),
            (BLOCK + r"proj\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.proj.\2"),
            (BLOCK + r"pwff\.(fc[12])\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.\2.\3"),
            (r"pre_logits\." + WEIGHT_OR_BIAS, r"head.pre_logits.\1"),
            (r"fc\." + WEIGHT_OR_BIAS, r"head.\1"),
        ),
        convert=lambda tensors: rename_mlp_head(fuse_qkv(tensors)),
        defaults=DEFAULTS,
        recompute_sincos=False,
    ),
)
