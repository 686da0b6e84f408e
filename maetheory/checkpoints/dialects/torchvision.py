"""On torch's own attention a Vision Transformer has one in_proj, whatever the code around it is called."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from maetheory.checkpoints.dialects.dialect import IMAGENET_MEAN_STD, ConfigValue, Dialect, Tensors
from maetheory.checkpoints.dialects.pickled_modules import SOURCE, config_values_from_module, find_module_attribute
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError

KIND = r"(weight|bias)"
BLOCK = r"encoder\.layers\.encoder_layer_(\d+)\."
TORCHVISION_RENAME = (
    (r"conv_proj\." + KIND, r"patch_embed.proj.\1"),
    (r"class_token", "cls_token"),
    (r"encoder\.pos_embedding", "pos_embed"),
    (BLOCK + r"ln_([12])\." + KIND, r"blocks.\1.norm\2.\3"),
    (BLOCK + r"self_attention\.in_proj_" + KIND, r"blocks.\1.attn.qkv.\2"),
    (BLOCK + r"self_attention\.out_proj\." + KIND, r"blocks.\1.attn.proj.\2"),
    (BLOCK + r"mlp\.(?:0|linear_1)\." + KIND, r"blocks.\1.mlp.fc1.\2"),
    (BLOCK + r"mlp\.(?:3|linear_2)\." + KIND, r"blocks.\1.mlp.fc2.\2"),
    (r"encoder\.ln\." + KIND, r"norm.\1"),
    (r"heads\.pre_logits\." + KIND, r"head.pre_logits.\1"),
    (r"heads\.(?:head\.|0\.)?" + KIND, r"head.\1"),
)
FIRST = "encoder.layers.encoder_layer_0."
TORCHVISION_FIELDS = {
    "heads": FIRST + "self_attention.num_heads",
    "eps": FIRST + "ln_1.eps",
    "final_eps": "encoder.ln.eps",
}

PARTS = r"(?:encoder\.|backbone\.|vit\.)?"
LAYER = PARTS + r"(?:(?:encoder|transformer|transformer_encoder|blocks|layers)\.){1,2}(\d+)\."
PATCHES = PARTS + r"(?:patch_embed(?:ding|dings|der)?|conv_proj|to_patch)\.(?:(?:proj|projection|conv)\.)?"
POSITIONS = PARTS + r"(?:pos_embed(?:ding)?|position_embeddings?|positional_embedding)"
NORM = PARTS + r"(?:(?:encoder|transformer|transformer_encoder)\.)?(?:norm|ln|layer_norm|final_norm)\."
TRANSFORMER_ENCODER_RENAME = (
    (PATCHES + KIND, r"patch_embed.proj.\1"),
    (PARTS + r"(?:cls_token|class_token|cls)", "cls_token"),
    (POSITIONS, "pos_embed"),
    (LAYER + r"norm([12])\." + KIND, r"blocks.\1.norm\2.\3"),
    (LAYER + r"self_attn\.in_proj_" + KIND, r"blocks.\1.attn.qkv.\2"),
    (LAYER + r"self_attn\.out_proj\." + KIND, r"blocks.\1.attn.proj.\2"),
    (LAYER + r"linear([12])\." + KIND, r"blocks.\1.mlp.fc\2.\3"),
    (NORM + KIND, r"norm.\1"),
    (r"(?:head|mlp_head|classifier|fc)\." + KIND, r"head.\1"),
)
TRANSFORMER_ENCODER_FIELDS = {"heads": "0.self_attn.num_heads", "eps": "0.norm1.eps"}


def rename_mlp_head(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give a classifier with a hidden layer another name: it is no linear map of a token."""
    if "head.pre_logits.weight" not in tensors:
        return tensors
    return {
        name.replace("head.weight", "head.last.weight").replace("head.bias", "head.last.bias"): value
        for name, value in tensors.items()
    }


def _config_values_from_torchvision(contents: CheckpointContents, tensors: Tensors) -> Mapping[str, ConfigValue]:
    return config_values_from_module(contents, TORCHVISION_FIELDS)


def _config_values_from_transformer_encoder(
    contents: CheckpointContents, tensors: Tensors
) -> Mapping[str, ConfigValue]:
    """Return what a pickled module says, or what is assumed where a state dict says nothing.

    Raises
    ------
    InputError
        If it normalises after its sums, or its activation is another.
    """
    first, kind = (
        find_module_attribute(contents, "0.norm_first"),
        find_module_attribute(contents, "0.activation_relu_or_gelu"),
    )
    if first is None:
        words = "assumed, with norm_first=True: a state dict of torch.nn.TransformerEncoder says neither"
        return {"activation": ConfigValue("gelu", words)}
    if not first:
        raise InputError(
            "its torch.nn.TransformerEncoder normalises after each sum (norm_first=False), which no "
            "encoder here computes"
        )
    named = {1: "relu", 2: "gelu"}.get(kind, "another")
    named = "gelu-tanh" if find_module_attribute(contents, "0.activation.approximate") == "tanh" else named
    last = next((value for name, value in contents.module_attributes.items() if re.fullmatch(NORM + "eps", name)), None)
    config_values = {
        **config_values_from_module(contents, TRANSFORMER_ENCODER_FIELDS),
        "activation": ConfigValue(named, SOURCE),
    }
    return config_values if last is None else {**config_values, "final_eps": ConfigValue(last, SOURCE)}


TORCHVISION_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "torchvision",
        "torchvision.models.vision_transformer",
        required=(r"class_token", r"conv_proj\.weight", BLOCK + r"self_attention\.in_proj_weight"),
        weights=("", "model", "state_dict", "model_state_dict"),
        prefixes=("", "model."),
        rename=TORCHVISION_RENAME,
        convert=rename_mlp_head,
        config_values=_config_values_from_torchvision,
        defaults={"eps": 1e-6, "activation": "gelu", "mean": IMAGENET_MEAN_STD[0], "std": IMAGENET_MEAN_STD[1]},
    ),
    Dialect(
        "torch.nn.TransformerEncoder",
        "a Vision Transformer of somebody's own on torch's TransformerEncoder, read as norm_first=True",
        required=(PATCHES + r"weight", POSITIONS, LAYER + r"self_attn\.in_proj_weight", NORM + r"weight"),
        weights=("", "model", "state_dict", "model_state_dict"),
        prefixes=("", "model."),
        rename=TRANSFORMER_ENCODER_RENAME,
        left=((r"(?:model\.)?(?:decoder|mask_token).*", "the decoder"),),
        config_values=_config_values_from_transformer_encoder,
        defaults={"eps": 1e-5, "activation": "gelu"},
    ),
)
