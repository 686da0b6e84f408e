"""Read a checkpoint file or folder as data, within a memory budget.

A pickle is parsed into a description (`pickle_parser`), a safetensors file is read by its own library, and a folder is
read by the files in it. Every way in which a file can be wrong ends as one sentence.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.checkpoints.reading.files import check_regular_file, read_magic_bytes, read_sidecars, sha256
from maetheory.checkpoints.reading.numpy_arrays import with_tensors_of_arrays
from maetheory.checkpoints.reading.remote_names import local_path
from maetheory.checkpoints.reading.safetensors_files import load_tensors
from maetheory.checkpoints.reading.safetensors_metadata import METADATA_SIDECAR, read_safetensors_metadata
from maetheory.checkpoints.reading.shards import check_shard_complete, find_weights_file, read_shard_index
from maetheory.checkpoints.reading.tensor_names import check_listed_names, check_safetensors_header, check_tensor_names
from maetheory.checkpoints.reading.torch_files import FileContents, read_torch_legacy, read_torch_zip
from maetheory.core import InputError, printable

BUDGET_SLACK_BYTES = 16 * 2**20
MAX_HEADER_BYTES = 100_000_000  # the longest header that safetensors allows
ZIP_SIGNATURE = b"PK\x03\x04"


def read_checkpoint(path: str | Path, *, max_bytes: int | None = None, sha256: str | None = None) -> CheckpointContents:
    """Read a checkpoint of any code base without running any of it.

    Parameters
    ----------
    path
        A file of ``torch.save`` (of any age; a state dict, a Lightning checkpoint or a whole module), a safetensors
        file, the index of shards, a folder of Hugging Face, or a run or step folder of ours (of a run, the newest
        complete step).
        ``hf://organisation/model`` and ``organisation/model`` are downloaded from the Hugging Face hub, and
        ``https://…`` if `sha256` is given.
    max_bytes
        How many bytes a file may unpack to, and how many bytes its tensors may have together; four times the size of
        the file plus 16 MiB, if not given.
    sha256
        Hash that the weights file must have, 64 hexadecimal digits.

    Raises
    ------
    InputError
        If it cannot be read as data alone: damaged, hostile, too large for its size, or no checkpoint; if it cannot be
        downloaded, or has another hash.
    """
    path, notes = local_path(path, sha256)
    try:
        contents = _read_folder(path, max_bytes) if path.is_dir() else _read_file(path, max_bytes)
        if sha256 is not None and contents.sha256 != sha256.lower():
            raise InputError(f"its SHA-256 is {contents.sha256}, but sha256= (--sha256) says {sha256}")
        return replace(contents, notes=(*notes, *contents.notes))
    except InputError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from error
    except BaseException as error:
        # safetensors is written in Rust, whose panics are no subclass of Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise InputError(f"{path} cannot be read: it is damaged, or no checkpoint") from error


def _read_folder(folder: Path, max_bytes: int | None) -> CheckpointContents:
    """Read the weights of a folder; those of a run of ours come without a pickle's fields."""
    weights = find_weights_file(folder)
    contents = _read_file(weights, max_bytes)
    if weights.name == "weights.safetensors" and (weights.parent / "state.json").is_file():
        return CheckpointContents(
            weights.parent, "maetheory run", contents.sha256, tree=contents.tree, sidecars=contents.sidecars
        )
    return replace(contents, path=folder)


def _read_file(path: Path, max_bytes: int | None) -> CheckpointContents:
    """Read one weights file, or the shards that an index file lists."""
    check_regular_file(path)
    contents = (
        _read_shards(path, max_bytes) if path.name.endswith(".index.json") else _read_single_file(path, max_bytes)
    )
    sidecars, notes = read_sidecars(path.parent, contents.sha256)
    return replace(contents, sidecars={**sidecars, **contents.sidecars}, notes=notes)


def _read_single_file(path: Path, max_bytes: int | None) -> CheckpointContents:
    found = _read_weights(path, max_bytes)
    check_tensor_names(found.tree)
    metadata = read_safetensors_metadata(path) if found.container == "safetensors" else {}
    return CheckpointContents(
        path,
        found.container,
        sha256([path]),
        found.globals,
        with_tensors_of_arrays(found.tree),
        found.module_attributes,
        found.module_classes,
        {METADATA_SIDECAR: metadata} if metadata else {},
    )


def _read_shards(index: Path, max_bytes: int | None) -> CheckpointContents:
    """Read every shard of an index and merge their tensors into one dict."""
    tree: dict[str, Any] = {}
    names: set[str] = set()
    listed = read_shard_index(index)
    for name, tensors in listed.items():
        found = _read_weights(index.parent / name, max_bytes)
        if not isinstance(found.tree, dict):
            raise InputError(f"the shard {printable(name)} holds no dict of tensors")
        check_shard_complete(name, tensors, found.tree)
        check_tensor_names(found.tree)
        tree |= found.tree
        check_listed_names(tree)
        names |= set(found.globals)
    container = "safetensors shards" if found.container == "safetensors" else "torch shards"
    files = [index.parent / name for name in listed]
    return CheckpointContents(index, container, sha256(files), tuple(sorted(names)), tree)


def _read_weights(path: Path, max_bytes: int | None) -> FileContents:
    """Read one file in the format that its first bytes show."""
    magic = read_magic_bytes(path)
    size = path.stat().st_size
    max_bytes = 4 * size + BUDGET_SLACK_BYTES if max_bytes is None else max_bytes
    if magic.startswith(ZIP_SIGNATURE):
        return read_torch_zip(path, max_bytes)
    if _is_safetensors(magic, size):
        check_safetensors_header(path, int.from_bytes(magic[:8], "little"))
        return FileContents("safetensors", (), load_tensors(path), {}, {})
    return read_torch_legacy(path, max_bytes)


def _is_safetensors(magic: bytes, size: int) -> bool:
    """Return whether a file begins with the length of a JSON header and its opening brace.

    Raises
    ------
    InputError
        If the header is longer than the file.
    """
    header_bytes = int.from_bytes(magic[:8], "little")
    if magic[8:9] != b"{" or not 2 <= header_bytes <= MAX_HEADER_BYTES:
        return False
    if header_bytes > size - 8:
        raise InputError("it is a safetensors file cut short: its header is longer than the file")
    return True
