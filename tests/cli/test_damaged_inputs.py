"""Damaged files of every kind end as a possible value or one sentence, in bounded time and memory."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from damage import made_by_grammar, mutated
from file_readers import READERS, write_small_run
from isolated_reading import Outcome, read_isolated
from sample_files import hugging_face_folder, samples

MAX_SECONDS, MAX_MEBIBYTES = 5.0, 600.0
N_DAMAGED = 2000


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[bytes]]]:
    """A folder with a whole run and a whole Hugging Face model, and whole files of every kind."""
    work = tmp_path_factory.mktemp("damaged")
    write_small_run(work / "run")
    hugging_face_folder(work / "hugging_face")
    recipe = json.loads((work / "run" / "step-00000012" / "config.json").read_text())
    return work, samples(work / "run", work / "hugging_face", recipe)


def share(kind: str, total: int) -> int:
    """Return how many files of a kind are damaged: twice as many of those that are read most."""
    units = {name: 2 if name == "checkpoint" else 1 for name in READERS}
    return -(-total * units[kind] // sum(units.values()))  # rounded up


def damaged_files(kind: str, whole_files: list[bytes], number: int) -> dict[str, bytes]:
    """Return whole files (w…), mutations of bytes (m…) and files by the grammar (g…) by name; the seeds are fixed."""
    named = {f"w{i:05d}": content for i, content in enumerate(whole_files)}
    for seed in range(number):
        content = whole_files[seed % len(whole_files)]
        named[f"m{seed:05d}"] = mutated(content, np.random.default_rng([seed, 1]))
        named[f"g{seed:05d}"] = made_by_grammar(kind, content, seed)
    # The ending decides how an array file is read; of the others it is nothing.
    return {name + (".npz" if content.startswith(b"PK") else ".npy"): content for name, content in named.items()}


def faults(found: dict[str, Outcome]) -> dict[str, Outcome]:
    """Return the outcomes that are none of those allowed."""
    return {
        name: one
        for name, one in found.items()
        if not one.text.startswith(("read", "refused: ")) or one.seconds > MAX_SECONDS or one.mebibytes > MAX_MEBIBYTES
    }


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_damaged_files_are_possible_values_or_one_sentence(whole: tuple[Path, dict[str, list[bytes]]]) -> None:
    """Every kind of file: whole ones, 2000 mutations of bytes and 2000 files by the grammar; the totals are printed."""
    work, whole_files = whole
    files = {kind: damaged_files(kind, whole_files[kind], share(kind, N_DAMAGED)) for kind in READERS}
    found = read_isolated(files, work / "files")
    totals: Counter[str] = Counter()
    for kind, ends in found.items():
        for letter, how in (("w", "whole"), ("m", "mutations of bytes"), ("g", "by the grammar")):
            some = [one for name, one in ends.items() if name.startswith(letter)]
            counts = dict(Counter(one.text.partition(":")[0] for one in some))
            seconds, size = max(one.seconds for one in some), max(one.mebibytes for one in some)
            print(f"{kind}: {len(some)} {how}: {counts}, at most {seconds:.1f} s and {size:.0f} MiB")
            totals[how] += len(some)
    print(dict(totals))
    assert not {f"{kind} {name}": one for kind in READERS for name, one in faults(found[kind]).items()}
    assert all(one.text == "read" for ends in found.values() for name, one in ends.items() if name.startswith("w"))
    assert min(totals["mutations of bytes"], totals["by the grammar"]) >= N_DAMAGED
