"""Express an encoder as a model of timm: architecture, arguments and tensors under timm's names.

timm spreads its Vision Transformers over several classes. A plain one is a VisionTransformer; rotary positions, gated
MLPs and norms after the maps are Eva's; relative positions are Beit's. What none of them computes is refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from maetheory.checkpoints.encoder import Encoder
from maetheory.checkpoints.encoder_config import EncoderConfig
from maetheory.checkpoints.rotary_positions import RotaryPositions
from maetheory.core import InputError

PLAIN = {1e-6: "vit_base_patch16_224", 1e-5: "vit_base_patch16_clip_224"}
ROTARY = {1e-6: "eva_giant_patch14_224", 1e-5: "vit_pe_spatial_base_patch16_512"}
RELATIVE = {1e-6: "beit_base_patch16_224"}
ACTIVATIONS = {"gelu": "gelu", "gelu-tanh": "gelu_tanh", "quick-gelu": "quick_gelu"}
EPS_TOLERANCE = 1e-5  # of the largest token: what another ε may change, some dozen times float32's rounding error


class TimmModel(NamedTuple):
    """A model as timm's config.json describes it, with its tensors and notes on what was changed.

    Attributes
    ----------
    architecture : str
        Name of timm's model, which `arguments` change in every respect that matters.
    arguments : dict
        ``model_args`` of config.json.
    tensors : dict of str to Tensor
    notes : tuple of str
    """

    architecture: str
    arguments: dict[str, Any]
    tensors: dict[str, Tensor]
    notes: tuple[str, ...]


@torch.no_grad()
def to_timm(encoder: Encoder) -> TimmModel:
    """Return timm's model that computes the same features.

    Raises
    ------
    InputError
        If timm has no such model.
    """
    config = encoder.config
    _refuse_inexpressible(config)
    tensors = {
        name: value.detach().clone() for name, value in encoder.state_dict().items() if not name.startswith("head.")
    }
    tensors, notes = _without_patch_bias(*_with_uniform_positions(tensors, config), config)
    if config.positions in ("relative", "shared relative"):
        architectures, arguments, tensors = RELATIVE, _beit_arguments(config), _beit_tensors(tensors, config)
    elif config.rotary is not None or config.activation == "swiglu" or config.block == "post-norm":
        architectures, arguments, tensors = ROTARY, _eva_arguments(config), _eva_tensors(tensors, config)
    else:
        architectures, arguments = PLAIN, _plain_arguments(config)
    eps, eps_notes = _nearest_eps(encoder, tuple(architectures))
    head, head_notes = _linear_head_tensors(encoder)
    arguments |= {"num_classes": len(head["head.weight"]) if head else 0}
    return TimmModel(
        architectures[eps],
        {**_shared_arguments(config), **arguments},
        {name: value.contiguous() for name, value in (tensors | head).items()},
        (*notes, *eps_notes, *head_notes),
    )


def _refuse_inexpressible(config: EncoderConfig) -> None:
    """Raise an error for what no model of timm computes from a config.json."""
    relative = config.positions in ("relative", "shared relative")
    reasons = {
        "attention and MLP side by side": config.block == "parallel",
        "norms before and after the patch embedding": config.patch_norm,
        "an MLP with GeGLU": config.activation == "geglu",
        "this convolutional stem and other arguments": bool(config.stem),
        "a norm of the MLP's input": config.mlp_input_norm,
        "RMS norms": config.norm_kind == "rms",
        f"{config.inner} features of attention for {config.width} of the tokens": config.inner != config.width,
        "rounded periods of rotary positions": config.rotary is not None and config.rotary.rounded_periods,
        "relative positions and these norms or activations": relative
        and (
            config.activation != "gelu" or config.qk_norm or config.attention_norm or config.mlp_norm or config.norm_pre
        ),
        "relative positions without a cls token or with registers": relative
        and (not config.cls or config.registers > 0),
        "relative positions and norms after the maps": relative and config.block != "pre-norm",
        f"{config.activation} in a network with rotary positions": _needs_eva(config)
        and config.activation not in ("gelu", "swiglu"),
        "norms after the maps together with LayerScale or norms of queries": config.block == "post-norm"
        and (config.layer_scale or config.qk_norm),
    }
    reason = next((words for words, applies in reasons.items() if applies), None)
    if reason is not None:
        raise InputError(f"timm has no model with {reason}, so this encoder cannot be written for timm")


def _needs_eva(config: EncoderConfig) -> bool:
    """Return whether only timm's class Eva computes this."""
    return config.rotary is not None or config.activation == "swiglu" or config.block == "post-norm"


