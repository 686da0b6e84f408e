"""timm's Vision Transformers: its names became everyone's, and only what stands beside the blocks differs."""

from __future__ import annotations

from maetheory.checkpoints.dialects.beit import BEIT_DIALECTS
from maetheory.checkpoints.dialects.dialect import INCEPTION_MEAN_STD, Dialect
from maetheory.checkpoints.dialects.joint_embedding import JOINT_DIALECTS
from maetheory.checkpoints.dialects.model_names import CLIP_MEAN_STD, config_values_from_timm

STATE_DICT_PATHS = ("state_dict_ema", "model_ema", "state_dict", "model", "module", "")
VIT_KEYS = (r"patch_embed\.proj\.weight", r"blocks\.0\.attn\.qkv\.weight", r"blocks\.0\.mlp\.fc1\.weight")
CLS = r"cls_token"
PRE, POOL, DISTILLED = r"norm_pre\.weight", r"attn_pool\..*", r"dist_token"
OTHER_DIALECT_KEYS = (
    r"blocks\.\d+\.(gamma_1|attn\.(q_bias|relative_position_bias_table))",
    r"rel_pos_bias\..*",
    r"register_tokens",
    r"(decoder_|backbone\.|head\.last_layer\.|dino_head\.).*",
)


TIMM_DIALECTS: tuple[Dialect, ...] = (
    *BEIT_DIALECTS,
    *JOINT_DIALECTS,
    Dialect(
        "timm",
        "timm's distilled DeiT, and DeiT's own: the distillation token is kept as a register, the two classifiers are "
        "left over",
        required=(*VIT_KEYS, CLS, DISTILLED),
        forbidden=(*OTHER_DIALECT_KEYS, PRE, POOL, r"reg_token"),
        weights=STATE_DICT_PATHS,
        rename=((DISTILLED, "reg_token"),),
        left=((r"head(_dist)?\..*", "two classifiers, of cls and of the distillation token"),),
        config_values=config_values_from_timm,
        defaults={"eps": 1e-6, "activation": "gelu"},
        antialias=True,
    ),
    Dialect(
        "timm",
        "timm's Vision Transformers of CLIP, with a norm before the first block",
        required=(*VIT_KEYS, PRE),
        forbidden=(*OTHER_DIALECT_KEYS, POOL, DISTILLED),
        weights=STATE_DICT_PATHS,
        config_values=config_values_from_timm,
        defaults={"eps": 1e-5, "activation": "gelu", "mean": CLIP_MEAN_STD[0], "std": CLIP_MEAN_STD[1]},
        antialias=True,
    ),
    Dialect(
        "timm",
        "timm's Vision Transformers of SigLIP, which read the tokens by attention",
        required=(*VIT_KEYS, POOL),
        forbidden=(*OTHER_DIALECT_KEYS, PRE, DISTILLED),
        weights=STATE_DICT_PATHS,
        left=((POOL, "the attention pool"), (r"(fc_norm|head)\..*", "the classifier of the attention pool")),
        config_values=config_values_from_timm,
        defaults={"eps": 1e-6, "activation": "gelu", "mean": INCEPTION_MEAN_STD[0], "std": INCEPTION_MEAN_STD[1]},
        antialias=True,
    ),
    Dialect(
        "timm",
        "timm's Vision Transformers without a cls token",
        required=VIT_KEYS,
        forbidden=(*OTHER_DIALECT_KEYS, PRE, POOL, DISTILLED, CLS),
        weights=STATE_DICT_PATHS,
        config_values=config_values_from_timm,
        defaults={"eps": 1e-6, "activation": "gelu"},
        head_readout="mean",
        antialias=True,
    ),
    Dialect(
        "timm",
        "timm's Vision Transformers, and other code under its names",
        required=(*VIT_KEYS, CLS),
        forbidden=(*OTHER_DIALECT_KEYS, PRE, POOL, DISTILLED),
        weights=STATE_DICT_PATHS,
        config_values=config_values_from_timm,
        defaults={"eps": 1e-6, "activation": "gelu"},
        antialias=True,
    ),
)
