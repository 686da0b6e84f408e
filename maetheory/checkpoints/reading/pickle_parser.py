"""Parse a pickle into plain values and records without executing it.

The stack machine below builds only plain Python values, `GlobalName` (a name), `PickledObject` (a class or rebuilding
function by name, with its arguments, state and items) and `StorageReference` (bytes that lie elsewhere in the file).
It imports nothing, calls nothing that the file names and sets no attribute of anything but a `PickledObject`.

torch's own restricted reader (``weights_only=True``) would do for a plain file, but it calls ``bytearray(n)`` and
``FloatTensor(n)`` with sizes that the file chooses, trusts a legacy file's storage sizes before reading, and knows
neither protocol 4 nor subclasses of dict and list. So every pickle is read here, and the tests hold the outcome equal
to torch's on plain files.
"""

from __future__ import annotations

import pickletools
from typing import Any

from maetheory.checkpoints.reading.dict_keys import check_dict_key
from maetheory.checkpoints.reading.pickle_global_checks import GETATTR, attribute_name, check_callable, check_global
from maetheory.checkpoints.reading.pickle_values import GlobalName, ParsedPickle, PickledObject, StorageReference
from maetheory.checkpoints.reading.read_budget import ReadBudget
from maetheory.core import InputError, printable

MAX_OPCODES = 2_000_000
MAX_INTEGER_BITS = 4096
MAX_MEMO_INDEX = 2**40  # larger integers could be chosen so that their hashes fall together
MAX_STORAGE_PARTS = 8
_LITERALS = """
INT BININT BININT1 BININT2 LONG LONG1 LONG4 STRING BINSTRING SHORT_BINSTRING UNICODE SHORT_BINUNICODE BINUNICODE
BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 FLOAT BINFLOAT
"""
LITERAL_OPCODES = frozenset(_LITERALS.split())
CONSTANT_OPCODES: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}


def parse_pickle(file: Any, budget: ReadBudget) -> ParsedPickle:
    """Parse one pickle from a file in memory and leave the file at the end of the pickle.

    Parameters
    ----------
    file
        `io.BytesIO` or `mmap.mmap`, whose ``read`` and ``readline`` never allocate more than there is.
    budget
        What the whole file may cost; each instruction costs little by itself, and copies are charged.

    Raises
    ------
    InputError
        If it refers to a name that no checkpoint needs, or builds a value that cannot be read as data.
    """
    machine, count = _PickleMachine(budget), 0
    for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if count >= MAX_OPCODES:
            raise InputError(f"its pickle has more than {MAX_OPCODES} instructions")
        machine.execute(opcode.name, argument)
    return ParsedPickle(machine.pop(), frozenset(machine.globals), tuple(machine.storages), count)


