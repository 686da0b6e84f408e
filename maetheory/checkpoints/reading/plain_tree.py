"""What a pickle describes becomes plain: dicts, lists, numbers and tensors; a module becomes its named tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from maetheory.checkpoints.reading.pickle_parser import SCALAR_TYPES, GlobalName, PickledObject, StorageReference
from maetheory.checkpoints.reading.rebuilding import made
from maetheory.checkpoints.reading.storages import Storages
from maetheory.core import InputError

MAX_VALUES = 500_000
MAX_DEPTH = 100
MAX_ATTRIBUTE_LENGTH = 64
PLAIN_TYPES = (str, int, float, bool)
DICT_CLASSES = frozenset({"builtins.dict", "collections.OrderedDict", "collections.defaultdict", "collections.Counter"})
LIST_CLASSES = frozenset({"builtins.list", "builtins.tuple", "builtins.set", "builtins.frozenset", "collections.deque"})


@dataclass
class PlainTreeBuilder:
    """One walk over what a pickle describes.

    A value that is referred to twice is walked twice, and the walk has a bound, so that whoever walks the outcome is
    safe from a list of lists that doubles at every level. What would be copied (numbers, bytes) is made once.
    """

    storages: Storages
    attributes: dict[str, Any] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    n_values: int = 0
    path: list[str] = field(default_factory=list)
    in_progress: set[int] = field(default_factory=set)
    made: dict[int, Any] = field(default_factory=dict)

    def value(self, thing: Any) -> Any:
        """Return a thing as plain values; an object that contains itself is its class name inside.

        Raises
        ------
        InputError
            If there is too much of it, too deep, or a tensor or array that cannot be.
        """
        self._count_values(1)
        if isinstance(thing, GlobalName):
            return thing.name
        if isinstance(thing, StorageReference):
            return self.storages.strided_tensor(thing, 0, (thing.length,), (1,))
        if not isinstance(thing, list | tuple | dict | PickledObject):
            return thing
        if id(thing) in self.in_progress:
            return thing.name if isinstance(thing, PickledObject) else "itself"
        if len(self.in_progress) >= MAX_DEPTH:
            raise InputError(f"what its pickle describes is nested more than {MAX_DEPTH} levels deep")
        self.in_progress.add(id(thing))
        try:
            return self._convert_container(thing)
        finally:
            self.in_progress.remove(id(thing))

    def _count_values(self, number: int) -> None:
        self.n_values += number
        if self.n_values > MAX_VALUES:
            raise InputError(f"its pickle unfolds to more than {MAX_VALUES} values")

    def _convert_child(self, key: Any, thing: Any) -> Any:
        self.path.append(key if isinstance(key, str) else repr(key) if isinstance(key, int) else "")
        try:
            return self.value(thing)
        finally:
            self.path.pop()

    def _convert_container(self, thing: Any) -> Any:
        if isinstance(thing, dict):
            return self._convert_dict(thing.items())
        if not isinstance(thing, PickledObject):
            return self._convert_sequence(thing)
        if is_module(thing):
            return self._convert_module(thing)
        if id(thing) not in self.made:
            found = made(thing, self.value, self.storages)
            if found is None:
                return self._convert_object(thing)
            self.made[id(thing)] = found
        return self.made[id(thing)]

    def _convert_sequence(self, thing: list[Any] | tuple[Any, ...]) -> list[Any] | tuple[Any, ...]:
        if all(type(item) in SCALAR_TYPES for item in thing):  # a log of a million losses is no million things
            self._count_values(len(thing) // 16)
            return type(thing)(thing)
        return type(thing)([self._convert_child(i, item) for i, item in enumerate(thing)])

    def _convert_dict(self, pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
        return {
            word: self._convert_child(word, value) for word, value in ((_plain_key(key), value) for key, value in pairs)
        }

    def _convert_object(self, record: PickledObject) -> Any:
        """Return an object as a dict of its items and attributes, or as the list of its items or arguments."""
        first, state = record.args[0] if record.args else None, object_state(record)
        if record.name in LIST_CLASSES:
            self._count_values(len(first or ()))
            return self.value([*(first or ()), *(record.items or ())])
        if record.name.startswith("omegaconf.") and isinstance(state, dict):  # which boxes each value of its own
            return self.value(state.get("_content", state.get("_val")))
        if record.name.endswith("multiarray._reconstruct") and isinstance(state, tuple):  # an array of objects
            return self.value(state[-1])
        found = {}
        if record.name in DICT_CLASSES or record.name.endswith("Dict"):
            found = self._convert_dict(as_mapping(PickledObject("", record.args)).items())
        if isinstance(state, dict) and record.name not in DICT_CLASSES:
            found |= self._convert_dict(state.items())
        found |= self._convert_dict(record.pairs or ())
        if found or isinstance(state, dict) or record.name in DICT_CLASSES or record.pairs is not None:
            return found
        if record.items is not None:
            return self.value(record.items)
        return self.value(list(record.args)) if record.args else record.name

    def _convert_module(self, record: PickledObject) -> dict[str, Tensor]:
        """Return the parameters and persistent buffers below a module, as its own ``state_dict`` would name them."""
        state = object_state(record)
        self.classes[self._dotted_name(self.path)] = record.name.rpartition(".")[2]
        hidden = {name for name in self.value(state.get("_non_persistent_buffers_set", [])) if isinstance(name, str)}
        own = [*as_mapping(state["_parameters"]).items(), *as_mapping(state.get("_buffers", {})).items()]
        self._count_values(len(own) + len(state))
        found = {}
        for name, value in own:
            if value is not None and name not in hidden and isinstance(tensor := self.value(value), Tensor):
                found[self._dotted_name([name])] = tensor
        for name, child in as_mapping(state["_modules"]).items():
            inside = self._convert_child(name, child) if isinstance(child, PickledObject) and is_module(child) else {}
            for key, tensor in inside.items() if isinstance(inside, dict) else ():
                found[self._dotted_name([name, key])] = tensor
        for name, value in state.items():
            if (
                isinstance(name, str)
                and not name.startswith("_")
                and (kept := self._plain_attribute(value)) is not None
            ):
                self.attributes[self._dotted_name([*self.path, name])] = kept
        return found

    def _plain_attribute(self, value: Any) -> Any:
        """Return a module's attribute, if it is a plain value or a short sequence of them."""
        if isinstance(value, PickledObject) and (
            value.name == "torch.Size" or value.name.endswith("multiarray.scalar")
        ):
            value = self.value(value)
        if isinstance(value, list | tuple) and len(value) <= MAX_ATTRIBUTE_LENGTH:
            return tuple(value) if all(isinstance(item, PLAIN_TYPES) for item in value) else None
        return value if isinstance(value, PLAIN_TYPES) else None

    def _dotted_name(self, parts: list[str]) -> str:
        """Return a dotted name, on the account of the file: long names in deep modules grow with their square."""
        self.storages.budget.spend(sum(map(len, parts)))
        return ".".join(parts)


