"""Dialects of Hugging Face transformers for BEiT and data2vec, and for the vision towers of CLIP, SigLIP and BLIP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maetheory.checkpoints.dialects.dialect import (
    INCEPTION_MEAN_STD,
    WEIGHT_OR_BIAS,
    ConfigValue,
    Dialect,
    Tensors,
    fuse_qkv,
)
from maetheory.checkpoints.dialects.hugging_face import (
    HUGGING_FACE_VIT,
    config_of_image_encoder,
    config_values_from_hugging_face,
    unknown_model_type_notes,
)
from maetheory.checkpoints.dialects.model_names import CLIP_MEAN_STD
from maetheory.checkpoints.reading.contents import CheckpointContents

BEIT = r"(?:(?:beit|data2vec_vision)\.)?"
BEIT_LAYER = BEIT + r"(?:encoder\.)?layers?\.(\d+)\."
BEIT_QUERY = BEIT_LAYER + r"attention\.(?:attention\.query|q_proj)\.weight"
BEIT_RENAME = (
    (r"(?:.*\.)?relative_position_index", ""),
    (BEIT + r"embeddings\.patch_embeddings\.projection\." + WEIGHT_OR_BIAS, r"patch_embed.proj.\1"),
    (BEIT + r"embeddings\.(cls_token|mask_token)", r"\1"),
    (BEIT + r"embeddings\.position_embeddings", "pos_embed"),
    (
        BEIT_LAYER + r"(?:attention\.attention\.)?relative_position_bias\.(relative_position_bias_table)",
        r"blocks.\1.attn.\2",
    ),
    (
        BEIT + r"(?:encoder\.relative_position_bias|shared_position_bias)\.(relative_position_bias_table)",
        r"rel_pos_bias.\1",
    ),
    *(
        (
            BEIT_LAYER + rf"attention\.(?:attention\.{long}|{long[0]}_proj)\." + WEIGHT_OR_BIAS,
            rf"blocks.\1.attn.{long[0]}.\2",
        )
        for long in ("query", "key", "value")
    ),
    (BEIT_LAYER + r"attention\.(?:output\.dense|o_proj)\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.proj.\2"),
    (BEIT_LAYER + r"layernorm_before\." + WEIGHT_OR_BIAS, r"blocks.\1.norm1.\2"),
    (BEIT_LAYER + r"layernorm_after\." + WEIGHT_OR_BIAS, r"blocks.\1.norm2.\2"),
    (BEIT_LAYER + r"(?:intermediate\.dense|mlp\.fc1)\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.fc1.\2"),
    (BEIT_LAYER + r"(?:output\.dense|mlp\.fc2)\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.fc2.\2"),
    (BEIT_LAYER + r"lambda_([12])", r"blocks.\1.ls\2.gamma"),
    (BEIT + r"layernorm\." + WEIGHT_OR_BIAS, r"norm.\1"),
    (BEIT + r"pooler\.layernorm\." + WEIGHT_OR_BIAS, r"fc_norm.\1"),
    (r"classifier\." + WEIGHT_OR_BIAS, r"head.\1"),
)
TOWER_LAYER = r"encoder\.layers\.(\d+)\."
TOWER_RENAME = (
    (r"embeddings\.position_ids", ""),
    (r"embeddings\.patch_embedding\." + WEIGHT_OR_BIAS, r"patch_embed.proj.\1"),
    (r"embeddings\.class_embedding", "cls_token"),
    (r"embeddings\.position_embedding\.weight", "pos_embed"),
    (r"pre_laye?rnorm\." + WEIGHT_OR_BIAS, r"norm_pre.\1"),
    (TOWER_LAYER + r"self_attn\.([qkv])_proj\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.\2.\3"),
    (TOWER_LAYER + r"self_attn\.out_proj\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.proj.\2"),
    (TOWER_LAYER + r"layer_norm([12])\." + WEIGHT_OR_BIAS, r"blocks.\1.norm\2.\3"),
    (TOWER_LAYER + r"mlp\.fc([12])\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.fc\2.\3"),
)
BLIP_RENAME = (
    *(rule for rule in TOWER_RENAME if "self_attn" not in rule[0] and "pre_lay" not in rule[0]),
    (r"embeddings\.position_embedding", "pos_embed"),
    (TOWER_LAYER + r"self_attn\.qkv\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.qkv.\2"),
    (TOWER_LAYER + r"self_attn\.projection\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.proj.\2"),
    (r"post_layernorm\." + WEIGHT_OR_BIAS, r"norm.\1"),
)
TOWER_KEYS = (
    r"embeddings\.patch_embedding\.weight",
    r"embeddings\.position_embedding\.weight",
    r"encoder\.layers\.0\.self_attn\.q_proj\.weight",
)
TOWER_UNUSED = (
    (r"text_model\..*|text_projection\..*", "the text tower"),
    (r"visual_projection\..*|logit_(?:scale|bias)", "the comparison with texts"),
    (r"head\..*", "the attention pool"),
)
TOWER_FIELDS: Mapping[str, Any] = {
    "state_dict_paths": HUGGING_FACE_VIT.state_dict_paths,
    "prefixes": ("vision_model.", ""),
    "unused": TOWER_UNUSED,
    "convert": fuse_qkv,
    "recompute_sincos": False,
    "notes": unknown_model_type_notes,
}


def _config_values(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the values of what config.json says of the image encoder, and of preprocessor_config.json."""
    return config_values_from_hugging_face(config_of_image_encoder(contents), contents)


