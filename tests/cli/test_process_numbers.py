"""Numbers of devices, nodes and workers that this machine does not have are one sentence, before anything starts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment

from maetheory.cli import run_command
from maetheory.core import InputError, memory, processes
from maetheory.data import FolderStream
from maetheory.experiments.options import TrainingOptions
from maetheory.experiments.parallel_runs import check_workers, run_jobs_in_parallel
from maetheory.training import make_fabric


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two cores and much memory, on which no process starts."""
    monkeypatch.setattr(processes, "available_cores", lambda: 2)
    monkeypatch.setattr(memory, "available_memory", lambda: 10**15)
    for name in ("TORCHELASTIC_RUN_ID", "LOCAL_RANK", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)

    def started(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr(Fabric, "launch", started)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "--devices", "1000"], "1000 devices are more than the 8 that this machine can run at once (2 CPU"),
        (["train", "--devices", "9", "--strategy", "fsdp"], "9 devices are more than the 8 that"),
        (["train", "--devices", "1025"], "it must be at most 1,024"),
        (["train", "--nodes", "2"], "this machine is 1 node, but nodes is 2, and nothing starts the others"),
        (["train", "--nodes", "1000", "--devices", "1000"], "this machine is 1 node, but nodes is 1000"),
        (["reproduce", "--workers", "9"], "9 workers are more than the 8 that this machine can run at once (2 CPU"),
        (["reproduce", "--workers", "100000"], "it must be at most 1,024"),
        (["reproduce", "--workers", "0"], "--workers"),
    ],
)
def test_more_than_this_machine_has_is_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    accelerator = ["--accelerator", "cpu"] if words[0] == "train" else []
    assert run_command([*words, *accelerator, "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert sentence in captured.err
    assert not out.exists()


def test_as_many_as_the_cores_carry_are_allowed() -> None:
    assert make_fabric("cpu", 8).world_size == 8
    check_workers(8)
    check_workers(None)


def test_jobs_and_decoding_workers_have_the_same_bound(tmp_path: Path) -> None:
    for refused in (
        lambda: run_jobs_in_parallel([], workers=9),
        lambda: TrainingOptions(workers=9).check(None),  # type: ignore[arg-type]  # refused before it is looked at
        lambda: FolderStream(tmp_path, workers=9),
    ):
        with pytest.raises(InputError, match="9 workers are more than the 8 that this machine can run at once"):
            refused()


def test_nodes_that_something_else_starts_are_its_affair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "10.0.0.1")
    assert make_fabric("cpu", 2, 2).world_size == 4
    monkeypatch.setenv("LOCAL_RANK", "0")  # whoever started this process started the others too
    assert LightningEnvironment().creates_processes_externally
    assert make_fabric("cpu", 9).world_size == 9


@pytest.mark.parametrize("value", ["", "0", "-1", "two", "1e3", "٣", "9" * 5000])
def test_a_damaged_number_of_torchrun_is_one_sentence(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", value)
    monkeypatch.setenv("WORLD_SIZE", "1")
    with pytest.raises(InputError, match="LOCAL_WORLD_SIZE"):
        make_fabric("cpu")
