"""Deprecated aliases: old attribute names of a module keep working for one version and warn."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def renamed(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a module-level ``__getattr__`` that resolves old names to new ones.

    Parameters
    ----------
    module : str
        The module's ``__name__``.
    names : mapping of str to str
        Old name to new name; both are attributes of the module.

    Returns
    -------
    callable
        To be assigned to the module's ``__getattr__`` (PEP 562); it warns with a `DeprecationWarning`, and raises
        AttributeError for a name that is not in `names`.

    Examples
    --------
    >>> import warnings
    >>> from maetheory import core
    >>> old = renamed("maetheory.core", {"Number": "Estimate"})
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     old("Number") is core.Estimate, str(caught[0].message)
    (True, 'maetheory.core.Number was renamed; use maetheory.core.Estimate')
    """

    def resolve(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        new = names[name]
        warnings.warn(f"{module}.{name} was renamed; use {module}.{new}", DeprecationWarning, stacklevel=2)
        return getattr(sys.modules[module], new)

    return resolve
