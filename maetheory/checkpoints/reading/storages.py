"""Storages of a torch file, and tensors as strided views of them, within a byte budget."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from maetheory.checkpoints.reading.pickle_values import StorageReference
from maetheory.checkpoints.reading.read_budget import ReadBudget
from maetheory.core import InputError, printable, printable_value

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
class Storages:
    """The storages of one file, each loaded once, when the first tensor needs it.

    Attributes
    ----------
    read_bytes : callable
        Returns a writable buffer, given the key of a storage and its number of bytes.
    budget : ReadBudget
        Limit on the bytes of all tensors and copies together; elements that a view repeats count as often as they
        occur.
    loaded : dict of str to Tensor
        The bytes of the storages loaded so far, by key.
    """

    read_bytes: Callable[[str, int], bytearray]
    budget: ReadBudget
    loaded: dict[str, Tensor] = field(default_factory=dict)

    def strided_tensor(
        self, storage: StorageReference, start: Any, size: Any, stride: Any, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Return the strided view of a storage; tensors of one storage share its memory.

        Raises
        ------
        InputError
            If the view reaches beyond the storage, or the storage beyond the file.
        """
        if not (is_shape((start,)) and is_shape(size) and is_shape(stride) and len(size) == len(stride)):
            raise InputError(f"its pickle describes a tensor without a proper shape of at most {MAX_DIMENSIONS} axes")
        numbers = self._load_storage(storage, dtype)
        self.budget.spend_bytes(math.prod(size) * numbers.itemsize)
        if math.prod(size) == 0:
            return torch.empty(size, dtype=numbers.dtype)
        last = start + sum((n - 1) * step for n, step in zip(size, stride))
        if last >= len(numbers):
            raise InputError(
                f"a tensor of shape {printable_value(tuple(size))} reaches beyond its storage of {len(numbers)} numbers"
            )
        return numbers.as_strided(size, stride, start)

    def _load_storage(self, storage: StorageReference, dtype: torch.dtype | None) -> Tensor:
        """Return a whole storage as one-dimensional tensor, of its own dtype or another of the same bytes."""
        stored = storage_dtype(storage.storage_class)
        if storage.key not in self.loaded:
            buffer = self.read_bytes(storage.key, storage.length * stored.itemsize)
            self.loaded[storage.key] = torch.frombuffer(buffer, dtype=torch.uint8) if buffer else torch.empty(0).byte()
        raw = self.loaded[storage.key]
        if len(raw) != storage.length * stored.itemsize:
            raise InputError(f"two tensors disagree on the length of the storage {printable(storage.key)}")
        numbers = raw.view(stored)
        if storage.view_length is not None:
            numbers = _storage_slice(numbers, storage.start, storage.view_length)
        return numbers if dtype is None else numbers.view(torch.uint8).view(dtype)


def storage_dtype(storage_class: str) -> torch.dtype:
    """Return the dtype of one of torch's typed storage classes.

    Raises
    ------
    InputError
        If it is no storage class of torch, or one of quantised numbers.
    """
    found = STORAGE_DTYPES.get(storage_class.rpartition(".")[2]) if storage_class.startswith("torch.") else None
    if found is None:
        raise InputError(f"it holds numbers of the kind {printable(storage_class)!r}, which are not read")
    return found


def _storage_slice(numbers: Tensor, start: int, length: int) -> Tensor:
    """Return the part of a storage that a legacy file calls a view."""
    if not 0 <= start <= start + length <= len(numbers):
        raise InputError(f"a part of a storage reaches beyond its {len(numbers)} numbers")
    return numbers[start : start + length]


def is_shape(values: Any) -> bool:
    """Return whether these are at most `MAX_DIMENSIONS` non-negative integers, as a shape or strides are."""
    short = isinstance(values, tuple | list) and len(values) <= MAX_DIMENSIONS
    return short and all(type(value) is int and value >= 0 for value in values)
