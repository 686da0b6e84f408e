"""Reading a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True)
class Contents:
    """What a file holds."""

    path: Path
    container: str
    sha256: str
    globals: tuple[str, ...]
    tree: Any
    attributes: Mapping[str, Any] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    sidecars: Mapping[str, Any] = field(default_factory=dict)


def read(path: str | Path, *, budget: int | None = None) -> Contents:
    """Read a file."""
    path = Path(path)
    tree = torch.load(path, map_location="cpu", weights_only=True)
    return Contents(path, "torch zip", hashlib.sha256(path.read_bytes()).hexdigest(), (), tree)
