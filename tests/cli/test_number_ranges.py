"""Every numeric option of every command refuses numbers out of its range, in one sentence and before any work."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, get_type_hints

import numpy as np
import pytest
import torch
import typer

from maetheory.checkpoints.resize_positions import resize_position_embedding
from maetheory.cli import app, run_command
from maetheory.cli.number_ranges import MAX_COUNTS, MAX_SIZE, MAY_BE_INFINITE, check_range
from maetheory.core import InputError
from maetheory.data import ImageSet
from maetheory.empirical import kernel_graph


def numeric_options(group: Any = None, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield the words of the command, the option and its type, for every numeric option."""
    group = group or typer.main.get_command(app)
    for name, command in getattr(group, "commands", {}).items():
        yield from numeric_options(command, (*before, name))
    types = get_type_hints(inspect.unwrap(group.callback)) if group.callback else {}
    for parameter in group.params:
        words = re.findall(r"\w+", str(types.get(parameter.name)))
        kind = next((kind for kind in ("int", "float") if kind in words), None)
        if kind and parameter.opts[0].startswith("-"):
            yield before, parameter.opts[0], kind


OPTIONS = list(numeric_options())
HUGE = {"int": ["9" * 20, "-" + "9" * 20, "9" * 4000, "9" * 6000], "float": ["nan", "1e300", "-1e300", "-1e101"]}


def test_there_are_numeric_options_of_both_types() -> None:
    assert len(OPTIONS) > 40
    assert {kind for _, _, kind in OPTIONS} == {"int", "float"}


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: " ".join((*option[0], option[1])))
def test_a_number_out_of_range_is_one_sentence_and_2(
    option: tuple[tuple[str, ...], str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    words, name, kind = option
    group: Any = typer.main.get_command(app)
    for word in words:
        group = group.commands[word]
    needed = ["x" for parameter in group.params if parameter.required]
    infinite = [] if name.lstrip("-") in MAY_BE_INFINITE else ["inf", "-inf"]
    for number in HUGE[kind] + (infinite if kind == "float" else []):
        assert run_command([*words, *needed, f"{name}={number}"]) == 2, number
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "--" in captured.err
        assert captured.err.count("\n") == 1
        assert len(captured.err) < 2100


@pytest.mark.parametrize("name", ["masks", *MAX_COUNTS])
def test_the_largest_count_passes_and_the_next_does_not(name: str) -> None:
    largest = MAX_COUNTS.get(name, 10**9)
    check_range(name, largest)
    check_range(name, [1, largest])
    for refused in (largest + 1, -largest - 1, [1, largest + 1]):
        with pytest.raises(typer.BadParameter, match=f"at most {largest:,}, but it is|must not be negative, but it is"):
            check_range(name, refused)


def test_sizes_may_be_large_but_finite() -> None:
    for value in (0.0, -MAX_SIZE, MAX_SIZE, None, True, "text"):
        check_range("base_lr", value)
    check_range("bandwidth", float("inf"))
    with pytest.raises(typer.BadParameter, match="must be finite, but it is inf"):
        check_range("base_lr", float("inf"))


def test_a_bandwidth_whose_square_overflows_joins_all_images() -> None:
    images = ImageSet(np.random.default_rng(0).random((12, 1, 4, 4)), np.arange(12) % 2, "noise")
    mask = np.array([True, False, False, True])
    endless = kernel_graph(images, mask, patch=2, bandwidth=np.inf).spectrum(3).values
    for bandwidth in (1e100, 1e149, 1e151, 1e300):
        found = kernel_graph(images, mask, patch=2, bandwidth=bandwidth).spectrum(3).values
        assert np.array_equal(found, endless)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["graph", "--masks", "1000000000"], "1,437 images under 1000000000 masks would take about"),
        (["graph", "--k", "1000000000"], "1,437 images under 16 masks would take about"),
        (["graph", "--kind", "kernel", "--limit", "40", "--k", "3", "--masks", "1000000000"], "masks of 16 patches"),
    ],
)
def test_what_does_not_fit_into_memory_is_refused_with_its_estimate(
    words: list[str], sentence: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(words) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert captured.err.count("\n") == 1


def test_position_embeddings_that_do_not_fit_into_memory_are_refused() -> None:
    table = torch.randn(1, 17, 768, generator=torch.Generator().manual_seed(0))
    with pytest.raises(InputError, match="position embeddings of 100,000 x 100,000 patches would take about"):
        resize_position_embedding(table, 1, 100_000, antialias=False)
    assert resize_position_embedding(table, 1, 8, antialias=False)[0].shape == (1, 65, 768)
