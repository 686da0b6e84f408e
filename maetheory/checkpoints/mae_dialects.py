"""Masked autoencoders as their authors, we, and CIFAR-10 users save them."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import Any

from torch import Tensor

from maetheory.checkpoints.dialect import HALVES, IMAGENET, Dialect, Fact, Tensors
from maetheory.checkpoints.read import Contents
from maetheory.checkpoints.resize import is_sincos

SIZES = {"tiny": (192, 3), "small": (384, 6), "base": (768, 12), "large": (1024, 16), "huge": (1280, 16)}
ELSEWHERE = (
    r"blocks\.\d+\.(ls1\.gamma|gamma_1|attn\.(q_bias|q_norm\.weight|relative_position_bias_table|q\.weight))",
    r"rel_pos_bias\..*", r"reg_token|register_tokens|dist_token", r"norm_pre\..*|attn_pool\..*",
)  # fmt: skip
OF_MAE = (r"cls_token", r"pos_embed", r"patch_embed\.proj\.weight", r"blocks\.0\.attn\.qkv\.weight",
          r"blocks\.0\.mlp\.fc1\.weight")  # fmt: skip
DECODER = (r"decoder_.*|mask_token", "the decoder")
MODULE_FIELDS = (("heads", "transformer.0.attn.num_heads"), ("eps", "transformer.0.norm1.eps"),
                 ("final_eps", "layer_norm.eps"))  # fmt: skip
MAE_DEFAULTS: Mapping[str, Any] = {"eps": 1e-6, "activation": "gelu", "mean": IMAGENET[0], "std": IMAGENET[1]}


def _named_size(contents: Contents, tensors: Tensors) -> dict[str, Fact]:
    """Return the heads that the name of the model among the arguments stands for, or that its positions give away."""
    args = contents.tree.get("args") if isinstance(contents.tree, Mapping) else None
    name = args.get("model") if isinstance(args, Mapping) else None
    width = tensors["patch_embed.proj.weight"].shape[0] if "patch_embed.proj.weight" in tensors else 0
    for size, (usual, heads) in SIZES.items():
        if isinstance(name, str) and f"vit_{size}" in name and width == usual:
            return {"heads": Fact(heads, f"args.model, {name}")}
    return _small_moco(tensors) if width == 384 else {}


def _small_moco(tensors: Tensors) -> dict[str, Fact]:
    """Return MoCo-v3's twelve heads, everyone else's being six: its fixed table has rows and columns exchanged."""
    table = tensors["pos_embed"].reshape(-1, 384)[1:] if "pos_embed" in tensors else None
    side = isqrt(len(table)) if table is not None else 0
    if table is None or side < 2 or side**2 != len(table) or not is_sincos(table, side, True):
        return {}
    return {"heads": Fact(12, "the order of its sines and cosines, MoCo-v3's")}


def _of_config(contents: Contents, tensors: Tensors) -> dict[str, Fact]:
    """Return what the config.json of a run of ours says."""
    record: Any = contents.sidecars.get("config.json", {})
    for key in ("model", "encoder"):
        record = record.get(key, {}) if isinstance(record, Mapping) else {}
    known = ("image_size", "heads", "eps", "final_eps", "activation", "position_prefix", "mean", "std")
    return {name: Fact(record[name], "config.json") for name in known if record.get(name) is not None}


def _of_module(contents: Contents, tensors: Tensors) -> dict[str, Fact]:
    """Return what the plain attributes of a pickled module say, wherever in the file it lies."""
    facts: dict[str, Fact] = {}
    for field, ending in MODULE_FIELDS:
        for name, value in contents.attributes.items():
            if name.endswith(ending) and "decoder." not in name:
                facts[field] = Fact(value, "the pickled module")
    return facts


def _batch_first(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Turn positions (G², 1, d) into (1, G², d)."""
    return {name: value.transpose(0, 1) if name == "pos_embed" else value for name, value in tensors.items()}


MAE_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "maetheory",
        "training runs of maetheory, MAE and SimMIM",
        required=(*OF_MAE, r"mask_token", r"(decoder_pred|head)\.weight"),
        forbidden=ELSEWHERE,
        prefixes=("encoder.",),
        left=(DECODER, (r"head\..*", "the decoder, one linear map")),
        facts=_of_config,
        defaults={"eps": 1e-6, "activation": "gelu", "mean": HALVES[0][:1], "std": HALVES[1][:1]},
    ),
    Dialect(
        "maetheory",
        "fine-tuned runs of maetheory, an encoder with its head",
        required=(r"patch_embed\.proj\.weight", r"blocks\.0\.attn\.qkv\.weight", r"head\.weight"),
        forbidden=(r"mask_token", r"decoder_.*"),
        prefixes=("encoder.",),
        facts=_of_config,
        defaults={"eps": 1e-6, "activation": "gelu", "mean": HALVES[0][:1], "std": HALVES[1][:1]},
    ),
    Dialect(
        "U-MAE",
        "PyTorch code of Zhang et al. 2022, MAE with a uniformity term and an online probe",
        required=(*OF_MAE, r"fc\..*"),
        forbidden=ELSEWHERE,
        weights=("model", "state_dict", ""),
        left=(DECODER, (r"fc_norm\..*|fc\..*", "the online probe")),
        facts=_named_size,
        defaults=MAE_DEFAULTS,
    ),
    Dialect(
        "facebookresearch/mae",
        "PyTorch code of He et al. 2022, with the decoder",
        required=(*OF_MAE, r"decoder_.*"),
        forbidden=ELSEWHERE,
        weights=("model", "state_dict", ""),
        left=(DECODER,),
        facts=_named_size,
        defaults=MAE_DEFAULTS,
    ),
    Dialect(
        "facebookresearch/mae",
        "PyTorch code of He et al. 2022, or derived from it: the encoder only, pretrained, fine-tuned or probed",
        required=OF_MAE,
        forbidden=ELSEWHERE,
        weights=("model",),
        left=((r"mask_token", "the mask token"),),
        facts=_named_size,
        defaults=MAE_DEFAULTS,
    ),
    Dialect(
        "IcarusWizard/MAE",
        "an MAE for CIFAR-10, whole modules pickled: the autoencoder, or its encoder with a classifier",
        required=(r"cls_token", r"pos_embedding", r"patchify\.weight", r"transformer\.0\.attn\.qkv\.weight"),
        weights=("", "model", "state_dict"),
        prefixes=("encoder.", ""),
        rename=(
            (r"patchify\.(.*)", r"patch_embed.proj.\1"),
            (r"pos_embedding", "pos_embed"),
            (r"transformer\.(.*)", r"blocks.\1"),
            (r"layer_norm\.(.*)", r"norm.\1"),
        ),
        left=((r"decoder\..*", "the decoder"),),
        convert=_batch_first,
        facts=_of_module,
        defaults={"eps": 1e-5, "activation": "gelu", "mean": HALVES[0], "std": HALVES[1]},
    ),
)
