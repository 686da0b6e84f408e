"""What a pickle describes becomes plain: dicts, lists, numbers and tensors; a module becomes its named tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from maetheory.checkpoints.pickles import Name, Record, Storage
from maetheory.checkpoints.rebuilding import made
from maetheory.checkpoints.storages import Storages
from maetheory.core import InputError

VALUES = 1_000_000
DEPTH = 100
SEQUENCE = 64
PLAIN = (str, int, float, bool)
DICTS = frozenset({"builtins.dict", "collections.OrderedDict", "collections.defaultdict", "collections.Counter"})
LISTS = frozenset({"builtins.list", "builtins.tuple", "builtins.set", "builtins.frozenset", "collections.deque"})


@dataclass
class Plainly:
    """One walk over what a pickle describes.

    A value that is referred to twice is walked twice, and the walk has a bound, so that whoever walks the outcome is
    safe from a list of lists that doubles at every level. What would be copied (numbers, bytes) is made once.
    """

    storages: Storages
    attributes: dict[str, Any] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    steps: int = 0
    path: list[str] = field(default_factory=list)
    open: set[int] = field(default_factory=set)
    made: dict[int, Any] = field(default_factory=dict)

    def value(self, thing: Any) -> Any:
        """Return a thing as plain values; an object that contains itself is its class name inside.

        Raises
        ------
        InputError
            If there is too much of it, too deep, or a tensor or array that cannot be.
        """
        self._step(1)
        if isinstance(thing, Name):
            return thing.name
        if isinstance(thing, Storage):
            return self.storages.window(thing, 0, (thing.length,), (1,))
        if not isinstance(thing, list | tuple | dict | Record):
            return thing
        if id(thing) in self.open:
            return thing.name if isinstance(thing, Record) else "itself"
        if len(self.open) >= DEPTH:
            raise InputError(f"what its pickle describes is nested more than {DEPTH} levels deep")
        self.open.add(id(thing))
        try:
            return self._inside(thing)
        finally:
            self.open.remove(id(thing))

    def _step(self, number: int) -> None:
        self.steps += number
        if self.steps > VALUES:
            raise InputError(f"its pickle unfolds to more than {VALUES} values")

    def _under(self, key: Any, thing: Any) -> Any:
        self.path.append(key if isinstance(key, str) else repr(key) if isinstance(key, int) else "")
        try:
            return self.value(thing)
        finally:
            self.path.pop()

    def _inside(self, thing: Any) -> Any:
        if isinstance(thing, dict):
            return self._dict(thing.items())
        if not isinstance(thing, Record):
            return type(thing)([self._under(i, item) for i, item in enumerate(thing)])
        if is_module(thing):
            return self._module(thing)
        if id(thing) not in self.made:
            found = made(thing, self.value, self.storages)
            if found is None:
                return self._object(thing)
            self.made[id(thing)] = found
        return self.made[id(thing)]

    def _dict(self, pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
        return {word: self._under(word, value) for word, value in ((_word(key), value) for key, value in pairs)}

    def _object(self, record: Record) -> Any:
        """Return an object as a dict of its items and attributes, or as the list of its items or arguments."""
        first, state = record.args[0] if record.args else None, attributes_of(record)
        if record.name in LISTS:
            self._step(len(first or ()))
            return self.value([*(first or ()), *(record.items or ())])
        if record.name.startswith("omegaconf.") and isinstance(state, dict):  # which boxes each value of its own
            return self.value(state.get("_content", state.get("_val")))
        if record.name.endswith("multiarray._reconstruct") and isinstance(state, tuple):  # an array of objects
            return self.value(state[-1])
        found = {}
        if record.name in DICTS or record.name.endswith("Dict"):
            found = self._dict(mapping(Record("", record.args)).items())
        if isinstance(state, dict) and record.name not in DICTS:
            found |= self._dict(state.items())
        found |= self._dict(record.pairs or ())
        if found or isinstance(state, dict) or record.name in DICTS or record.pairs is not None:
            return found
        if record.items is not None:
            return self.value(record.items)
        return self.value(list(record.args)) if record.args else record.name

    def _module(self, record: Record) -> dict[str, Tensor]:
        """Return the parameters and persistent buffers below a module, as its own ``state_dict`` would name them."""
        state = attributes_of(record)
        self.classes[self._dotted(self.path)] = record.name.rpartition(".")[2]
        hidden = {name for name in self.value(state.get("_non_persistent_buffers_set", [])) if isinstance(name, str)}
        own = [*mapping(state["_parameters"]).items(), *mapping(state.get("_buffers", {})).items()]
        self._step(len(own) + len(state))
        found = {}
        for name, value in own:
            if value is not None and name not in hidden and isinstance(tensor := self.value(value), Tensor):
                found[self._dotted([name])] = tensor
        for name, child in mapping(state["_modules"]).items():
            inside = self._under(name, child) if isinstance(child, Record) and is_module(child) else {}
            for key, tensor in inside.items() if isinstance(inside, dict) else ():
                found[self._dotted([name, key])] = tensor
        for name, value in state.items():
            if isinstance(name, str) and not name.startswith("_") and (kept := self._attribute(value)) is not None:
                self.attributes[self._dotted([*self.path, name])] = kept
        return found

    def _attribute(self, value: Any) -> Any:
        """Return a module's attribute, if it is a plain value or a short sequence of them."""
        if isinstance(value, Record) and (value.name == "torch.Size" or value.name.endswith("multiarray.scalar")):
            value = self.value(value)
        if isinstance(value, list | tuple) and len(value) <= SEQUENCE:
            return tuple(value) if all(isinstance(item, PLAIN) for item in value) else None
        return value if isinstance(value, PLAIN) else None

    def _dotted(self, parts: list[str]) -> str:
        """Return a dotted name, on the account of the file: long names in deep modules grow with their square."""
        self.storages.allowance.take(sum(map(len, parts)))
        return ".".join(parts)


def _word(key: Any) -> Any:
    """Return the key of a dict as plain values."""
    if isinstance(key, tuple):
        return tuple(_word(part) for part in key)
    return key.name if isinstance(key, Name | Record) else key


def is_module(thing: Any) -> bool:
    """Return whether a record looks like a pickled torch module."""
    state = attributes_of(thing) if isinstance(thing, Record) else None
    return isinstance(state, dict) and all(
        isinstance(state.get(key), dict | Record) for key in ("_parameters", "_modules")
    )


def attributes_of(record: Record) -> Any:
    """Return the state of an object; with slots it is a pair, of which the first is the dict."""
    state = record.state
    if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):
        return {**(state[0] if isinstance(state[0], dict) else {}), **state[1]}
    return state


def mapping(thing: Any) -> Mapping[Any, Any]:
    """Return the items of a dict or of a pickled ordered dict."""
    if isinstance(thing, dict):
        return thing
    if not isinstance(thing, Record):
        raise InputError("its pickle holds a module whose parts are no dict")
    first = thing.args[0] if thing.args else ()
    pairs = first.items() if isinstance(first, dict) else map(tuple, first) if isinstance(first, list) else ()
    return dict([*pairs, *(thing.pairs or ())])
