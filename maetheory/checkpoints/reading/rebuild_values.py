"""Safe replacements of the functions by which torch, NumPy and Python rebuild pickled values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from torch import Tensor

from maetheory.checkpoints.reading import numpy_arrays
from maetheory.checkpoints.reading.pickle_values import GlobalName, PickledObject, StorageReference
from maetheory.checkpoints.reading.read_budget import ReadBudget
from maetheory.checkpoints.reading.storages import DTYPES, Storages
from maetheory.core import InputError, printable

Converter = Callable[[Any], Any]
MAX_PATH_PARTS = 100
TENSOR_FUNCTION_PREFIXES = ("torch._utils._rebuild", "torch._tensor._rebuild", "torch.nn.parameter.")


def rebuild_pickled_value(record: PickledObject, convert: Converter, storages: Storages) -> Any:
    """Return the tensor, array, number, bytes or text that a pickled call rebuilds; None for any other object.

    Raises
    ------
    InputError
        If the arguments do not fit the function that the record names.
    """
    if record.name.startswith(TENSOR_FUNCTION_PREFIXES):
        return _rebuild_tensor(record, convert, storages)
    if record.name.startswith("numpy."):
        return _rebuild_numpy(record, convert, storages.budget)
    return _rebuild_builtin(record, convert, storages.budget)


def _rebuild_tensor(record: PickledObject, convert: Converter, storages: Storages) -> Tensor:
    """Return a dense tensor or parameter."""
    match record.name.rpartition(".")[2], record.args:
        case (("_rebuild_tensor" | "_rebuild_tensor_v2"), (StorageReference() as storage, start, size, stride, *_)):
            return storages.strided_tensor(storage, start, _plain_shape(size), _plain_shape(stride))
        case "_rebuild_tensor_v3", (
            StorageReference() as storage,
            start,
            size,
            stride,
            _,
            _,
            GlobalName(name=dtype),
            *_,
        ) if dtype in DTYPES:
            return storages.strided_tensor(storage, start, _plain_shape(size), _plain_shape(stride), DTYPES[dtype])
        case (
            ("_rebuild_parameter" | "_rebuild_parameter_with_state" | "Parameter" | "Buffer"),
            (PickledObject() as data, *_),
        ):
            return _require_tensor(convert(data))
        case "_rebuild_from_type_v2", (GlobalName() as function, _, tuple() as args, *_) if not (
            function.name.endswith("_rebuild_from_type_v2")  # which torch never writes within itself
        ):
            return _require_tensor(rebuild_pickled_value(PickledObject(function.name, args), convert, storages))
    raise InputError(f"it holds a tensor made by {printable(record.name)}, and only dense tensors with values are read")


def _require_tensor(tensor: Any) -> Tensor:
    """Return the value if it is a tensor."""
    if not isinstance(tensor, Tensor):
        raise InputError("its pickle describes a parameter that is no tensor")
    return tensor


def _plain_shape(shape: Any) -> Any:
    """Return a shape, which may be written as a ``torch.Size``."""
    return shape.args[0] if isinstance(shape, PickledObject) and shape.name == "torch.Size" and shape.args else shape


def _charge_copy(data: Any, budget: ReadBudget) -> Any:
    """Return bytes or text, of which a copy is about to be made, after charging the copy."""
    budget.spend_bytes(len(data) if isinstance(data, str | bytes | bytearray) else 0)
    return data


def _rebuild_numpy(record: PickledObject, convert: Converter, budget: ReadBudget) -> Any:
    """Return a NumPy array, a scalar or the code of a dtype; None for any other object."""
    match record.name.rpartition(".")[2], record.args, record.state:
        case "scalar", (dtype, data), _:
            return numpy_arrays.numpy_scalar(dtype, _charge_copy(convert(data), budget))
        case "_frombuffer", (data, dtype, shape, order), _:
            return numpy_arrays.numpy_array(dtype, shape, _charge_copy(convert(data), budget), order)
        case "_reconstruct", _, (_, shape, dtype, fortran, data) if not numpy_arrays.is_object_dtype(dtype):
            return numpy_arrays.numpy_array(dtype, shape, _charge_copy(convert(data), budget), fortran)
        case "dtype", (str() as code, *_), _:
            return code
    return None


def _rebuild_builtin(record: PickledObject, convert: Converter, budget: ReadBudget) -> Any:
    """Return bytes, a complex number, a shape, a device or a path as plain value; None for any other object.

    No pattern binds the rest of the arguments, which would copy them for every record that shares them.
    """
    match record.name, record.args:
        case "_codecs.encode", (str() as text, "latin1" | "latin-1"):
            return _charge_copy(text, budget).encode("latin1")
        case "builtins.bytearray", ():
            return b""
        case "builtins.bytearray", (bytes() | bytearray() | PickledObject() as data,) if isinstance(
            convert(data), bytes | bytearray
        ):
            return bytes(_charge_copy(convert(data), budget))
        case "builtins.bytearray", (str() as text, "latin1" | "latin-1"):
            return _charge_copy(text, budget).encode("latin1")
        case "builtins.complex", (float() as real, float() as imaginary):
            return complex(real, imaginary)
        case "torch.Size", (tuple() | list() as size,) if len(size) < 64:
            return tuple(convert(size))
        case "torch.device", (str() as kind, int() as index, *_):
            return f"{_charge_copy(kind, budget)}:{index}"
        case "torch.device", (str() as kind, *_):
            return kind
        case name, parts if name.startswith("pathlib.") and len(parts) <= MAX_PATH_PARTS:
            if all(isinstance(part, str) for part in parts):
                return str(PurePosixPath(*(_charge_copy(part, budget) for part in parts)))
    return None
