"""Convert a parsed pickle to nested dicts, lists, numbers and tensors; a module becomes its named tensors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from maetheory.checkpoints.reading.dict_keys import MAX_KEY_BITS, check_dict_key
from maetheory.checkpoints.reading.pickle_values import SCALAR_TYPES, GlobalName, PickledObject, StorageReference
from maetheory.checkpoints.reading.rebuild_values import rebuild_pickled_value
from maetheory.checkpoints.reading.storages import Storages
from maetheory.core import InputError

MAX_VALUES = 500_000
MIN_VALUES, VALUES_PER_INSTRUCTION = 50_000, 20
MAX_DEPTH = 100
MAX_ATTRIBUTE_LENGTH = 64
TUPLE_ATTRIBUTE_STEPS = 500  # as many tuples as the steps allow may be compared with each other
PLAIN_TYPES = (str, int, float, bool)
DICT_CLASSES = frozenset({"builtins.dict", "collections.OrderedDict", "collections.defaultdict", "collections.Counter"})
LIST_CLASSES = frozenset({"builtins.list", "builtins.tuple", "builtins.set", "builtins.frozenset", "collections.deque"})


@dataclass
class PlainTreeBuilder:
    """Converter of one parsed pickle to plain values, with limits on size and depth.

    A value that is referred to twice is converted twice and counts twice, so that the result has no more than
    `MAX_VALUES` nodes even if a list of lists doubles at every level, and fewer if the pickle is short. Tensors, arrays
    and bytes are rebuilt once.

    Attributes
    ----------
    storages : Storages
    n_instructions : int
        Length of the pickle.
    module_attributes, module_classes : dict
        Those of `CheckpointContents`, filled on the way.
    n_values : int
        Values converted so far.
    path : list of str
        Keys from the root to the current value.
    in_progress : set of int
        Identities of the containers around the current value.
    rebuilt : dict
        Rebuilt values by the identity of their records.
    """

    storages: Storages
    n_instructions: int
    module_attributes: dict[str, Any] = field(default_factory=dict)
    module_classes: dict[str, str] = field(default_factory=dict)
    n_values: int = 0
    path: list[str] = field(default_factory=list)
    in_progress: set[int] = field(default_factory=set)
    rebuilt: dict[int, Any] = field(default_factory=dict)

    def convert(self, value: Any) -> Any:
        """Return a value as plain values; an object that contains itself becomes its class name there.

        Raises
        ------
        InputError
            If there are too many values, nested too deep, or a tensor or array that cannot be rebuilt.
        """
        self._count_values(1)
        if isinstance(value, GlobalName):
            return value.name
        if isinstance(value, StorageReference):
            return self.storages.strided_tensor(value, 0, (value.length,), (1,))
        if not isinstance(value, list | tuple | dict | PickledObject):
            return value
        if id(value) in self.in_progress:
            return value.name if isinstance(value, PickledObject) else "itself"
        if len(self.in_progress) >= MAX_DEPTH:
            raise InputError(f"what its pickle describes is nested more than {MAX_DEPTH} levels deep")
        self.in_progress.add(id(value))
        try:
            return self._convert_container(value)
        finally:
            self.in_progress.remove(id(value))

    def _count_values(self, number: int) -> None:
        """Count values towards the limit."""
        self.n_values += number
        limit = min(MAX_VALUES, MIN_VALUES + VALUES_PER_INSTRUCTION * self.n_instructions)
        if self.n_values > limit:
            raise InputError(f"its pickle unfolds to more than {limit} values")

    def _convert_child(self, key: Any, value: Any) -> Any:
        """Convert the value under a key, with the key at the end of the path."""
        self.path.append(key if isinstance(key, str) else repr(key) if isinstance(key, int) else "")
        try:
            return self.convert(value)
        finally:
            self.path.pop()

    def _convert_container(self, value: Any) -> Any:
        """Convert a dict, a list, a tuple or a record."""
        if isinstance(value, dict):
            return self._convert_dict(value.items())
        if not isinstance(value, PickledObject):
            return self._convert_sequence(value)
        if is_module(value):
            return self._convert_module(value)
        if id(value) not in self.rebuilt:
            found = rebuild_pickled_value(value, self.convert, self.storages)
            if found is None:
                return self._convert_object(value)
            self.rebuilt[id(value)] = found
        return self.rebuilt[id(value)]

    def _convert_sequence(self, items: list[Any] | tuple[Any, ...]) -> list[Any] | tuple[Any, ...]:
        """Convert a list or tuple; sixteen plain scalars count as one value, so that long logs pass."""
        if all(type(item) in SCALAR_TYPES for item in items):
            self._count_values(len(items) // 16)
            return type(items)(items)
        return type(items)([self._convert_child(i, item) for i, item in enumerate(items)])

    def _convert_dict(self, pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
        """Convert the keys and values of a dict."""
        plain = ((_plain_key(key), value) for key, value in pairs)
        return {key: self._convert_child(key, value) for key, value in plain}

    def _convert_object(self, record: PickledObject) -> Any:
        """Convert any other object to a dict of its items and attributes, or to the list of its items or arguments."""
        first, state = record.args[0] if record.args else None, self._object_state(record)
        if record.name in LIST_CLASSES:
            self._count_values(len(first or ()) + len(record.items or ()) // 16)
            return self.convert([*(first or ()), *(record.items or ())])
        if record.name.startswith("omegaconf.") and isinstance(state, dict):  # it wraps each of its values in a node
            return self.convert(state.get("_content", state.get("_val")))
        if record.name.endswith("multiarray._reconstruct") and isinstance(state, tuple):  # an array of Python objects
            return self.convert(state[-1])
        found = {}
        if record.name in DICT_CLASSES or record.name.endswith("Dict"):
            found = self._convert_dict(self._as_dict(PickledObject("", record.args)).items())
        if isinstance(state, dict) and record.name not in DICT_CLASSES:
            found |= self._convert_dict(state.items())
        found |= self._convert_dict(record.pairs or ())
        if found or isinstance(state, dict) or record.name in DICT_CLASSES or record.pairs is not None:
            return found
        if record.items is not None:
            return self.convert(record.items)
        return self.convert(list(record.args)) if record.args else record.name

    def _convert_module(self, record: PickledObject) -> dict[str, Tensor]:
        """Return the parameters and persistent buffers of a module, under the names of its ``state_dict``."""
        state = self._object_state(record)
        self.module_classes[self._dotted_name(self.path)] = record.name.rpartition(".")[2]
        hidden = self._non_persistent_names(state.get("_non_persistent_buffers_set", []))
        own = [*self._as_dict(state["_parameters"]).items(), *self._as_dict(state.get("_buffers", {})).items()]
        children = self._as_dict(state["_modules"])
        self._count_values(len(own) + len(state) + len(children))
        found = {}
        for name, value in own:
            if value is not None and name not in hidden and isinstance(tensor := self.convert(value), Tensor):
                found[self._dotted_name([name])] = tensor
        for name, child in children.items():
            state_dict = self._convert_child(name, child) if is_module(child) else {}
            for key, tensor in state_dict.items() if isinstance(state_dict, dict) else ():
                found[self._dotted_name([name, key])] = tensor
        for name, value in state.items():
            if (
                isinstance(name, str)
                and not name.startswith("_")
                and (attribute := self._plain_attribute(value)) is not None
            ):
                self.module_attributes[self._dotted_name([*self.path, name])] = attribute
        return found

    def _non_persistent_names(self, names: Any) -> set[str]:
        """Return the names of the buffers that a module does not save."""
        names = self.convert(names)
        return {name for name in names if isinstance(name, str)} if isinstance(names, list | tuple) else set()

    def _object_state(self, record: PickledObject) -> Any:
        """Return the state of an object as one dict; with slots it is a pair of dicts, which are merged."""
        parts = _state_parts(record)
        if len(parts) < 2:
            return parts[0] if parts else record.state
        self.storages.budget.spend_steps(sum(map(len, parts)))
        return {key: value for part in parts for key, value in part.items()}

    def _as_dict(self, value: Any) -> dict[Any, Any]:
        """Return a dict, or a pickled ordered dict as a dict."""
        if isinstance(value, dict):
            return value
        if not isinstance(value, PickledObject):
            raise InputError("its pickle holds a module whose parts are no dict")
        first = value.args[0] if value.args else ()
        first = first if isinstance(first, dict | list) else {}
        self.storages.budget.spend_steps(len(first) + len(value.pairs or ()))
        if isinstance(first, list):
            if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in first):
                raise InputError("its pickle holds an ordered dict of what are no pairs")
            first = {check_dict_key(key, self.storages.budget): item for key, item in first}
        return {**first, **dict(value.pairs or ())}

    def _plain_attribute(self, value: Any) -> Any:
        """Return an attribute of a module if it is a plain value or a short sequence of them, else None."""
        if isinstance(value, PickledObject) and (
            value.name == "torch.Size" or value.name.endswith("multiarray.scalar")
        ):
            value = self.convert(value)
        if isinstance(value, list | tuple) and len(value) <= MAX_ATTRIBUTE_LENGTH:
            self.storages.budget.spend_steps(TUPLE_ATTRIBUTE_STEPS)
            return tuple(value) if all(map(_is_plain, value)) else None
        return value if _is_plain(value) else None

    def _dotted_name(self, parts: list[str]) -> str:
        """Join a dotted name and charge it to the budget, once for each part, as patterns may read it so often."""
        name = ".".join(parts)
        self.storages.budget.spend_bytes(len(name) * (name.count(".") + 1))
        return name


def _plain_key(key: Any) -> Any:
    """Return a dict key as a plain value or a tuple of them."""
    if isinstance(key, tuple):
        return tuple(_plain_key(part) for part in key)
    return key.name if isinstance(key, GlobalName | PickledObject) else key


def _is_plain(value: Any) -> bool:
    """Return whether a value is a text, a number or a truth value whose hash a file cannot choose to fall together."""
    return isinstance(value, PLAIN_TYPES) and not (isinstance(value, int) and value.bit_length() > MAX_KEY_BITS)


def is_module(value: Any) -> bool:
    """Return whether a value is the record of a torch module: its state has parameters and submodules."""
    parts = _state_parts(value) if isinstance(value, PickledObject) else ()
    return all(
        isinstance(next((part[key] for part in reversed(parts) if key in part), None), dict | PickledObject)
        for key in ("_parameters", "_modules")
    )


def _state_parts(record: PickledObject) -> tuple[dict[Any, Any], ...]:
    """Return the dicts of which the state of an object consists, later ones before earlier ones; with slots two."""
    state = record.state
    if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):
        return (state[0], state[1]) if isinstance(state[0], dict) else (state[1],)
    return (state,) if isinstance(state, dict) else ()
