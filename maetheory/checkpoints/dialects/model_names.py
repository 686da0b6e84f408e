"""The name under which a model was made says what shapes do not: its heads, its activation, its images' scale."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maetheory.checkpoints.dialects.dialect import IMAGENET_MEAN_STD, INCEPTION_MEAN_STD, ConfigValue, Tensors
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError

CLIP_MEAN_STD = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
WIDTH_AND_HEADS = {
    "tiny": (192, 3),
    "small": (384, 6),
    "base": (768, 12),
    "large": (1024, 16),
    "huge": (1280, 16),
    "giant": (1408, 16),
    "gigantic": (1664, 16),
    "giantopt": (1536, 16),
    "so400m": (1152, 16),
}
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
    """Return what the model's name says, in timm's and its descendants' use of names.

    Raises
    ------
    InputError
        If models of that name compute what no encoder here does, under the same tensor names.
    """
    name, place = model_name(contents)
    if not name:
        return {}
    if re.search(r"_rpn_", name):
        raise InputError(f"{name} norms after each block's maps, not before, which no encoder here computes")
    source = f"{place}, {name}"
    config_values: dict[str, ConfigValue] = {}
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
    """Return the heads of a model of this name, None where the width is another than the name's."""
    if name == "vit_small" and _lookup(contents.tree, "best_acc1") is not None:
        return 12  # MoCo-v3's linear probing saves so, and its small model has twelve (Chen et al. 2021)
    width = tensors["patch_embed.proj.weight"].shape[0] if "patch_embed.proj.weight" in tensors else 0
    found = re.search(r"(?:vit|deit3?|beit(?:v2)?)_([a-z]+\d*[a-z]*)(?:_|$)", name)
    usual, heads = WIDTH_AND_HEADS.get(found[1], (0, 0)) if found else (0, 0)
    return HEADS_BY_NAME.get(name.split(".")[0], heads) if width == usual else None


def config_values_from_timm(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return what the name says, then timm's config.json beside the weights, then the arguments of its training."""
    config_values = config_values_from_name(contents, tensors)
    record = contents.sidecars.get("config.json")
    for field in ("mean", "std"):
        for place, words in (
            (_lookup(record, f"pretrained_cfg.{field}"), "config.json"),
            (_lookup(contents.tree, f"args.{field}"), f"args.{field}"),
        ):
            if place is not None:
                config_values[field] = ConfigValue(tuple(place) if isinstance(place, list | tuple) else place, words)
    heads = _lookup(record, "model_args.num_heads")
    return config_values | ({"heads": ConfigValue(heads, "config.json")} if heads is not None else {})


def model_name(contents: CheckpointContents) -> tuple[str, str]:
    """Return the model's name and where it stands, two empty strings where it does not."""
    found = [(_lookup(contents.sidecars.get("config.json"), "architecture"), "config.json")]
    found += [(_lookup(contents.tree, place), place) for place in MODEL_NAME_PATHS]
    return next(((name, place) for name, place in found if isinstance(name, str) and name), ("", ""))


def _lookup(record: Any, path: str) -> Any:
    """Return what lies at a dotted path of nested dictionaries, None where nothing does."""
    for part in path.split("."):
        record = record.get(part) if isinstance(record, Mapping) else None
    return record
