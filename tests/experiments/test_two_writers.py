"""Two commands in one folder at once: one works, the other is refused; a closed terminal saves the run."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from maetheory.training import load_run
from maetheory.training.logbook import read_log

COMMAND = [sys.executable, "-W", "ignore", "-m", "maetheory"]
TRAIN = ["train", "--limit", "256", "--batch", "64", "--warmup-epochs", "1", "--accelerator", "cpu"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def start(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "arguments",
    [[*TRAIN, "--epochs", "100000", "--resume"], ["reproduce", "--epochs", "10000", "--seed", "0", "--workers", "2"]],
    ids=["train", "reproduce"],
)
def test_of_two_at_once_one_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    """The work is longer than any start of a program, and ends by Ctrl-C once the other process was refused."""
    out = tmp_path / "run"
    both = [start([*arguments, "--out", str(out)]) for _ in range(2)]
    deadline = time.monotonic() + 600
    while all(process.poll() is None for process in both):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    refused, winner = sorted(both, key=lambda process: process.poll() is None)
    error = refused.communicate(timeout=60)[1]
    assert refused.returncode == 2, error
    assert re.search(rf"process {winner.pid} on \S+ is writing {re.escape(str(out))}; wait until", error)
    while not any(map(read_log, out.rglob("metrics.jsonl"))):
        assert time.monotonic() < deadline
        assert winner.poll() is None, winner.communicate()
        time.sleep(0.05)
    winner.send_signal(signal.SIGINT)
    error = winner.communicate(timeout=300)[1]
    assert winner.returncode == 130, error
    assert "go on with: maetheory" in error
    for log in out.rglob("metrics.jsonl"):
        steps = [record["step"] for record in read_log(log)]
        assert steps == sorted(set(steps))
    assert not [path for path in out.rglob(".*")]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_run_leaves_a_folder_that_the_next_one_takes(tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start([*TRAIN, "--epochs", "100000", "--out", str(out)])
    wait_for_log(out, process)
    process.kill()
    process.communicate()
    assert [path.name for path in out.glob(".*")] == [".maetheory.lock"]
    second = start([*TRAIN, "--epochs", "1", "--out", str(out)])
    _, error = second.communicate(timeout=300)
    assert second.returncode == 0, error
    assert not list(out.glob(".*"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_closed_terminal_saves_the_run(tmp_path: Path) -> None:
    out = tmp_path / "run"
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(COMMAND[0], [*COMMAND, *TRAIN, "--epochs", "100000", "--out", str(out)], ENVIRONMENT)
    deadline = time.monotonic() + 300
    os.set_blocking(terminal, False)
    while not (out / "metrics.jsonl").exists() or not read_log(out / "metrics.jsonl"):
        assert time.monotonic() < deadline
        try:
            os.read(terminal, 10_000)
        except BlockingIOError:
            time.sleep(0.05)
    os.close(terminal)  # the system sends SIGHUP to the process of this terminal
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert load_run(out)[2] >= 1
    assert not list(out.glob(".*"))


def wait_for_log(out: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    while not read_log(out / "metrics.jsonl"):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_saves_the_run(tmp_path: Path, name: str) -> None:
    out = tmp_path / "run"
    process = start([*TRAIN, "--epochs", "100000", "--out", str(out)])
    wait_for_log(out, process)
    process.send_signal(getattr(signal, name))
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "go on with: maetheory train" in error
    assert load_run(out)[2] >= 1
