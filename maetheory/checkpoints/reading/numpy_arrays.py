"""Rebuild pickled NumPy arrays and scalars from dtype, shape and bytes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from maetheory.checkpoints.reading.pickle_values import PickledObject
from maetheory.checkpoints.reading.storages import is_shape
from maetheory.core import InputError, printable_value

MIN_ARRAYS = 10  # of the state dict of an encoder; fewer are values or features
DTYPE_CODE = re.compile(r"[<>|=]?([biufcSU]\d{1,9})")


def numpy_dtype(record: Any) -> np.dtype:
    """Return the dtype of a pickled ``numpy.dtype``; only numbers and fixed-width strings are read.

    Raises
    ------
    InputError
        If it is another dtype, or none.
    """
    if not (type(record) is PickledObject and record.name == "numpy.dtype" and record.args):
        raise InputError("its pickle holds a NumPy value without a type")
    code, state = record.args[0], record.state
    order = state[1] if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">") else "="
    if not (isinstance(code, str) and (found := DTYPE_CODE.fullmatch(code))):
        raise InputError(f"its pickle holds a NumPy value of the type {printable_value(code)}, which is not read")
    return np.dtype(order + found[1])


def is_object_dtype(record: Any) -> bool:
    """Return whether a pickled ``numpy.dtype`` is the one of Python objects."""
    return (
        type(record) is PickledObject and record.name == "numpy.dtype" and record.args[:1] in (("O8",), ("O",), ("O4",))
    )


def numpy_scalar(dtype: Any, data: Any) -> Any:
    """Return a pickled NumPy scalar as a plain Python value."""
    return numpy_array(dtype, (), data, False).item()


def numpy_array(dtype: Any, shape: Any, data: Any, fortran: Any) -> np.ndarray:
    """Return a writable array of the given bytes, in C or Fortran order.

    Raises
    ------
    InputError
        If the bytes are not as many as dtype and shape ask for.
    """
    data = data.encode("latin1") if isinstance(data, str) else data  # what Python 2 wrote
    numbers = numpy_dtype(dtype)
    if not is_shape(shape):
        raise InputError("its pickle holds a NumPy array without a proper shape")
    if not isinstance(data, bytes | bytearray) or math.prod(shape) * numbers.itemsize != len(data):
        raise InputError(
            f"its pickle holds a NumPy array of shape {printable_value(shape)} whose bytes are not as many"
        )
    return np.frombuffer(data, numbers).reshape(shape, order="F" if fortran in (True, 1, "F") else "C").copy()


def are_weights(axes: Mapping[Any, int]) -> bool:
    """Return whether arrays are the parameters of a network: many, of several numbers of axes, most with a path.

    Parameters
    ----------
    axes : mapping
        Name of each array -> its number of axes.

    Examples
    --------
    >>> are_weights({f"block_{i}/{kind}": axes for i in range(12) for kind, axes in (("scale", 1), ("kernel", 2))})
    True
    >>> are_weights({f"blocks.{i}": 2 for i in range(12)})  # features of twelve layers
    False
    """
    paths = sum(isinstance(name, str) and ("." in name or "/" in name) for name in axes)
    return len(axes) >= MIN_ARRAYS and 2 * paths > len(axes) and len(set(axes.values())) > 1


def with_tensors_of_arrays(tree: Any) -> Any:
    """Return a tree in which the arrays of state dicts are tensors, as in detectron2's ``.pkl`` files.

    A dict is a state dict if it holds many arrays of numbers, of several numbers of axes, under dotted names.
    """
    if not isinstance(tree, dict):
        return tree
    arrays = {
        name: value for name, value in tree.items() if isinstance(value, np.ndarray) and value.dtype.kind in "fiu"
    }
    if are_weights({name: value.ndim for name, value in arrays.items()}):
        native = {name: value.astype(value.dtype.newbyteorder("="), copy=False) for name, value in arrays.items()}
        return {**tree, **{name: torch.from_numpy(value) for name, value in native.items()}}
    return {name: with_tensors_of_arrays(value) for name, value in tree.items()}
