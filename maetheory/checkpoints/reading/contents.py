"""`CheckpointContents`: the tensors and plain values of one checkpoint, and where they came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class CheckpointContents:
    """Everything that `read_checkpoint` takes from a file or folder.

    Attributes
    ----------
    path : Path
        The file, or the folder that holds the weights.
    container : str
        ``torch zip``, ``torch legacy``, ``whole-module pickle``, ``pickle``, ``safetensors``, ``safetensors shards``,
        ``torch shards``, ``NumPy archive`` or ``maetheory run``.
    sha256 : str
        Hash of the weights file; of several, the hash of the lines ``hash  name`` in the order of the names (what
        ``sha256sum * | sha256sum`` prints).
    globals : tuple of str
        The Python names a pickle mentions, sorted. None of them was imported.
    tree : Any
        Nested dicts, lists and tuples of plain values and CPU tensors. A pickled module is a flat dict from dotted
        names to its parameters and persistent buffers; any other pickled object is a dict of its attributes.
    module_attributes : Mapping
        The plain attributes of pickled modules by dotted name, as ``blocks.0.attn.num_heads``; a module that lies in
        a dict has the keys before it, as ``model.blocks.0.attn.num_heads``.
    module_classes : Mapping
        The class names of pickled modules by dotted name; ``""`` is the outermost.
    sidecars : Mapping
        Parsed ``config.json``, ``preprocessor_config.json`` and ``args.json`` of the same folder.
    notes : tuple of str
        How the file was found, if it was downloaded or if its name is also that of a model elsewhere.
    """

    path: Path
    container: str
    sha256: str
    globals: tuple[str, ...] = ()
    tree: Any = None
    module_attributes: Mapping[str, Any] = field(default_factory=dict)
    module_classes: Mapping[str, str] = field(default_factory=dict)
    sidecars: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def nonfinite_tensors(tree: Any) -> list[str]:
    """Return the dotted names of the tensors that hold a NaN or an infinity, sorted.

    Examples
    --------
    >>> import torch
    >>> nonfinite_tensors({"a": torch.ones(2), "b": {"c": torch.tensor([float("nan")])}})
    ['b.c']
    """
    return sorted(name for name, tensor in _named_tensors(tree, "") if not bool(tensor.isfinite().all()))


def _named_tensors(tree: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    """Iterate over the tensors of a nested tree with their dotted names."""
    if isinstance(tree, Tensor):
        yield name, tree
        return
    children = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, list | tuple) else ()
    for key, value in children:
        yield from _named_tensors(value, f"{name}.{key}" if name else str(key))