def _plain_key(key: Any) -> Any:
    """Return the key of a dict as plain values."""
    if isinstance(key, tuple):
        return tuple(_plain_key(part) for part in key)
    return key.name if isinstance(key, GlobalName | PickledObject) else key


def is_module(thing: Any) -> bool:
    """Return whether a record looks like a pickled torch module."""
    state = object_state(thing) if isinstance(thing, PickledObject) else None
    return isinstance(state, dict) and all(
        isinstance(state.get(key), dict | PickledObject) for key in ("_parameters", "_modules")
    )


def object_state(record: PickledObject) -> Any:
    """Return the state of an object; with slots it is a pair, of which the first is the dict."""
    state = record.state
    if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):
        return {**(state[0] if isinstance(state[0], dict) else {}), **state[1]}
    return state


def as_mapping(thing: Any) -> Mapping[Any, Any]:
    """Return the items of a dict or of a pickled ordered dict."""
    if isinstance(thing, dict):
        return thing
    if not isinstance(thing, PickledObject):
        raise InputError("its pickle holds a module whose parts are no dict")
    first = thing.args[0] if thing.args else ()
    pairs = first.items() if isinstance(first, dict) else map(tuple, first) if isinstance(first, list) else ()
    return dict([*pairs, *(thing.pairs or ())])
