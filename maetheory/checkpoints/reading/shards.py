"""Find the weights file of a folder, and read the index of sharded weights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from maetheory.checkpoints.reading.files import RUNS_FOLDER, first_entries, read_json
from maetheory.checkpoints.reading.other_files import (
    WEIGHT_SUFFIXES,
    describe_other_folder,
    find_deepspeed_weights,
    without_training_state,
)
from maetheory.checkpoints.reading.tensor_names import check_listed_names
from maetheory.core import InputError, printable, printable_list
from maetheory.core.unknown_names import MAX_LISTED

WEIGHT_FILE_NAMES = (
    "model.safetensors.index.json",
    "model.safetensors",
    "pytorch_model.bin.index.json",
    "pytorch_model.bin",
)


def find_weights_file(folder: Path) -> Path:
    """Return the weights file of a folder: of a run's newest complete step, of Hugging Face, or the only one.

    Raises
    ------
    InputError
        If there is none, or more than one.
    """
    if (folder / "state.json").is_file():
        return folder / "weights.safetensors"
    steps = sorted(path for path in folder.glob("step-*") if (path / "state.json").is_file())
    if steps:
        return steps[-1] / "weights.safetensors"
    for name in WEIGHT_FILE_NAMES:
        if (folder / name).is_file():
            return folder / name
    if deepspeed := find_deepspeed_weights(folder):
        return deepspeed
    files = sorted(path for path in folder.iterdir() if path.suffix in WEIGHT_SUFFIXES and path.is_file())
    files = without_training_state(files) or files
    if len(files) > 1:
        raise InputError(
            f"the folder holds several checkpoints ({printable(', '.join(f.name for f in files))}); name one"
        )
    if not files and (kind := describe_other_folder(folder)):
        raise InputError(f"it {kind}")
    if not files and (inner := _weights_folders(folder)):
        listed = printable_list(inner, MAX_LISTED)
        raise InputError(f"the folder holds {len(inner)} folders with a checkpoint each ({listed}); name one")
    if not files:
        raise InputError(
            f"the folder holds no checkpoint; expected {', '.join(WEIGHT_FILE_NAMES)}, or folders step-* of a run"
        )
    return files[0]


def _weights_folders(folder: Path) -> list[str]:
    """Return the folders in a folder that hold a checkpoint each; where it has none, those in its folder of runs."""
    inner = [path.name for path in first_entries(folder) if _is_weights_folder(path)]
    if not inner:
        runs = first_entries(folder / RUNS_FOLDER)
        inner = [f"{RUNS_FOLDER}/{path.name}" for path in runs if _is_weights_folder(path)]
    return sorted(inner)


def _is_weights_folder(folder: Path) -> bool:
    """Return whether a folder holds weights, as those of Hugging Face's Trainer do, or the steps of a training here."""
    return folder.is_dir() and (
        any((folder / name).is_file() for name in WEIGHT_FILE_NAMES)
        or any(step.name.startswith("step-") and (step / "state.json").is_file() for step in first_entries(folder))
    )


def read_shard_index(index: Path) -> dict[str, list[str]]:
    """Return the files that a shard index lists, each with the names of its tensors.

    Raises
    ------
    InputError
        If it lists none, a file outside its folder, or a file that is missing.
    """
    content = read_json(index)
    weight_map = content.get("weight_map") if isinstance(content, dict) else None
    if (
        not isinstance(weight_map, dict)
        or not weight_map
        or not all(isinstance(name, str) for name in weight_map.values())
    ):
        raise InputError(f"{printable(index.name)} lists no weights")
    check_listed_names(weight_map)
    tensors_by_file: dict[str, list[str]] = {}
    for tensor, name in weight_map.items():
        tensors_by_file.setdefault(name, []).append(tensor)
    for name in tensors_by_file:
        if name != Path(name).name or name in (".", "..") or "\\" in name or "\0" in name:
            raise InputError(f"{printable(index.name)} lists {printable(name)!r}, which is not beside it")
        if not (index.parent / name).is_file():
            raise InputError(f"the shard {printable(name)} that {index.name} lists is missing")
    return dict(sorted(tensors_by_file.items()))


def check_shard_complete(name: str, listed: Iterable[str], held: Iterable[str]) -> None:
    """Check that a shard holds every tensor that the index lists for it.

    Raises
    ------
    InputError
        If it does not.
    """
    missing = sorted(set(listed) - set(held))
    if missing:
        raise InputError(
            f"the shard {printable(name)} lacks {printable(missing[0])}, one of {len(missing)} listed tensors"
        )
