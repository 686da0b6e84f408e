"""Dialect of the image towers of OpenAI's CLIP and of open_clip, on torch's multi-head attention."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from maetheory.checkpoints.dialects.dialect import WEIGHT_OR_BIAS, ConfigValue, Dialect, Tensors
from maetheory.checkpoints.dialects.model_names import CLIP_MEAN_STD
from maetheory.checkpoints.reading.contents import CheckpointContents

BLOCK = r"transformer\.resblocks\.(\d+)\."
RENAME = (
    (r"conv1\." + WEIGHT_OR_BIAS, r"patch_embed.proj.\1"),
    (r"class_embedding", "cls_token"),
    (r"positional_embedding", "pos_embed"),
    (r"ln_pre\." + WEIGHT_OR_BIAS, r"norm_pre.\1"),
    (r"ln_post\." + WEIGHT_OR_BIAS, r"fc_norm.\1"),
    (BLOCK + r"ln_([12])\." + WEIGHT_OR_BIAS, r"blocks.\1.norm\2.\3"),
    (BLOCK + r"attn\.in_proj_" + WEIGHT_OR_BIAS, r"blocks.\1.attn.qkv.\2"),
    (BLOCK + r"attn\.out_proj\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.proj.\2"),
    (BLOCK + r"mlp\.c_fc\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.fc1.\2"),
    (BLOCK + r"mlp\.c_proj\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.fc2.\2"),
    (BLOCK + r"ls_([12])\.gamma", r"blocks.\1.ls\2.gamma"),
)


def _cls_token_with_axes(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the cls token with the shape (1, 1, d), which these files keep as a vector."""
    return {name: value.reshape(1, 1, -1) if name == "cls_token" else value for name, value in tensors.items()}


def _activation(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the activation, which the names do not show: OpenAI's models have quick-GELU, most of open_clip's GELU."""
    if isinstance(contents.tree, Mapping) and "input_resolution" in contents.tree:
        return {"activation": ConfigValue("quick-gelu", "OpenAI's input_resolution", "inferred from shapes")}
    return {"activation": ConfigValue("gelu", "as most of open_clip's; OpenAI's models have quick-gelu", "assumed")}


OPEN_CLIP_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "open_clip",
        "open_clip's and OpenAI's CLIP, the image tower, whose last norm is of the readout",
        required=(
            r"conv1\.weight",
            r"class_embedding",
            r"positional_embedding",
            r"ln_pre\.weight",
            BLOCK + r"attn\.in_proj_weight",
        ),
        forbidden=(r"attn_pool\..*",),
        state_dict_paths=("state_dict", "model", ""),
        prefixes=("visual.", ""),
        rename=RENAME,
        unused=((r"proj", "the projection to the space of texts"),),
        convert=_cls_token_with_axes,
        config_values=_activation,
        defaults={"eps": 1e-5, "activation": "gelu", "mean": CLIP_MEAN_STD[0], "std": CLIP_MEAN_STD[1]},
        recompute_sincos=False,
        antialias=True,
    ),
)
