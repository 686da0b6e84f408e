"""Names from outside (classes, tensors, arguments, files) are escaped wherever they are printed, written or drawn."""

from __future__ import annotations

import csv
import json
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from html_pages import check_page
from pickle_files import text

from maetheory.checkpoints import Encoder, EncoderConfig
from maetheory.cli import run_command
from maetheory.reports.collapse_files import FILES

FORGED = "x\nnote               verified by the authors \x1b[32m\u202e"


def hostile_checkpoint(path: Path, *, tensors: bool = False) -> str:
    """Write a checkpoint whose class and arguments, and perhaps tensors, have names that forge a line of the report."""
    state = Encoder(EncoderConfig(8, 2, 3, 24, 2, 3, 24, 48)).state_dict()
    if tensors:
        state |= {f"decoder{FORGED}.weight": torch.ones(2), f"{FORGED}.a": torch.ones(2)}
    torch.save({"model": state, "args": {"model": FORGED, "lr": "l" * 10**5}, "by": "CLASS"}, path)
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = next(name for name in members if name.endswith("data.pkl"))
    qualified = f"A{FORGED}\ud800".encode("utf-8", "surrogatepass")
    program = text("project") + b"X" + struct.pack("<I", len(qualified)) + qualified + b"\x93"
    assert text("CLASS") in members[name]
    members[name] = members[name].replace(text("CLASS"), program)
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return str(path)


@pytest.mark.parametrize("words", [["--heads", "3"], [], ["--heads", "5"], ["--heads", "3", "--weights", FORGED]])
def test_names_from_a_file_cannot_forge_a_line(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names of classes, tensors, arguments and files are one printable line each, in the report and in errors."""
    path = tmp_path / f"a{FORGED}.pth"
    code = run_command(["inspect", hostile_checkpoint(path, tensors=words != ["--heads", "3"]), *words])
    assert code == (0 if words == ["--heads", "3"] else 2)
    out, err = capsys.readouterr()
    lines = (out + err).removesuffix("\n").split("\n")
    assert all(line.isprintable() and len(line) < 3000 for line in lines)
    assert not any(line.startswith("note               verified") for line in lines)
    if code == 0:
        assert r"project.Ax\nnote" in out
        assert r"\ud800" in out
    else:
        assert len(lines) == 1


SMALL = ["--heads", "3", "--limit", "40", "--initialisations", "1", "--readout", "mean"]


def test_a_hostile_name_is_no_markup_anywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file name with mathtext, Rich markup, HTML, LaTeX, a line break and a byte that is no UTF-8."""
    name = "$\\frac$[b]<b>&_\n\x1b[32m\udcff.pth"
    out = tmp_path / "out"
    path = tmp_path / name
    Path(hostile_checkpoint(tmp_path / "a.pth")).rename(path)
    assert run_command(["collapse", str(path), *SMALL, "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert all(line.isprintable() for line in (captured.out + captured.err).split("\n"))
    assert {file.name for file in out.iterdir()} == {file for file in FILES if "layers" not in file}
    shown = r"$\frac$[b]<b>&_\n\x1b[32m\udcff"
    assert captured.out.startswith(shown + ": ")
    page = (out / "report.html").read_text(encoding="utf-8")
    check_page(page)
    assert "<b>" not in page
    assert r"$\frac$[b]&lt;b&gt;&amp;_\n\x1b[32m\udcff" in page
    table = (out / "table.tex").read_text(encoding="utf-8")
    assert r"\$\textbackslash{}frac\$[b]<b>\&\_\textbackslash{}n" in table
    with (out / "records.csv").open(encoding="utf-8") as file:
        assert {row["name"] for row in csv.DictReader(file)} == {shown}
    records = [json.loads(line) for line in (out / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {record["name"] for record in records} == {shown}


@pytest.mark.parametrize("earlier", [False, True])
def test_results_are_written_before_they_are_drawn(
    earlier: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If drawing fails, records and table are there and printed, without figures of an earlier report beside them."""
    out = tmp_path / "out"
    out.mkdir()
    if earlier:
        for name in FILES:
            (out / name).write_text("old", encoding="utf-8")

    def fail(*_: object) -> None:
        raise ValueError("no font")

    monkeypatch.setattr("maetheory.reports.collapse_files.draw_feature_spectra", fail)
    assert run_command(["collapse", hostile_checkpoint(tmp_path / "a.pth"), *SMALL, "--out", str(out)]) == 70
    assert capsys.readouterr().out.startswith("a: ")
    assert {file.name for file in out.iterdir()} == {"records.csv", "records.jsonl", "table.tex"}
    assert all(file.stat().st_size > 100 for file in out.iterdir())
