"""Read pickled dictionaries of lists and NumPy arrays without `pickle`: no name in the file is ever looked up.

A small machine follows the opcodes that such dictionaries need. Names of functions stay text; the few that NumPy
writes for an array are recognised by their text and replaced by `numpy.frombuffer`, and every other one is an error.
Containers are never compared, hashed or copied, and texts that one opcode may use again and again are copied within a
budget, so that work and memory are bounded.
"""

from __future__ import annotations

import pickletools
import re
from pathlib import Path
from typing import Any

import numpy as np

from maetheory.core import InputError, printable, printable_value
from maetheory.core.files import read_regular_file

MAX_BYTES = 1 << 28
MAX_AXES = 4
MAX_STEPS = 4_000_000
MAX_NAME_LENGTH = 100
_KEPT = {
    "BININT",
    "BININT1",
    "BININT2",
    "INT",
    "LONG1",
    "BINSTRING",
    "SHORT_BINSTRING",
    "STRING",
    "UNICODE",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
    "BINBYTES",
    "SHORT_BINBYTES",
    "BINBYTES8",
    "BYTEARRAY8",
}  # opcodes that push their argument
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_IGNORED = {"PROTO", "FRAME", "STOP"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MARK = object()


class _FunctionName(str):
    """Name of a function in the file, "module.function"."""


class _PendingArray:
    """An array whose content follows in a BUILD opcode."""

    content: np.ndarray | None = None


class _DataType:
    """A NumPy data type: a letter, a size in bytes, and a byte order that may follow in a BUILD opcode."""

    def __init__(self, code: Any) -> None:
        if not isinstance(code, str) or not re.fullmatch("[iu][1248]", code):
            shown = printable(code, 20) if isinstance(code, str) else printable_value(code)
            raise ValueError(f"arrays must hold whole numbers, not {shown}")
        self.code, self.order = code, "|" if code[1] == "1" else "<"

    def array(self, content: Any, shape: Any, order: str) -> np.ndarray:
        """Return the array of that shape whose bytes are `content`."""
        content = content.encode("latin-1") if isinstance(content, str) else content  # as Python 2 wrote bytes
        is_shape = len(shape) <= MAX_AXES and all(type(side) is int and 0 <= side <= MAX_BYTES for side in shape)
        if not isinstance(content, bytes | bytearray) or not is_shape:
            raise ValueError("an array has no bytes or no shape")
        return np.frombuffer(content, self.order + self.code).reshape(shape, order="F" if order == "F" else "C")


def read_plain_pickle(path: Path) -> dict[str, Any]:
    """Return the dictionary in a pickle file: its values are arrays, or lists and other plain values.

    Raises
    ------
    InputError
        If the file is damaged, larger than 256 MiB, unpacks to more than it holds, or holds anything but plain values
        and arrays of whole numbers.
    """
    content = read_regular_file(path, MAX_BYTES)
    machine = _PickleMachine(len(content))
    try:
        for opcode, argument, _ in pickletools.genops(content):
            machine.step(opcode.name, argument)
        (found,) = machine.stack
        if not isinstance(found, dict):
            raise ValueError("it holds no dictionary")
        return {
            key.decode("latin-1") if isinstance(key, bytes) else key: value.content
            if isinstance(value, _PendingArray)
            else value
            for key, value in found.items()
        }
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, UnicodeError, OverflowError) as error:
        raise InputError(
            f"{path} is no whole pickle of plain values and arrays ({printable(str(error)[:200])})"
        ) from error


