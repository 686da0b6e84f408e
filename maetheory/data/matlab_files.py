"""Read the numeric arrays of a MATLAB file of version 5, the format of CIFAR's archives for MATLAB.

SciPy unpacks whatever a compressed element holds and follows cells into cells without an end. So the elements are
unpacked here, each to the size that it declares and all within one bound, and SciPy is given those that are arrays of
numbers, unpacked.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from maetheory.core import InputError, first_error_line
from maetheory.core.files import read_regular_file

MAX_BYTES = 1 << 28
_HEADER_BYTES = 128
_BYTE_ORDERS = {b"IM": "little", b"MI": "big"}
_MATRIX, _COMPRESSED, _FLAGS = 14, 15, 6
_NUMERIC_CLASSES = range(6, 16)  # double to uint64; before them cells, structures, objects, text and sparse arrays


def read_matlab(path: Path) -> dict[str, Any]:
    """Return the arrays of numbers in a MATLAB file by name; files of this version hold no code.

    Cells, structures, objects, text and sparse arrays are left out.

    Raises
    ------
    InputError
        If the file is damaged, of another version, larger than 256 MiB, or its elements declare more than that.
    """
    from scipy.io import loadmat

    content = read_regular_file(path, MAX_BYTES)
    try:
        order = _BYTE_ORDERS[content[126:_HEADER_BYTES]]
        numeric = [part for part in _elements(content, order) if _is_numeric(part, order)]
        arrays: dict[str, Any] = loadmat(io.BytesIO(content[:_HEADER_BYTES] + b"".join(numeric)))
    except Exception as error:  # SciPy raises errors of many types on a damaged file
        reason = "no header of version 5" if isinstance(error, KeyError) else first_error_line(error)
        raise InputError(f"{path} is no whole MATLAB file ({reason})") from error
    return arrays


def _elements(content: bytes, order: Any) -> Iterator[bytes]:
    """Yield the matrices of a file with their tags, unpacked.

    Raises
    ------
    ValueError
        If one is cut, or all together declare more than `MAX_BYTES`.
    """
    position, left = _HEADER_BYTES, MAX_BYTES
    while position < len(content):
        kind, length = _tag(content[position : position + 8], order)
        stop = position + 8 + length
        if stop > len(content):
            raise ValueError("an element reaches beyond the end of the file")
        if kind == _COMPRESSED:
            element = _unpack(content[position + 8 : stop], order, left)
        else:
            element = content[position:stop] if kind == _MATRIX else b""
        left -= len(element)
        yield element
        position = stop


def _unpack(packed: bytes, order: Any, max_bytes: int) -> bytes:
    """Return a compressed element: its tag and the bytes that the tag declares, and no more."""
    stream = zlib.decompressobj()
    tag = stream.decompress(packed, 8)
    kind, length = _tag(tag, order)
    if kind != _MATRIX:
        return b""
    if length + 8 > max_bytes:
        raise ValueError(f"an element declares {length} bytes where at most {max_bytes} are read")
    body = stream.decompress(stream.unconsumed_tail, length) if length else b""
    if len(body) != length:
        raise ValueError(f"an element of {length} bytes holds {len(body)}")
    return tag + body


def _is_numeric(element: bytes, order: Any) -> bool:
    """Return whether an element begins with the flags of an array of numbers."""
    return (
        len(element) >= 24
        and _tag(element[8:16], order) == (_FLAGS, 8)
        and int.from_bytes(element[16:20], order) & 0xFF in _NUMERIC_CLASSES
    )


def _tag(tag: bytes, order: Any) -> tuple[int, int]:
    """Return the type of an element and its length in bytes."""
    if len(tag) != 8:
        raise ValueError("a tag is cut")
    return int.from_bytes(tag[:4], order), int.from_bytes(tag[4:], order)
