"""Configuration values from the name of a model in timm's scheme: heads, activation, mean and std of images."""

from __future__ import annotations

import re

from maetheory.checkpoints.dialects.dialect import (
    IMAGENET_MEAN_STD,
    INCEPTION_MEAN_STD,
    ConfigValue,
    Tensors,
    embed_dim,
)
from maetheory.checkpoints.dialects.dotted_path import lookup_dotted_path
from maetheory.checkpoints.dialects.rotary import rotary_positions_of_name, values_of_eva_arguments
from maetheory.checkpoints.dialects.stated_values import stated_image_size
from maetheory.checkpoints.dialects.timm_definition import timm_definition_values
from maetheory.checkpoints.reading.contents import CheckpointContents

CLIP_MEAN_STD = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
VIT_SIZES = {"tiny": (192, 3), "small": (384, 6), "base": (768, 12), "large": (1024, 16), "huge": (1280, 16)}
TIMM_SIZES = {  # width and heads
    **VIT_SIZES,
    "giant": (1408, 16),
    "gigantic": (1664, 16),
    "giantopt": (1536, 16),
    "so400m": (1152, 16),
}
MAX_NAME_LENGTH = 200  # of a model; longer texts are no names, and patterns would take long on them
HEADS_BY_NAME = {"vit_base_patch16_gap_224": 16}
MODEL_NAME_PATHS = ("arch", "args.arch", "args.model", "args.model_name")
MEAN_STD_BY_NAME = (
    (r".*(tipsv2|_miil).*", ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))),
    (r".*(clip|radio).*|eva_large_patch14_.*", CLIP_MEAN_STD),
    (
        r".*(dino|mae|ijepa|msn|deit|beitv2|intern).*|vit_(huge|giant)_patch\d+_gap_.*|vit_small_patch8_224",
        IMAGENET_MEAN_STD,
    ),
    (r"(vit|beit)_.*patch\d+_.*\d{3}.*|flexivit_.*", INCEPTION_MEAN_STD),
)
ACTIVATION_BY_NAME = (
    (r".*quickgelu.*", "quick-gelu"),
    (r".*(patch32_siglip|large_patch16_siglip\w*_512|(so400m_patch16|giantopt_patch16)_siglip).*", "gelu-tanh"),
)


def config_values_from_name(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the values that follow from the model's name, as timm and code derived from it use it."""
    name, place = stated_model_name(contents)
    if not name:
        return {}
    source = f"{place}, {name}"
    config_values: dict[str, ConfigValue] = {}
    rotary = rotary_positions_of_name(name)
    if rotary is not None:
        config_values["rotary"] = ConfigValue(rotary, source)
    if re.search(r"_rpn_|eva02_enormous", name):
        config_values["block"] = ConfigValue("post-norm", source)
    heads = _heads_from_name(name, contents, tensors)
    if heads is not None:
        config_values["heads"] = ConfigValue(heads, source)
    for pattern, (mean, std) in MEAN_STD_BY_NAME:
        if re.fullmatch(pattern, name):
            config_values |= {"mean": ConfigValue(mean, source), "std": ConfigValue(std, source)}
            break
    for pattern, activation in ACTIVATION_BY_NAME:
        if re.fullmatch(pattern, name):
            config_values["activation"] = ConfigValue(activation, source)
    return config_values


def _heads_from_name(name: str, contents: CheckpointContents, tensors: Tensors) -> int | None:
    """Return the heads of the size in the name, None if the width is not that of the size."""
    if name == "vit_small" and lookup_dotted_path(contents.tree, "best_acc1") is not None:
        return 12  # saved by the linear probing of MoCo-v3, whose small model has twelve heads (Chen et al. 2021)
    width = embed_dim(tensors)
    found = re.search(r"(?:vit|deit3?|beit(?:v2)?)_([a-z]+(?:\d+[a-z]*)?)(?:_|$)", name)
    size_width, heads = TIMM_SIZES.get(found[1], (0, 0)) if found else (0, 0)
    return HEADS_BY_NAME.get(name.split(".")[0], heads) if width == size_width else None


def config_values_from_timm(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the values of the name, of timm's config.json beside the weights, and of its training arguments."""
    config_values = config_values_from_name(contents, tensors)
    record = contents.sidecars.get("config.json")
    name, place = stated_model_name(contents)
    if name:
        arguments = lookup_dotted_path(record, "model_args")
        config_values |= values_of_eva_arguments(arguments, f"{place}, model_args")
        defined = timm_definition_values(name, arguments, f"{place}, timm's definition of {name}")
        config_values |= {
            field: value
            for field, value in defined.items()
            if field not in config_values or config_values[field].value != value.value
        }
    for field in ("mean", "std"):
        for value, source in (
            (lookup_dotted_path(record, f"pretrained_cfg.{field}"), "config.json"),
            (lookup_dotted_path(contents.tree, f"args.{field}"), f"args.{field}"),
        ):
            if value is not None:
                config_values[field] = ConfigValue(tuple(value) if isinstance(value, list | tuple) else value, source)
    for place in ("pretrained_cfg.input_size", "model_args.img_size"):
        value = lookup_dotted_path(record, place)
        size = stated_image_size(value[-2:] if isinstance(value, list | tuple) else value)
        if size is not None:
            config_values["image_size"] = ConfigValue(size, f"config.json, {place}")
    if "block" not in config_values and _has_post_norm_order(tensors):
        place = "in the order of names each norm follows attention or MLP, as in timm's"
        config_values["block"] = ConfigValue("post-norm", place, "assumed")
    heads = lookup_dotted_path(record, "model_args.num_heads")
    return config_values | ({"heads": ConfigValue(heads, "config.json")} if heads is not None else {})


def _has_post_norm_order(tensors: Tensors) -> bool:
    """Return whether names of the first block stand in the order of a block that norms outputs; sorted names do not."""
    order = {name: position for position, name in enumerate(tensors)}
    places = [order.get(f"blocks.0.{part}.weight", -1) for part in ("attn.proj", "norm1", "mlp.fc2", "norm2")]
    return min(places) >= 0 and places == sorted(places)


def stated_model_name(contents: CheckpointContents) -> tuple[str, str]:
    """Return the model's name and the place that states it, two empty strings without one."""
    found = [(lookup_dotted_path(contents.sidecars.get("config.json"), "architecture"), "config.json")]
    found += [(lookup_dotted_path(contents.tree, place), place) for place in MODEL_NAME_PATHS]
    texts = ((name, place) for name, place in found if isinstance(name, str) and 0 < len(name) <= MAX_NAME_LENGTH)
    return next(texts, ("", ""))
