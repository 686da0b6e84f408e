"""Values that a parsed pickle consists of, beside plain Python ones: names, object records and storage references."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

SCALAR_TYPES = (str, int, float, bytes, type(None))


@dataclass(frozen=True)
class GlobalName:
    """Dotted name of a class or function that the pickle refers to; nothing is imported under it."""

    name: str


@dataclass(eq=False, slots=True)
class PickledObject:
    """Record of an object: the class or function that would have built it, with arguments, state and items.

    Attributes
    ----------
    name : str
        Dotted name of the class or function.
    args : tuple
        Arguments of the call.
    state : Any
        What ``__setstate__`` or the attribute dict would have received.
    items, pairs : list, optional
        Elements appended to it, and (key, value) pairs set on it; None if there were no such instructions.
    """

    name: str
    args: tuple[Any, ...] = ()
    state: Any = None
    items: list[Any] | None = None
    pairs: list[tuple[Any, Any]] | None = None


@dataclass(frozen=True)
class StorageReference:
    """Reference to the numbers of a tensor, which lie elsewhere in the file.

    Attributes
    ----------
    storage_class : str
        Dotted name of torch's typed storage class.
    key : str
        Name of the storage in the file.
    length : int
        Number of elements of the whole storage.
    start, view_length : int
        First element and length of the part that is meant; view_length None is the whole storage.
    """

    storage_class: str
    key: str
    length: int
    start: int = 0
    view_length: int | None = None


class ParsedPickle(NamedTuple):
    """Description of the value of one pickle, the names it mentions, the storages it refers to, and its length."""

    value: Any
    globals: frozenset[str]
    storages: tuple[StorageReference, ...]
    n_instructions: int
