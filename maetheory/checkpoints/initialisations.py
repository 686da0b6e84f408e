"""Initialisation rules: the distributions from which each code base draws the weights of a Vision Transformer.

The rank of an untrained network's features depends on the rule, by a factor of two and more, so a random-initialisation
baseline has to follow the rule of the code base that trained the checkpoint. Those of timm 1.0, transformers 5,
torchvision 0.28 and torch.nn were read in their sources; the others are those of MAE (He et al. 2022), MoCo-v3 (Chen et
al. 2021), BEiT (Bao et al. 2022), SimMIM (Xie et al. 2022), I-JEPA (Assran et al. 2023) and vit-pytorch. Norms start at
weight one and bias zero, relative positions at zero, under every rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import pi, sqrt

import torch
from torch import Tensor, nn

WeightInitializer = Callable[[Tensor], object]


def _fill_xavier_uniform(weight: Tensor) -> None:
    """Fill a weight with Xavier-uniform values."""
    nn.init.xavier_uniform_(weight)


def _fill_linear_default(weight: Tensor) -> None:
    """Fill a weight as torch.nn.Linear does."""
    nn.init.kaiming_uniform_(weight, a=sqrt(5))


def _fill_lecun_normal(weight: Tensor) -> None:
    """Fill a weight with LeCun-normal values, of variance 1/inputs."""
    nn.init.normal_(weight, std=1 / sqrt(weight.shape[1]))


def _fill_truncated_normal(weight: Tensor, std: float) -> None:
    """Fill a weight from a normal distribution truncated at one standard deviation, as BEiT does."""
    nn.init.trunc_normal_(weight, std=std, a=-std, b=std)


_normal = partial(nn.init.normal_, std=0.02)  # timm and torchvision cut it at ±2, one hundred standard deviations
_beit = partial(_fill_truncated_normal, std=0.02)


@dataclass(frozen=True)
class Initialisation:
    """How a code base draws the weights of an untrained Vision Transformer.

    Attributes
    ----------
    name : str
        Name as in a sentence: "MAE's Xavier-uniform".
    linear, patch : callable
        Function that fills a matrix (outputs, inputs): of linear maps, and of the patch embedding.
    attention : callable, optional
        The same for the map to queries, keys and values; None is `linear`.
    linear_bias, patch_bias : bool
        Whether biases are drawn as torch.nn draws them, U(±1/√inputs); else they are zero.
    cls, positions : float
        Standard deviation of cls and register tokens, and of a learned position table.
    depth_rescaled : bool
        Whether the last map of attention and MLP of block i (counted from 1) is divided by √(2i).
    layer_scale : float
        Initial value of LayerScale, where the architecture has one.
    """

    name: str
    linear: WeightInitializer
    patch: WeightInitializer
    attention: WeightInitializer | None = None
    linear_bias: bool = False
    patch_bias: bool = False
    cls: float = 0.02
    positions: float = 0.02
    depth_rescaled: bool = False
    layer_scale: float = 1.0


MAE = Initialisation("MAE's Xavier-uniform", _fill_xavier_uniform, _fill_xavier_uniform)
MOCO = Initialisation("MoCo-v3's Xavier-uniform", _fill_xavier_uniform, _fill_xavier_uniform, cls=1e-6)
TIMM = Initialisation(
    "timm's normal (0.02)", _normal, _fill_linear_default, patch_bias=True, cls=1e-6, layer_scale=1e-5
)
DINO = Initialisation("DINO's normal (0.02)", _normal, _fill_linear_default, patch_bias=True, layer_scale=1e-5)
HUGGING_FACE = Initialisation("Hugging Face's normal (0.02)", _normal, _normal)
HUGGING_FACE_MAE = Initialisation("Hugging Face ViTMAE's normal (0.02)", _normal, _fill_xavier_uniform)
BEIT = Initialisation("BEiT's normal (0.02), rescaled by depth", _beit, _beit, depth_rescaled=True, layer_scale=0.1)
TIMM_BEIT = Initialisation(
    "timm BEiT's normal (0.02), rescaled by depth",
    _normal,
    _fill_linear_default,
    patch_bias=True,
    depth_rescaled=True,
    layer_scale=0.1,
)
EVA = replace(TIMM_BEIT, name="timm EVA's normal (0.02), rescaled by depth", layer_scale=1e-5)
JEPA = Initialisation("I-JEPA's normal (0.02), rescaled by depth", _normal, _normal, depth_rescaled=True)
JAX = Initialisation(
    "JAX's Xavier-uniform with LeCun-normal patches", _fill_xavier_uniform, _fill_lecun_normal, cls=0.0
)
PYTORCH = Initialisation(
    "PyTorch's default", _fill_linear_default, _fill_linear_default, linear_bias=True, patch_bias=True
)
MONAI = replace(PYTORCH, name="MONAI's, PyTorch's default", cls=0.0)
VIT_PYTORCH = Initialisation(
    "vit-pytorch's, PyTorch's default with tokens of deviation 1",
    _fill_linear_default,
    _fill_linear_default,
    linear_bias=True,
    patch_bias=True,
    cls=1.0,
    positions=1.0,
)
TRANSFORMER = Initialisation(
    "torch.nn.TransformerEncoder's",
    _fill_linear_default,
    _fill_linear_default,
    attention=_fill_xavier_uniform,
    linear_bias=True,
    patch_bias=True,
)
# Rules that any code may have used; their untrained networks have the highest, the lowest and a middle rank.
COMMON_RULES = (MAE, HUGGING_FACE, PYTORCH)
SMALL_LAYER_SCALE = 1e-5  # initial value of LayerScale in networks of more than 18 blocks
RULES_BY_DIALECT: Mapping[str, tuple[Initialisation, ...]] = {
    "maetheory": (MAE,),
    "facebookresearch/mae": (MAE,),
    "U-MAE": (MAE,),
    "IcarusWizard/MAE": (PYTORCH,),
    "lightly": (MAE, JAX),
    "solo-learn": (TIMM,),
    "stable-pretraining": (TIMM,),
    "mmpretrain": (JAX, TIMM),
    "MoCo-v3": (MOCO,),
    "facebookresearch/dinov2": (TIMM,),
    "DINO": (DINO,),
    "MSN": (DINO, JEPA),
    "I-JEPA": (JEPA,),
    "timm": (TIMM,),
    "Vision Transformer, timm names": (TIMM,),
    "DeiT III": (TIMM,),
    "BEiT": (TIMM_BEIT, BEIT),
    "BEiT v2": (BEIT,),
    "SimMIM": (BEIT,),
    "EVA-02": (EVA,),
    "RoPE-ViT": (EVA, TIMM),
    "DINOv3": (EVA, TIMM),
    "Perception Encoder": (EVA,),
    "Hugging Face DINOv3": (HUGGING_FACE,),
    "Hugging Face ViTMAE": (HUGGING_FACE_MAE,),
    "Hugging Face ViT": (HUGGING_FACE,),
    "Hugging Face I-JEPA": (HUGGING_FACE,),
    "Hugging Face DINOv2": (HUGGING_FACE,),
    "Hugging Face BEiT": (HUGGING_FACE,),
    "Hugging Face CLIP": (HUGGING_FACE,),
    "open_clip": (HUGGING_FACE, PYTORCH),
    "Hugging Face SigLIP": (HUGGING_FACE, JAX),
    "torchvision": (JAX,),
    "torch.nn.TransformerEncoder": (TRANSFORMER, VIT_PYTORCH),
    "vit-pytorch": (VIT_PYTORCH,),
    "MONAI": (MONAI,),
    "google-research/vision_transformer": (JAX,),
    "jeonsworld/ViT-pytorch": (JAX, PYTORCH),
    "PyTorch-Pretrained-ViT": (JAX, PYTORCH),
    "Hugging Face BLIP": (HUGGING_FACE,),
    "iBOT": (DINO,),
}


def initialisation_rules_of(
    code_base: str, *, fixed_positions: bool = False, layer_scale: bool = False
) -> tuple[Initialisation, ...]:
    """Return the rules that an untrained network may have been drawn by, the code base's own rule first.

    Parameters
    ----------
    code_base : str
        Name of its dialect; the rule of an unknown one is MAE's.
    fixed_positions : bool
        Whether positions are MAE's table of sines and cosines: such a network of Hugging Face is a ViTMAE.
    layer_scale : bool
        Whether the architecture has a LayerScale; its small initial value is then an additional rule.

    Examples
    --------
    >>> [rule.name for rule in initialisation_rules_of("timm")][:2]
    ["timm's normal (0.02)", "MAE's Xavier-uniform"]
    """
    own = RULES_BY_DIALECT.get(code_base, (MAE,))
    if own == (HUGGING_FACE,) and fixed_positions:
        own = (HUGGING_FACE_MAE,)
    if layer_scale and own[0].layer_scale > SMALL_LAYER_SCALE:
        small = replace(
            own[0], layer_scale=SMALL_LAYER_SCALE, name=f"{own[0].name} with LayerScale {SMALL_LAYER_SCALE:g}"
        )
        own = (*own, small)
    return tuple(dict.fromkeys((*own, *COMMON_RULES)))


@torch.no_grad()
def apply_initialisation(module: nn.Module, rule: Initialisation) -> None:
    """Draw all weights of a Vision Transformer by a rule from torch's global generator; fixed positions are kept."""
    for name, child in module.named_modules():
        if isinstance(child, nn.Linear | nn.Conv2d):
            _initialize_layer(name, child, rule)
    for name, parameter in module.named_parameters():
        if name.endswith("ls1.gamma") or name.endswith("ls2.gamma"):
            nn.init.constant_(parameter, rule.layer_scale)
        elif parameter.requires_grad and name.endswith("pos_embed"):
            nn.init.normal_(parameter, std=rule.positions)
        elif name.endswith("rope.freqs"):
            parameter.copy_(random_mixed_frequencies(parameter.shape))
        elif name.endswith(("cls_token", "reg_token", "mask_token")):
            nn.init.normal_(parameter, std=rule.cls)


