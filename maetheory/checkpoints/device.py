"""Where arithmetic is done is one word, refused at once where the machine has no such device."""

from __future__ import annotations

import torch

from maetheory.core import InputError


def usable_device(name: str | torch.device) -> torch.device:
    """Return a device of this machine.

    Raises
    ------
    InputError
        If there is none of that name, or it holds no tensor.

    Examples
    --------
    >>> usable_device("cpu")
    device(type='cpu')
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # how torch says that a device is not there
        raise InputError(f"the device {str(name)!r} cannot be used: {str(error).splitlines()[0]}") from error
    return device
