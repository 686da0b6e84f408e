"""`reproduce --device` decides where every model of an experiment is trained, measured, fine-tuned and drawn."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from maetheory import training
from maetheory.cli import run_command
from maetheory.evaluation import FinetuneConfig
from maetheory.experiments import EXPERIMENTS, reproduce
from maetheory.experiments.parallel_runs import run_jobs_in_parallel
from maetheory.experiments.studies.objectives import objective_cells

ROOMS = ("models", "train", "finetune", "reproduction")


@pytest.mark.slow
def test_every_model_runs_on_the_device_that_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def recorded(room: str) -> Any:
        def make(accelerator: str = "auto", *rest: Any, **options: Any) -> Any:
            asked.append((room, accelerator))
            return training.make_fabric("cpu", *rest, **options)

        return make

    for room in ROOMS:
        monkeypatch.setattr(sys.modules[f"maetheory.experiments.{room}"], "make_fabric", recorded(room))
    digits = EXPERIMENTS["digits"]
    recipe = replace(digits.cells[0].recipe, epochs=1, batch=32, warmup_epochs=0.5)
    small = replace(
        digits,
        cells=objective_cells(recipe, 0.1),
        seeds=(0,),
        train_limit=64,
        test_limit=48,
        finetune=FinetuneConfig(epochs=1, batch=32, warmup_epochs=0.5, mixup=0, cutmix=0),
    )
    reproduce(small, out=tmp_path, workers=1, finetuned=True, device="a device of its own")
    assert {device for _, device in asked} == {"a device of its own"}
    assert {room for room, _ in asked} == set(ROOMS)


@pytest.mark.parametrize(("device", "at_once"), [("auto", 1), ("cpu", 2)])
def test_a_gpu_is_shared_only_by_runs_that_use_it(device: str, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    workers: list[int] = []
    module = sys.modules[run_jobs_in_parallel.__module__]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(module, "available_cores", lambda: 2)
    monkeypatch.setattr(module, "_run_in_processes", lambda jobs, n, progress: workers.append(n))

    class Done:
        name, out = "done", Path()
        config = replace(EXPERIMENTS["digits"].cells[0].recipe, epochs=1)
        images = [0] * 8

        def finish(self, callbacks: Any, progress: Any) -> None:
            workers.append(1)

    run_jobs_in_parallel([Done(), Done()], device=device)  # type: ignore[list-item]  # a job that has nothing to do
    assert set(workers) == {at_once}


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_device_that_is_missing_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["reproduce", "--device", "cuda", "--out", str(tmp_path / "out")]) == 2
    output, error = capsys.readouterr()
    assert not output
    assert "this machine cannot train so (accelerator cuda" in error
    assert not (tmp_path / "out").exists()
