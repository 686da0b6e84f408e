"""Files of features that lie about what they hold are one sentence, at a cost that their size bounds."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from maetheory.core import InputError
from maetheory.data import npy_headers
from maetheory.evaluation.features.feature_files import read_feature_file

Z = np.random.default_rng(0).standard_normal((12, 5)).astype(np.float32)


def npy(header: str, numbers: bytes = bytes(384)) -> bytes:
    encoded = header.encode("latin-1")
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(encoded)) + encoded + numbers


def header(kind: str = "'<f8'", shape: str = "(12, 4)") -> str:
    return f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        header()[:-20],  # NumPy raises TokenError
        "'''abc",
        "  {\n x",
        "1" + "+1" * 4000,  # RecursionError
        "(" * 9000,
        header("()"),  # IndexError
        header(shape=f"({10**23}, 3)"),  # OverflowError
        header(shape="(-4, 3)"),
        header(shape="(True, 4)"),  # TypeError
        header("'|V0'", f"({10**18},)"),  # endless
        header("'|S0'", f"({10**18}, 2)"),
        header("'|O'"),
    ],
    ids=lambda text: text[:40],
)
def test_a_header_that_lies_is_one_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy(text))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("z.npy", npy(text))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(InputError, match=f"{name} is no whole .np[yz] file of plain numbers|passes 8 GiB"):
            read_feature_file(tmp_path / name)


def test_of_several_arrays_only_headers_are_read_before_one_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "a.npz", z0=Z, z1=Z, z2=Z, z3=Z)
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("an array was unpacked"))
    with pytest.raises(InputError, match=r"several arrays that could be features, z0 \(12, 5\), z1 \(12, 5\), "):
        read_feature_file(tmp_path / "a.npz")


def test_a_header_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    declared = b"\x93NUMPY\x02\x00" + struct.pack("<I", npy_headers.MAX_HEADER_BYTES + 1) + b" " * 2**20
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("z.npy", declared)
    with pytest.raises(InputError, match="header of 10001 bytes is longer than 10000"):
        read_feature_file(tmp_path / "a.npz")


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2])
def test_narrow_floats_are_read_as_float32(kind: torch.dtype, tmp_path: Path) -> None:
    narrow = torch.from_numpy(Z).to(kind)
    for content in (narrow, {"features": narrow}, [narrow[:6], narrow[6:]]):
        torch.save(content, tmp_path / "z.pt")
        np.testing.assert_array_equal(read_feature_file(tmp_path / "z.pt").features.rows, narrow.float().numpy())


def test_wide_features_whose_moments_memory_does_not_hold_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(torch.from_numpy(Z), tmp_path / "z.pt")
    for n_bytes in (16 * 5**2 - 1, 16 * 5**2):
        monkeypatch.setattr("maetheory.core.memory.available_memory", lambda n=n_bytes: n)
        if n_bytes == 16 * 5**2:
            assert read_feature_file(tmp_path / "z.pt").features.rows.shape == (12, 5)
            return
        with pytest.raises(
            InputError, match=r"the second moments of 5 dimensions in .*z\.pt would take about 4e-07 GB"
        ):
            read_feature_file(tmp_path / "z.pt")
