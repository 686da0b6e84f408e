"""Read the files of a training checkpoint and check that they are whole, before anything in them is believed."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from maetheory.checkpoints.reading.safetensors_files import load_tensors
from maetheory.checkpoints.reading.tensor_names import MAX_TENSORS, check_safetensors_header
from maetheory.core import InputError, printable, printable_list, printable_value
from maetheory.core.files import open_regular_file
from maetheory.core.json_files import integer_field, read_json_object

OPTIMIZER_STATE = ("exp_avg", "exp_avg_sq", "step")
MAX_THREADS = 4096
MAX_HEADER_BYTES = 100_000_000
WEIGHTS, OPTIMIZER, CONFIG, STATE = "weights.safetensors", "optimizer.safetensors", "config.json", "state.json"
_WEIGHT_TYPES = {
    "32-true": torch.float32,
    "16-mixed": torch.float32,
    "bf16-mixed": torch.float32,
    "16-true": torch.float16,
    "bf16-true": torch.bfloat16,
    "64-true": torch.float64,
}


class TrainingCheckpoint(NamedTuple):
    """Contents of a checkpoint folder; what an older version did not record is None."""

    step: int
    images: int | None
    precision: str | None
    threads: int | None
    record: dict[str, Any]
    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    optimizer_tensors: int | None = None


class CheckpointState(NamedTuple):
    """Contents of state.json."""

    step: int
    images: int | None
    precision: str | None
    threads: int | None
    optimizer_tensors: int | None


def read_state(folder: Path) -> CheckpointState:
    """Read and check the state.json of a checkpoint folder.

    Raises
    ------
    InputError
        If it is missing or damaged, or a field has another type, is out of range, or contradicts the folder's name.
    """
    path = folder / STATE
    state = read_json_object(path)
    if state.get("format", "maetheory") != "maetheory":
        raise InputError(f"{path} has the format {printable_value(state['format'])} in place of 'maetheory'")
    step = integer_field(state, "step", str(path), 1)
    named = re.fullmatch(r"step-(\d+)", folder.name)
    if named and int(named[1]) != step:
        raise InputError(f"{path} says step {step}, but its folder is of step {int(named[1])}")
    precision = state.get("precision")
    if precision is not None and not isinstance(precision, str):
        raise InputError(f"precision in {path} must be a text, but it is {printable_value(precision)}")
    limits = {"images": (1, 2**53), "threads": (1, MAX_THREADS), "optimizer_tensors": (0, 2**53)}
    numbers = {
        name: None if state.get(name) is None else integer_field(state, name, str(path), *limit)
        for name, limit in limits.items()
    }
    return CheckpointState(step, numbers["images"], precision, numbers["threads"], numbers["optimizer_tensors"])


def read_checkpoint(folder: Path) -> TrainingCheckpoint:
    """Read a checkpoint folder.

    Raises
    ------
    InputError
        If a file is missing or damaged.
    """
    try:
        state = read_state(folder)
        return TrainingCheckpoint(
            state.step,
            state.images,
            state.precision,
            state.threads,
            read_json_object(folder / CONFIG),
            _read_tensors(folder / WEIGHTS),
            _read_tensors(folder / OPTIMIZER),
            state.optimizer_tensors,
        )
    except InputError as error:
        raise InputError(f"{folder} is not a whole training checkpoint: {error}") from error


def check_weights(folder: Path, saved: TrainingCheckpoint, model: nn.Module) -> None:
    """Check that the weights of a checkpoint are those of a model: names, shapes, number types, finite values.

    Raises
    ------
    InputError
        With the first difference.
    """
    path, expected = folder / WEIGHTS, model.state_dict()
    _check_names(path, set(saved.weights), set(expected))
    for name, tensor in saved.weights.items():
        _check_shape(path, name, tensor, expected[name])
        number_type = expected[name].dtype
        if number_type.is_floating_point and saved.precision is not None:
            number_type = _WEIGHT_TYPES.get(saved.precision, tensor.dtype)
        elif number_type.is_floating_point and tensor.is_floating_point():
            number_type = tensor.dtype
        if tensor.dtype != number_type:
            raise InputError(f"{printable(name)} in {path} must be {number_type}, but it is {tensor.dtype}")
        _check_finite(path, name, tensor)


def check_optimizer(folder: Path, saved: TrainingCheckpoint, model: nn.Module) -> None:
    """Check that the optimiser state of a checkpoint is whole: nothing missing, shapes, and possible values.

    Every parameter that has been trained has two moments and a number of steps. How many tensors they are is recorded;
    for a checkpoint of an older version, which did not record it, parameters without moments are only warned of.

    Raises
    ------
    InputError
        With the first difference.
    """
    path, parameters = folder / OPTIMIZER, dict(model.named_parameters())
    names = {key.partition(".")[2] for key in saved.optimizer}
    _check_names(path, set(saved.optimizer), {f"{kind}.{name}" for kind in OPTIMIZER_STATE for name in names})
    _check_names(path, names, names & parameters.keys())
    for name in names:
        for kind in ("exp_avg", "exp_avg_sq"):
            tensor = saved.optimizer[f"{kind}.{name}"]
            _check_shape(path, f"{kind}.{name}", tensor, parameters[name])
            if tensor.dtype != saved.weights[name].dtype:
                wanted = saved.weights[name].dtype
                raise InputError(f"{kind}.{printable(name)} in {path} must be {wanted}, but it is {tensor.dtype}")
            _check_finite(path, f"{kind}.{name}", tensor)
        if (saved.optimizer[f"exp_avg_sq.{name}"] < 0).any():
            raise InputError(f"exp_avg_sq.{printable(name)} in {path} is a mean of squares, but a value is negative")
    _check_step_counts(path, {name: saved.optimizer[f"step.{name}"] for name in names}, saved.step)
    if saved.optimizer_tensors not in (None, len(saved.optimizer)):
        raise InputError(f"{path} holds {len(saved.optimizer)} tensors of {saved.optimizer_tensors} that were saved")
    untouched = {name for name, parameter in parameters.items() if parameter.requires_grad} - names
    if saved.optimizer_tensors is None and untouched:
        warnings.warn(
            f"{path} holds no moments of {printable_list(sorted(untouched), 3)}; an older version wrote it, so it is "
            "not known whether they are missing",
            stacklevel=2,
        )


def _check_step_counts(path: Path, counts: dict[str, Tensor], step: int) -> None:
    """Check that parameters were trained for at most `step` steps, and some for all of them."""
    for name, count in counts.items():
        if count.shape != () or not 1 <= float(count) <= step or float(count) % 1:
            value = printable_value(count.flatten()[:3].tolist())
            raise InputError(f"step.{printable(name)} in {path} must be 1 to {step}, but it is {value}")
    if counts and max(map(float, counts.values())) != step:
        raise InputError(f"{path} is of step {int(max(map(float, counts.values())))}, but its checkpoint of {step}")


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        with open_regular_file(path) as file:
            header_bytes = int.from_bytes(file.read(8), "little")
        if header_bytes <= MAX_HEADER_BYTES:  # a longer one is refused by safetensors itself
            check_safetensors_header(path, header_bytes, MAX_TENSORS)
        return load_tensors(path)
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing") from error
    except InputError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _check_names(path: Path, found: set[str], expected: set[str]) -> None:
    for names, word in ((expected - found, "lacks"), (found - expected, "holds, beside those of the model,")):
        if names:
            raise InputError(f"{path} {word} {printable_list(sorted(names), 3)}")


def _check_shape(path: Path, name: str, tensor: Tensor, expected: Tensor) -> None:
    if tensor.shape != expected.shape:
        raise InputError(
            f"{printable(name)} in {path} must have shape {tuple(expected.shape)}, but it has {tuple(tensor.shape)}"
        )


def _check_finite(path: Path, name: str, tensor: Tensor) -> None:
    if not torch.isfinite(tensor).all():
        raise InputError(f"{printable(name)} in {path} holds a value that is not finite")
