"""A pickled NumPy array is a type code, a shape and bytes."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from maetheory.checkpoints.reading.pickle_globals import printable
from maetheory.checkpoints.reading.pickle_parser import PickledObject
from maetheory.checkpoints.reading.storages import is_shape
from maetheory.core import InputError

DTYPE_CODE = re.compile(r"[<>|=]?([biufcSU]\d{1,9})")


def dtype(record: Any) -> np.dtype:
    """Return the NumPy type a pickle describes; only numbers and fixed-width texts are read.

    Raises
    ------
    InputError
        If it is another.
    """
    if not (type(record) is PickledObject and record.name == "numpy.dtype" and record.args):
        raise InputError("its pickle holds a NumPy value without a type")
    code, state = record.args[0], record.state
    order = state[1] if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">") else "="
    if not (isinstance(code, str) and (found := DTYPE_CODE.fullmatch(code))):
        raise InputError(f"its pickle holds a NumPy value of the type {printable(str(code))}, which is not read")
    return np.dtype(order + found[1])


def is_object_dtype(record: Any) -> bool:
    """Return whether a pickled type is that of arrays of Python objects."""
    return (
        type(record) is PickledObject and record.name == "numpy.dtype" and record.args[:1] in (("O8",), ("O",), ("O4",))
    )


def scalar(kind: Any, data: Any) -> Any:
    """Return a NumPy scalar as a plain Python value."""
    return array(kind, (), data, False).item()


def array(kind: Any, shape: Any, data: Any, fortran: Any) -> np.ndarray:
    """Return a writable array; it holds no more than the bytes that are there.

    Raises
    ------
    InputError
        If shape, type and bytes disagree.
    """
    data = data.encode("latin1") if isinstance(data, str) else data  # what Python 2 wrote
    numbers = dtype(kind)
    if not is_shape(shape):
        raise InputError("its pickle holds a NumPy array without a proper shape")
    if not isinstance(data, bytes | bytearray) or math.prod(shape) * numbers.itemsize != len(data):
        raise InputError(f"its pickle holds a NumPy array of shape {shape} whose bytes are not as many")
    return np.frombuffer(data, numbers).reshape(shape, order="F" if fortran in (True, 1, "F") else "C").copy()
