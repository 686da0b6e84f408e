"""What a pickle describes becomes plain: dicts, lists, numbers and tensors; a module becomes its named tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from torch import Tensor

from maetheory.checkpoints import arrays
from maetheory.checkpoints.names import quoted
from maetheory.checkpoints.pickles import OPCODES, Name, Record, Storage
from maetheory.checkpoints.storages import DTYPES, Storages
from maetheory.core import InputError

DEPTH = 100
PLAIN = (str, int, float, bool)
DICTS = frozenset({"builtins.dict", "collections.OrderedDict", "collections.defaultdict", "collections.Counter"})
LISTS = frozenset({"builtins.list", "builtins.tuple", "builtins.set", "builtins.frozenset", "collections.deque"})


@dataclass
class Plainly:
    """One walk over what a pickle describes.

    A value that is referred to twice is walked twice, and the walk has a bound, so that whoever walks the outcome is
    safe from a list of lists that doubles at every level.
    """

    storages: Storages
    attributes: dict[str, Any] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    steps: int = 0
    open: list[int] = field(default_factory=list)
    tensors: dict[int, Tensor] = field(default_factory=dict)

    def value(self, thing: Any, path: tuple[str, ...] = ()) -> Any:
        """Return a thing as plain values; an object that contains itself is its class name inside."""
        self.steps += 1
        if self.steps > OPCODES or len(self.open) > DEPTH:
            raise InputError(f"its pickle unfolds to more than {OPCODES} values, or deeper than {DEPTH} levels")
        if isinstance(thing, Name):
            return thing.name
        if isinstance(thing, Storage):
            return self.storages.window(thing, 0, (thing.length,), (1,))
        if not isinstance(thing, list | tuple | dict | Record):
            return thing
        if id(thing) in self.open:
            return thing.name if isinstance(thing, Record) else "itself"
        self.open.append(id(thing))
        try:
            return self._inside(thing, path)
        finally:
            self.open.pop()

    def _inside(self, thing: Any, path: tuple[str, ...]) -> Any:
        if isinstance(thing, Record):
            return self._record(thing, path)
        if isinstance(thing, dict):
            return self._dict(thing.items(), path)
        return type(thing)([self.value(item, (*path, str(i))) for i, item in enumerate(thing)])

    def _dict(self, pairs: Any, path: tuple[str, ...]) -> dict[Any, Any]:
        found = {}
        for key, value in pairs:
            word = self.value(key, path)
            word = word if isinstance(word, (*PLAIN, bytes, type(None))) else str(word)
            found[word] = self.value(value, (*path, str(word)))
        return found

    def _record(self, record: Record, path: tuple[str, ...]) -> Any:
        if (known := self._known(record, path)) is not None:
            return known[0]
        if is_module(record):
            return self._module(record, path)
        return self._object(record, path)

    def _known(self, record: Record, path: tuple[str, ...]) -> tuple[Any] | None:
        """Return, in a tuple, the value that a rebuilding function means; None for any other."""
        name, args = record.name, record.args
        last = name.rpartition(".")[2]
        if name.startswith(("torch._utils._rebuild", "torch._tensor._rebuild", "torch.nn.parameter.")):
            return (self._tensor(record),)
        if name.startswith("numpy"):
            return self._numpy(record, path)
        if name == "_codecs.encode" and len(args) == 2 and args[1] in ("latin1", "latin-1"):
            return (args[0].encode("latin1"),)
        if name == "builtins.bytearray":
            return (args[0].encode("latin1") if args and isinstance(args[0], str) else self.value(bytes_of(args)),)
        if name == "builtins.complex" and all(type(part) is float for part in args):
            return (complex(*args),)
        if name == "torch.Size":
            return (tuple(self.value(args[0])) if args else (),)
        if name == "torch.device":
            return (":".join(str(self.value(part)) for part in args),)
        if name.startswith("pathlib.") and last.endswith("Path") and all(isinstance(part, str) for part in args):
            return (str(PurePosixPath(*args)),)
        return None

    def _numpy(self, record: Record, path: tuple[str, ...]) -> tuple[Any] | None:
        name, args, state = record.name.rpartition(".")[2], record.args, record.state
        if name == "scalar" and len(args) == 2:
            return (arrays.scalar(args[0], self.value(args[1])),)
        if name == "_frombuffer" and len(args) == 4:
            return (arrays.array(args[1], args[2], self.value(args[0]), args[3]),)
        if name == "dtype":
            return (str(args[0]),)
        if name == "_reconstruct" and isinstance(state, tuple) and len(state) == 5:
            _, shape, kind, fortran, data = state
            if arrays.is_objects(kind):
                return (self.value(data, path),)
            return (arrays.array(kind, shape, self.value(data), fortran),)
        return None

    def _object(self, record: Record, path: tuple[str, ...]) -> Any:
        """Return an object as a dict of its items and attributes, or as the list of its items or arguments."""
        if record.name in LISTS and not record.state:
            return self.value([*(record.args[0] if record.args else ()), *(record.items or ())], path)
        found: dict[Any, Any] = {}
        if record.name in DICTS or record.name.endswith("Dict"):
            first = record.args[0] if record.args else ()
            found |= self._dict(first.items() if isinstance(first, dict) else map(tuple, first), path) \
                if isinstance(first, dict | list) else {}  # fmt: skip
        elif isinstance(state := attributes_of(record), dict):
            if "_content" in state:  # OmegaConf keeps what was configured there, each value in a box of its own
                return self.value(state["_content"], path)
            if "_val" in state:
                return self.value(state["_val"], path)
            found |= self._dict(state.items(), path)
        found |= self._dict(record.pairs or (), path)
        if found or record.pairs is not None or record.state or record.name in DICTS:
            return found
        if record.items is not None:
            return self.value(record.items, path)
        return self.value(list(record.args), path) if record.args else record.name

    def _tensor(self, record: Record) -> Tensor:
        if id(record) not in self.tensors:
            self.tensors[id(record)] = self._rebuilt(record)
        return self.tensors[id(record)]

    def _rebuilt(self, record: Record) -> Tensor:
        match record.name.rpartition(".")[2], record.args:
            case (("_rebuild_tensor" | "_rebuild_tensor_v2"), (Storage() as storage, start, size, stride, *_)):
                return self.storages.window(storage, start, shape(size), shape(stride))
            case "_rebuild_tensor_v3", (Storage() as storage, start, size, stride, _, _, Name(name=dtype), *_) \
                if dtype in DTYPES:  # fmt: skip
                return self.storages.window(storage, start, shape(size), shape(stride), DTYPES[dtype])
            case (
                ("_rebuild_parameter" | "_rebuild_parameter_with_state" | "Parameter" | "Buffer"),
                (Record() as data, *_),
            ):
                return self._tensor_of(data)
            case "_rebuild_from_type_v2", (Name() as function, _, tuple() as args, *_):
                return self._tensor_of(Record(function.name, args))
        raise InputError(f"it holds a tensor made by {quoted(record.name)}, which is not read: only dense tensors are")

    def _tensor_of(self, data: Record) -> Tensor:
        value = self.value(data)
        if not isinstance(value, Tensor):
            raise InputError("its pickle describes a parameter that is no tensor")
        return value

    def _module(self, record: Record, path: tuple[str, ...]) -> dict[str, Tensor]:
        """Return the parameters and persistent buffers below a module, as its own ``state_dict`` would name them."""
        state = attributes_of(record)
        self.classes[".".join(path)] = record.name.rpartition(".")[2]
        hidden = self.value(state.get("_non_persistent_buffers_set", []))
        found = {}
        for name, tensor in [*mapping(state["_parameters"]).items(), *mapping(state.get("_buffers", {})).items()]:
            if tensor is not None and name not in hidden and isinstance(value := self.value(tensor), Tensor):
                found[str(name)] = value
        for name, child in mapping(state["_modules"]).items():
            if isinstance(child, Record) and is_module(child):
                inside = self.value(child, (*path, str(name)))
                found |= {f"{name}.{key}": value for key, value in inside.items()} if isinstance(inside, dict) else {}
        for name, value in state.items():
            if isinstance(name, str) and not name.startswith("_") and (kept := self._attribute(value)) is not None:
                self.attributes[".".join((*path, name))] = kept
        return found

    def _attribute(self, value: Any) -> Any:
        """Return a module's attribute, if it is a plain value or a sequence of them."""
        if isinstance(value, PLAIN):
            return value
        if isinstance(value, list | tuple):
            return tuple(value) if all(isinstance(item, PLAIN) for item in value) else None
        if isinstance(value, Record) and (value.name == "torch.Size" or value.name.endswith("multiarray.scalar")):
            return self.value(value)
        return None


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
    first = thing.args[0] if thing.args and isinstance(thing.args[0], list) else []
    return dict([*map(tuple, first), *(thing.pairs or ())])


def shape(thing: Any) -> Any:
    """Return a shape, which may be written as a ``torch.Size``."""
    return thing.args[0] if isinstance(thing, Record) and thing.name == "torch.Size" and thing.args else thing


def bytes_of(args: tuple[Any, ...]) -> Any:
    """Return what a pickled bytearray was made of; a length would be a size out of nothing."""
    if not args:
        return b""
    if isinstance(args[0], bytes | Record):
        return args[0]
    raise InputError("its pickle asks for a bytearray without saying what it holds")
