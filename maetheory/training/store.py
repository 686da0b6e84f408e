"""A checkpoint is a folder that exists only when it is whole: weights, optimiser state, configuration, provenance."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from maetheory.core import InputError, provenance
from maetheory.models import MAE, SimMIM
from maetheory.training.config import TrainConfig

KEPT = 2
OPTIMIZER_STATE = ("exp_avg", "exp_avg_sq", "step")


class Saved(NamedTuple):
    """What a checkpoint folder holds."""

    step: int
    images: int | None
    record: dict[str, Any]
    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]


def build(config: TrainConfig) -> MAE | SimMIM:
    """Build the model of a recipe with the weights its seed gives."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return MAE(config.model) if config.objective == "mae" else SimMIM(config.model)


def save(out: Path, step: int, record: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer,
         images: int) -> Path:  # fmt: skip
    """Write the checkpoint of a finished step on so many images, atomically, and drop all but the newest two.

    `record` is the whole recipe, ready for JSON, with its ``seed``.

    Raises
    ------
    OSError
        If the folder cannot be written or the disk is full; no part of the checkpoint stays.
    """
    folder = out / f"step-{step:08d}"
    part = out / f".step-{step:08d}.part"
    for left in out.glob(".step-*.part"):  # by a kill
        shutil.rmtree(left, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        save_file({name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()},
                  part / "weights.safetensors")  # fmt: skip
        save_file(_optimizer_tensors(model, optimizer), part / "optimizer.safetensors")
        (part / "config.json").write_text(json.dumps(record, indent=1) + "\n")
        device = str(next(model.parameters()).device)
        state = {"format": "maetheory", "step": step, "images": images,
                 "provenance": provenance(device=device, seed=record["seed"])}  # fmt: skip
        (part / "state.json").write_text(json.dumps(state, indent=1) + "\n")
        for file in part.iterdir():
            _to_disk(file)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, SafetensorError):  # how a full disk shows itself there
            number = int(found[1]) if (found := re.search(r"os error (\d+)", str(error))) else errno.EIO
            raise OSError(number, os.strerror(number), str(folder)) from error
        raise
    for old in checkpoints(out)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def checkpoints(out: Path) -> list[Path]:
    """Return the whole checkpoints below a run's folder, oldest first."""
    return sorted(path for path in out.glob("step-*") if (path / "state.json").exists())


def load(folder: Path) -> Saved:
    """Read a checkpoint folder.

    Raises
    ------
    InputError
        If a file is missing or damaged.
    """
    try:
        state = json.loads((folder / "state.json").read_text())
        return Saved(
            state["step"],
            state.get("images"),
            json.loads((folder / "config.json").read_text()),
            load_file(folder / "weights.safetensors"),
            load_file(folder / "optimizer.safetensors"),
        )
    except (OSError, KeyError, TypeError, json.JSONDecodeError, SafetensorError) as error:
        raise InputError(f"{folder} is not a whole training checkpoint: {error}") from error


def load_run(path: str | Path) -> tuple[MAE | SimMIM, TrainConfig, int]:
    """Load the newest checkpoint of a run of `train` (or one checkpoint folder) as a model in eval mode.

    Returns
    -------
    model, config, step

    Raises
    ------
    InputError
        If there is no whole checkpoint.
    """
    path = Path(path)
    folder = path if (path / "state.json").exists() else next(iter(reversed(checkpoints(path))), None)
    if folder is None:
        raise InputError(f"{path} holds no training checkpoint; expected folders step-* with weights.safetensors")
    saved = load(folder)
    try:
        config = TrainConfig.from_dict(saved.record)
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{folder} is not a whole checkpoint of masked image modelling: {error}") from error
    model = build(config)
    model.load_state_dict(saved.weights)
    return model.eval(), config, saved.step


def restore_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put saved moments back where `save` found them."""
    for name, parameter in model.named_parameters():
        if f"step.{name}" in tensors:
            state: dict[str, Any] = {key: tensors[f"{key}.{name}"] for key in OPTIMIZER_STATE}
            optimizer.state[parameter] = {
                key: value.to(parameter.device) if key != "step" or parameter.is_cuda else value
                for key, value in state.items()
            }


def _to_disk(file: Path) -> None:
    """Wait until a written file would survive a power failure; only then may a rename announce it."""
    with file.open("rb") as written:
        os.fsync(written.fileno())


def _optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    tensors = {}
    for name, parameter in model.named_parameters():
        state = optimizer.state.get(parameter, {})
        for key in OPTIMIZER_STATE:
            if key in state:
                tensors[f"{key}.{name}"] = state[key].detach().cpu().contiguous()
    return tensors
