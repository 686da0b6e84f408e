"""Choose the checkpoint that a run resumes from, and refuse those of another run."""

from __future__ import annotations

import json
from pathlib import Path

from maetheory.core import InputError, make_folder
from maetheory.training.checkpointing import TrainingCheckpoint, list_checkpoints, read_checkpoint
from maetheory.training.task import Task


def checkpoint_to_resume(
    out: Path, resume: bool, task: Task, n_images: int, precision: str
) -> TrainingCheckpoint | None:
    """Return the newest checkpoint below `out`, or None where there is none.

    Raises
    ------
    InputError
        If there is one but `resume` is false, or it is of another task, recipe, number of images or precision.
    """
    make_folder(out)
    found = list_checkpoints(out)
    if not found:
        return None
    if not resume:
        raise InputError(f"{out} already holds a run; resume it, or choose another folder")
    saved = read_checkpoint(found[-1])
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
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(f"the run in {out} is of another kind; choose another folder") from error
    for name in ("log_every", "save_seconds"):
        present.pop(name), stored.pop(name)
    if present != stored:
        changed = ", ".join(sorted(name for name in present if present[name] != stored.get(name)))
        raise InputError(
            f"the run in {out} was made with another configuration ({changed} differ); resume it with its "
            "own, or choose another folder"
        )
    return saved
