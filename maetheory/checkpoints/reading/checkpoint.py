"""Reading a checkpoint is looking at it: no code from a file ever runs, and it gets no more memory than its size earns.

A pickle is read as a description (`maetheory.checkpoints.reading.pickle_parser`), a safetensors file by its own library, and a
folder by the files in it. Every way in which a file can be wrong ends as one sentence.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.checkpoints.reading.files import check_regular_file, read_magic_bytes, sha256, sidecars
from maetheory.checkpoints.reading.pickle_globals import printable
from maetheory.checkpoints.reading.shards import check_shard_complete, find_weights_file, shards
from maetheory.checkpoints.reading.torch_files import FileContents, read_torch_legacy, read_torch_zip
from maetheory.core import InputError

BUDGET_SLACK_BYTES = 16 * 2**20
MAX_HEADER_BYTES = 100_000_000  # the longest header that safetensors allows


def read_checkpoint(path: str | Path, *, max_bytes: int | None = None) -> CheckpointContents:
    """Read a checkpoint, whoever wrote it, without running any of it.

    Parameters
    ----------
    path
        A file of ``torch.save`` (of any age; a state dict, a Lightning checkpoint or a whole module), a safetensors
        file, the index of shards, a folder of Hugging Face, or a run or step folder of ours (of a run, the newest
        whole step).
    budget
        How many bytes a file may unpack to, and how many bytes its tensors may have together; four times the size of
        the file and 16 MiB, if not given.

    Raises
    ------
    InputError
        If it cannot be read as data alone: damaged, hostile, too large for its size, or no checkpoint.
    """
    path = Path(path)
    try:
        return _read_folder(path, max_bytes) if path.is_dir() else _read_file(path, max_bytes)
    except InputError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from error
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":  # how safetensors may fail
            raise
        raise InputError(f"{path} cannot be read: it is damaged, or no checkpoint") from error


def _read_folder(folder: Path, max_bytes: int | None) -> CheckpointContents:
    weights = find_weights_file(folder)
    contents = _read_file(weights, max_bytes)
    if weights.name == "weights.safetensors" and (weights.parent / "state.json").is_file():
        return CheckpointContents(
            weights.parent, "maetheory run", contents.sha256, tree=contents.tree, sidecars=contents.sidecars
        )
    return replace(contents, path=folder)


def _read_file(path: Path, max_bytes: int | None) -> CheckpointContents:
    check_regular_file(path)
    beside = sidecars(path.parent)
    if path.name.endswith(".index.json"):
        return _read_shards(path, max_bytes, beside)
    found = _read_weights(path, max_bytes)
    return CheckpointContents(
        path, found.container, sha256([path]), found.globals, found.tree, found.attributes, found.classes, beside
    )


def _read_shards(index: Path, max_bytes: int | None, beside: dict[str, Any]) -> CheckpointContents:
    tree: dict[str, Any] = {}
    names: set[str] = set()
    listed = shards(index)
    for name, tensors in listed.items():
        found = _read_weights(index.parent / name, max_bytes)
        if not isinstance(found.tree, dict):
            raise InputError(f"the shard {printable(name)} holds no dict of tensors")
        check_shard_complete(name, tensors, found.tree)
        tree |= found.tree
        names |= set(found.globals)
    container = "safetensors shards" if found.container == "safetensors" else "torch shards"
    files = [index.parent / name for name in listed]
    return CheckpointContents(index, container, sha256(files), tuple(sorted(names)), tree, sidecars=beside)


def _read_weights(path: Path, max_bytes: int | None) -> FileContents:
    head = read_magic_bytes(path)
    size = path.stat().st_size
    max_bytes = 4 * size + BUDGET_SLACK_BYTES if max_bytes is None else max_bytes
    if head[:4] == b"PK\x03\x04":
        return read_torch_zip(path, max_bytes)
    if head[8:9] == b"{" and size - 8 < int.from_bytes(head[:8], "little") <= MAX_HEADER_BYTES:
        raise InputError("it is a safetensors file cut short: its header is longer than the file")
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= min(size - 8, MAX_HEADER_BYTES):
        return FileContents("safetensors", (), load_file(path), {}, {})
    return read_torch_legacy(path, max_bytes)