def _shared_arguments(config: EncoderConfig) -> dict[str, Any]:
    """Return the arguments that all classes have."""
    ratio = config.hidden / config.width
    if int(config.width * ratio) != config.hidden:
        ratio = (config.hidden + 0.5) / config.width
    return {
        "img_size": list(config.image_shape),
        "patch_size": list(config.patch_shape),
        "in_chans": config.channels,
        "embed_dim": config.width,
        "depth": config.depth,
        "num_heads": config.heads,
        "mlp_ratio": ratio,
        "qkv_bias": config.qkv_bias,
        "global_pool": "token" if config.cls and config.norm != "pooled" else "avg",
    }


def _plain_arguments(config: EncoderConfig) -> dict[str, Any]:
    """Return the arguments of timm's VisionTransformer."""
    return {
        "act_layer": ACTIVATIONS[config.activation],
        "qk_norm": config.qk_norm,
        "scale_attn_norm": config.attention_norm,
        "scale_mlp_norm": config.mlp_norm,
        **({"init_values": 1.0} if config.layer_scale else {}),
        "class_token": config.cls,
        "reg_tokens": config.registers,
        "no_embed_class": config.position_prefix == 0 or config.registers > 0,
        "pos_embed": "learn" if config.positions == "table" else "none",
        "pre_norm": config.norm_pre,
        "final_norm": config.norm != "none",
        "fc_norm": config.norm == "pooled",
    }


def _eva_arguments(config: EncoderConfig) -> dict[str, Any]:
    """Return the arguments of timm's Eva."""
    return {
        "attn_type": "rope",
        "qkv_fused": True,
        "qk_norm": config.qk_norm,
        "swiglu_mlp": config.activation == "swiglu",
        "scale_mlp": config.mlp_norm,
        "scale_attn_inner": config.attention_norm,
        **({"init_values": 1.0} if config.layer_scale else {}),
        "class_token": config.cls,
        "num_reg_tokens": config.registers,
        "no_embed_class": config.position_prefix == 0 or config.registers > 0,
        "use_abs_pos_emb": config.positions == "table",
        "use_rot_pos_emb": config.rotary is not None,
        "use_post_norm": config.block == "post-norm",
        "use_pre_transformer_norm": config.norm_pre,
        "use_post_transformer_norm": config.norm == "final",
        "use_fc_norm": config.norm == "pooled",
        **_rotary_arguments(config.rotary, config.grid),
    }


def _rotary_arguments(rotary: RotaryPositions | None, grid: tuple[int, int]) -> dict[str, Any]:
    """Return the arguments of Eva's rotary positions; timm cannot leave out the reference grid of some models."""
    if rotary is None:
        return {}
    return {
        "rope_type": {"axial": "cat", "normalized": "dinov3", "mixed": "mixed"}[rotary.kind],
        "rope_temperature": rotary.temperature,
        "rope_grid_offset": rotary.offset,
        "rope_grid_indexing": "xy" if rotary.column_first else "ij",
        "rope_rotate_half": rotary.split_halves,
        "ref_feat_shape": list(rotary.reference_grid or grid),
    }


def _beit_arguments(config: EncoderConfig) -> dict[str, Any]:
    """Return the arguments of timm's Beit."""
    if config.norm == "none":
        raise InputError("timm has no model with relative positions and no last norm")
    return {
        "use_abs_pos_emb": False,
        "use_rel_pos_bias": config.positions == "relative",
        "use_shared_rel_pos_bias": config.positions == "shared relative",
        "init_values": 1.0,
        "use_fc_norm": config.norm == "pooled",
    }


