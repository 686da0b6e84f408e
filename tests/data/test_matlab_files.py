"""MATLAB files are read to the size that each of their elements declares, and numbers alone."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from maetheory.core import InputError
from maetheory.data import matlab_files
from maetheory.data.matlab_files import read_matlab

DATA = np.random.default_rng(0).integers(0, 256, (5, 3072), dtype=np.uint8)
HEADER = b"MATLAB 5.0".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49)


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content


def matrix(name: bytes, kind: int, content: bytes) -> bytes:
    """Return a matrix of 1 x 1 of one class of MATLAB with the given content."""
    flags, shape = element(6, struct.pack("<II", kind, 0)), element(5, struct.pack("<ii", 1, 1))
    return element(14, flags + shape + struct.pack("<II", 1, len(name)) + name.ljust(8, b"\0") + content)


def number(name: bytes) -> bytes:
    """Return a matrix that is one byte."""
    return matrix(name, 9, struct.pack("<II", 2, 1) + bytes([7]).ljust(8, b"\0"))


def compressed(content: bytes) -> bytes:
    return element(15, zlib.compress(content, 9))


def write(path: Path, *elements: bytes) -> Path:
    path.write_bytes(HEADER + b"".join(elements))
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32, np.float64, np.uint64, np.complex128])
def test_arrays_of_numbers_are_those_that_were_written(kind: Any, packed: bool, tmp_path: Path) -> None:
    written: dict[str, Any] = {"data": DATA.astype(kind), "empty": np.zeros((0, 3), kind)}
    others = {"label": "training batch 1", "names": np.array(["a", "b"], object), "structure": {"a": 1}}
    savemat(tmp_path / "a.mat", written | others, do_compression=packed)
    found = read_matlab(tmp_path / "a.mat")
    for name, array in written.items():
        np.testing.assert_array_equal(found[name], array)
    assert not others.keys() & found.keys()


def test_no_more_is_unpacked_than_an_element_declares(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mat", *(compressed(number(name) + bytes(2**26)) for name in (b"data", b"more")))
    assert path.stat().st_size < 2**18
    tracemalloc.start()
    try:
        assert read_matlab(path).keys() >= {"data", "more"}
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


def test_elements_together_declare_no_more_than_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    savemat(tmp_path / "a.mat", {"data": np.zeros((5, 3072), np.uint8), "more": np.zeros(3072)}, do_compression=True)
    monkeypatch.setattr(matlab_files, "MAX_BYTES", 5 * 3072 + 8 * 3072 + 200)
    assert read_matlab(tmp_path / "a.mat")["more"].shape == (1, 3072)
    monkeypatch.setattr(matlab_files, "MAX_BYTES", 5 * 3072 + 8 * 3072)
    with pytest.raises(InputError, match=r"a\.mat is no whole MATLAB file \(an element declares 246.. bytes where"):
        read_matlab(tmp_path / "a.mat")


def test_cells_in_cells_are_not_followed(tmp_path: Path) -> None:
    nested = number(b"data")
    for _ in range(3000):
        nested = matrix(b"", 1, nested)
    assert not {"data", ""} & read_matlab(write(tmp_path / "a.mat", nested, compressed(nested))).keys()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:100],
        lambda content: content[:-9],
        lambda content: content[:126] + b"XX" + content[128:],
        lambda content: content + b"1234",
        lambda content: content + struct.pack("<II", 15, 2**31),
        lambda content: content + element(15, b"no stream of zlib"),
        lambda content: content + compressed(struct.pack("<II", 14, 1000)),
        lambda content: content + matrix(b"x", 9, struct.pack("<II", 2, 2**31)),
        lambda content: content + matrix(b"x", 9, b""),
    ],
)
def test_damage_is_one_sentence(damage: Any, tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"data": DATA})
    whole = (tmp_path / "a.mat").read_bytes()
    (tmp_path / "a.mat").write_bytes(damage(whole))
    with pytest.raises(InputError, match=r"a\.mat is no whole MATLAB file"):
        read_matlab(tmp_path / "a.mat")
