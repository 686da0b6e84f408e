"""Modes of `maetheory probe`: the options each one has, and its run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from maetheory.core import InputError, Progress

SGD_OPTIONS = ("epochs", "batch", "base_lr", "seed")
MODE_OPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "linear": (),
        "knn": (),
        "sgd": SGD_OPTIONS,
        "lars": (*SGD_OPTIONS, "trust"),
        "finetune": (*SGD_OPTIONS, "layer_decay", "drop_path", "mixup", "cutmix", "crop", "flip"),
    }
)
"""Mode -> options of its recipe."""


def mode_options(mode: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were specified, for a mode that has them.

    Parameters
    ----------
    mode : str
    options : mapping
        All options of all modes; None stands for one that was not specified. The seed is ignored by modes that draw
        nothing at random.

    Raises
    ------
    InputError
        If the mode is unknown or does not have an option that was specified.
    """
    if mode not in MODE_OPTIONS:
        raise InputError(f"the mode must be one of {', '.join(MODE_OPTIONS)}, but it is {mode!r}")
    specified = {name: value for name, value in options.items() if value is not None}
    unsupported = [name for name in specified if name not in (*MODE_OPTIONS[mode], "seed")]
    if unsupported:
        names = ", ".join("--batch-size" if name == "batch" else f"--{name.replace('_', '-')}" for name in unsupported)
        raise InputError(f"the mode {mode!r} has no {names}; leave it out, or choose another mode")
    return {name: value for name, value in specified.items() if name in MODE_OPTIONS[mode]}


def probe_frozen(
    encoder: Any, splits: list[Any], mode: str, readout: Any, options: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    """Classify frozen features with a linear map or nearest neighbours; return accuracy and recipe."""
    from maetheory.evaluation import ProbeConfig, encode, knn_probe, linear_probe, sgd_probe

    train, test = splits
    optimiser: Any = mode
    config = ProbeConfig(optimiser, **_with_scaled_warmup(ProbeConfig(), options)) if mode in ("sgd", "lars") else None
    z, z_test = (encode(encoder, split, readout=readout, progress=progress) for split in splits)
    data = (z, train.labels, z_test, test.labels)
    if config is not None:
        found = sgd_probe(*data, config, device=next(encoder.parameters()).device, progress=progress)
    else:
        found = (linear_probe if mode == "linear" else knn_probe)(*data)
    return {"accuracy": found.accuracy, "recipe": found.recipe}


def fine_tune(
    encoder: Any,
    splits: list[Any],
    readout: Any,
    options: dict[str, Any],
    *,
    out: Path,
    resume: bool,
    accelerator: str,
    progress: Progress,
) -> dict[str, Any]:
    """Fine-tune the encoder; return accuracy, recipe and the run's checkpoint, loss and steps."""
    from maetheory.evaluation import FinetuneConfig, finetune
    from maetheory.training import make_fabric

    train, test = splits
    config = FinetuneConfig(readout, **_with_scaled_warmup(FinetuneConfig(), options))
    fabric = make_fabric(accelerator)
    found = finetune(encoder, train, test, config, out=out, resume=resume, progress=progress, fabric=fabric)
    return {
        "accuracy": found.accuracy,
        "recipe": found.recipe,
        "run": str(found.run.checkpoint),
        "loss": found.run.loss,
        "steps": found.run.steps,
    }


def _with_scaled_warmup(default: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Return options with the warm-up of the default recipe, shortened in proportion if there are fewer epochs."""
    share = min(1.0, options.get("epochs", default.epochs) / default.epochs)
    return options | {"warmup_epochs": default.warmup_epochs * share}
