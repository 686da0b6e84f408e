"""Runs side by side are the runs one after the other, also when they are stopped or lose their parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from maetheory.core import InputError
from maetheory.data import load_images
from maetheory.experiments.parallel_runs import run_jobs_in_parallel
from maetheory.experiments.presets import DIGITS
from maetheory.experiments.train import TrainingJob
from maetheory.training import load_run
from maetheory.training.logbook import read_log


def jobs(out: Path, **changes: object) -> list[TrainingJob]:
    images = load_images("digits", limit=128)
    recipe = replace(DIGITS, epochs=4, batch=64, warmup_epochs=1, **changes)  # type: ignore[arg-type]
    recipes = [recipe, replace(recipe, uniformity_weight=0.1), replace(recipe, seed=1)]
    return [TrainingJob(f"run {i}", each, images, images.limit(32), out / str(i), 2) for i, each in enumerate(recipes)]


def weights(out: Path) -> list[torch.Tensor]:
    return [value for i in range(3) for value in load_run(out / str(i))[0].state_dict().values()]


def test_two_at_once_are_one_after_the_other(tmp_path: Path) -> None:
    told = []
    run_jobs_in_parallel(jobs(tmp_path / "one"), workers=1, progress=lambda done, total, _: told.append((done, total)))
    assert told[-1] == (24, 24)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    told.clear()
    run_jobs_in_parallel(jobs(tmp_path / "two"), workers=2, progress=lambda done, total, _: told.append((done, total)))
    assert told[-1][0] <= 24
    assert all(torch.equal(a, b) for a, b in zip(weights(tmp_path / "one"), weights(tmp_path / "two"), strict=True))
    logs = [read_log(tmp_path / name / "0" / "metrics.jsonl") for name in ("one", "two")]
    assert logs[0] == logs[1]
    assert [line["step"] for line in logs[0] if "effective_rank" in line] == [1, 4, 8]


@pytest.mark.slow
def test_a_run_that_fails_stops_the_others_with_its_sentence(tmp_path: Path) -> None:
    (tmp_path / "1").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        run_jobs_in_parallel(jobs(tmp_path), workers=2)


def test_workers_below_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="workers must be at least 1"):
        run_jobs_in_parallel(jobs(tmp_path), workers=0)


@pytest.mark.slow
def test_interrupted_early_no_run_goes_on_and_none_begins(tmp_path: Path) -> None:
    """Also runs whose process is still starting, or which wait for one, heed Ctrl-C."""
    many = [replace(job, config=replace(job.config, epochs=100_000)) for job in jobs(tmp_path)]

    def interrupt(done: int, total: int, message: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="every run is saved"):
        run_jobs_in_parallel(many, workers=2, progress=interrupt)


SCRIPT = """
import sys
from maetheory.cli import run
if __name__ == "__main__":
    sys.exit(run(["reproduce", "--epochs", "6", "--out", sys.argv[1], "--json"]))
"""


def begun(script: Path, out: Path) -> subprocess.Popen[str]:
    """Start `reproduce` and return once two runs are under way."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", str(script), str(out)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    while sum(bool(read_log(log)) for log in out.glob("runs/*/metrics.jsonl")) < min(2, os.cpu_count() or 1):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    return process


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("how", ["interrupt parent", "interrupt all", "kill"])
def test_stopped_and_resumed_reproduce_is_the_uninterrupted_one(tmp_path: Path, how: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    process = begun(script, tmp_path / "cut")
    if how == "kill":
        process.kill()
        process.wait()
    else:
        (os.kill if how == "interrupt parent" else os.killpg)(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=240)
        assert process.returncode == 130
        assert "every run is saved; go on with: maetheory reproduce" in err.strip().splitlines()[-1]
    deadline = time.monotonic() + 240
    while subprocess.run(["pgrep", "-g", str(process.pid)], capture_output=True, check=False).returncode == 0:
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.2)
    values = []
    for out in ("cut", "whole"):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(script), str(tmp_path / out)],
            capture_output=True,
            text=True,
            check=True,
            timeout=800,
        )
        ledger = json.loads(done.stdout)["ledger"]
        values.append({(r["objective"], r["seed"], r["readout"], r["metric"]): r["value"] for r in ledger})
    assert values[0] == values[1]
