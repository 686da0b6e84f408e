"""Randomly damaged files are read or refused with one sentence, and never end otherwise."""

from __future__ import annotations

import argparse
import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from pickle_files import zipped
from safetensors.torch import save
from torch import nn

from maetheory.checkpoints.reading.checkpoint import read_checkpoint
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError


class Seed:
    """Bytes to damage, and the function that turns them into a file."""

    def __init__(self, content: bytes, whole: Callable[[bytes], bytes] = bytes) -> None:
        self.content, self.whole = content, whole


def unzipped(file: bytes) -> tuple[bytes, dict[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        records = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    return records.pop("data.pkl"), {name: content for name, content in records.items() if name != "version"}


def saved(value: object, **options: object) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the source of a class is not found
        torch.save(value, file, **options)
    return file.getvalue()


def seeds() -> dict[str, Seed]:
    """Return small valid files; of zip archives also the pickle alone, because a checksum detects damage in a zip."""
    tree = {
        "model": {"w": torch.arange(6.0).reshape(2, 3).T, "b": torch.ones(2, dtype=torch.bfloat16)},
        "args": argparse.Namespace(lr=0.1, path=Path("a")),
        "array": np.arange(3),
        "scalar": np.float32(1),
        "epoch": 3,
    }
    module = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))
    old = {"_use_new_zipfile_serialization": False}
    found = {
        "zip": Seed(saved(tree)),
        "legacy": Seed(saved(tree, **old)),
        "legacy module": Seed(saved(module, **old)),
        "protocol 4": Seed(saved(tree, pickle_protocol=4)),
        "safetensors": Seed(save({"a": torch.ones(3), "b": torch.ones(2, 2)})),
    }
    for name, value, protocol in (("tree", tree, 2), ("module", module, 2), ("newer tree", tree, 4)):
        program, records = unzipped(saved(value, pickle_protocol=protocol))
        found[f"program of a {name}"] = Seed(program, lambda content, records=records: zipped(content, records))
    return found


def damaged(content: bytes, donor: bytes, rng: np.random.Generator) -> bytes:
    """Return a file with flipped bits, cut off, or with a part replaced, doubled or removed."""
    data, kind = bytearray(content), rng.integers(5)
    at, length = int(rng.integers(len(data))), int(rng.integers(1, 40))
    if kind == 0:
        for place in rng.integers(len(data), size=rng.integers(1, 4)):
            data[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        start = int(rng.integers(len(donor)))
        data[at : at + length] = donor[start : start + length]
    elif kind == 3:
        data[at:at] = data[at : at + length]
    else:
        data[at : at + length] = rng.bytes(int(rng.integers(length + 1)))
    return bytes(data)


def outcomes(number: int, seed: int, file: Path) -> Iterator[str]:
    rng, good = np.random.default_rng(seed), list(seeds().values())
    for i in range(number):
        chosen, donor = good[i % len(good)], good[int(rng.integers(len(good)))]
        content = chosen.content
        for _ in range(int(rng.integers(1, 4))):
            content = damaged(content, donor.content, rng) or b"\0"
        file.write_bytes(chosen.whole(content))
        try:
            assert isinstance(read_checkpoint(file), CheckpointContents)
            yield "read"
        except InputError as error:
            yield "refused" if "\n" not in str(error) else str(error)


@pytest.mark.parametrize("name", list(seeds()))
def test_undamaged_files_are_read(name: str, tmp_path: Path) -> None:
    seed = seeds()[name]
    (tmp_path / "a.pt").write_bytes(seed.whole(seed.content))
    assert read_checkpoint(tmp_path / "a.pt").tree


@pytest.mark.parametrize(
    ("number", "seed"), [(400, 0), pytest.param(20_000, 1, marks=[pytest.mark.slow, pytest.mark.timeout(300)])]
)
def test_damage_is_one_sentence(number: int, seed: int, tmp_path: Path) -> None:
    """Every damaged file is either read or refused with one sentence."""
    found = list(outcomes(number, seed, tmp_path / "a.pt"))
    assert len(found) == number
    assert {"read", "refused"} == set(found)
