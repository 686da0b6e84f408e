"""A checkpoint is a folder that exists only when it is whole: weights, optimiser state, configuration, provenance."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections import deque
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from maetheory.checkpoints.device import device_name
from maetheory.core import InputError, provenance
from maetheory.models import MAE, SimMIM
from maetheory.training.config import TrainConfig
from maetheory.training.sharding import distribute_like, full

KEEP_LAST = 2
OPTIMIZER_STATE = ("exp_avg", "exp_avg_sq", "step")


class TrainingCheckpoint(NamedTuple):
    """What a checkpoint folder holds."""

    step: int
    images: int | None
    precision: str | None
    threads: int | None
    record: dict[str, Any]
    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]


def build_model(config: TrainConfig) -> MAE | SimMIM:
    """Build the model of a recipe with the weights its seed gives."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return MAE(config.model) if config.objective == "mae" else SimMIM(config.model)


def save(
    out: Path,
    step: int,
    record: dict[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: int,
    precision: str | None = None,
    threads: int | None = None,
) -> Path:
    """Write the checkpoint of a finished step on so many images, atomically, and drop all but the newest two.

    `record` is the whole recipe, ready for JSON, with its ``seed``; `precision` is Fabric's name of the arithmetic,
    `threads` the number of CPU threads of the run. Of weights that processes share, one process saves while the others
    `gather_for_save`.

    Raises
    ------
    OSError
        If the folder cannot be written or the disk is full; no part of the checkpoint stays.
    """
    folder = out / f"step-{step:08d}"
    part = out / f".step-{step:08d}.part"
    weights, moments = _on_cpu(_weights(model)), _on_cpu(_optimizer_state(model, optimizer))
    for left in out.glob(".step-*.part"):  # by a kill
        shutil.rmtree(left, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        save_file(weights, part / "weights.safetensors")
        save_file(moments, part / "optimizer.safetensors")
        (part / "config.json").write_text(json.dumps(record, indent=1) + "\n")
        device = device_name(next(model.parameters()).device)
        state = {
            "format": "maetheory",
            "step": step,
            "images": images,
            "precision": precision,
            "threads": threads,
            "provenance": provenance(device=device, seed=record["seed"]),
        }
        (part / "state.json").write_text(json.dumps(state, indent=1) + "\n")
        for file in part.iterdir():
            _fsync(file)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, SafetensorError):  # how a full disk shows itself there
            number = int(found[1]) if (found := re.search(r"os error (\d+)", str(error))) else errno.EIO
            raise OSError(number, os.strerror(number), str(folder)) from error
        raise
    for old in list_checkpoints(out)[:-KEEP_LAST]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def gather_for_save(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Hand the process that saves this process's parts, in the order in which it asks for them."""
    deque(chain(_weights(model), _optimizer_state(model, optimizer)), maxlen=0)


def list_checkpoints(out: Path) -> list[Path]:
    """Return the whole checkpoints below a run's folder, oldest first."""
    return sorted(path for path in out.glob("step-*") if (path / "state.json").exists())


def read_checkpoint(folder: Path) -> TrainingCheckpoint:
    """Read a checkpoint folder.

    Raises
    ------
    InputError
        If a file is missing or damaged.
    """
    try:
        state = json.loads((folder / "state.json").read_text())
        return TrainingCheckpoint(
            state["step"],
            state.get("images"),
            state.get("precision"),
            state.get("threads"),
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
    folder = path if (path / "state.json").exists() else next(iter(reversed(list_checkpoints(path))), None)
    if folder is None:
        raise InputError(f"{path} holds no training checkpoint; expected folders step-* with weights.safetensors")
    saved = read_checkpoint(folder)
    try:
        config = TrainConfig.from_dict(saved.record)
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{folder} is not a whole checkpoint of masked image modelling: {error}") from error
    model = build_model(config)
    model.load_state_dict(saved.weights)
    return model.eval(), config, saved.step


def run_precision(out: Path) -> str | None:
    """Return the precision of a run's newest checkpoint, None if it does not say."""
    precision: str | None = json.loads((list_checkpoints(out)[-1] / "state.json").read_text()).get("precision")
    return precision


def restore_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put saved moments back where `save` found them."""
    for name, parameter in model.named_parameters():
        if f"step.{name}" in tensors:
            step = tensors[f"step.{name}"]
            optimizer.state[parameter] = {
                "exp_avg": distribute_like(parameter, tensors[f"exp_avg.{name}"]),
                "exp_avg_sq": distribute_like(parameter, tensors[f"exp_avg_sq.{name}"]),
                "step": step.to(parameter.device) if parameter.is_cuda else step,
            }


def _fsync(file: Path) -> None:
    """Wait until a written file would survive a power failure; only then may a rename announce it."""
    with file.open("rb") as written:
        os.fsync(written.fileno())


def _weights(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return ((name, full(value)) for name, value in model.state_dict().items())


def _optimizer_state(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in model.named_parameters():
        state = optimizer.state.get(parameter, {})
        yield from ((f"{key}.{name}", full(state[key])) for key in OPTIMIZER_STATE if key in state)


def _on_cpu(tensors: Iterator[tuple[str, Tensor]]) -> dict[str, Tensor]:
    return {name: value.cpu().contiguous() for name, value in tensors}
