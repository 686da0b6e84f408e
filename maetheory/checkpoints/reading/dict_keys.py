"""Which keys of a pickled dict are hashed: short flat ones, whose hashes do not collide on purpose.

Hashing a tuple recurses without a limit, so that one nested deep enough crashes the interpreter, and one that doubles
at each level takes for ever. The hashes of integers and tuples are no secret: a file can choose a million of them that
fall together, and then each is compared with all others.
"""

from __future__ import annotations

from typing import Any

from maetheory.checkpoints.reading.pickle_values import SCALAR_TYPES, GlobalName, PickledObject
from maetheory.checkpoints.reading.read_budget import ReadBudget
from maetheory.core import InputError

MAX_KEY_LENGTH = 4096
MAX_KEY_PARTS = 64
MAX_KEY_BITS = 64  # an integer is hashed modulo 2^61 - 1, so that at most sixteen of them fall together
TUPLE_KEY_STEPS = 1000  # what a tuple may cost if it falls together with all other tuples that the steps allow


def check_dict_key(key: Any, budget: ReadBudget) -> Any:
    """Return a key if it is a scalar, a name, an object, or a short tuple of them.

    Raises
    ------
    InputError
        If it is anything else, too long, or one tuple too many.
    """
    if type(key) is not tuple:
        return _check_dict_key_part(key)
    if len(key) > MAX_KEY_PARTS:
        raise InputError(f"its pickle has a dict with a key of {len(key)} parts, where {MAX_KEY_PARTS} are read")
    budget.spend_steps(TUPLE_KEY_STEPS)
    return tuple(map(_check_dict_key_part, key))


def _check_dict_key_part(part: Any) -> Any:
    """Return a key that is no tuple."""
    if not isinstance(part, (*SCALAR_TYPES, GlobalName, PickledObject)):
        raise InputError("its pickle has a dict with a key that is neither a number nor a text nor a tuple of them")
    if isinstance(part, str | bytes) and len(part) > MAX_KEY_LENGTH:
        raise InputError(f"its pickle has a dict with a key of {len(part)} characters, where {MAX_KEY_LENGTH} are read")
    if isinstance(part, int) and part.bit_length() > MAX_KEY_BITS:
        raise InputError(f"its pickle has a dict with an integer of {part.bit_length()} bits as key")
    return part
