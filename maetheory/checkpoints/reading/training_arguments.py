"""Training arguments stored in a checkpoint or beside it, and whether its decoder is complete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from maetheory.checkpoints.reading.contents import CheckpointContents

ARGUMENT_NAMES = (
    "model",
    "objective",
    "method",
    "epoch",
    "epochs",
    "max_epochs",
    "warmup_epochs",
    "batch",
    "batch_size",
    "accum_iter",
    "lr",
    "blr",
    "base_lr",
    "weight_decay",
    "mask_ratio",
    "mask_law",
    "norm_pix_loss",
    "norm_pixels",
    "reg",
    "lamb",
    "lam",
    "uniformity_weight",
    "input_size",
    "image_size",
    "drop_path",
    "layer_decay",
    "global_pool",
    "seed",
    "data_path",
    "global_step",
    "step",
)
ARGUMENT_PATHS = ("", "args", "config", "hyper_parameters", "hparams", "cfg", "meta", "opt")


def training_arguments(contents: CheckpointContents) -> dict[str, Any]:
    """Return the training arguments found in the file's tree or beside it, by well-known names."""
    tree = contents.tree if isinstance(contents.tree, Mapping) else {}
    mappings = [tree.get(path) if path else tree for path in ARGUMENT_PATHS]
    mappings += [contents.sidecars.get(name) for name in ("config.json", "args.json")]
    found: dict[str, Any] = {}
    if contents.container == "maetheory run" and contents.path.name.removeprefix("step-").isdecimal():
        found["step"] = int(contents.path.name.removeprefix("step-"))
    for mapping in mappings:
        for record in _nested_mappings(mapping):
            for name in ARGUMENT_NAMES:
                if name not in found and isinstance(record.get(name), bool | int | float | str):
                    found[name] = record[name]
    return {name: found[name] for name in ARGUMENT_NAMES if name in found}


def decoder_status(unused: Mapping[str, int], names: Iterable[str]) -> str:
    """Describe the decoder among the unused keys: whole if it has weights of its own and a mask token."""
    weights = sum(n for words, n in unused.items() if "decoder" in words)
    if not weights:
        return "absent: it cannot reconstruct"
    whole = any("mask_token" in name for name in names)
    return "whole" if whole else "in part, without a mask token: it cannot reconstruct"


def _nested_mappings(value: Any) -> list[Mapping[str, Any]]:
    """Return a dictionary and its values that are dictionaries."""
    if not isinstance(value, Mapping):
        return []
    return [value, *(child for child in value.values() if isinstance(child, Mapping))]
