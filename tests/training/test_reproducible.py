"""Repeated runs give the same bytes, also with two CPU threads."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from maetheory.core import provenance
from maetheory.data import ImageSet, load_images
from maetheory.models import preset
from maetheory.training import TrainConfig, TrainStep, load_run, train
from maetheory.training.checkpointing import list_checkpoints
from maetheory.training.reproducible import reproducible

CONFIG = TrainConfig(preset("digits"), uniformity_weight=0.1, epochs=2, batch=128, log_every=1)


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load_images("digits", limit=512)


@pytest.fixture
def two_threads() -> Iterator[None]:
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_run(out)[0].state_dict()


def same(a: Path, b: Path) -> bool:
    one, two = weights(a), weights(b)
    return all(torch.equal(one[name], two[name]) for name in one)


def stop_at(step: int) -> object:
    def stop(train_step: TrainStep) -> None:
        if train_step.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    return stop


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("objective", ["mae", pytest.param("simmim", marks=pytest.mark.slow)])
def test_two_runs_on_two_threads_give_the_same_bytes(tmp_path: Path, digits: ImageSet, objective: str) -> None:
    config = replace(CONFIG, objective=objective)
    for name in ("one", "two"):
        train(config, digits, out=tmp_path / name)
    assert same(tmp_path / "one", tmp_path / "two")
    logs = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("one", "two")]
    assert logs[0] == logs[1]


@pytest.mark.slow
@pytest.mark.usefixtures("two_threads")
def test_a_run_resumed_on_another_number_of_threads_is_the_uninterrupted_run(tmp_path: Path, digits: ImageSet) -> None:
    train(CONFIG, digits, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, digits, out=tmp_path / "cut", callbacks=[stop_at(3)])  # type: ignore[list-item]
    state = json.loads((list_checkpoints(tmp_path / "cut")[-1] / "state.json").read_text())
    assert state["threads"] == state["provenance"]["threads"] == 2
    torch.set_num_threads(1)
    train(CONFIG, digits, out=tmp_path / "cut", resume=True)
    assert torch.get_num_threads() == 1
    assert same(tmp_path / "whole", tmp_path / "cut")


def test_settings_of_torch_are_put_back() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), reproducible(torch.device("cpu"), 2):
        divmod(1, 0)
    with reproducible(torch.device("cpu"), 2):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.get_num_threads() == 2
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory
    assert torch.get_num_threads() == before


def test_other_devices_keep_their_settings() -> None:
    with reproducible(torch.device("meta")):
        assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.slow
@pytest.mark.usefixtures("two_threads")
def test_compiled_runs_on_two_threads_give_the_same_bytes(tmp_path: Path, digits: ImageSet) -> None:
    for name in ("one", "two"):
        train(CONFIG, digits, out=tmp_path / name, compiled=True)
    assert same(tmp_path / "one", tmp_path / "two")


def test_provenance_names_the_number_of_threads() -> None:
    assert provenance()["threads"] == torch.get_num_threads()
