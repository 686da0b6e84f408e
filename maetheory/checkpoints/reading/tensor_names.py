"""How many tensors a checkpoint may name, and how long the names may be.

Whatever looks for a code base reads every name with a few hundred patterns, so a file of a million empty tensors is
refused by their number before any of them is made. A Vision Transformer has some hundred to a few thousand tensors.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from maetheory.core import InputError, printable

MAX_TENSORS = 20_000
MAX_STATE_DICT_TENSORS = 8000
MAX_TENSOR_NAME_LENGTH = 500
MAX_ZIP_DIRECTORY_BYTES = 16 * 2**20
_ZIP_END, _ZIP64_END = b"PK\x05\x06", b"PK\x06\x06"
_ZIP_END_BYTES, _ZIP_COMMENT_BYTES = 22, 2**16


def check_safetensors_header(path: Path, header_bytes: int, max_tensors: int = MAX_STATE_DICT_TENSORS) -> None:
    """Check the number of tensors of a safetensors file by the braces of its header, before the header is parsed.

    Raises
    ------
    InputError
        If it has more than `max_tensors`.
    """
    with path.open("rb") as file:
        file.seek(8)
        header = file.read(header_bytes)
    _check_number_of_tensors(header.count(b"{") - 2, max_tensors)  # one around all, and one around the metadata


def check_zip_directory(path: Path) -> None:
    """Check the size of a zip archive's directory, before an object is made for each member.

    Raises
    ------
    InputError
        If it is longer than `MAX_ZIP_DIRECTORY_BYTES`.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = data.rfind(_ZIP_END, max(0, len(data) - _ZIP_END_BYTES - _ZIP_COMMENT_BYTES))
        record = data[end : end + 16]
        size = struct.unpack("<I", record[12:16])[0] if end >= 0 and len(record) == 16 else 0
        long_end = data.rfind(_ZIP64_END, max(0, end - 2**10), max(0, end))
        if size == 2**32 - 1 or long_end >= 0:
            record = data[long_end : long_end + 48]
            size = struct.unpack("<Q", record[40:48])[0] if long_end >= 0 and len(record) == 48 else size
    if size > MAX_ZIP_DIRECTORY_BYTES:
        raise InputError("it is a zip archive of more members than a checkpoint has")


def check_tensor_names(tree: Any) -> None:
    """Check number and length of the names of all tensors in a tree, each dict of them by itself and all together.

    Raises
    ------
    InputError
        If there are more than `MAX_TENSORS`, or a name is longer than `MAX_TENSOR_NAME_LENGTH`.
    """
    total, unvisited = 0, [tree]
    while unvisited:
        value = unvisited.pop()
        children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
        unvisited += [child for child in children if isinstance(child, Mapping | list | tuple)]
        if isinstance(value, Mapping):
            names = [name for name, child in value.items() if isinstance(name, str) and isinstance(child, Tensor)]
            _check_number_of_tensors(len(names))
            total += len(names)
            long = next((name for name in names if len(name) > MAX_TENSOR_NAME_LENGTH), None)
            if long is not None:
                raise InputError(f"the name {printable(long)} of a tensor has {len(long)} characters")
    if total > MAX_TENSORS:
        raise InputError(f"it names {total} tensors, where at most {MAX_TENSORS} are read")


def check_listed_names(names: Mapping[str, Any]) -> None:
    """Check the number of names in one dict or index.

    Raises
    ------
    InputError
        If there are more than `MAX_STATE_DICT_TENSORS`.
    """
    _check_number_of_tensors(len(names))


def _check_number_of_tensors(number: int, max_tensors: int = MAX_STATE_DICT_TENSORS) -> None:
    """Refuse more tensors in one dict than any Vision Transformer has."""
    if number > max_tensors:
        raise InputError(f"it names more than {max_tensors} tensors, where a Vision Transformer has some hundred")
