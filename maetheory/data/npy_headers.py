"""Read the header of a NumPy array (.npy, or a member of .npz) and check it before its numbers are touched.

NumPy's own reader trusts the length that a header states, evaluates its text, and raises errors of a dozen types on a
damaged one. An array whose elements have no bytes may have any shape at no cost in the file, and is refused here.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from maetheory.core import first_error_line, printable_value
from maetheory.core.files import open_regular_file

MAX_HEADER_BYTES = 10_000  # NumPy's own limit, which it applies after it has read the header
MAX_AXES = 32
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}
_READ_HEADER: dict[int, Callable[[IO[bytes]], tuple[tuple[int, ...], bool, np.dtype]]] = {
    1: np.lib.format.read_array_header_1_0,
    2: np.lib.format.read_array_header_2_0,
    3: np.lib.format.read_array_header_2_0,  # differs in the encoding of names of fields alone
}


class NpyHeader(NamedTuple):
    """Shape and type of an array, without its numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_npy_header(file: IO[bytes]) -> NpyHeader:
    """Return shape and type of the array that begins at the position of an open file.

    Parameters
    ----------
    file : binary file
        It is read no further than the end of the header.

    Raises
    ------
    ValueError
        If this is no header of NumPy, it is longer than 10 000 bytes, the shape is none of at most 32 whole numbers, or
        the elements are Python objects or have no bytes; the message is the reason alone.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> np.save(file, np.eye(3))
    >>> _ = file.seek(0)
    >>> read_npy_header(file).nbytes
    72
    """
    try:
        major, _ = np.lib.format.read_magic(file)
        if major not in _READ_HEADER:
            raise ValueError(f"its version {major} is not known")
        length = file.read(_LENGTH_BYTES[major])
        n_bytes = int.from_bytes(length, "little")
        if n_bytes > MAX_HEADER_BYTES:
            raise ValueError(f"its header of {n_bytes} bytes is longer than {MAX_HEADER_BYTES}")
        shape, _, dtype = _READ_HEADER[major](io.BytesIO(length + file.read(n_bytes)))
    except Exception as error:  # of a dozen types, as SyntaxError, TokenError, RecursionError and IndexError
        raise ValueError(f"its header cannot be read: {first_error_line(error)}") from error
    if not isinstance(shape, tuple) or len(shape) > MAX_AXES or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"its shape is {printable_value(shape)}")
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if not dtype.itemsize:
        raise ValueError(f"its elements, {dtype}, have no bytes")
    return NpyHeader(shape, dtype)


def map_npy(path: Path) -> np.ndarray:
    """Return the array of a .npy file, mapped from the disk.

    Raises
    ------
    InputError
        If it is a pipe, a device or a folder.
    ValueError
        If it is damaged, shorter than its header says, or holds Python objects.
    """
    with open_regular_file(path) as file:
        read_npy_header(file)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # of several types where the shape does not fit the file
        raise ValueError(first_error_line(error)) from error
