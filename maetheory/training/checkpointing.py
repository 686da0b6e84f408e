"""Write and read training checkpoints atomically: weights, optimiser state, configuration and provenance."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import deque
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from maetheory.checkpoints.device import device_name
from maetheory.checkpoints.initialisations import HUGGING_FACE, apply_initialisation
from maetheory.checkpoints.reading.safetensors_files import save_tensors
from maetheory.core import InputError, provenance
from maetheory.models import MAE, SimMIM
from maetheory.training.checkpoint_reading import (
    OPTIMIZER_STATE,
    WEIGHTS,
    TrainingCheckpoint,
    check_weights,
    read_checkpoint,
    read_state,
)
from maetheory.training.config import TrainConfig
from maetheory.training.sharding import distribute_like, full_tensor

__all__ = [
    "KEEP_LAST",
    "TrainingCheckpoint",
    "build_model",
    "gather_for_save",
    "list_checkpoints",
    "load_run",
    "read_checkpoint",
    "remove_partial_checkpoints",
    "restore_optimizer",
    "run_precision",
    "save_checkpoint",
]
KEEP_LAST = 2
_LARGEST_POSITION_TABLE = 2**27
_CHECKPOINT_NAME = re.compile(r"step-\d+")


def build_model(config: TrainConfig) -> MAE | SimMIM:
    """Return the model of a recipe, initialised from its seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = MAE(config.model) if config.objective == "mae" else SimMIM(config.model)
        if config.initialisation == "normal":
            apply_initialisation(model, HUGGING_FACE)
        return model


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
    weights, optimizer_state = (
        _tensors_on_cpu(_iter_weights(model)),
        _tensors_on_cpu(_iter_optimizer_state(model, optimizer)),
    )
    device = device_name(next(model.parameters()).device)
    state = {
        "format": "maetheory",
        "step": step,
        "images": images,
        "precision": precision,
        "threads": threads,
        "optimizer_tensors": len(optimizer_state),
        "provenance": provenance(device=device, seed=record["seed"]),
    }
    shutil.rmtree(partial_folder, ignore_errors=True)  # left by a killed process
    partial_folder.mkdir(parents=True)
    try:
        save_tensors(weights, partial_folder / "weights.safetensors")
        save_tensors(optimizer_state, partial_folder / "optimizer.safetensors")
        (partial_folder / "config.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        (partial_folder / "state.json").write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
        for file in partial_folder.iterdir():
            _flush_to_disk(file)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial_folder, folder)
    except BaseException:
        shutil.rmtree(partial_folder, ignore_errors=True)
        raise
    for old in list_checkpoints(out)[:-KEEP_LAST]:
        _delete_checkpoint(old)
    return folder


def gather_for_save(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Take part in gathering sharded weights while another process saves them, in the same order."""
    deque(chain(_iter_weights(model), _iter_optimizer_state(model, optimizer)), maxlen=0)


def list_checkpoints(out: Path) -> list[Path]:
    """Return the complete checkpoints below a run's folder, oldest first."""
    return sorted(path for path in out.glob("step-*") if (path / "state.json").exists())


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
    config = _read_config(folder, saved)
    check_weights(folder, saved, _meta_model(folder, config))
    model = build_model(config)
    model.load_state_dict(saved.weights)
    return model.eval(), config, saved.step


def _meta_model(folder: Path, config: TrainConfig) -> nn.Module:
    """Return the model of a recipe without memory for its weights, because a damaged recipe may ask for any size."""
    try:
        with torch.device("meta"):
            return build_model(config)
    except (RuntimeError, TypeError, ValueError, ArithmeticError) as error:
        raise InputError(
            f"{folder} is not a whole training checkpoint: no model has its config.json: {error}"
        ) from error


def _read_config(folder: Path, saved: TrainingCheckpoint) -> TrainConfig:
    """Return the recipe of a checkpoint, if a model of it can have the saved number of weights."""
    try:
        config = TrainConfig.from_dict(saved.record)
    except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise InputError(f"{folder} is not a whole checkpoint of masked image modelling: {error}") from error
    vit = config.model.encoder
    n_values, width = (
        sum(tensor.numel() for tensor in saved.weights.values()),
        max(vit.width, config.model.decoder_width),
    )
    if (
        max(vit.depth, config.model.decoder_depth) > len(saved.weights)
        or max(width, vit.patch_dim, vit.mlp_ratio) > n_values
        or (1 + vit.n_patches) * width > _LARGEST_POSITION_TABLE
    ):
        raise InputError(f"{folder} is not a whole training checkpoint: its weights are too few for its config.json")
    return config


def run_precision(out: Path) -> str | None:
    """Return the precision of a run's newest checkpoint, None if it is not recorded."""
    return read_state(list_checkpoints(out)[-1]).precision


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


def remove_partial_checkpoints(out: Path) -> None:
    """Remove what killed processes left of checkpoints that they were writing or deleting.

    A folder ``step-*`` without state.json is no checkpoint. It is removed, unless it holds weights and no checkpoint
    of the run is complete.

    Raises
    ------
    InputError
        If the only weights of a run are in such a folder.
    """
    for partial_folder in out.glob(".step-*.part"):
        shutil.rmtree(partial_folder, ignore_errors=True)
    complete = list_checkpoints(out)
    for folder in out.glob("step-*"):
        if not _CHECKPOINT_NAME.fullmatch(folder.name) or not folder.is_dir() or folder in complete:
            continue
        if not complete and (folder / WEIGHTS).exists():
            raise InputError(
                f"{folder} holds weights but no state.json, so it is not a whole checkpoint, and there is no other; "
                "move it away to begin anew"
            )
        _delete_checkpoint(folder)


def _delete_checkpoint(folder: Path) -> None:
    """Delete a checkpoint folder; while it is being deleted its name is that of a partial one."""
    doomed = folder.with_name(f".{folder.name}.part")
    try:
        os.replace(folder, doomed)
    except OSError:
        doomed = folder
    shutil.rmtree(doomed, ignore_errors=True)


def _flush_to_disk(file: Path) -> None:
    """Flush a file to disk (fsync), so that it survives a power failure after the folder is renamed."""
    with file.open("rb") as written:
        os.fsync(written.fileno())


def _iter_weights(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return ((name, full_tensor(value)) for name, value in model.state_dict().items())


def _iter_optimizer_state(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in model.named_parameters():
        state = optimizer.state.get(parameter, {})
        yield from ((f"{key}.{name}", full_tensor(state[key])) for key in OPTIMIZER_STATE if key in state)


def _tensors_on_cpu(tensors: Iterator[tuple[str, Tensor]]) -> dict[str, Tensor]:
    return {name: value.cpu().contiguous() for name, value in tensors}
