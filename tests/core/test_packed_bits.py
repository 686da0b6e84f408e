"""Booleans as text."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.core.packed_bits import pack_bits, unpack_bits


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 1000])
def test_text_holds_the_booleans(count: int) -> None:
    values = np.random.default_rng(count).random(count) < 0.5
    assert unpack_bits(pack_bits(values), count).tolist() == values.tolist()


@pytest.mark.parametrize(("text", "count", "sentence"), [("oA==", 9, "holds 8 bits"), ("é!", 3, "is no base64")])
def test_damaged_text_is_refused(text: str, count: int, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        unpack_bits(text, count)
