"""Dialects of lightly, solo-learn and stable-pretraining, whose Lightning modules contain the encoder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from maetheory.checkpoints.dialects.dialect import COMMON_DEFAULTS, ConfigValue, Dialect, Tensors
from maetheory.checkpoints.dialects.match import find_state_dicts
from maetheory.checkpoints.dialects.model_names import VIT_SIZES
from maetheory.checkpoints.dialects.torchvision import TORCHVISION_RENAME
from maetheory.checkpoints.reading.contents import CheckpointContents

# Of solo-learn's MAE and MoCo-v3; even its tiny model has 12 heads, of 16 features each.
MAE_HEADS_BY_SIZE = {"tiny": 12, "small": 12, "base": 12, "large": 16, "huge": 16}
LIGHTLY_PARTS = r"(?:.*\.)?mask_token|decoder\..*|(?:teacher|student)_.*|projection_head\..*|prediction_head\..*"
HEAD_OR_DECODER = r"classifier\.weight|decoder\.decoder_embed\.weight"
MEAN_STD_BY_DATASET = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "stl10": ((0.4914, 0.4823, 0.4466), (0.247, 0.243, 0.261)),
}


def _config_values_from_solo_learn(contents: CheckpointContents, tensors: Tensors) -> dict[str, ConfigValue]:
    """Return the heads, which depend on the method, and mean and std of the dataset."""
    args = contents.sidecars.get("args.json")
    args = args if isinstance(args, Mapping) else {}
    method = str(args.get("pretrain_method") or args.get("method") or _pretraining_method(contents)).lower()
    width = tensors["patch_embed.proj.weight"].shape[0]
    size = next((size for size, (size_width, _) in VIT_SIZES.items() if size_width == width), None)
    config_values = {}
    if size is not None and method:
        source = "args.json" if args else "its decoder"
        heads = MAE_HEADS_BY_SIZE[size] if method in ("mae", "mocov3") else VIT_SIZES[size][1]
        config_values["heads"] = ConfigValue(heads, f"{source}, vit_{size} of solo-learn's {method}")
    data = args.get("data", args)
    name = data.get("dataset") if isinstance(data, Mapping) else None
    if isinstance(name, str) and name in MEAN_STD_BY_DATASET:
        config_values |= {
            field: ConfigValue(value, f"args.json, dataset {name}")
            for field, value in zip(("mean", "std"), MEAN_STD_BY_DATASET[name])
        }
    return config_values


def _shows_solo_learn(contents: CheckpointContents, tensors: Tensors) -> bool:
    """Return whether arguments of solo-learn lie beside the file, or it has parts that only its methods have."""
    args = contents.sidecars.get("args.json")
    if isinstance(args, Mapping) and any(name in args for name in ("pretrain_method", "method")):
        return True
    names = [name for _, state in find_state_dicts(contents.tree) for name in state]
    parts = re.compile(r"decoder\.decoder_embed\.weight|momentum_\w+\..*|(?:projector|predictor|prototypes|queue)\b.*")
    return any(parts.fullmatch(name) for name in names)


def _pretraining_method(contents: CheckpointContents) -> str:
    """Return "mae" if the file has its decoder, else an empty string."""
    names = (name for _, state in find_state_dicts(contents.tree) for name in state)
    return "mae" if any(name.endswith("decoder.decoder_embed.weight") for name in names) else ""


LIGHTLY = Dialect(
    "lightly",
    "Lightning modules with lightly's MaskedVisionTransformer, on timm",
    required=(r"patch_embed\.proj\.weight", LIGHTLY_PARTS),
    state_dict_paths=("state_dict", ""),
    prefixes=("backbone.vit.", "teacher_backbone.vit.", "student_backbone.vit."),
    unused=(
        (r"(?:\w+_)?backbone\.mask_token", "the mask token"),
        (r"decoder\..*", "the decoder"),
        (r"heads?\..*", "a classifier that lightly does not train"),
    ),
    defaults=COMMON_DEFAULTS,
    antialias=True,
)

SOLO_LEARN = Dialect(
    "solo-learn",
    "Lightning modules of solo-learn",
    required=(r"(?:backbone|encoder)\.patch_embed\.proj\.weight", HEAD_OR_DECODER),
    state_dict_paths=("state_dict", ""),
    rename=((r"(?:backbone|encoder)\.(.*)", r"\1"), (r"classifier\.(weight|bias)", r"head.\1")),
    unused=(
        (r"decoder\..*", "the decoder"),
        (r"momentum_.*", "the momentum encoder"),
        (r"(?:projector|predictor|prototypes|queue)\b.*", "heads of pretraining"),
    ),
    config_values=_config_values_from_solo_learn,
    evidence=_shows_solo_learn,
    defaults=COMMON_DEFAULTS,
    antialias=True,
)

LIGHTNING_DIALECTS: tuple[Dialect, ...] = (
    LIGHTLY,
    replace(
        LIGHTLY,
        description="Lightning modules with lightly's MaskedVisionTransformer or its older MAEBackbone, on torchvision",
        required=(r"conv_proj\.weight", LIGHTLY_PARTS),
        prefixes=("backbone.vit.", "backbone.", "teacher_backbone.vit.", "student_backbone.vit."),
        rename=TORCHVISION_RENAME,
        antialias=False,
    ),
    SOLO_LEARN,
    replace(
        SOLO_LEARN,
        description="Lightning modules of solo-learn, with parts of other names",
        required=(r"patch_embed\.proj\.weight", HEAD_OR_DECODER),
        prefixes=("backbone.", "encoder."),
    ),
    Dialect(
        "stable-pretraining",
        "Lightning modules with stable-pretraining's MaskedEncoder, on timm",
        required=(r"patch_embed\.proj\.weight", r"(?:model\.)?(?:encoder\.patch_embed\..*|decoder\..*)|_?callbacks_.*"),
        state_dict_paths=("state_dict", ""),
        prefixes=("encoder.vit.", "model.encoder.vit."),
        unused=(
            (r"(?:model\.)?encoder\.patch_embed\..*", "the patch map once more"),
            (r"(?:model\.)?decoder\..*", "the decoder"),
            (r"_?callbacks_.*", "callbacks"),
        ),
        defaults=COMMON_DEFAULTS,
        antialias=True,
    ),
)