class _PickleMachine:
    """Stack and memo of a pickle, without a way to import or call anything."""

    def __init__(self, n_bytes: int) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.steps_left, self.bytes_left = MAX_STEPS, 2 * n_bytes  # Python 2's bytes are encoded, then used

    def step(self, name: str, argument: Any) -> None:
        """Follow one opcode."""
        self.steps_left -= 1
        if self.steps_left < 0:
            raise ValueError(f"it takes more than {MAX_STEPS} steps")
        if name in _KEPT:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self.memo[len(self.memo) if argument is None else int(argument)] = self.stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[int(argument)])
        elif name == "MARK":
            self.stack.append(_MARK)
        elif name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE"):
            self.stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[name]())
        elif name in _TUPLES:
            self._push_tuple(self._pop(_TUPLES[name]))
        elif name == "TUPLE":
            self._push_tuple(self._pop_to_mark())
        elif name == "LIST":
            self.stack.append(self._pop_to_mark())
        elif name == "DICT":
            items = self._pop_to_mark()
            self.stack.append({})
            self._set_items(items)
        elif name in ("APPEND", "APPENDS"):
            items = self._pop(1) if name == "APPEND" else self._pop_to_mark()
            _require_type(self.stack[-1], list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            self._set_items(self._pop(2) if name == "SETITEM" else self._pop_to_mark())
        elif name == "GLOBAL":
            self.stack.append(_FunctionName(str(argument).replace(" ", ".")))
        elif name == "STACK_GLOBAL":
            self.stack.append(_FunctionName(".".join(_short_text(part) for part in self._pop(2))))
        elif name == "REDUCE":
            function, arguments = self._pop(2)
            self._charge(_require_type(arguments, tuple))
            self.stack.append(_plain_value(function, arguments))
        elif name == "BUILD":
            target, state = self.stack[-2], self._pop(1)[0]
            self._charge(_require_type(state, tuple))
            _set_state(target, state)
        elif name not in _IGNORED:
            raise ValueError(f"the opcode {name} belongs to no plain value")

    def _charge(self, arguments: tuple[Any, ...]) -> None:
        """Take the texts among the arguments of a call from the budget: a file needs each of them once."""
        self.bytes_left -= sum(len(one) for one in arguments[:5] if isinstance(one, str | bytes | bytearray))
        if self.bytes_left < 0:
            raise ValueError("it uses its texts again and again")

    def _pop(self, n: int) -> list[Any]:
        if len(self.stack) < n:
            raise IndexError("the stack is empty")
        taken = self.stack[-n:]
        del self.stack[-n:]
        return taken

    def _pop_to_mark(self) -> list[Any]:
        taken = []
        while (value := self.stack.pop()) is not _MARK:
            taken.append(value)
        return taken[::-1]

    def _push_tuple(self, items: list[Any]) -> None:
        self.stack.append(tuple(items))

    def _set_items(self, items: list[Any]) -> None:
        target = _require_type(self.stack[-1], dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_require_type(key, str, bytes)] = value


def _require_type(value: Any, *kinds: type) -> Any:
    if type(value) not in kinds:
        raise TypeError(f"a {type(value).__name__} stands where a {kinds[0].__name__} belongs")
    return value


def _short_text(value: Any) -> str:
    """Return a part of a name, which no file writes longer than a line."""
    if len(_require_type(value, str)) > MAX_NAME_LENGTH:
        raise ValueError(f"a name of {len(value)} characters")
    return str(value)


def _plain_value(function: Any, arguments: tuple[Any, ...]) -> Any:
    """Return what NumPy's functions would make of their arguments; no other function is known."""
    name = str(function).replace("numpy._core.", "numpy.core.") if type(function) is _FunctionName else "a value"
    if name == "numpy.core.multiarray._reconstruct":
        return _PendingArray()
    if name == "numpy.dtype":
        return _DataType(arguments[0])
    if name == "_codecs.encode":
        return _require_type(arguments[0], str).encode("latin-1")
    if name == "numpy.core.numeric._frombuffer":
        array = _PendingArray()
        content, data_type, shape, order = arguments
        array.content = _require_type(data_type, _DataType).array(content, _require_type(shape, tuple), order)
        return array
    raise ValueError(f"it would call {printable(name)}, which nothing plain needs")


def _set_state(target: Any, state: tuple[Any, ...]) -> None:
    """Give an array its content, or a data type its byte order."""
    if isinstance(target, _DataType):
        target.order = state[1] if state[1] in ("<", ">", "|") else target.order
    elif isinstance(target, _PendingArray):
        _, shape, data_type, is_fortran, content = state
        data_type = _require_type(data_type, _DataType)
        target.content = data_type.array(content, _require_type(shape, tuple), "F" if is_fortran is True else "C")
    else:
        raise TypeError("only arrays and data types have a state")
