"""Validate a device name, and describe the device for records."""

from __future__ import annotations

import torch

from maetheory.core import InputError


def usable_device(name: str | torch.device, dtype: torch.dtype = torch.float32) -> torch.device:
    """Return a device of this machine that supports a dtype.

    Raises
    ------
    InputError
        If there is no device of that name, or it does not support the dtype.

    Examples
    --------
    >>> usable_device("cpu")
    device(type='cpu')
    """
    try:
        device = torch.device(name)
        torch.empty(1, dtype=dtype, device=device).cpu()
    except (RuntimeError, AssertionError, TypeError) as error:  # what torch raises for a missing or unable device
        raise InputError(f"the device {str(name)!r} cannot be used: {str(error).splitlines()[0]}") from error
    return device


def device_name(name: str | torch.device) -> str:
    """Return the model name of a GPU, or the name of any other device, for records."""
    device = torch.device(name)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
