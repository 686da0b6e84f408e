"""A tensor is a window on a run of numbers; neither may claim more memory than its file can fill."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from maetheory.checkpoints.reading.pickle_globals import printable
from maetheory.checkpoints.reading.pickle_parser import StorageReference
from maetheory.core import InputError

MAX_DIMENSIONS = 32
_DTYPES = """
float64 float32 float16 bfloat16 int64 int32 int16 int8 uint64 uint32 uint16 uint8 bool complex128 complex64 complex32
float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu
"""
DTYPES = {f"torch.{name}": getattr(torch, name) for name in _DTYPES.split() if hasattr(torch, name)}
STORAGE_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexDoubleStorage": torch.complex128,
    "ComplexFloatStorage": torch.complex64,
    "UntypedStorage": torch.uint8,
    "_UntypedStorage": torch.uint8,
}


@dataclass
class ByteBudget:
    """How many more bytes a file may ask for."""

    remaining: int

    def spend(self, number: int) -> None:
        """Spend a number of bytes.

        Raises
        ------
        InputError
            If fewer are left.
        """
        if number < 0 or number > self.remaining:
            raise InputError(f"its tensors claim more than the {self.remaining} bytes that its size allows")
        self.remaining -= number


@dataclass
class Storages:
    """The runs of numbers of one file, each read once, when a tensor asks for it.

    Attributes
    ----------
    read_bytes : callable
        From a key and a number of bytes to a writable buffer of as many bytes.
    budget : Allowance
        For the bytes of all tensors together; a window that repeats itself counts as often as it does.
    """

    read_bytes: Callable[[str, int], bytearray]
    budget: ByteBudget
    read: dict[str, Tensor] = field(default_factory=dict)

    def strided_tensor(
        self, storage: StorageReference, start: Any, size: Any, stride: Any, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Return the tensor that a shape and strides cut out of a storage; tensors of one storage share it.

        Raises
        ------
        InputError
            If it reaches beyond the storage, or the storage beyond the file.
        """
        if not (is_shape((start,)) and is_shape(size) and is_shape(stride) and len(size) == len(stride)):
            raise InputError(f"its pickle describes a tensor without a proper shape of at most {MAX_DIMENSIONS} axes")
        numbers = self._typed_storage(storage, dtype)
        self.budget.spend(math.prod(size) * numbers.itemsize)
        if math.prod(size) == 0:
            return torch.empty(size, dtype=numbers.dtype)
        last = start + sum((n - 1) * step for n, step in zip(size, stride))
        if last >= len(numbers):
            raise InputError(f"a tensor of shape {tuple(size)} reaches beyond its storage of {len(numbers)} numbers")
        return numbers.as_strided(size, stride, start)

    def _typed_storage(self, storage: StorageReference, dtype: torch.dtype | None) -> Tensor:
        kind = storage_dtype(storage.kind)
        if storage.key not in self.read:
            buffer = self.read_bytes(storage.key, storage.length * kind.itemsize)
            self.read[storage.key] = torch.frombuffer(buffer, dtype=torch.uint8) if buffer else torch.empty(0).byte()
        raw = self.read[storage.key]
        if len(raw) != storage.length * kind.itemsize:
            raise InputError(f"two tensors disagree on the length of the storage {printable(storage.key)}")
        numbers = raw.view(kind)
        if storage.view is not None:
            numbers = _storage_slice(numbers, storage.start, storage.view)
        return numbers if dtype is None else numbers.view(torch.uint8).view(dtype)


def storage_dtype(kind: str) -> torch.dtype:
    """Return the type of the numbers in a storage class.

    Raises
    ------
    InputError
        If it is no storage class of torch, or one of quantised numbers.
    """
    found = STORAGE_DTYPES.get(kind.rpartition(".")[2]) if kind.startswith("torch.") else None
    if found is None:
        raise InputError(f"it holds numbers of the kind {printable(kind)!r}, which are not read")
    return found


def _storage_slice(numbers: Tensor, start: int, length: int) -> Tensor:
    if not 0 <= start <= start + length <= len(numbers):
        raise InputError(f"a part of a storage reaches beyond its {len(numbers)} numbers")
    return numbers[start : start + length]


def is_shape(values: Any) -> bool:
    """Return whether these are few integers that are not negative, as a shape or its strides."""
    few = isinstance(values, tuple | list) and len(values) <= MAX_DIMENSIONS
    return few and all(type(value) is int and value >= 0 for value in values)
