"""Read the metadata in the header of a safetensors file, texts by name, as plain values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import safe_open

from maetheory.core.files import utf8_path

METADATA_SIDECAR = "safetensors metadata"
MAX_TEXT = 100_000


def read_safetensors_metadata(path: Path) -> dict[str, Any]:
    """Return the metadata of a safetensors file; a text that is JSON becomes its value, any other stays a text.

    Examples
    --------
    >>> import tempfile, torch
    >>> from safetensors.torch import save_file
    >>> path = Path(tempfile.mkdtemp()) / "a.safetensors"
    >>> save_file({"a": torch.zeros(1)}, path, metadata={"format": "pt", "num_heads": "6", "mean": "[0.5, 0.4, 0.3]"})
    >>> read_safetensors_metadata(path)
    {'format': 'pt', 'mean': [0.5, 0.4, 0.3], 'num_heads': 6}
    """
    with utf8_path(path) as name, safe_open(name, framework="pt") as file:
        metadata = file.metadata() or {}
    return {name: _plain_value(text) for name, text in sorted(metadata.items())}


def _plain_value(text: str) -> Any:
    try:
        return json.loads(text) if len(text) <= MAX_TEXT else text
    except (ValueError, RecursionError):
        return text
