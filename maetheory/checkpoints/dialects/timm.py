"""Dialects of timm's Vision Transformers, and of other code with timm's names.

The blocks have the same names in all of them; they differ in tokens, norms and heads.
"""

from __future__ import annotations

from maetheory.checkpoints.dialects.dialect import INCEPTION_MEAN_STD, ConfigValue, Dialect, Tensors
from maetheory.checkpoints.dialects.model_names import CLIP_MEAN_STD, config_values_from_timm
from maetheory.checkpoints.reading.contents import CheckpointContents

STATE_DICT_PATHS = ("state_dict_ema", "model_ema", "state_dict", "model", "module", "")
VIT_KEYS = (r"patch_embed\.proj\.weight", r"blocks\.0\.attn\.qkv\.weight", r"blocks\.0\.mlp\.fc1\.weight")
CLS = r"cls_token"
NORM_PRE, ATTENTION_POOL, DISTILLATION_TOKEN = r"norm_pre\.weight", r"attn_pool\..*", r"dist_token"
OTHER_DIALECT_KEYS = (
    r"blocks\.\d+\.attn\.(q_bias|relative_position_bias_table)",
    r"rel_pos_bias\..*",
    r"register_tokens",
    r"(decoder_|head\.last_layer\.|dino_head\.).*",
)

LAYER_SCALE = ((r"(blocks\.\d+)\.gamma_([12])", r"\1.ls\2.gamma"),)  # timm's name until 2022, and DeiT's
HEADS_OF_OTHERS = (
    (r"(?:fc|classifier|linear|mlp_head|projector|projection_head|predictor)\..*", "layers after the encoder"),
    (r"decoder\w*[._].*", "the decoder"),
)


def _values_by_names(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the values of a stated name, and BEiT-3's ε where blocks have the further norms of its code."""
    further_norms = {"blocks.0.attn.norm.weight", "blocks.0.mlp.norm.weight"} <= tensors.keys()
    eps = {"eps": ConfigValue(1e-5, "BEiT-3's, whose blocks have these norms", "assumed")} if further_norms else {}
    return eps | config_values_from_timm(contents, tensors)


def siglip2_activation(tensors: Tensors, *, pooled: bool) -> dict[str, ConfigValue]:
    """Return the tanh form of GELU for shapes that only SigLIP 2 has, whose other shapes SigLIP has with GELU.

    Parameters
    ----------
    tensors : mapping from canonical name to Tensor
    pooled : bool
        Whether the file has SigLIP's attention pool; without it only the rarest widths show SigLIP 2.
    """
    weight, table = tensors["patch_embed.proj.weight"], tensors.get("pos_embed")
    shape = (weight.shape[0], weight.shape[-1])
    shapes = {(1152, 16), (1536, 16)} | ({(768, 32)} if pooled else set())
    large = pooled and shape == (1024, 16) and table is not None and table.shape[-2] == 32 * 32
    if shape not in shapes and not large:
        return {}
    return {"activation": ConfigValue("gelu-tanh", "SigLIP 2's, which alone has this shape", "assumed")}


def _siglip_values(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the values of a stated name, and SigLIP 2's activation where a shape shows it."""
    return siglip2_activation(tensors, pooled=True) | config_values_from_timm(contents, tensors)


def _values_without_cls(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the same for files of SigLIP 2 without the attention pool, which LayerScale rules out."""
    plain = "blocks.0.ls1.gamma" not in tensors
    activation = siglip2_activation(tensors, pooled=False) if plain else {}
    return activation | config_values_from_timm(contents, tensors)


TIMM_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "timm",
        "timm's distilled DeiT, and DeiT's own: the distillation token becomes a register, the two classifiers are "
        "unused",
        required=(*VIT_KEYS, CLS, DISTILLATION_TOKEN),
        forbidden=(*OTHER_DIALECT_KEYS, NORM_PRE, ATTENTION_POOL, r"reg_token"),
        state_dict_paths=STATE_DICT_PATHS,
        rename=((DISTILLATION_TOKEN, "reg_token"),),
        unused=((r"head(_dist)?\..*", "two classifiers, of cls and of the distillation token"),),
        config_values=config_values_from_timm,
        defaults={"eps": 1e-6, "activation": "gelu"},
        antialias=True,
        recompute_sincos=False,
    ),
    Dialect(
        "timm",
        "timm's Vision Transformers of CLIP, with a norm before the first block",
        required=(*VIT_KEYS, NORM_PRE),
        forbidden=(*OTHER_DIALECT_KEYS, ATTENTION_POOL, DISTILLATION_TOKEN),
        state_dict_paths=STATE_DICT_PATHS,
        config_values=config_values_from_timm,
        defaults={"eps": 1e-5, "activation": "gelu", "mean": CLIP_MEAN_STD[0], "std": CLIP_MEAN_STD[1]},
        antialias=True,
        recompute_sincos=False,
    ),
    Dialect(
        "timm",
        "timm's Vision Transformers of SigLIP, which pool the tokens by attention",
        required=(*VIT_KEYS, ATTENTION_POOL),
        forbidden=(*OTHER_DIALECT_KEYS, NORM_PRE, DISTILLATION_TOKEN),
        state_dict_paths=STATE_DICT_PATHS,
        unused=(
            (ATTENTION_POOL, "the attention pool"),
            (r"(fc_norm|head)\..*", "the classifier of the attention pool"),
        ),
        config_values=_siglip_values,
        defaults={"eps": 1e-6, "activation": "gelu", "mean": INCEPTION_MEAN_STD[0], "std": INCEPTION_MEAN_STD[1]},
        antialias=True,
        recompute_sincos=False,
    ),
    Dialect(
        "timm",
        "timm's Vision Transformers without a cls token",
        required=VIT_KEYS,
        rename=LAYER_SCALE,
        unused=HEADS_OF_OTHERS,
        forbidden=(*OTHER_DIALECT_KEYS, NORM_PRE, ATTENTION_POOL, DISTILLATION_TOKEN, CLS),
        state_dict_paths=STATE_DICT_PATHS,
        config_values=_values_without_cls,
        defaults={"eps": 1e-6, "activation": "gelu"},
        head_readout="mean",
        antialias=True,
        recompute_sincos=False,
    ),
    Dialect(
        "timm",
        "timm's Vision Transformers, and other code under its names",
        required=(*VIT_KEYS, CLS),
        rename=LAYER_SCALE,
        unused=HEADS_OF_OTHERS,
        forbidden=(*OTHER_DIALECT_KEYS, NORM_PRE, ATTENTION_POOL, DISTILLATION_TOKEN),
        state_dict_paths=STATE_DICT_PATHS,
        config_values=_values_by_names,
        defaults={"eps": 1e-6, "activation": "gelu"},
        antialias=True,
        recompute_sincos=False,
    ),
)
