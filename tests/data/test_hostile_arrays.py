"""Headers, archives and pickles of images that lie are one sentence, at a cost that their size bounds."""

from __future__ import annotations

import io
import os
import pickle
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from maetheory.core import InputError, memory
from maetheory.data import load_images, plain_pickles
from maetheory.data.idx_files import read_idx
from maetheory.data.plain_pickles import MAX_NAME_LENGTH, read_plain_pickle


def npy(header: str, pixels: bytes = bytes(384)) -> bytes:
    encoded = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(encoded)) + encoded + pixels


def npz(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def header(shape: str = "(6, 8, 8)", kind: str = "'|u1'") -> str:
    return f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}"


LYING_HEADERS = [
    header("(99999999999, 99999999999)"),
    header("(-6, 8, 8)"),
    header("(6, 8, 8), 1"),
    header("(True, 8, 8)"),
    header("(1e9,)"),
    header("(-1, -384)"),
    header(f"({10**23}, 3)"),
    header("(10**18,)"),
    header(f"({10**18},)", "'|V0'"),
    header(f"({10**18},)", "'|S0'"),
    header(kind="()"),
    header(kind="('<f8', (-1,))"),
    header()[:-20],
    "{'descr'\x00",
    "1" + "+1" * 4000,
    header(kind="'|O'"),
    header(kind="5"),
    "(" * 150 + ")" * 150,
    "(" * 9000 + ")" * 9000,
    "-" * 9000 + "1",
    "not " * 2000 + "1",
    "{" * 9000,
    "'" + "a" * 9000,
    "9" * 9000,
]


@pytest.mark.parametrize("text", LYING_HEADERS, ids=lambda text: text[:30])
def test_a_header_that_lies_is_one_sentence(text: str, tmp_path: Path) -> None:
    for name, content in (("a.npy", npy(text)), ("a.npz", npz(images=npy(text)))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"{name} is no whole|{name} (holds|needs)|pass(es)? 8 GiB|images need"):
            load_images(tmp_path / name)


def test_an_archive_that_unpacks_to_more_than_is_free_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.npz"
    path.write_bytes(npz(images=npy(header("(65536, 8, 8)"), bytes(2**22))))
    assert path.stat().st_size < 2**14
    assert len(load_images(path)) == 65_536
    monkeypatch.setattr(memory, "available_memory", lambda: 2**22 - 1)
    with pytest.raises(InputError, match=r"the array images of shape \(65536, 8, 8\) would take about 0.0042 GB"):
        load_images(path)


@pytest.mark.parametrize(("n_axes", "word"), [(4, "is truncated"), (5, "5 axes"), (255, "255 axes")])
def test_an_index_file_has_the_axes_of_images(n_axes: int, word: str, tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(bytes([0, 0, 8, n_axes]) + struct.pack(">I", 1) * n_axes)
    with pytest.raises(InputError, match=word):
        read_idx(path)


DOUBLED = b")" + b"2\x86" * 64  # DUP is no opcode of plain values, so it is refused itself
FETCHED = b")\x94" + b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86\x94" for i in range(64))


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word)) + word.encode()


def calls(name: str, often: int = 20_000) -> bytes:
    """Return a list of calls with one text of a million characters."""
    note = text("noted") + text("a" * 10**6) + b"\x94"
    module, _, function = name.rpartition(".")
    call = text(module) + text(function) + b"\x93h\x00\x85R"
    return b"\x80\x04}(" + note + text("data") + b"](" + call * often + b"eu."


HOSTILE = {
    "doubled as data type": b"\x80\x04}("
    + text("noted")
    + b"]("
    + FETCHED
    + b"e"
    + text("data")
    + text("numpy")
    + text("dtype")
    + b"\x93h\x40\x85Ru.",
    "duplicated": b"\x80\x04}(" + text("a") + DOUBLED + b"u.",
    "a text encoded again and again": calls("_codecs.encode"),
    "a long name": b"\x80\x04}(" + text("a") + text("a" * (MAX_NAME_LENGTH + 1)) + text("b") + b"\x93u.",
    "many values": b"\x80\x04}(" + text("a") + b"](" + b"]" * 5000 + b"eu.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_cost_of_a_pickle_is_bounded(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_pickles, "MAX_STEPS", 100_000 if name.startswith("a text") else 5000)
    path = tmp_path / "data_batch_1"
    path.write_bytes(HOSTILE[name])
    words = {"doubled as data type": r"whole numbers, not \(\(", "many values": "more than 5000 steps"}
    words |= {"a text encoded again and again": "again and again", "a long name": "a name of 101 characters"}
    begin = time.process_time()
    with pytest.raises(InputError, match=words.get(name, "is no whole pickle of plain values")):
        read_plain_pickle(path)
    assert time.process_time() - begin < 20


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_whole_pickles_stay_within_their_budget(protocol: int, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 3072), dtype=np.uint8)
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps({b"data": images, b"labels": list(range(50))}, protocol))
    np.testing.assert_array_equal(read_plain_pickle(path)["data"], images)
    all_high = np.full((50, 3072), 255, np.uint8)  # whose text takes two bytes for each
    path.write_bytes(pickle.dumps({b"data": np.zeros_like(images), b"more": all_high}, protocol))
    np.testing.assert_array_equal(read_plain_pickle(path)["more"], all_high)


@pytest.mark.timeout(20)
def test_a_pipe_is_no_pickle(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "data_batch_1")
    with pytest.raises(InputError, match="not an ordinary file"):
        read_plain_pickle(tmp_path / "data_batch_1")


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_header_is_no_longer_than_numpy_writes_it(suffix: str, tmp_path: Path) -> None:
    declared = b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b" " * 2**20
    path = tmp_path / f"a{suffix}"
    path.write_bytes(declared if suffix == ".npy" else npz(images=declared))
    with pytest.raises(InputError, match="header of 4294967295 bytes is longer than 10000"):
        load_images(path)


def test_only_what_numpy_packs_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("images.npy", npy(header()))
    with pytest.raises(InputError, match="packed in a way that NumPy does not use"):
        load_images(tmp_path / "a.npz")


def test_headers_of_every_version_are_read(tmp_path: Path) -> None:
    pixels = np.arange(6 * 8 * 8, dtype=np.uint8).reshape(6, 8, 8)
    for version in ((1, 0), (2, 0), (3, 0)):
        with (tmp_path / "a.npy").open("wb") as file:
            np.lib.format.write_array(file, pixels, version)
        np.savez(tmp_path / "a.npz", images=pixels)
        for name in ("a.npy", "a.npz"):
            np.testing.assert_array_equal(load_images(tmp_path / name).images[:, 0], pixels)
