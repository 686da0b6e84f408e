"""Write and read training checkpoints atomically: weights, optimiser state, configuration and provenance."""

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
from maetheory.training.sharding import distribute_like, full_tensor

KEEP_LAST = 2
OPTIMIZER_STATE = ("exp_avg", "exp_avg_sq", "step")


class TrainingCheckpoint(NamedTuple):
    """Contents of a checkpoint folder."""

    step: int
    images: int | None
    precision: str | None
    threads: int | None
    record: dict[str, Any]
    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]


def build_model(config: TrainConfig) -> MAE | SimMIM:
    """Return the model of a recipe, initialised from its seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return MAE(config.model) if config.objective == "mae" else SimMIM(config.model)


def save_checkpoint(
    out: Path,
    step: int,
    record: dict[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: int,
    precision: str | None = None,
    threads: int | None = None,
) -> Path:
    """Write the checkpoint of a finished step atomically, and delete all but the newest two.

    `record` is the complete recipe, ready for JSON, with its ``seed``; `images` the number of training images,
    `precision` Fabric's name of the arithmetic, `threads` the number of CPU threads. If weights are sharded, one
    process saves while the others `gather_for_save`.

    Raises
    ------
    OSError
        If the folder cannot be written or the disk is full; no partial checkpoint is left.
    """
    folder = out / f"step-{step:08d}"
    partial_folder = out / f".step-{step:08d}.part"
    weights, optimizer_state = _on_cpu(_weights(model)), _on_cpu(_optimizer_state(model, optimizer))
    for abandoned in out.glob(".step-*.part"):  # by a killed process
        shutil.rmtree(abandoned, ignore_errors=True)
    device = device_name(next(model.parameters()).device)
    state = {
        "format": "maetheory",
        "step": step,
        "images": images,
        "precision": precision,
        "threads": threads,
        "provenance": provenance(device=device, seed=record["seed"]),
    }
    partial_folder.mkdir(parents=True)
    try:
        save_file(weights, partial_folder / "weights.safetensors")
        save_file(optimizer_state, partial_folder / "optimizer.safetensors")
        (partial_folder / "config.json").write_text(json.dumps(record, indent=1) + "\n")
        (partial_folder / "state.json").write_text(json.dumps(state, indent=1) + "\n")
        for file in partial_folder.iterdir():
            _fsync(file)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial_folder, folder)
    except BaseException as error:
        shutil.rmtree(partial_folder, ignore_errors=True)
        if isinstance(error, SafetensorError):  # raised by safetensors on a full disk
            number = int(found[1]) if (found := re.search(r"os error (\d+)", str(error))) else errno.EIO
            raise OSError(number, os.strerror(number), str(folder)) from error
        raise
    for old in list_checkpoints(out)[:-KEEP_LAST]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def gather_for_save(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Take part in gathering sharded weights while another process saves them, in the same order."""
    deque(chain(_weights(model), _optimizer_state(model, optimizer)), maxlen=0)


def list_checkpoints(out: Path) -> list[Path]:
    """Return the complete checkpoints below a run's folder, oldest first."""
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
        If there is no complete checkpoint.
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
    """Return the precision of a run's newest checkpoint, None if it is not recorded."""
    precision: str | None = json.loads((list_checkpoints(out)[-1] / "state.json").read_text()).get("precision")
    return precision


def restore_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Restore the optimiser state that `save_checkpoint` wrote."""
    for name, parameter in model.named_parameters():
        if f"step.{name}" in tensors:
            step = tensors[f"step.{name}"]
            optimizer.state[parameter] = {
                "exp_avg": distribute_like(parameter, tensors[f"exp_avg.{name}"]),
                "exp_avg_sq": distribute_like(parameter, tensors[f"exp_avg_sq.{name}"]),
                "step": step.to(parameter.device) if parameter.is_cuda else step,
            }


def _fsync(file: Path) -> None:
    """Flush a file to disk (fsync), so that it survives a power failure after the folder is renamed."""
    with file.open("rb") as written:
        os.fsync(written.fileno())


def _weights(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return ((name, full_tensor(value)) for name, value in model.state_dict().items())


def _optimizer_state(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in model.named_parameters():
        state = optimizer.state.get(parameter, {})
        yield from ((f"{key}.{name}", full_tensor(state[key])) for key in OPTIMIZER_STATE if key in state)


def _on_cpu(tensors: Iterator[tuple[str, Tensor]]) -> dict[str, Tensor]:
    return {name: value.cpu().contiguous() for name, value in tensors}
