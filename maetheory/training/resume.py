"""Choose the checkpoint that a run resumes from, and refuse those of another run."""

from __future__ import annotations

import json
from pathlib import Path

from torch import nn

from maetheory.core import InputError, make_folder, printable_list
from maetheory.training.checkpoint_reading import (
    CONFIG,
    TrainingCheckpoint,
    check_optimizer,
    check_weights,
    read_checkpoint,
)
from maetheory.training.checkpointing import list_checkpoints
from maetheory.training.task import Task

_NEED_NOT_AGREE = ("log_every", "save_seconds")


def checkpoint_to_resume(
    out: Path, resume: bool, task: Task, n_images: int, precision: str, model: nn.Module, total: int
) -> TrainingCheckpoint | None:
    """Return the newest checkpoint below `out`, or None where there is none.

    Parameters
    ----------
    out, resume, task, n_images, precision
        As of the run that is to continue.
    model : nn.Module
        The task's initial model, whose weights have the names and shapes of those saved.
    total : int
        Number of steps of the whole run.

    Raises
    ------
    InputError
        If there is one but `resume` is false, it is of another task, recipe, number of images or precision, or it is
        not whole; the newest older checkpoint that is whole is then named.
    """
    make_folder(out)
    found = list_checkpoints(out)
    if not found:
        return None
    if not resume:
        raise InputError(f"{out} already holds a run; resume it, or choose another folder")
    try:
        saved = read_checkpoint(found[-1])
    except InputError as error:
        raise _unusable_checkpoint_error(found, error, model, total) from error
    _check_agreement(out, saved, task, n_images, precision)
    try:
        _check_complete(found[-1], saved, model, total)
    except InputError as error:
        raise _unusable_checkpoint_error(found, error, model, total) from error
    return saved


def _check_agreement(out: Path, saved: TrainingCheckpoint, task: Task, n_images: int, precision: str) -> None:
    """Raise InputError if a checkpoint is of another recipe, number of images or precision."""
    if saved.images not in (None, n_images):
        raise InputError(
            f"the run in {out} was made with {saved.images} images, not {n_images}; resume it with its own, "
            "or choose another folder"
        )
    if saved.precision not in (None, precision):
        raise InputError(
            f"the run in {out} was made with precision {saved.precision}, not {precision}; resume it with "
            "its own, or choose another folder"
        )
    try:
        present, stored = (
            json.loads(json.dumps(record)) for record in (task.record(), task.upgrade_record(saved.record))
        )
    except InputError as error:
        raise InputError(f"the {CONFIG} of the run in {out} is no recipe: {error}; choose another folder") from error
    except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise InputError(f"the run in {out} is of another kind; choose another folder") from error
    for name in _NEED_NOT_AGREE:
        present.pop(name, None), stored.pop(name, None)
    if present != stored:
        names = sorted(name for name in present.keys() | stored.keys() if present.get(name) != stored.get(name))
        raise InputError(
            f"the run in {out} was made with another configuration ({printable_list(names)} differ); resume it with "
            "its own, or choose another folder"
        )


def _check_complete(folder: Path, saved: TrainingCheckpoint, model: nn.Module, total: int) -> None:
    """Raise InputError if a checkpoint lies beyond the last step, or its weights or moments are not whole."""
    if saved.step > total:
        raise InputError(f"{folder} is of step {saved.step}, but its recipe ends after step {total}")
    check_weights(folder, saved, model)
    check_optimizer(folder, saved, model)


def _unusable_checkpoint_error(found: list[Path], error: InputError, model: nn.Module, total: int) -> InputError:
    """Return the error of the newest checkpoint with what to do: resume from an older one, or begin anew."""
    for older in reversed(found[:-1]):
        try:
            _check_complete(older, read_checkpoint(older), model, total)
        except InputError:
            continue
        return InputError(f"{error}; {older} is whole: delete {found[-1]} and resume from there")
    return InputError(f"{error}; no other checkpoint of this run is whole: choose another folder and begin anew")
