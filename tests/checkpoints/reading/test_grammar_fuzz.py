"""Random programs of the pickle machine, with much sharing, end soon, in little memory, as contents or one sentence."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from isolated_reading import Outcome, inspect_isolated
from pickle_files import legacy, zipped
from pickle_grammar import random_program

MAX_SECONDS, MAX_MEBIBYTES = 2.0, 1024.0


def outcomes(seeds: range, folder: Path) -> dict[str, Outcome]:
    """Inspect the program of each seed, in the zip format and every fourth in the legacy format."""
    files = {}
    for seed in seeds:
        program = random_program(seed)
        files[f"{seed}"] = zipped(program, {"data/0": bytes(64)}) if seed % 4 else legacy(program)
    return inspect_isolated(files, folder)


@pytest.mark.parametrize(
    "seeds", [range(40), pytest.param(range(1000, 1300), marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_random_programs_end_as_contents_or_one_sentence(seeds: range, tmp_path: Path) -> None:
    """CPU seconds and peak memory of a process of its own for each file, torch included."""
    found = outcomes(seeds, tmp_path / "files")
    bad = {
        seed: one
        for seed, one in found.items()
        if not one.text.startswith(("read", "refused: ")) or one.seconds > MAX_SECONDS or one.mebibytes > MAX_MEBIBYTES
    }
    assert not bad
    reasons = Counter(one.text.partition("cannot be read: ")[2][:40] for one in found.values())
    assert len(reasons) > 5  # the programs get far enough to be refused in many ways