class _PickleMachine:
    """Stack machine of the pickle protocols, whose objects are records.

    An opcode is executed by the method of its name in lower case with an underscore before it.
    """

    def __init__(self, budget: ReadBudget) -> None:
        self.budget = budget
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.globals: set[str] = set()
        self.storages: list[StorageReference] = []

    def execute(self, opcode: str, argument: Any) -> None:
        """Apply one instruction to the stack."""
        if opcode in LITERAL_OPCODES:
            if type(argument) is int and argument.bit_length() > MAX_INTEGER_BITS:
                raise InputError(f"its pickle holds an integer of more than {MAX_INTEGER_BITS} bits")
            self.stack.append(argument)
        elif opcode in CONSTANT_OPCODES:
            self.stack.append(CONSTANT_OPCODES[opcode])
        elif (method := getattr(self, f"_{opcode.lower()}", None)) is not None:
            method(argument)
        else:
            raise InputError(f"its pickle uses the instruction {opcode}, which no checkpoint needs")

    def pop(self) -> Any:
        """Remove the topmost value of the stack and return it."""
        return self.stack.pop()

    def pop_mark(self) -> list[Any]:
        """Remove the values down to the last mark and return them."""
        items, self.stack = self.stack, self.marks.pop()
        return items

    # Stack and memo.

    def _proto(self, _: Any) -> None:
        pass

    _frame = _stop = _proto

    def _mark(self, _: Any) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def _pop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.pop_mark()

    def _pop_mark(self, _: Any) -> None:
        self.pop_mark()

    def _dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def _put(self, index: int) -> None:
        if not 0 <= index < MAX_MEMO_INDEX:
            raise InputError("its pickle numbers a value by what is no number of a value")
        self.memo[index] = self.stack[-1]

    _binput = _long_binput = _put

    def _memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    _binget = _long_binget = _get

    # Containers.

    def _tuple(self, _: Any) -> None:
        items = self.pop_mark()
        self.stack.append(tuple(items))

    def _tuple1(self, _: Any) -> None:
        self.stack[-1:] = [(self.stack[-1],)]

    def _tuple2(self, _: Any) -> None:
        self.stack[-2:] = [(self.stack[-2], self.stack[-1])]

    def _tuple3(self, _: Any) -> None:
        self.stack[-3:] = [(self.stack[-3], self.stack[-2], self.stack[-1])]

    def _list(self, _: Any) -> None:
        items = self.pop_mark()
        self.stack.append(items)

    def _dict(self, _: Any) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self.set_items(items)

    def _frozenset(self, _: Any) -> None:
        items = self.pop_mark()
        self.stack.append(PickledObject("builtins.frozenset", items=items))

    def _empty_list(self, _: Any) -> None:
        self.stack.append([])

    def _empty_dict(self, _: Any) -> None:
        self.stack.append({})

    def _empty_set(self, _: Any) -> None:
        self.stack.append(PickledObject("builtins.set"))

    def _append(self, _: Any) -> None:
        self.add_items([self.pop()])

    def _appends(self, _: Any) -> None:
        self.add_items(self.pop_mark())

    _additems = _appends

    def _setitem(self, _: Any) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def _setitems(self, _: Any) -> None:
        self.set_items(self.pop_mark())

    def add_items(self, items: list[Any]) -> None:
        """Append items to the list or record on top of the stack."""
        target = self.stack[-1]
        if type(target) is list:
            target.extend(items)
        elif type(target) is PickledObject:
            target.items = [] if target.items is None else target.items
            target.items.extend(items)
        else:
            raise InputError("its pickle appends to what is no list")

    def set_items(self, items: list[Any]) -> None:
        """Set alternating keys and values on the dict or record on top of the stack."""
        target = self.stack[-1]
        if len(items) % 2:
            raise InputError("its pickle has a key without a value")
        pairs = ((check_dict_key(key, self.budget), value) for key, value in zip(items[::2], items[1::2]))
        if type(target) is dict:
            target.update(pairs)
        elif type(target) is PickledObject:
            target.pairs = [] if target.pairs is None else target.pairs
            target.pairs.extend(pairs)
        else:
            raise InputError("its pickle sets an item of what is no dict")

    # Objects, which become records.

    def global_name(self, module: str, name: str) -> GlobalName:
        """Check and note a global that the pickle refers to."""
        try:
            full = check_global(module, name)
        except InputError as error:
            raise InputError(f"{error}; it also asks for {GETATTR}") if GETATTR in self.globals else error from None
        self.budget.spend_bytes(len(full))
        self.globals.add(full)
        return GlobalName(full)

    def _global(self, text: str) -> None:
        self.stack.append(self.global_name(*_split_global(text)))

    def _stack_global(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        if type(name) is not str or type(module) is not str:
            raise InputError("its pickle names something by what is no text")
        self.stack.append(self.global_name(module, name))

    def _reduce(self, _: Any) -> None:
        args, function = self.pop(), self.pop()
        self.stack.append(self.called_object(function, args))

    def _inst(self, text: str) -> None:
        args = tuple(self.pop_mark())
        self.stack.append(self.called_object(self.global_name(*_split_global(text)), args))

    def _obj(self, _: Any) -> None:
        function, *args = self.pop_mark()
        self.stack.append(self.called_object(function, tuple(args)))

    def called_object(self, function: Any, args: Any) -> PickledObject | GlobalName:
        """Return the record of a call; an attribute of a named class is a longer name."""
        if type(function) is not GlobalName or type(args) is not tuple:
            raise InputError("its pickle calls what is no plain name")
        if function.name == GETATTR:
            owner, attribute = args if len(args) == 2 else (None, None)
            return self.global_name(*attribute_name(owner.name if type(owner) is GlobalName else None, attribute))
        full = check_callable(function.name)
        if full in ("copyreg._reconstructor", "copyreg.__newobj__", "copyreg.__newobj_ex__"):
            self.budget.spend_steps(len(args))
            return _new_object(args[0], args[1:])
        return PickledObject(full, args)

    def _newobj(self, _: Any) -> None:
        args, cls = self.pop(), self.pop()
        self.stack.append(_new_object(cls, args))

    def _newobj_ex(self, _: Any) -> None:
        _keywords, args, cls = self.pop(), self.pop(), self.pop()
        self.stack.append(_new_object(cls, args))

    def _build(self, _: Any) -> None:
        state, target = self.pop(), self.stack[-1]
        if type(target) is not PickledObject:
            raise InputError("its pickle changes the inside of what is no object")
        target.state = state

    def _binpersid(self, _: Any) -> None:
        found = _storage_reference(self.pop())
        self.stack.append(found)
        if isinstance(found, StorageReference):
            self.storages.append(found)


def _split_global(text: str) -> tuple[str, str]:
    """Return module and name of the argument of the opcodes GLOBAL and INST."""
    module, space, name = text.partition(" ")
    if not space or " " in name:
        raise InputError(f"its pickle asks for {printable(text)!r}, which is no name")
    return module, name


def _new_object(cls: Any, args: Any) -> PickledObject:
    """Return the record of an object that ``cls.__new__`` would have made."""
    if type(cls) is not GlobalName or type(args) is not tuple:
        raise InputError("its pickle makes an object of what is no plain name")
    return PickledObject(cls.name, args)


def _storage_reference(identifier: Any) -> GlobalName | StorageReference:
    """Return what a persistent identifier refers to: a storage, or in a legacy file the class of a module."""
    if type(identifier) is not tuple or len(identifier) > MAX_STORAGE_PARTS:
        raise InputError("its pickle points to something that is not the storage of a tensor")
    match identifier:
        case ("module", GlobalName() as name, *_):
            return name
        case ("storage", GlobalName(name=storage_class), key, str() | None, int() as length, *rest) if type(key) in (
            str,
            int,
        ):
            view = rest[0] if rest else None
            match view:
                case None:
                    return StorageReference(storage_class, str(key), length)
                case (_, int() as start, int() as size):
                    return StorageReference(storage_class, str(key), length, start, size)
    raise InputError("its pickle points to something that is not the storage of a tensor")
