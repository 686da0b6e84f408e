"""Tensors in safetensors files, at any path and with the operating system's own errors.

The library of safetensors is written in Rust: it takes paths in UTF-8 alone, and hides the error of a full disk in a
sentence.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from maetheory.core.files import utf8_path

_SYSTEM_ERROR = re.compile(r"os error (\d+)")


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name, on the CPU.

    Raises
    ------
    OSError, SafetensorError, KeyError, RuntimeError
        If the file cannot be read, or is damaged.
    """
    with utf8_path(path) as name:
        return load_file(name)


def save_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write tensors, and texts by name, into a safetensors file.

    Raises
    ------
    OSError
        If the file cannot be written, or the disk is full.
    """
    try:
        with utf8_path(path) as name:
            save_file(dict(tensors), name, metadata=metadata)
    except SafetensorError as error:
        found = _SYSTEM_ERROR.search(str(error))
        number = int(found[1]) if found else errno.EIO
        raise OSError(number, os.strerror(number), str(path)) from error
