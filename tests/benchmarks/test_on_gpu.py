"""The dry run of the session on a GPU: every part runs, and a part that fails does not stop the next."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from maetheory.reports import read_ledger

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "on_gpu.py"


def run_script(*words: str, minutes: float = 8.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", str(SCRIPT), "--minutes", str(minutes), *words],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )


@pytest.mark.slow
def test_the_dry_run_writes_every_result(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.pth"
    damaged.write_bytes(b"no checkpoint")
    out = tmp_path / "out"
    done = run_script("--dry-run", "--out", str(out), "--checkpoint", str(damaged))
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in (out / "summary.md").read_text().splitlines() if line.startswith("| ")][1:]
    found = {row[0].removeprefix("| "): row[1] for row in rows}
    assert found["training_step"] == "train_step.log, roofline.log"
    assert "Hugging Face" in (out / "train_step.log").read_text()
    assert "memory grows like" in found["kernel_graph"]
    assert found["table1"].startswith("2 of 60 epochs")
    assert found["collapse"].startswith("failed")  # and the session went on
    assert "a dry run, whose numbers mean nothing" in (out / "summary.md").read_text()
    assert json.loads((out / "provenance.json").read_text())["device"]
    ledger = read_ledger(out / "ledger.jsonl")
    assert set(ledger.cell) == {"MAE", "U-MAE"}
    assert {"linear_probe", "fine_tuning"} <= set(ledger.metric)
    assert len(list(out.iterdir())) <= 8  # few files, so that they can be copied from another machine


@pytest.mark.slow
def test_time_that_is_over_is_said(tmp_path: Path) -> None:
    done = run_script("--dry-run", "--out", str(tmp_path / "out"), minutes=0.0)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("out of time: no time was left") == 4
    assert (tmp_path / "out" / "summary.md").read_text().count("out of time") == 4


def test_without_a_gpu_only_a_dry_run_starts(tmp_path: Path) -> None:
    done = run_script("--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "there is no GPU here; --dry-run tries every part with tiny sizes" in done.stderr
