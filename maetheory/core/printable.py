"""Text from outside in a form that can be printed, logged or drawn: one line, no control characters, of bounded length.

Names of tensors, pickled classes, files and folders are chosen by whoever made a file. A line break in one could forge
a line of a report, an escape character could colour or clear the terminal, and a lone surrogate could stop the output.
So every such text passes through here, once, where it enters a message, a report or a figure.
"""

from __future__ import annotations

import reprlib
from pathlib import PurePath
from typing import Any

import numpy as np

MAX_NAME_LENGTH = 80
MAX_SENTENCE_LENGTH = 2000
_MAX_PRINTED_BITS = 4096


class _BoundedRepr(reprlib.Repr):
    """Representation of the first elements and characters of built-in types, and of the type's name of any other."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 60
        self.maxdict = self.maxlist = self.maxtuple = 6
        self.maxlevel = 3

    def repr_int(self, value: int, level: int) -> str:
        """Describe an integer, by its length if it is long."""
        bits = value.bit_length()
        return f"an integer of {bits} bits" if bits > _MAX_PRINTED_BITS else super().repr_int(value, level)

    def repr_instance(self, value: Any, level: int) -> str:
        """Describe a value of another type; `repr` of an unknown type may print all that it holds."""
        if isinstance(value, str | bytes | bytearray):
            return repr(value[: self.maxother])
        plain = value is None or isinstance(value, bool | float | complex | PurePath | np.number)
        return repr(value) if plain else f"<{type(value).__name__}>"


_SUMMARY = _BoundedRepr()


def printable(text: str, max_length: int = MAX_NAME_LENGTH) -> str:
    r"""Return text as one line of at most `max_length` characters; the middle of a longer text becomes "...".

    Characters that no printer shows (controls, line separators, changes of direction, lone surrogates) become escapes
    as ``\n`` or ``\u202e``; letters of any script stay.

    Examples
    --------
    >>> print(printable("x\nnote   verified \x1b[32m"))
    x\nnote   verified \x1b[32m
    >>> printable("a" * 100, 10)
    'aaaaa...aa'
    """
    tail = max_length // 5
    shown = _escape_unprintable(
        text if len(text) <= max_length else text[:max_length]
    )  # the work does not grow with the text
    if len(shown) <= max_length and len(text) <= max_length:
        return shown
    return f"{shown[: max_length - tail - 3]}...{_escape_unprintable(text[-tail:])[-tail:]}"


def first_error_line(error: BaseException, max_length: int = 200) -> str:
    r"""Return the first line of an error's text that is not empty, or the name of its class.

    Examples
    --------
    >>> first_error_line(ValueError("no such file\nsee the log")), first_error_line(KeyboardInterrupt())
    ('no such file', 'KeyboardInterrupt')
    """
    lines = str(error).strip().splitlines()
    return printable(lines[0].strip(), max_length) if lines else type(error).__name__


def printable_value(value: Any) -> str:
    """Return a short description of any value, at a cost that does not grow with the value.

    Examples
    --------
    >>> printable_value([1, "a"]), printable_value(10**3000)
    ("[1, 'a']", 'an integer of 9966 bits')
    """
    return printable(_SUMMARY.repr(value))


def printable_sentence(text: str) -> str:
    """Return a sentence that may quote several names as one line; a very long one loses its middle."""
    return printable(text, MAX_SENTENCE_LENGTH)


def printable_list(names: Any, max_names: int = 10) -> str:
    """Return the first names, separated by commas, and how many there are in all if there are more.

    Examples
    --------
    >>> printable_list(["a", "b", "c"], 2)
    'a, b, … (3 in all)'
    """
    names = list(names)
    shown = ", ".join(printable(str(name)) for name in names[:max_names])
    return f"{shown}, … ({len(names)} in all)" if len(names) > max_names else shown


def _escape_unprintable(text: str) -> str:
    """Return text with every character that is not printable as an escape."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
