"""timm's Vision Transformers: its names became everyone's, and only what stands beside the blocks differs."""

from __future__ import annotations

from maetheory.checkpoints.beit_dialects import BEIT_DIALECTS
from maetheory.checkpoints.dialect import HALVES, Dialect
from maetheory.checkpoints.joint_dialects import JOINT_DIALECTS
from maetheory.checkpoints.model_names import CLIP, timm_facts

STATES = ("state_dict_ema", "model_ema", "state_dict", "model", "module", "")
OF_VIT = (r"patch_embed\.proj\.weight", r"blocks\.0\.attn\.qkv\.weight", r"blocks\.0\.mlp\.fc1\.weight")
CLS = r"cls_token"
PRE, POOL, DISTILLED = r"norm_pre\.weight", r"attn_pool\..*", r"dist_token"
ELSEWHERE = (
    r"blocks\.\d+\.(gamma_1|attn\.(q_bias|relative_position_bias_table))", r"rel_pos_bias\..*",
    r"register_tokens", r"(decoder_|backbone\.|head\.last_layer\.|dino_head\.).*",
)  # fmt: skip


TIMM_DIALECTS: tuple[Dialect, ...] = (
    *BEIT_DIALECTS,
    *JOINT_DIALECTS,
    Dialect(
        "timm",
        "timm's distilled DeiT, and DeiT's own: the distillation token is kept as a register, the two classifiers are "
        "left over",
        required=(*OF_VIT, CLS, DISTILLED),
        forbidden=(*ELSEWHERE, PRE, POOL, r"reg_token"),
        weights=STATES,
        rename=((DISTILLED, "reg_token"),),
        left=((r"head(_dist)?\..*", "two classifiers, of cls and of the distillation token"),),
        facts=timm_facts,
        defaults={"eps": 1e-6, "activation": "gelu"},
        antialias=True,
    ),
    Dialect(
        "timm",
        "timm's Vision Transformers of CLIP, with a norm before the first block",
        required=(*OF_VIT, PRE),
        forbidden=(*ELSEWHERE, POOL, DISTILLED),
        weights=STATES,
        facts=timm_facts,
        defaults={"eps": 1e-5, "activation": "gelu", "mean": CLIP[0], "std": CLIP[1]},
        antialias=True,
    ),
    Dialect(
        "timm",
        "timm's Vision Transformers of SigLIP, which read the tokens by attention",
        required=(*OF_VIT, POOL),
        forbidden=(*ELSEWHERE, PRE, DISTILLED),
        weights=STATES,
        left=((POOL, "the attention pool"), (r"(fc_norm|head)\..*", "the classifier of the attention pool")),
        facts=timm_facts,
        defaults={"eps": 1e-6, "activation": "gelu", "mean": HALVES[0], "std": HALVES[1]},
        antialias=True,
    ),
    Dialect(
        "timm",
        "timm's Vision Transformers without a cls token",
        required=OF_VIT,
        forbidden=(*ELSEWHERE, PRE, POOL, DISTILLED, CLS),
        weights=STATES,
        facts=timm_facts,
        defaults={"eps": 1e-6, "activation": "gelu"},
        head_readout="mean",
        antialias=True,
    ),
    Dialect(
        "timm",
        "timm's Vision Transformers, and other code under its names",
        required=(*OF_VIT, CLS),
        forbidden=(*ELSEWHERE, PRE, POOL, DISTILLED),
        weights=STATES,
        facts=timm_facts,
        defaults={"eps": 1e-6, "activation": "gelu"},
        antialias=True,
    ),
)
