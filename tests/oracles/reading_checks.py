"""Comparison of trees of tensors, and the message with which a file is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from maetheory.checkpoints.reading.checkpoint import read_checkpoint
from maetheory.core import InputError, printable


def same(found: object, expected: object) -> bool:
    """Return whether two trees are equal, tensors in every bit and with their types."""
    if isinstance(expected, Tensor):
        plain = isinstance(found, Tensor) and (found.dtype, found.shape) == (expected.dtype, expected.shape)
        return plain and torch.equal(bits(found), bits(expected))
    if isinstance(expected, dict):
        return (
            isinstance(found, dict)
            and list(found) == list(expected)
            and all(map(same, found.values(), expected.values()))
        )
    if isinstance(expected, list | tuple):
        return isinstance(found, list | tuple) and len(found) == len(expected) and all(map(same, found, expected))
    return type(found) is type(expected) and found == expected


def bits(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)


def refusal_message(path: Path, **options: int) -> str:
    with pytest.raises(InputError) as caught:
        read_checkpoint(path, **options)
    text = str(caught.value)
    assert text.startswith(f"{printable(str(path), 1000)} cannot be read: ")
    assert "\n" not in text
    return text
