"""Dialects of torchvision and of custom models on torch.nn.TransformerEncoder."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from maetheory.checkpoints.dialects.dialect import COMMON_DEFAULTS, WEIGHT_OR_BIAS, ConfigValue, Dialect, Tensors
from maetheory.checkpoints.dialects.pickled_modules import SOURCE, config_values_from_module, find_module_attribute
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError

BLOCK = r"encoder\.layers\.encoder_layer_(\d+)\."
TORCHVISION_RENAME = (
    (r"conv_proj\." + WEIGHT_OR_BIAS, r"patch_embed.proj.\1"),
    (r"class_token", "cls_token"),
    (r"encoder\.pos_embedding", "pos_embed"),
    (BLOCK + r"ln_([12])\." + WEIGHT_OR_BIAS, r"blocks.\1.norm\2.\3"),
    (BLOCK + r"self_attention\.in_proj_" + WEIGHT_OR_BIAS, r"blocks.\1.attn.qkv.\2"),
    (BLOCK + r"self_attention\.out_proj\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.proj.\2"),
    (BLOCK + r"mlp\.(?:0|linear_1)\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.fc1.\2"),
    (BLOCK + r"mlp\.(?:3|linear_2)\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.fc2.\2"),
    (r"encoder\.ln\." + WEIGHT_OR_BIAS, r"norm.\1"),
    (r"heads\.pre_logits\." + WEIGHT_OR_BIAS, r"head.pre_logits.\1"),
    (r"heads\.(?:head\.|0\.)?" + WEIGHT_OR_BIAS, r"head.\1"),
)
FIRST_BLOCK = "encoder.layers.encoder_layer_0."
TORCHVISION_FIELDS = {
    "heads": FIRST_BLOCK + "self_attention.num_heads",
    "eps": FIRST_BLOCK + "ln_1.eps",
    "final_eps": "encoder.ln.eps",
}

PARTS = r"(?:encoder\.|backbone\.|vit\.)?"
LAYER = PARTS + r"(?:(?:encoder|transformer|transformer_encoder|blocks|layers)\.){1,2}(\d+)\."
PATCHES = PARTS + r"(?:patch_embed(?:ding|dings|der)?|conv_proj|to_patch)\.(?:(?:proj|projection|conv)\.)?"
POSITIONS = PARTS + r"(?:pos_embed(?:ding)?|position_embeddings?|positional_embedding)"
NORM = PARTS + r"(?:(?:encoder|transformer|transformer_encoder)\.)?(?:norm|ln|layer_norm|final_norm)\."
TRANSFORMER_ENCODER_RENAME = (
    (PATCHES + WEIGHT_OR_BIAS, r"patch_embed.proj.\1"),
    (PARTS + r"(?:cls_token|class_token|cls)", "cls_token"),
    (POSITIONS, "pos_embed"),
    (LAYER + r"norm([12])\." + WEIGHT_OR_BIAS, r"blocks.\1.norm\2.\3"),
    (LAYER + r"self_attn\.in_proj_" + WEIGHT_OR_BIAS, r"blocks.\1.attn.qkv.\2"),
    (LAYER + r"self_attn\.out_proj\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.proj.\2"),
    (LAYER + r"linear([12])\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.fc\2.\3"),
    (NORM + WEIGHT_OR_BIAS, r"norm.\1"),
    (r"(?:head|mlp_head|classifier|fc)\." + WEIGHT_OR_BIAS, r"head.\1"),
)
TRANSFORMER_ENCODER_FIELDS = {"heads": "0.self_attn.num_heads", "eps": "0.norm1.eps"}


def rename_mlp_head(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename a classifier with a hidden layer, so that it is not read as a linear map of a token."""
    if "head.pre_logits.weight" not in tensors:
        return tensors
    return {
        name.replace("head.weight", "head.last.weight").replace("head.bias", "head.last.bias"): value
        for name, value in tensors.items()
    }


def _config_values_from_torchvision(contents: CheckpointContents, tensors: Tensors) -> Mapping[str, ConfigValue]:
    """Return heads and ε from the attributes of the pickled module."""
    return config_values_from_module(contents, TORCHVISION_FIELDS)


def _config_values_from_transformer_encoder(
    contents: CheckpointContents, tensors: Tensors
) -> Mapping[str, ConfigValue]:
    """Return heads, ε and activation of a pickled module, or the assumed activation of a state dict.

    Raises
    ------
    InputError
        If the model normalises after its sums.
    """
    norm_first = find_module_attribute(contents, "0.norm_first")
    activation_code = find_module_attribute(contents, "0.activation_relu_or_gelu")
    if norm_first is None:
        source = "as most do, with norm_first=True: a state dict of torch.nn.TransformerEncoder says neither"
        return {"activation": ConfigValue("gelu", source, "assumed")}
    if not norm_first:
        raise InputError(
            "its torch.nn.TransformerEncoder normalises after each sum (norm_first=False), which no "
            "encoder here computes"
        )
    activation = {1: "relu", 2: "gelu"}.get(activation_code, "another")
    if find_module_attribute(contents, "0.activation.approximate") == "tanh":
        activation = "gelu-tanh"
    final_eps = next(
        (value for name, value in contents.module_attributes.items() if re.fullmatch(NORM + "eps", name)), None
    )
    config_values = {
        **config_values_from_module(contents, TRANSFORMER_ENCODER_FIELDS),
        "activation": ConfigValue(activation, SOURCE),
    }
    return config_values if final_eps is None else {**config_values, "final_eps": ConfigValue(final_eps, SOURCE)}


TORCHVISION_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "torchvision",
        "torchvision.models.vision_transformer",
        required=(r"class_token", r"conv_proj\.weight", BLOCK + r"self_attention\.in_proj_weight"),
        state_dict_paths=("", "model", "state_dict", "model_state_dict"),
        prefixes=("", "model."),
        rename=TORCHVISION_RENAME,
        convert=rename_mlp_head,
        config_values=_config_values_from_torchvision,
        defaults=COMMON_DEFAULTS,
    ),
    Dialect(
        "torch.nn.TransformerEncoder",
        "a custom Vision Transformer on torch's TransformerEncoder, read as norm_first=True",
        required=(PATCHES + r"weight", POSITIONS, LAYER + r"self_attn\.in_proj_weight", NORM + r"weight"),
        state_dict_paths=("", "model", "state_dict", "model_state_dict"),
        prefixes=("", "model."),
        rename=TRANSFORMER_ENCODER_RENAME,
        unused=((r"(?:model\.)?(?:decoder|mask_token).*", "the decoder"),),
        config_values=_config_values_from_transformer_encoder,
        defaults={"eps": 1e-5, "activation": "gelu"},
    ),
)
