"""Reading a checkpoint is looking at it: no code from a file ever runs, and it gets no more memory than its size earns.

A pickle is read as a description (`maetheory.checkpoints.pickles`), a safetensors file by its own library, and a
folder by the files in it. Every way in which a file can be wrong ends as one sentence.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from maetheory.checkpoints.contents import Contents, not_finite
from maetheory.checkpoints.files import beginning, regular, sha256, sidecars
from maetheory.checkpoints.names import quoted
from maetheory.checkpoints.shards import complete, shards, weights_in
from maetheory.checkpoints.torch_files import Unpickled, read_stream, read_zip
from maetheory.core import InputError

__all__ = ["Contents", "not_finite", "read"]

SLACK = 16 * 2**20
HEADER = 100_000_000  # the longest header that safetensors allows


def read(path: str | Path, *, budget: int | None = None) -> Contents:
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
        return _folder(path, budget) if path.is_dir() else _file(path, budget)
    except InputError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from error
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":  # how safetensors may fail
            raise
        raise InputError(f"{path} cannot be read: it is damaged, or no checkpoint") from error


def _folder(folder: Path, budget: int | None) -> Contents:
    weights = weights_in(folder)
    contents = _file(weights, budget)
    if weights.name == "weights.safetensors" and (weights.parent / "state.json").is_file():
        return Contents(
            weights.parent, "maetheory run", contents.sha256, tree=contents.tree, sidecars=contents.sidecars
        )
    return replace(contents, path=folder)


def _file(path: Path, budget: int | None) -> Contents:
    regular(path)
    beside = sidecars(path.parent)
    if path.name.endswith(".index.json"):
        return _shards(path, budget, beside)
    found = _weights(path, budget)
    return Contents(path, found.container, sha256([path]), found.globals, found.tree, found.attributes, found.classes,
                    beside)  # fmt: skip


def _shards(index: Path, budget: int | None, beside: dict[str, Any]) -> Contents:
    tree: dict[str, Any] = {}
    names: set[str] = set()
    listed = shards(index)
    for name, tensors in listed.items():
        found = _weights(index.parent / name, budget)
        if not isinstance(found.tree, dict):
            raise InputError(f"the shard {quoted(name)} holds no dict of tensors")
        complete(name, tensors, found.tree)
        tree |= found.tree
        names |= set(found.globals)
    container = "safetensors shards" if found.container == "safetensors" else "torch shards"
    files = [index.parent / name for name in listed]
    return Contents(index, container, sha256(files), tuple(sorted(names)), tree, sidecars=beside)


def _weights(path: Path, budget: int | None) -> Unpickled:
    head = beginning(path)
    size = path.stat().st_size
    budget = 4 * size + SLACK if budget is None else budget
    if head[:4] == b"PK\x03\x04":
        return read_zip(path, budget)
    if head[8:9] == b"{" and size - 8 < int.from_bytes(head[:8], "little") <= HEADER:
        raise InputError("it is a safetensors file cut short: its header is longer than the file")
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= min(size - 8, HEADER):
        return Unpickled("safetensors", (), load_file(path), {}, {})
    return read_stream(path, budget)
