"""`Dialect`: how one code base names the tensors of a Vision Transformer, and what it states beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from maetheory.checkpoints.encoder_config import EncoderConfig
from maetheory.checkpoints.reading.contents import CheckpointContents

Tensors = Mapping[str, Tensor]
IMAGENET_MEAN_STD = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
INCEPTION_MEAN_STD = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
COMMON_DEFAULTS: Mapping[str, Any] = {
    "eps": 1e-6,
    "activation": "gelu",
    "mean": IMAGENET_MEAN_STD[0],
    "std": IMAGENET_MEAN_STD[1],
}
WEIGHT_OR_BIAS = r"(weight|bias)"
Basis = Literal["stated in the file", "inferred from shapes", "assumed", "given by the caller"]


@dataclass(frozen=True)
class ConfigValue:
    """A configuration value and the source that states it.

    `source` ends the sentence "eps 1e-12 from …": "config.json", "the pickled module", "the table of widths". `basis`
    says how much it is worth: whether the file states the value, its shapes imply it, or nothing does.
    """

    value: Any
    source: str
    basis: Basis = "stated in the file"

    @property
    def assumed(self) -> bool:
        """Whether nothing in the file states or implies the value."""
        return self.basis == "assumed"

    def __str__(self) -> str:
        """Return the basis with the source after it, as reports show them."""
        return self.source if self.basis == "given by the caller" else f"{self.basis}: {self.source}"


@dataclass(frozen=True)
class Dialect:
    r"""How one code base names and lays out its checkpoints.

    Patterns are regular expressions for whole keys, tried on keys without wrapper and prefix. Canonical names are those
    of `Encoder`: ``patch_embed.proj.weight``, ``cls_token``, ``reg_token``, ``pos_embed``, ``norm_pre.*``,
    ``blocks.i.{norm1,attn.qkv,attn.proj,ls1.gamma,norm2,mlp.fc1,mlp.fc2,ls2.gamma}``, ``norm.*``, ``fc_norm.*``,
    ``head.*``.

    Attributes
    ----------
    name : str
        As reported: "facebookresearch/mae".
    description : str
        Which code writes such files, in one line.
    required : tuple of str
        Each must match at least one key.
    forbidden : tuple of str
        None may match any key.
    state_dict_paths : tuple of str
        Dotted paths of the state dict in the file's tree, the preferred first; "" is the tree itself.
        A path that ends in "ema", or a teacher's or a target's, is an averaged copy, and the report says so.
    prefixes : tuple of str
        Prefixes of the encoder's keys, the preferred first; keys without the prefix are unused.
    rename : tuple of (pattern, replacement)
        The first pattern that matches gives the canonical name (``re.sub`` replacement); a key that none matches
        keeps its name. Replacement "" drops the key without a record (constant buffers such as indices).
    unused : tuple of (pattern, description)
        Keys that the encoder does not need: (r"decoder\..*", "the decoder"). Patterns are tried on the original key,
        then on its canonical name; on whole keys where the prefix is missing.
    convert : callable from canonical tensors to canonical tensors
        Conversion beyond renaming: fuse q, k, v, transpose positions. It runs after renaming, without the unused keys.
    finish : callable (canonical tensors, EncoderConfig) to canonical tensors
        Conversion that needs the configuration: tables that a network of the file computes for a grid.
    config_values : callable (contents, canonical tensors) to a mapping from field of EncoderConfig to ConfigValue
        Values of heads, eps, mean, std, activation, … that the file, its pickled attributes or the JSON files beside
        it state; empty where nothing does.
    defaults : mapping from field of EncoderConfig to value
        Values that this code base always uses, where neither shapes nor `config_values` state them.
    head_readout : "cls" or "mean"
        Readout of the file's own classifier, when the file has no ``fc_norm``.
    antialias : bool
        Whether this code base resizes position tables with an antialiased bicubic filter.
    recompute_sincos : bool
        Whether a table of sines and cosines is computed anew for another image size; else it is interpolated as any
        other, as this code base does.
    interpolate_offset : float
        Fraction of a patch that this code base adds to the side to which it resizes position tables.
    notes : callable (contents, canonical tensors) to a tuple of sentences
        Notes for the report.
    evidence : callable (contents, tensors under the file's names without the prefix) to bool
        Whether the file shows by more than these names that this code base wrote it.
    """

    name: str
    description: str
    required: tuple[str, ...]
    forbidden: tuple[str, ...] = ()
    state_dict_paths: tuple[str, ...] = ("",)
    prefixes: tuple[str, ...] = ("",)
    rename: tuple[tuple[str, str], ...] = ()
    unused: tuple[tuple[str, str], ...] = ()
    convert: Callable[[dict[str, Tensor]], dict[str, Tensor]] = dict
    finish: Callable[[dict[str, Tensor], EncoderConfig], dict[str, Tensor]] = field(
        default=lambda tensors, config: tensors
    )
    config_values: Callable[[CheckpointContents, Tensors], Mapping[str, ConfigValue]] = field(
        default=lambda contents, tensors: {}
    )
    defaults: Mapping[str, Any] = field(default_factory=dict)
    head_readout: str = "cls"
    antialias: bool = False
    recompute_sincos: bool = True
    interpolate_offset: float = 0.0
    notes: Callable[[CheckpointContents, Tensors], tuple[str, ...]] = field(default=lambda contents, tensors: ())
    evidence: Callable[[CheckpointContents, Tensors], bool] = field(default=lambda contents, tensors: True)


def embed_dim(tensors: Tensors) -> int:
    """Return the feature dimension of canonical tensors, 0 without a patch embedding."""
    return tensors["patch_embed.proj.weight"].shape[0] if "patch_embed.proj.weight" in tensors else 0


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
    """Return whether a name belongs to separate queries, keys or values."""
    return any(f".attn.{x}." in name for x in "qkv")
