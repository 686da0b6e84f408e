"""Names from outside become one line of printable characters of bounded length, at a bounded cost."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maetheory.core import InputError, printable, printable_list, printable_value

HOSTILE = {
    "a line break": "x\nnote   verified",
    "a carriage return": "x\rnote   verified",
    "a colour": "x\x1b[32mgreen",
    "a lone surrogate": "x\ud800",
    "an undecodable byte of a file name": "x\udcff",
    "a change of direction": "x\u202egnp.exe",
    "a line separator": "x\u2028y\u2029z\x85w\x0bv\x0cu\x1ct",
    "an invisible letter": "x\u200by",
    "a bell": "x\x07\x00\x7f",
}


@dataclass
class Record:
    """A value whose own representation prints all that it holds."""

    content: object


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_become_one_printable_line(name: str) -> None:
    shown = printable(HOSTILE[name])
    assert shown.isprintable()
    assert shown.startswith("x\\")
    shown.encode("utf-8")
    assert str(InputError(HOSTILE[name])) == shown


@given(st.text(st.characters(), max_size=300), st.integers(10, 120))
def test_length_is_bounded_and_printable_text_stays(text: str, length: int) -> None:
    shown = printable(text, length)
    assert len(shown) <= length
    assert shown.isprintable()
    if text.isprintable() and len(text) <= length:
        assert shown == text


def test_letters_of_any_script_stay() -> None:
    assert printable("Größe ρ 数字 …") == "Größe ρ 数字 …"


def test_the_end_of_a_long_sentence_stays() -> None:
    """What would be right stands at the end of a sentence."""
    sentence = str(InputError("name " + "a" * 10**6 + " is wrong: pass heads= (--heads)"))
    assert len(sentence) == 2000
    assert sentence.endswith("pass heads= (--heads)")


def test_the_cost_does_not_grow_with_the_value() -> None:
    """A tuple that contains itself twice, 64 times over, and a long text that occurs often."""
    doubled: object = Record(())
    for _ in range(64):
        doubled = (doubled, doubled)
    start = time.process_time()
    for value in (
        doubled,
        Record(doubled),
        [[Record(doubled)]],
        ["a" * 10**6] * 10**6,
        10**4000,
        {i: doubled for i in range(1000)},
        "\n" * 10**7,
    ):
        assert len(printable_value(value)) <= 80
    assert time.process_time() - start < 2


def test_lists_are_cut_and_counted() -> None:
    assert printable_list(["a\n"] * 3) == "a\\n, a\\n, a\\n"
    assert printable_list(map(str, range(100)), 2) == "0, 1, … (100 in all)"


def test_plain_values_are_shown_in_full() -> None:
    for value in (None, True, 0.5, 12, "a", (1, 2), {"a": [None]}, float("nan"), b"x", -(10**30)):
        assert printable_value(value) == repr(value)
    assert printable_value([10**2000, Record(())]) == "[an integer of 6644 bits, <Record>]"
