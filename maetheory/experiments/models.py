"""Find and load the models of an experiment."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from maetheory.checkpoints.device import device_name
from maetheory.checkpoints.reading.files import RUNS_FOLDER
from maetheory.core import InputError
from maetheory.experiments.experiment import Cell
from maetheory.training import TrainConfig, load_run, make_fabric
from maetheory.training.checkpointing import build_model, list_checkpoints


def run_folder(out: Path, cell: Cell, seed: int) -> Path:
    """Return the folder of the training run of a cell and a seed.

    Raises
    ------
    InputError
        If the cell's name would lead to another folder.
    """
    name = f"{cell.name.lower().replace(' ', '-')}-seed{seed}"
    if any(sign in name for sign in "/\\\0"):
        raise InputError(f"the name of a cell is a part of a path, so it must hold no slash, but it is {cell.name!r}")
    return out / RUNS_FOLDER / name


def load_cell_model(out: Path, cell: Cell, recipe: TrainConfig) -> nn.Module:
    """Return the trained model of a cell and the recipe's seed, or the untrained network with that seed."""
    if not cell.trained:
        return build_model(recipe).eval()
    return load_run(list_checkpoints(run_folder(out, cell, recipe.seed))[-1])[0]


def load_cell_model_on_device(out: Path, cell: Cell, recipe: TrainConfig, device: str = "auto") -> nn.Module:
    """Return the model of `load_cell_model` on a device, by default the one that this machine trains on."""
    return load_cell_model(out, cell, recipe).to(make_fabric(device).device)


def model_device_name(model: nn.Module) -> str:
    """Return the name of a model's device, as ledgers record it."""
    return device_name(next(model.parameters()).device)