def _with_uniform_positions(
    tensors: dict[str, Tensor], config: EncoderConfig
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return tensors whose table has a row for every token before the patches or for none, as timm's."""
    n = config.position_prefix
    if config.positions != "table" or (n in (0, config.n_prefix_tokens) and not (n and config.registers)):
        return tensors, ()
    table = tensors["pos_embed"]
    names = [name for name in ("cls_token", "reg_token") if name in tensors]
    tokens = torch.cat([tensors[name] for name in names], 1)
    tokens[:, :n] += table[:, :n]
    parts = tokens.split([tensors[name].shape[1] for name in names], 1)
    moved = dict(zip(names, parts)) | {"pos_embed": table[:, n:]}
    return tensors | moved, ("the positions of cls and registers were added to these tokens",)


def _without_patch_bias(
    tensors: dict[str, Tensor], notes: tuple[str, ...], config: EncoderConfig
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return tensors without the bias of patches where a norm follows, as timm's; positions take it up."""
    if not config.norm_pre:
        return tensors, notes
    bias = tensors.pop("patch_embed.proj.bias")
    if not bias.any():
        return tensors, notes
    if config.positions != "table":
        raise InputError(
            "timm has no model with a bias of the patches before a norm, and there are no positions to add it to"
        )
    rows = config.n_patches
    tensors["pos_embed"] = torch.cat([tensors["pos_embed"][:, :-rows], tensors["pos_embed"][:, -rows:] + bias], 1)
    return tensors, (*notes, "the bias of the patches was added to their positions")


def _eva_tensors(tensors: dict[str, Tensor], config: EncoderConfig) -> dict[str, Tensor]:
    """Rename LayerScale, and split gates where a norm follows them."""
    renamed = {
        name.replace(".ls1.gamma", ".gamma_1").replace(".ls2.gamma", ".gamma_2"): x for name, x in tensors.items()
    }
    if config.activation == "swiglu" and config.mlp_norm:
        for name in [name for name in renamed if ".mlp.fc1." in name]:
            gate, value = renamed.pop(name).chunk(2)
            renamed |= {name.replace(".fc1.", ".fc1_g."): gate, name.replace(".fc1.", ".fc1_x."): value}
    return renamed


def _beit_tensors(tensors: dict[str, Tensor], config: EncoderConfig) -> dict[str, Tensor]:
    """Split the bias of queries and values from that of keys, which softmax ignores, and write LayerScale as ones."""
    split: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if name.endswith("attn.qkv.bias"):
            query, _, values = value.chunk(3)
            split |= {name.replace("qkv.bias", "q_bias"): query, name.replace("qkv.bias", "v_bias"): values}
        else:
            split[name.replace(".ls1.gamma", ".gamma_1").replace(".ls2.gamma", ".gamma_2")] = value
    for i in range(config.depth):
        for kind in ("gamma_1", "gamma_2"):
            split.setdefault(f"blocks.{i}.{kind}", torch.ones(config.width))
    return split


def _nearest_eps(encoder: Encoder, available: tuple[float, ...]) -> tuple[float, tuple[str, ...]]:
    """Return the ε of timm's that changes the features least, and a note if it is not the encoder's.

    Raises
    ------
    InputError
        If it changes them by more than rounding does.
    """
    config = encoder.config
    final = config.eps if config.final_eps is None else config.final_eps
    if config.eps in available and final == config.eps:
        return config.eps, ()
    images = torch.rand(4, config.channels, *config.image_shape, generator=torch.Generator().manual_seed(0))
    images = images * torch.tensor([1.0, 0.3, 0.1, 0.0])[:, None, None, None]  # a flat image has the smallest variances
    wanted = encoder(images)
    changes = {}
    for eps in available:
        with torch.device("meta"):
            other = Encoder(replace(config, eps=eps, final_eps=None), None)
        other.load_state_dict({k: v for k, v in encoder.state_dict().items() if not k.startswith("head.")}, assign=True)
        changes[eps] = float((other.eval()(images) - wanted).abs().max() / wanted.abs().max())
    eps = min(changes, key=lambda one: changes[one])
    if not changes[eps] < EPS_TOLERANCE:
        raise InputError(
            f"timm's config.json has no place for LayerNorm's eps {config.eps:g} (last norm: {final:g}), and {eps:g} "
            f"would change features by {changes[eps]:.1e} of the largest"
        )
    return eps, (
        f"timm's eps {eps:g} stands for {config.eps:g}: features of four test images change by {changes[eps]:.1e}",
    )


def _linear_head_tensors(encoder: Encoder) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the tensors of a linear classifier that timm reads from the same tokens, and a note on any other."""
    head, config = encoder.head, encoder.config
    if head is None:
        return {}, ()
    readout = "cls" if config.cls and config.norm != "pooled" else "mean"
    if not isinstance(head, nn.Linear) or head.bias is None or encoder.head_readout != readout:
        return {}, ("the classifier was left out: timm reads it from other tokens or through other layers",)
    return {f"head.{name}": value.detach().clone() for name, value in head.state_dict().items()}, ()
