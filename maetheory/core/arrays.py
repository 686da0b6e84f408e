"""Numbers from outside as float64 arrays: any real dtype of NumPy or of a tensor library, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maetheory.core.errors import InputError


def as_float64(value: Any, name: str) -> NDArray[np.float64]:
    """Return an array of real numbers as float64, so that no square is taken in a type that wraps or overflows.

    Parameters
    ----------
    value : array_like or tensor
        Booleans, integers of any width, and floats of any width, bfloat16 included. A float64 array is not copied.
    name : str
        What the caller calls it, for the sentence of an error.

    Raises
    ------
    InputError
        If it holds complex numbers, masked entries or what is no number, its rows differ in length, or a number exceeds
        the range of float64.

    Examples
    --------
    >>> as_float64(np.array([200, 100], np.uint8), "h") ** 2
    array([40000., 10000.])
    >>> as_float64([1 + 2j], "h")
    Traceback (most recent call last):
        ...
    maetheory.core.errors.InputError: h must hold real numbers, but it is complex
    """
    array = as_numpy(value, name)
    if array.dtype.kind == "c" or (array.dtype.kind == "O" and any(isinstance(x, complex) for x in array.flat)):
        raise InputError(f"{name} must hold real numbers, but it is complex")
    if array.dtype.kind in "SUMm" or (array.dtype.kind == "O" and any(x is None for x in array.flat)):
        raise _not_numbers_error(name, value)
    try:
        with np.errstate(over="ignore"):
            floats = array.astype(np.float64, copy=False)
    except OverflowError:
        raise _out_of_range_error(name) from None
    except (TypeError, ValueError):
        raise _not_numbers_error(name, value) from None
    if array.dtype == np.longdouble and not np.array_equal(np.isinf(floats), np.isinf(array)):
        raise _out_of_range_error(name)
    return floats


def as_numpy(value: Any, name: str) -> NDArray[Any]:
    """Return an array or tensor as a NumPy array with the same values; a bfloat16 tensor becomes float32."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if "float8" in str(value.dtype) or "bfloat16" in str(value.dtype):
            value = value.float()
    if np.ma.isMaskedArray(value) and np.ma.is_masked(value):
        raise InputError(f"{name} has masked entries: fill them or leave their rows out")
    try:
        return np.asarray(value)
    except (TypeError, ValueError):
        raise _not_numbers_error(name, value) from None


def _not_numbers_error(name: str, value: Any) -> InputError:
    return InputError(f"{name} must be an array of numbers, but a {type(value).__name__} was given")


def _out_of_range_error(name: str) -> InputError:
    return InputError(f"{name} holds a number beyond the range of float64, about 1.8e308")