def random_mixed_frequencies(shape: Sequence[int], temperature: float = 10.0) -> Tensor:
    """Return frequencies (2, depth, heads, e/2) of mixed rotary positions as RoPE-ViT draws them (Heo et al. 2024).

    Each head of each block turns the two axes by an angle of its own.
    """
    _, depth, heads, half = shape
    magnitude = temperature ** -(torch.arange(half // 2) / (half // 2))  # (e/4,)
    angle = 2 * pi * torch.rand(depth, heads, 1)
    across, along = (
        torch.cat([magnitude * f(angle), magnitude * f(angle + pi / 2)], -1) for f in (torch.cos, torch.sin)
    )
    return torch.stack([across, along])


def _initialize_layer(name: str, child: nn.Linear | nn.Conv2d, rule: Initialisation) -> None:
    """Draw weight and bias of one linear map or patch convolution."""
    weight = child.weight.data.flatten(1)  # a view: the patch convolution is a linear map
    patch = isinstance(child, nn.Conv2d)
    attention = rule.attention or rule.linear
    initializer = rule.patch if patch else attention if name.endswith("qkv") else rule.linear
    initializer(weight)
    block = re.search(r"blocks\.(\d+)\.(?:attn\.proj|mlp\.fc2)$", name)
    if rule.depth_rescaled and block:
        weight /= sqrt(2 * (int(block[1]) + 1))
    if child.bias is None:
        return
    if rule.patch_bias if patch else rule.linear_bias:
        bound = 1 / sqrt(weight.shape[1])
        nn.init.uniform_(child.bias, -bound, bound)
    else:
        nn.init.zeros_(child.bias)
