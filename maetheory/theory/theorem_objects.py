"""Named objects of a theorem: their shapes, their validation, and calls that pass each function what it names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np

from maetheory.core import InputError, as_float64, as_numpy

Objects = Mapping[str, Any]

SHAPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "h": ("N1", "d"),
        "h_g": ("N2", "d"),
        "targets": ("N2", "d"),
        "features": ("N1", "k"),
        "masks": ("N2",),
        "lipschitz": (),
        "weight": (),
    }
)
"""Shapes of the objects every theorem may name; N1 and N2 are the sides of the mask graph."""


NAMES_OF_CLASSES_AND_MASKS = frozenset({"masks", "patches", "view_labels", "target_labels", "visible"})
"""Objects that say which class or mask a node has, or which pixels are visible or share a patch."""


def graph_shape(graph: Any) -> tuple[int, int]:
    """Numbers of views and of targets of a mask graph; InputError if it is none."""
    if not hasattr(graph, "joint"):
        raise InputError(f"graph must be a MaskGraph, but a {type(graph).__name__} was given")
    n1, n2 = graph.joint.shape
    return int(n1), int(n2)


def as_array_of_shape(name: str, value: Any, shape: tuple[str, ...], sizes: dict[str, tuple[int, str]]) -> Any:
    """Return `value` as a float64 array of the named shape, and record in `sizes` the sizes that were not known yet.

    Integers and booleans that name classes or masks keep their type, because they are compared and never squared.
    """
    array = as_numpy(value, name)
    if name in NAMES_OF_CLASSES_AND_MASKS and array.dtype.kind == "O" and all(type(x) is int for x in array.ravel()):
        array = _as_int64(array, name)
    if name not in NAMES_OF_CLASSES_AND_MASKS or array.dtype.kind not in "iub":
        array = as_float64(value, name)
    if not shape:
        return _positive(name, array)
    known = [str(sizes[axis][0]) if axis in sizes else axis for axis in shape]
    own = {**dict(zip(reversed(shape), reversed(array.shape))), **{axis: n for axis, (n, _) in sizes.items()}}
    if array.ndim != len(shape) or any(own[axis] != n for axis, n in zip(shape, array.shape)):
        raise InputError(
            f"{name} must have shape ({', '.join(shape)}) = ({', '.join(known)}), but its shape is {array.shape}"
        )
    for axis, n in zip(shape, array.shape):
        sizes.setdefault(axis, (n, name))
    return array


def _as_int64(whole: np.ndarray, name: str) -> np.ndarray:
    """Python integers as int64, because rounding to float64 could make two labels equal."""
    try:
        return whole.astype(np.int64)
    except OverflowError:
        raise InputError(f"{name} must hold integers of at most 64 bits, but one is larger") from None


def _positive(name: str, array: np.ndarray) -> np.float64:
    """Return the number as NumPy's, which says where its products leave the range of float64."""
    if array.ndim or not (np.isfinite(array) and array > 0):
        raise InputError(f"{name} must be a positive number, but {array} was given")
    return np.float64(array)


def call_with_named_objects(function: Callable[..., Any], world: Objects) -> Any:
    """Call `function` with the objects of the world that its arguments name."""
    names = argument_names(function)
    return function(**(world if names is None else {name: world[name] for name in names if name in world}))


@lru_cache(maxsize=4096)
def argument_names(function: Callable[..., Any]) -> tuple[str, ...] | None:
    """Names of the arguments of a function; None if it takes arbitrary keywords."""
    parameters = inspect.signature(function).parameters.values()
    return None if any(p.kind is p.VAR_KEYWORD for p in parameters) else tuple(p.name for p in parameters)
