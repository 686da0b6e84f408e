"""Numbers from outside become float64 arrays: every real dtype, with the same values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from maetheory.core import InputError, as_float64

ROWS = [[200, 30], [1, 0]]
REAL = [bool, *(f"{s}int{n}" for s in ("", "u") for n in (8, 16, 32, 64)), "float16", "float32", "longdouble"]
TORCH = [torch.bool, torch.uint8, torch.int32, torch.int64, torch.float16, torch.bfloat16, torch.float32]


@pytest.mark.parametrize("dtype", REAL)
def test_every_real_dtype_is_widened(dtype):
    stored = np.array(ROWS).astype(dtype)
    found = as_float64(stored, "h")
    assert found.dtype == np.float64
    assert found.tolist() == stored.tolist()


@pytest.mark.parametrize("dtype", TORCH)
def test_tensors_are_widened(dtype):
    stored = torch.tensor(ROWS).to(dtype)
    assert as_float64(stored, "h").dtype == np.float64
    assert as_float64(stored, "h").tolist() == stored.double().tolist()


def test_float64_is_not_copied_and_keeps_what_is_not_finite():
    array = np.array([1.0, np.nan, np.inf])
    assert as_float64(array, "h") is array
    assert np.isinf(as_float64(np.array([np.inf], np.longdouble), "h")[0])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.array([1 + 2j]), "real numbers, but it is complex"),
        (np.array([1j, None], object), "real numbers, but it is complex"),
        (torch.tensor([1 + 2j]), "real numbers, but it is complex"),
        (["1.0"], "array of numbers, but a list"),
        ([[1.0], [1.0, 2.0]], "array of numbers, but a list"),
        ([10**400], "beyond the range of float64"),
        (np.array([1e300], np.longdouble) ** 2, "beyond the range of float64"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "masked entries"),
        (np.array(["2020-01-01"], "datetime64[D]"), "array of numbers"),
    ],
)
def test_what_is_no_real_number_is_refused(value, words):
    with pytest.raises(InputError, match=words):
        as_float64(value, "h")
