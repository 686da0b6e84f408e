"""An experiment killed while it trained, and again while it measured, ends with the ledger of one that was not."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maetheory.training.logbook import read_log

SCRIPT = """
import sys, torch
torch.set_num_threads(1)
from dataclasses import replace
from maetheory.experiments import experiment, run
from maetheory.experiments.studies.objectives import objective_cells
digits = experiment("digits")
recipe = replace(digits.cells[0].recipe, epochs=4, batch=64, warmup_epochs=1, log_every=1, save_seconds=0.0)
cells = objective_cells(recipe, 0.1)
small = replace(digits, cells=cells, seeds=(0,), train_limit=256, test_limit=96, monitor_epochs=2)
run(small, out=sys.argv[1], workers=1)
"""
CELLS, STEPS = 3, 16


def start(out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", SCRIPT, str(out)])


def killed_when(out: Path, reached: Callable[[], bool]) -> None:
    process, deadline = start(out), time.monotonic() + 240
    while not reached():
        assert time.monotonic() < deadline
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    process.kill()
    process.wait()


def steps(out: Path, run: str) -> int:
    return len(read_log(out / "runs" / run / "metrics.jsonl"))


def records(out: Path) -> list[dict[str, Any]]:
    ledger = out / "ledger.jsonl"
    lines = [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []
    return [{name: value for name, value in line.items() if name != "provenance"} for line in lines]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_in_training_and_in_measuring_is_the_uninterrupted_one(tmp_path: Path) -> None:
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    killed_when(cut, lambda: steps(cut, "u-mae-seed0") >= 5)
    assert steps(cut, "mae-seed0") == STEPS
    assert steps(cut, "u-mae-seed0") < STEPS
    assert not records(cut)
    killed_when(cut, lambda: len({record["cell"] for record in records(cut)}) >= 1)
    assert len({record["cell"] for record in records(cut)}) < CELLS
    for out in (cut, whole):
        assert start(out).wait(timeout=240) == 0
    assert records(cut) == records(whole)
    assert len({record["cell"] for record in records(whole)}) == CELLS
    logs = [sorted((out / "runs").glob("*/metrics.jsonl")) for out in (cut, whole)]
    assert [log.read_text() for log in logs[0]] == [log.read_text() for log in logs[1]]
