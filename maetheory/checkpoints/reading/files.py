"""Checks and hashes of checkpoint files, and the JSON files beside them."""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from maetheory.checkpoints.reading.other_files import describe_other_file
from maetheory.core import InputError, printable
from maetheory.core.files import open_regular_file
from maetheory.core.unknown_names import closest_names, did_you_mean

MAX_JSON_BYTES = 16 * 2**20
MAX_JSON_DIGITS = 19  # those of 64 bits
MAX_ARGUMENT_DIGITS = 38  # those of 128 bits, as random seeds have
WEIGHTS_SHA256 = "weights_sha256"
"""Key of config.json under which `convert_checkpoint` writes the hash of the weights that it describes."""
SIDECAR_NAMES = ("config.json", "preprocessor_config.json", "args.json", "adapter_config.json")
RUNS_FOLDER = "runs"
"""Folder in which an experiment keeps one folder for each trained model."""
MAX_NAMES_COMPARED = 1000
LFS_POINTER = b"version https://git-lfs"
MARKUP_PREFIXES = (b"<!doctype", b"<html", b"<?xml")
KNOWN_SIGNATURES = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "packed with gzip"),
    (b"\xfd7zXZ", "packed with xz"),
    (b"BZh", "packed with bzip2"),
    (b"\x28\xb5\x2f\xfd", "packed with Zstandard"),
    (b"7z\xbc\xaf", "packed with 7-Zip"),
    (b"\x89HDF", "an HDF5 file"),
    (b"GGUF", "a GGUF file"),
)


def check_regular_file(path: Path) -> Path:
    """Return the path if it leads to an ordinary file.

    Raises
    ------
    InputError
        If there is no such file, or it is a device, a pipe or a folder.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise InputError(f"{path.name} is a link to a file that is not there") from None
        question = did_you_mean(_similar_paths(path))
        raise InputError(f"there is no file {path.name}" + (f"; {question}" if question else "")) from None
    if not stat.S_ISREG(mode):
        raise InputError(f"{path.name} is not an ordinary file")
    return path


def _similar_paths(path: Path) -> list[str]:
    """Return files and folders beside a missing path, or in the folder of runs beside it, of the most similar names.

    Of a folder with more than `MAX_NAMES_COMPARED` entries, those that the system lists first are compared.
    """
    found = {one.name: one for folder in (path.parent, path.parent / RUNS_FOLDER) for one in first_entries(folder)}
    similar = [path.name] if path.name in found else closest_names(path.name, found)
    return [repr(str(found[name])) for name in similar]


def first_entries(folder: Path) -> list[Path]:
    """Return at most `MAX_NAMES_COMPARED` files and folders in a folder; none if it cannot be read.

    Other entries are left out, and so are names that are not printable.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        first = islice(entries, MAX_NAMES_COMPARED)
        return [folder / one.name for one in first if one.name.isprintable() and (one.is_file() or one.is_dir())]
    return []


def read_magic_bytes(path: Path) -> bytes:
    """Return the first 512 bytes of a file that may be a checkpoint.

    Raises
    ------
    InputError
        If it is empty, a git-lfs pointer, a web page or of another known kind.
    """
    with open_regular_file(check_regular_file(path)) as file:
        magic = file.read(512)
    if not magic:
        raise InputError("the file is empty")
    if magic.startswith(LFS_POINTER):
        raise InputError("it is a git-lfs pointer, not the file itself; fetch it with `git lfs pull`")
    if magic.lstrip().lower().startswith(MARKUP_PREFIXES) and b"<net " not in magic:
        raise InputError("it is a web page, not a checkpoint; the download went wrong")
    kind = next((words for signature, words in KNOWN_SIGNATURES if magic.startswith(signature)), None)
    if kind is not None:
        raise InputError(f"it is {kind}, not a checkpoint" + ("; unpack it first" if "packed" in kind else ""))
    if kind := describe_other_file(path.name, magic):
        raise InputError(kind)
    return magic


def sha256(paths: Sequence[Path]) -> str:
    """Return the SHA-256 of one file; of several, that of the lines ``hash  name`` in the order of the names."""
    hashes = {path.name: _file_sha256(path) for path in paths}
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    lines = "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes))
    return hashlib.sha256(lines.encode()).hexdigest()


def read_sidecars(folder: Path, weights_sha256: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the parsed JSON files of a folder that describe its weights, by file name, and notes on them.

    A config.json that `convert_checkpoint` wrote holds the SHA-256 of the weights that it describes; beside others it
    is left out, which a note says.

    Raises
    ------
    InputError
        If one of them is damaged.
    """
    digits = {"args.json": MAX_ARGUMENT_DIGITS}
    present = (name for name in SIDECAR_NAMES if (folder / name).is_file())
    found = {name: read_json(folder / name, max_digits=digits.get(name, MAX_JSON_DIGITS)) for name in present}
    left_out = [name for name, record in found.items() if _weights_described_by(record) not in (None, weights_sha256)]
    notes = tuple(f"{name} beside it describes other weights, so it was not used" for name in left_out)
    return {name: record for name, record in found.items() if name not in left_out}, notes


def _weights_described_by(record: Any) -> str | None:
    """Return the SHA-256 of the weights that a JSON file says it describes, None if it says none."""
    found = record.get(WEIGHTS_SHA256) if isinstance(record, dict) else None
    return found if isinstance(found, str) else None


def read_json(path: Path, *, max_digits: int = MAX_JSON_DIGITS) -> Any:
    """Return the parsed content of a JSON file, whose integers have at most `max_digits` digits.

    Raises
    ------
    InputError
        If it is longer than `MAX_JSON_BYTES`, no JSON, or holds a number that is out of the range of numbers.
    """
    if check_regular_file(path).stat().st_size > MAX_JSON_BYTES:
        raise InputError(f"{path.name} is longer than {MAX_JSON_BYTES} bytes")
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text, parse_int=partial(_json_integer, max_digits), parse_float=_json_float)
    except _OutOfRangeError as error:
        raise InputError(f"{path.name} is damaged: it holds the number {error}, which no checkpoint needs") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path.name} is not JSON that can be read") from error


class _OutOfRangeError(ValueError):
    """A JSON number that no number type here holds."""


def _json_integer(max_digits: int, digits: str) -> int:
    """Return an integer of at most so many digits."""
    if len(digits.removeprefix("-")) > max_digits:
        raise _OutOfRangeError(printable(digits, 40))
    return int(digits)


def _json_float(digits: str) -> float:
    """Return a finite number."""
    if not math.isfinite(number := float(digits)):
        raise _OutOfRangeError(printable(digits, 40))
    return number


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
