"""True and false as short text, for records that are lines of JSON."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import numpy as np

from maetheory.core.errors import InputError


def pack_bits(values: Sequence[bool] | np.ndarray) -> str:
    """Return booleans (n,) as base64 text, eight to a byte.

    Examples
    --------
    >>> pack_bits([True, False, True])
    'oA=='
    """
    return base64.b64encode(np.packbits(np.asarray(values, dtype=bool)).tobytes()).decode("ascii")


def unpack_bits(text: str, count: int) -> np.ndarray:
    """Return the booleans (count,) of `pack_bits`.

    Raises
    ------
    InputError
        If the text is no base64 or holds another number of bytes than `count` booleans fill.

    Examples
    --------
    >>> unpack_bits("oA==", 3).tolist()
    [True, False, True]
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"a text that should hold {count} packed booleans is no base64: {error}") from error
    if len(data) != (count + 7) // 8:
        raise InputError(f"a text that should hold {count} packed booleans holds {8 * len(data)} bits")
    return np.unpackbits(np.frombuffer(data, np.uint8), count=count).astype(bool)
