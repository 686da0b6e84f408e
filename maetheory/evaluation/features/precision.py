"""Precision of forward passes: float32, or bfloat16 products where the processor has them.

Autocast runs matrix products and convolutions in bfloat16; sums over blocks, norms and readouts stay float32, and
moments and spectra float64. On a CPU with AVX512-BF16 or AMX, and on a GPU with bfloat16 units, a pass is then about
twice as fast or more.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch

from maetheory.core import InputError
from maetheory.models.bfloat16 import has_bfloat16_products

Precision = Literal["fp32", "bf16"]
PRECISIONS = ("auto", "fp32", "bf16")


def resolve_precision(requested: str, device: Any) -> Precision:
    """Return the precision of forward passes on a device.

    Parameters
    ----------
    requested : "auto", "fp32" or "bf16"
        "auto" is bf16 where the device multiplies bfloat16 natively, else fp32.
    device : torch.device or str

    Raises
    ------
    InputError
        If it is another word.

    Examples
    --------
    >>> resolve_precision("fp32", "cpu")
    'fp32'
    """
    if requested not in PRECISIONS:
        raise InputError(f"the precision must be 'auto', 'fp32' or 'bf16', but it is {requested!r}")
    if requested == "auto":
        return "bf16" if has_bfloat16_products(torch.device(device)) else "fp32"
    return "bf16" if requested == "bf16" else "fp32"


def autocast(precision: Precision, device: Any) -> AbstractContextManager[Any]:
    """Return the context in which forward passes have a precision."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)
