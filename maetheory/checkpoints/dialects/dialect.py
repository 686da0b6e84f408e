"""A dialect is a table: under which names one code base saves what every Vision Transformer has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from maetheory.checkpoints.reading.contents import CheckpointContents

Tensors = Mapping[str, Tensor]
IMAGENET_MEAN_STD = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
INCEPTION_MEAN_STD = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True)
class ConfigValue:
    """What stands beside the tensors, and where it was found.

    `source` ends the sentence "eps 1e-12 from …": "config.json", "the pickled module", "the table of widths".
    """

    value: Any
    source: str


@dataclass(frozen=True)
class Dialect:
    r"""How one code base names its files' contents.

    Patterns are regular expressions for whole keys, tried after the wrapper and the prefix are off. Canonical names are
    those of `Encoder`: ``patch_embed.proj.weight``, ``cls_token``, ``reg_token``, ``pos_embed``, ``norm_pre.*``,
    ``blocks.i.{norm1,attn.qkv,attn.proj,ls1.gamma,norm2,mlp.fc1,mlp.fc2,ls2.gamma}``, ``norm.*``, ``fc_norm.*``,
    ``head.*``.

    Attributes
    ----------
    name : str
        As reported: "facebookresearch/mae".
    about : str
        Who writes such files, in one line.
    required : tuple of str
        Each must match at least one key.
    forbidden : tuple of str
        None may match any key.
    weights : tuple of str
        Dotted paths in the file's tree at which the state dict may lie, the preferred first; "" is the tree itself.
        A path that ends in "ema", or a teacher's or a target's, is an averaged copy, and the report says so.
    prefixes : tuple of str
        What may stand before every key of the encoder, the preferred first; keys without it are left over.
    rename : tuple of (pattern, replacement)
        The first pattern that matches gives the canonical name (``re.sub`` replacement); a key that none matches
        keeps its name. Replacement "" drops the key without a word (constant buffers such as indices).
    left : tuple of (pattern, words)
        What else a file holds and the encoder does not need: (r"decoder\..*", "the decoder"). Tried on a key as it is,
        then on its canonical name; on whole keys where the prefix is missing.
    convert : callable from canonical tensors to canonical tensors
        What renaming cannot do: fuse q, k, v, transpose positions. Runs after renaming and after `left` is set aside.
    config_values : callable (contents, canonical tensors) to a mapping from field of EncoderConfig to Fact
        What the file itself, its pickled attributes or its JSON neighbours say about heads, eps, mean, std,
        activation, …; empty where nothing does.
    defaults : mapping from field of EncoderConfig to value
        What this code base always does, where neither shapes nor facts say: eps, mean, std, activation.
    head_readout : "cls" or "mean"
        What the file's own classifier reads, when the file has no ``fc_norm``.
    antialias : bool
        Whether this code base resizes position tables with an antialiased bicubic filter.
    interpolate_offset : float
        By how much of a patch the side is longer to which it resizes them.
    notes : callable (contents, canonical tensors) to a tuple of sentences
        What to know of this reading.
    """

    name: str
    about: str
    required: tuple[str, ...]
    forbidden: tuple[str, ...] = ()
    weights: tuple[str, ...] = ("",)
    prefixes: tuple[str, ...] = ("",)
    rename: tuple[tuple[str, str], ...] = ()
    left: tuple[tuple[str, str], ...] = ()
    convert: Callable[[dict[str, Tensor]], dict[str, Tensor]] = dict
    config_values: Callable[[CheckpointContents, Tensors], Mapping[str, ConfigValue]] = field(
        default=lambda contents, tensors: {}
    )
    defaults: Mapping[str, Any] = field(default_factory=dict)
    head_readout: str = "cls"
    antialias: bool = False
    interpolate_offset: float = 0.0
    notes: Callable[[CheckpointContents, Tensors], tuple[str, ...]] = field(default=lambda contents, tensors: ())


def fuse_qkv(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Fuse ``blocks.i.attn.{q,k,v}.{weight,bias}`` into ``attn.qkv``; a missing key bias is zero, as BEiT's."""
    fused = {name: value for name, value in tensors.items() if not _is_split_qkv(name)}
    for name in tensors:
        if name.endswith(".attn.q.weight") or name.endswith(".attn.q.bias"):
            stem, kind = name.rsplit(".attn.q.", 1)
            parts = [tensors.get(f"{stem}.attn.{x}.{kind}") for x in "qkv"]
            parts = [value if value is not None else torch.zeros_like(tensors[name]) for value in parts]
            fused[f"{stem}.attn.qkv.{kind}"] = torch.cat([value for value in parts if value is not None])
    return fused


def _is_split_qkv(name: str) -> bool:
    return any(f".attn.{x}." in name for x in "qkv")
