"""A few functions in pickles only rebuild a value; each has a meaning here that cannot take more than it is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from torch import Tensor

from maetheory.checkpoints.reading import numpy_arrays
from maetheory.checkpoints.reading.pickle_globals import printable
from maetheory.checkpoints.reading.pickle_parser import GlobalName, PickledObject, StorageReference
from maetheory.checkpoints.reading.storages import DTYPES, Storages
from maetheory.core import InputError

Converter = Callable[[Any], Any]
TENSOR_FUNCTION_PREFIXES = ("torch._utils._rebuild", "torch._tensor._rebuild", "torch.nn.parameter.")


def made(record: PickledObject, value: Converter, storages: Storages) -> Any:
    """Return the tensor, array, number, bytes or text that a record means; None if it is any other object.

    Raises
    ------
    InputError
        If the record cannot mean what its name says.
    """
    if record.name.startswith(TENSOR_FUNCTION_PREFIXES):
        return _rebuild_tensor(record, value, storages)
    if record.name.startswith("numpy."):
        return _rebuild_numpy(record, value)
    return _rebuild_builtin(record, value)


def _rebuild_tensor(record: PickledObject, value: Converter, storages: Storages) -> Tensor:
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
            return _check_tensor(value(data))
        case "_rebuild_from_type_v2", (GlobalName() as function, _, tuple() as args, *_):
            return _check_tensor(made(PickledObject(function.name, args), value, storages))
    raise InputError(f"it holds a tensor made by {printable(record.name)}, and only dense tensors with values are read")


def _check_tensor(tensor: Any) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise InputError("its pickle describes a parameter that is no tensor")
    return tensor


def _plain_shape(thing: Any) -> Any:
    """Return a shape, which may be written as a ``torch.Size``."""
    return thing.args[0] if isinstance(thing, PickledObject) and thing.name == "torch.Size" and thing.args else thing


def _rebuild_numpy(record: PickledObject, value: Converter) -> Any:
    match record.name.rpartition(".")[2], record.args, record.state:
        case "scalar", (kind, data), _:
            return numpy_arrays.scalar(kind, value(data))
        case "_frombuffer", (data, kind, shape, order), _:
            return numpy_arrays.array(kind, shape, value(data), order)
        case "_reconstruct", _, (_, shape, kind, fortran, data) if not numpy_arrays.is_object_dtype(kind):
            return numpy_arrays.array(kind, shape, value(data), fortran)
        case "dtype", (str() as code, *_), _:
            return code
    return None


def _rebuild_builtin(record: PickledObject, value: Converter) -> Any:
    match record.name, record.args:
        case "_codecs.encode", (str() as text, "latin1" | "latin-1"):
            return text.encode("latin1")
        case "builtins.bytearray", ():
            return b""
        case "builtins.bytearray", (bytes() | bytearray() | PickledObject() as data,) if isinstance(
            value(data), bytes | bytearray
        ):
            return bytes(value(data))
        case "builtins.bytearray", (str() as text, "latin1" | "latin-1"):
            return text.encode("latin1")
        case "builtins.complex", (float() as real, float() as imaginary):
            return complex(real, imaginary)
        case "torch.Size", (tuple() | list() as size,) if len(size) < 64:
            return tuple(value(size))
        case "torch.device", (str() as kind, *rest):
            return ":".join([kind, *(str(index) for index in rest[:1] if isinstance(index, int))])
        case name, (*parts,) if name.startswith("pathlib.") and all(isinstance(part, str) for part in parts):
            return str(PurePosixPath(*parts))
    return None
