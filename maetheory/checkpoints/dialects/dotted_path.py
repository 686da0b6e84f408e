"""Look up a dotted path in nested dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def lookup_dotted_path(tree: Any, path: str) -> Any:
    """Return the value at a dotted path of nested dictionaries, None where there is none.

    Examples
    --------
    >>> lookup_dotted_path({"args": {"model": "vit_base"}}, "args.model")
    'vit_base'
    >>> lookup_dotted_path({"args": None}, "args.model") is None
    True
    """
    for part in path.split("."):
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return tree
