"""Dialects of timm's further Vision Transformers: NaFlex, relative positions from an MLP, and parallel blocks."""

from __future__ import annotations

import re
from math import isqrt
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from maetheory.checkpoints.dialects.dialect import INCEPTION_MEAN_STD, ConfigValue, Dialect, Tensors
from maetheory.checkpoints.dialects.model_names import config_values_from_timm
from maetheory.checkpoints.dialects.timm import HEADS_OF_OTHERS, STATE_DICT_PATHS
from maetheory.checkpoints.encoder_config import EncoderConfig
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError

CHANNELS = (3, 1, 4)  # at most one of them makes the values of a patch a square times the channels
RELATIVE_MLP = re.compile(r"(blocks\.\d+\.attn\.rel_pos|shared_rel_pos)\.mlp\.fc1\.weight")
NAFLEX_KEYS = (r"embeds\.proj\.weight", r"embeds\.pos_embed(?:_[xy])?", r"blocks\.0\.attn\.qkv\.weight")
NAFLEX_RENAME = ((r"embeds\.proj\.(.*)", r"patch_embed.proj.\1"), (r"embeds\.(.*)", r"\1"))
ATTENTION_POOL = ((r"attn_pool\..*", "the attention pool"),)


def _from_naflex(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the patch map as a convolution, whose values are in the order row, column, channel, and a flat table.

    Raises
    ------
    InputError
        If patches are no squares of one, three or four channels, or positions are factors of row and column.
    """
    weight = tensors["patch_embed.proj.weight"]
    if weight.ndim == 2:
        values = weight.shape[1]
        channels = next((c for c in CHANNELS if values % c == 0 and isqrt(values // c) ** 2 * c == values), None)
        if channels is None:
            raise InputError(f"patches of {values} values are no square of 1, 3 or 4 channels")
        side = isqrt(values // channels)
        weight = weight.view(-1, side, side, channels).permute(0, 3, 1, 2).contiguous()
    if "pos_embed_y" in tensors:
        # The positions of a patch are the sum of those of its row and its column.
        rows, columns = tensors["pos_embed_y"].flatten(0, -2), tensors["pos_embed_x"].flatten(0, -2)
        table = (rows[:, None] + columns[None]).flatten(0, 1)[None]
        tensors = {name: value for name, value in tensors.items() if not name.startswith("pos_embed_")}
        return tensors | {"patch_embed.proj.weight": weight, "pos_embed": table}
    return tensors | {"patch_embed.proj.weight": weight, "pos_embed": tensors["pos_embed"].flatten(1, -2)}


def _from_parallel(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Split the map that attention and MLP share, and give each a copy of their norm and LayerScale."""
    split: dict[str, Tensor] = {}
    for name, value in tensors.items():
        found = re.fullmatch(r"(blocks\.\d+)\.(in_norm|in_proj|mlp_bias|ls)(?:\.(\w+))?", name)
        if found is None:
            split[name] = value
            continue
        block, part, kind = found.groups()
        if part == "in_proj":
            hidden = tensors[f"{block}.mlp.fc2.weight"].shape[1]
            split |= {f"{block}.mlp.fc1.{kind}": value[:hidden], f"{block}.attn.qkv.{kind}": value[hidden:]}
        elif part == "mlp_bias":
            split[f"{block}.mlp.fc1.bias"] = value
        else:
            stem = "norm" if part == "in_norm" else "ls"
            split |= {f"{block}.{stem}{i}.{kind}": value for i in (1, 2)}
    return split


def _parallel_values(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the kind of block that the names show, and RMS norms where norms have no bias."""
    found = {"block": ConfigValue("parallel", "names of a map that attention and MLP share", "inferred from shapes")}
    if "blocks.0.norm1.bias" not in tensors:
        found["norm_kind"] = ConfigValue("rms", "names, norms without a bias", "inferred from shapes")
    return config_values_from_timm(contents, tensors) | found


def _relative_values(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the kind of relative positions that the names show."""
    shared = any(name.startswith("shared_rel_pos.") for name in tensors)
    kind = ConfigValue("shared relative" if shared else "relative", "names", "inferred from shapes")
    if not any(name.endswith("mlp.fc2.bias") and "rel_pos" in name for name in tensors):
        raise InputError("its relative positions are those of Swin V2, with a sigmoid, which no encoder here computes")
    return {**config_values_from_timm(contents, tensors), "positions": kind}


def _from_hybrid(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename ViTamin's gated MLP, whose norm comes before its maps; the names of other hybrids stay."""
    renamed: dict[str, Tensor] = {}
    for name, value in tensors.items():
        found = re.fullmatch(r"(blocks\.\d+\.mlp)\.(norm|w[012])\.(\w+)", name)
        if found is None or f"{found[1]}.w0.weight" not in tensors:
            renamed[name] = value
        elif found[2] == "w0":
            renamed[f"{found[1]}.fc1.{found[3]}"] = torch.cat([value, tensors[f"{found[1]}.w1.{found[3]}"]])
        elif found[2] != "w1":
            renamed[f"{found[1]}.{'norm_in' if found[2] == 'norm' else 'fc2'}.{found[3]}"] = value
    return renamed


def _names_hybrid_model(contents: CheckpointContents, tensors: Tensors) -> bool:
    """Return whether the file states the model whose convolutional network makes the patches."""
    return "stem" in config_values_from_timm(contents, tensors)


def relative_tables(tensors: dict[str, Tensor], config: EncoderConfig) -> dict[str, Tensor]:
    """Return tables of relative position biases, which an MLP computes from logarithms of row and column offsets.

    The rows of a cls token are zero. Source: timm's form of Swin V2's positions (Liu et al. 2022).
    """
    rows, columns = config.grid
    offsets = torch.stack(
        torch.meshgrid(torch.arange(1 - rows, rows), torch.arange(1 - columns, columns), indexing="ij"), -1
    ).float()  # (2 rows - 1, 2 columns - 1, 2)
    coordinates = offsets.sign() * offsets.abs().log1p()
    found = {name: value for name, value in tensors.items() if "rel_pos.mlp." not in name}
    for name in tensors:
        if match := RELATIVE_MLP.fullmatch(name):
            stem = f"{match[1]}.mlp"
            weights = [tensors[f"{stem}.{layer}.{kind}"] for layer in ("fc1", "fc2") for kind in ("weight", "bias")]
            hidden = F.linear(coordinates.to(weights[0]), weights[0], weights[1]).relu()
            table = F.linear(hidden, weights[2], weights[3]).flatten(0, 1)
            place = "rel_pos_bias" if match[1] == "shared_rel_pos" else match[1].removesuffix(".rel_pos")
            found[f"{place}.relative_position_bias_table"] = F.pad(table, (0, 0, 0, 3 * int(config.cls)))
    return found


FIELDS: dict[str, Any] = {"state_dict_paths": STATE_DICT_PATHS, "antialias": True, "recompute_sincos": False}
DEFAULTS = {"eps": 1e-6, "activation": "gelu"}
TIMM_VARIANT_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "timm",
        "timm's NaFlexVit of SigLIP 2, which pools the tokens by attention, read at the grid of its position table",
        required=(*NAFLEX_KEYS, ATTENTION_POOL[0][0]),
        rename=NAFLEX_RENAME,
        unused=(*ATTENTION_POOL, *HEADS_OF_OTHERS),
        convert=_from_naflex,
        config_values=config_values_from_timm,
        defaults={
            **{"eps": 1e-6, "activation": "gelu-tanh"},
            **{"mean": INCEPTION_MEAN_STD[0], "std": INCEPTION_MEAN_STD[1]},
        },
        head_readout="mean",
        **FIELDS,
    ),
    Dialect(
        "timm",
        "timm's NaFlexVit, read at the grid of its position table",
        required=NAFLEX_KEYS,
        forbidden=(ATTENTION_POOL[0][0],),
        rename=NAFLEX_RENAME,
        unused=HEADS_OF_OTHERS,
        convert=_from_naflex,
        config_values=config_values_from_timm,
        defaults=DEFAULTS,
        head_readout="mean",
        **FIELDS,
    ),
    Dialect(
        "timm",
        "timm's Vision Transformers with attention and MLP side by side in a block",
        required=(r"patch_embed\.proj\.weight", r"blocks\.0\.in_proj\.weight", r"blocks\.0\.attn_out_proj\.weight"),
        forbidden=(r"blocks\.\d+\.lambda_q1",),
        rename=(
            (r"(blocks\.\d+)\.attn_out_proj\.(.*)", r"\1.attn.proj.\2"),
            (r"(blocks\.\d+)\.mlp_out_proj\.(.*)", r"\1.mlp.fc2.\2"),
            (r"(blocks\.\d+)\.([qk]_norm)\.(.*)", r"\1.attn.\2.\3"),
        ),
        unused=HEADS_OF_OTHERS,
        convert=_from_parallel,
        config_values=_parallel_values,
        defaults=DEFAULTS,
        **FIELDS,
    ),
    Dialect(
        "timm",
        "timm's hybrids, whose patches come from a convolutional network, built by timm itself",
        required=(r"patch_embed\.backbone\..*", r"blocks\.0\.attn\.qkv\.weight"),
        unused=HEADS_OF_OTHERS,
        evidence=_names_hybrid_model,
        convert=_from_hybrid,
        config_values=config_values_from_timm,
        defaults={**DEFAULTS, "positions": "none"},
        **FIELDS,
    ),
    Dialect(
        "timm",
        "timm's Vision Transformers with relative positions from an MLP",
        required=(
            r"patch_embed\.proj\.weight",
            r"(?:blocks\.0\.attn\.rel_pos|shared_rel_pos)\.mlp\.fc1\.weight",
            r"blocks\.0\.attn\.qkv\.weight",
        ),
        unused=HEADS_OF_OTHERS,
        config_values=_relative_values,
        finish=relative_tables,
        defaults={**DEFAULTS, "image_size": 224, "position_prefix": 0},
        head_readout="mean",
        **FIELDS,
    ),
)
