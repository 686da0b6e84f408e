"""Dialect of Google's JAX code, vision_transformer and big_vision, whose weights are archives of NumPy arrays.

Linear maps are (inputs, outputs), queries, keys and values (width, heads, e) and the patch embedding (s, s, C, D), so
that the number of heads is known. Code that scans over the blocks stores each parameter of all blocks in one array.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from maetheory.checkpoints.dialects.dialect import INCEPTION_MEAN_STD, ConfigValue, Dialect, Tensors, fuse_qkv
from maetheory.checkpoints.dialects.torchvision import rename_mlp_head
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError

NAME = "google-research/vision_transformer"
KIND = r"(kernel|scale|bias)"
BLOCK = r"Transformer\.encoderblock(?:_(\d+))?\."
ATTENTION = BLOCK + r"MultiHeadDotProductAttention_[01]\."
PATCHES = "embedding.kernel"
KINDS = {"kernel": "weight", "scale": "weight", "bias": "bias"}
RENAME = (
    (r"embedding\." + KIND, r"patch_embed.proj.\1"),
    ("cls", "cls_token"),
    (r"(?:Transformer\.posembed_input\.)?pos_embedding", "pos_embed"),
    (BLOCK + r"LayerNorm_0\." + KIND, r"blocks.\1.norm1.\2"),
    (BLOCK + r"LayerNorm_[12]\." + KIND, r"blocks.\1.norm2.\2"),
    (ATTENTION + r"(q)uery\." + KIND, r"blocks.\1.attn.\2.\3"),
    (ATTENTION + r"(k)ey\." + KIND, r"blocks.\1.attn.\2.\3"),
    (ATTENTION + r"(v)alue\." + KIND, r"blocks.\1.attn.\2.\3"),
    (ATTENTION + r"out\." + KIND, r"blocks.\1.attn.proj.\2"),
    (BLOCK + r"MlpBlock_[03]\.Dense_0\." + KIND, r"blocks.\1.mlp.fc1.\2"),
    (BLOCK + r"MlpBlock_[03]\.Dense_1\." + KIND, r"blocks.\1.mlp.fc2.\2"),
    (r"Transformer\.encoder_norm\." + KIND, r"norm.\1"),
    (r"pre_logits\." + KIND, r"head.pre_logits.\1"),
    (r"MAPHead_0\.(.*)", r"head.pool.\1"),
    (r"head\." + KIND, r"head.\1"),
)


def _to_canonical(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors in the layout of PyTorch, one for each block."""
    converted = {}
    for name, value in _one_for_each_block(tensors).items():
        stem, _, kind = name.rpartition(".")
        if kind not in KINDS:
            converted[name] = value
            continue
        converted[f"{stem}.{KINDS[kind]}"] = _to_layout_of_torch(stem, value) if kind == "kernel" else value.flatten()
    if any(name.startswith("head.pool.") for name in converted):  # the linear map reads the pool, no token
        converted = {re.sub(r"^head\.(weight|bias)$", r"head.last.\1", name): one for name, one in converted.items()}
    return rename_mlp_head(fuse_qkv(converted))


def _one_for_each_block(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with those of all blocks, whose names have no number, taken apart along their first axis."""
    found: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if name.startswith("blocks.."):
            found |= {name.replace("blocks..", f"blocks.{i}."): part for i, part in enumerate(value)}
        else:
            found[name] = value
    return found


def _to_layout_of_torch(stem: str, kernel: Tensor) -> Tensor:
    """Return the weight (outputs, inputs), or (D, C, s, s), of a map."""
    if stem == "patch_embed.proj":
        if kernel.ndim != 4:
            raise InputError(
                f"the patch embedding must be a convolution (s, s, C, D), but its shape is {tuple(kernel.shape)}; a "
                "linear map of patches does not say which of its inputs is which pixel"
            )
        return kernel.permute(3, 2, 0, 1).contiguous()  # (s, s, C, D) -> (D, C, s, s)
    if kernel.ndim == 3 and stem.endswith(".proj"):
        kernel = kernel.flatten(0, 1)  # (heads, e, D) -> (heads e, D)
    elif kernel.ndim == 3:
        kernel = kernel.flatten(1)  # (D, heads, e) -> (D, heads e)
    return kernel.T.contiguous()


def _config_values(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the heads, an axis of the queries of the tower that has the patch embedding."""
    arrays = dict(_named_tensors(contents.tree))
    towers = [name.removesuffix(PATCHES) for name in arrays if name.endswith(PATCHES)]
    pattern = "|".join(map(re.escape, towers))
    query = re.compile(rf"(?:{pattern})Transformer\.encoderblock(?:_\d+)?\..*\.query\.kernel")
    heads = {value.shape[-2] for name, value in arrays.items() if query.fullmatch(name) and value.ndim >= 3}
    if len(heads) != 1:
        return {}
    return {"heads": ConfigValue(int(heads.pop()), "an axis of the queries", "inferred from shapes")}


def _named_tensors(tree: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of nested dicts under their dotted names."""
    for name, value in tree.items() if isinstance(tree, Mapping) else ():
        if isinstance(value, Tensor):
            yield f"{path}{name}", value
        else:
            yield from _named_tensors(value, f"{path}{name}.")


def _notes(contents: CheckpointContents, tensors: Tensors) -> tuple[str, ...]:
    """Return a note on the form of GELU, which other code takes to be the exact one."""
    return (
        "the activation is the tanh form of GELU, flax's default; timm computes the exact one with these weights "
        "(--activation gelu)",
    )


JAX_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        NAME,
        "Google's vision_transformer and big_vision (ViT, AugReg, SigLIP) in JAX, archives of NumPy arrays (.npz)",
        required=(r"embedding\.kernel", BLOCK + r"LayerNorm_0\.scale", ATTENTION + r"query\.kernel"),
        forbidden=(r"conv_root\..*",),
        rename=RENAME,
        unused=((r"[tb]", "the scale of a contrastive loss"),),
        convert=_to_canonical,
        config_values=_config_values,
        notes=_notes,
        defaults={
            "eps": 1e-6,
            "activation": "gelu-tanh",
            "mean": INCEPTION_MEAN_STD[0],
            "std": INCEPTION_MEAN_STD[1],
        },
        recompute_sincos=False,
    ),
)
