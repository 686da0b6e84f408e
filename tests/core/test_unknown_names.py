"""An unknown name is answered by the closest known ones, and by all of them only where they are few."""

from __future__ import annotations

import pytest

from maetheory.core.unknown_names import MAX_LISTED, MAX_SUGGESTED, closest_names, did_you_mean, unknown_name_error

METRICS = ["effective_rank", "stable_rank", "coherence", "twonn", "nesum"]


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("effective rank", "effective_rank"),
        ("Effective-Rank", "effective_rank"),
        ("efective_rnak", "effective_rank"),
        ("effective", "effective_rank"),
        ("coherence of features", "coherence"),
        ("two", "twonn"),
        ("stab ra", "stable_rank"),
    ],
)
def test_the_closest_name_comes_first(asked: str, first: str) -> None:
    assert closest_names(asked, METRICS)[0] == first


@pytest.mark.parametrize("asked", ["", "x", "of", "participation", "e", "-"])
def test_a_name_like_none_gets_no_suggestion(asked: str) -> None:
    assert closest_names(asked, METRICS) == []


def test_a_typing_error_is_closer_than_a_name_that_contains_the_word() -> None:
    assert closest_names("digit", ["mask-ratio-digit-sums", "digits"]) == ["digits", "mask-ratio-digit-sums"]


def test_few_names_are_suggested() -> None:
    names = [f"digits-{number}" for number in range(50)]
    assert len(closest_names("digits", names)) == MAX_SUGGESTED


@pytest.mark.parametrize(("count", "all_listed"), [(MAX_LISTED, True), (MAX_LISTED + 1, False)])
def test_many_names_are_left_to_the_command_that_lists_them(count: int, all_listed: bool) -> None:
    names = [f"name-{number}" for number in range(count)]
    sentence = str(unknown_name_error("law", "zzz", names, listed_by="a command"))
    assert all(name in sentence for name in names) == all_listed
    assert ("a command lists all" in sentence) != all_listed
    assert all(name in str(unknown_name_error("law", "zzz", names)) for name in names)


def test_another_spelling_suggests_its_name_and_is_not_listed() -> None:
    spellings = {"theorem 4.1": "theorem 4.1 (u)"}
    error = unknown_name_error("theorem", "theorem 41", ["u", "v"], spellings=spellings)
    assert str(error) == "there is no theorem 'theorem 41'; did you mean theorem 4.1 (u)?"
    assert str(unknown_name_error("theorem", "zz", ["u", "v"], spellings=spellings)).endswith("the theorems are: u, v")


def test_a_hostile_name_stays_on_one_line() -> None:
    assert "\n" not in str(unknown_name_error("figure", "a\nb", ["c"]))
    assert did_you_mean([]) == ""
