"""Where arithmetic is done is one word, refused at once where the machine has no such device."""

from __future__ import annotations

import torch

from maetheory.core import InputError


def usable_device(name: str | torch.device, dtype: torch.dtype = torch.float32) -> torch.device:
    """Return a device of this machine that knows numbers of a type.

    Raises
    ------
    InputError
        If there is none of that name, or it holds no such numbers.

    Examples
    --------
    >>> usable_device("cpu")
    device(type='cpu')
    """
    try:
        device = torch.device(name)
        torch.empty(1, dtype=dtype, device=device).cpu()
    except (RuntimeError, AssertionError, TypeError) as error:  # how torch says that it is not there, or cannot
        raise InputError(f"the device {str(name)!r} cannot be used: {str(error).splitlines()[0]}") from error
    return device


def device_name(name: str | torch.device) -> str:
    """Return what does the arithmetic, for records: the name of a GPU, else the device's own."""
    device = torch.device(name)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