HUGGING_FACE_TOWER_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "Hugging Face BEiT",
        "transformers, a BEiT or data2vec of images",
        required=(
            BEIT + r"embeddings\.patch_embeddings\.projection\.weight",
            BEIT + r"embeddings\.cls_token",
            BEIT_QUERY,
        ),
        forbidden=(BEIT_LAYER + r"attention\.(?:attention\.key|k_proj)\.bias",),
        state_dict_paths=HUGGING_FACE_VIT.state_dict_paths,
        prefixes=HUGGING_FACE_VIT.prefixes,
        rename=BEIT_RENAME,
        unused=((r"lm_head\..*", "the head over visual words"),),
        convert=fuse_qkv,
        config_values=_config_values,
        defaults={
            "eps": 1e-12,
            "activation": "gelu",
            "mean": INCEPTION_MEAN_STD[0],
            "std": INCEPTION_MEAN_STD[1],
        },
        recompute_sincos=False,
    ),
    Dialect(
        "Hugging Face CLIP",
        "transformers, the vision tower of a CLIP, whose last norm is of the readout",
        required=(*TOWER_KEYS, r"embeddings\.class_embedding", r"pre_laye?rnorm\.weight"),
        rename=(*TOWER_RENAME, (r"post_layernorm\." + WEIGHT_OR_BIAS, r"fc_norm.\1")),
        config_values=_config_values,
        defaults={
            "eps": 1e-5,
            "activation": "quick-gelu",
            "mean": CLIP_MEAN_STD[0],
            "std": CLIP_MEAN_STD[1],
        },
        **TOWER_FIELDS,
    ),
    Dialect(
        "Hugging Face SigLIP",
        "transformers, the vision tower of a SigLIP without its attention pool",
        required=(*TOWER_KEYS, r"post_layernorm\.weight"),
        forbidden=(r"embeddings\.class_embedding", r"pre_laye?rnorm\.weight"),
        rename=(*TOWER_RENAME, (r"post_layernorm\." + WEIGHT_OR_BIAS, r"norm.\1")),
        config_values=_config_values,
        defaults={
            "eps": 1e-6,
            "activation": "gelu-tanh",
            "mean": INCEPTION_MEAN_STD[0],
            "std": INCEPTION_MEAN_STD[1],
        },
        **TOWER_FIELDS,
    ),
    Dialect(
        "Hugging Face BLIP",
        "transformers, the vision tower of a BLIP, BLIP-2 or InstructBLIP",
        required=(
            r"embeddings\.patch_embedding\.weight",
            r"embeddings\.class_embedding",
            r"embeddings\.position_embedding",
            TOWER_LAYER + r"self_attn\.qkv\.weight",
            r"post_layernorm\.weight",
        ),
        rename=BLIP_RENAME,
        config_values=_config_values,
        defaults={
            "eps": 1e-5,
            "activation": "gelu",
            "mean": CLIP_MEAN_STD[0],
            "std": CLIP_MEAN_STD[1],
        },
        **TOWER_FIELDS,
    ),
)
