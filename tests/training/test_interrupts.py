"""Signals that end a program let the step finish and a checkpoint be saved."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from maetheory.data import load_images
from maetheory.models import PRESETS
from maetheory.training import TrainConfig, TrainStep, load_run, train
from maetheory.training.interrupts import deferred_interrupt

SMALL = replace(PRESETS["digits"], encoder=replace(PRESETS["digits"].encoder, width=16, depth=1), decoder_width=16)
CONFIG = TrainConfig(SMALL, epochs=3, batch=16, warmup_epochs=1)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    after = [signal.getsignal(number) for number in numbers]
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
    assert after[:2] == before[:2]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_stop_signal_saves_after_the_step(tmp_path: Path, name: str) -> None:
    def stop(train_step: TrainStep) -> None:
        if train_step.step == 2:
            os.kill(os.getpid(), getattr(signal, name))

    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup, under which these tests may run, ignores
    with pytest.raises(KeyboardInterrupt, match="stopped after step 2 of 6"):
        train(CONFIG, load_images("digits", limit=32), out=tmp_path, callbacks=[stop])
    assert load_run(tmp_path)[2] == 2


def test_under_nohup_a_closed_terminal_is_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with deferred_interrupt() as requested:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not requested.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert requested.is_set()
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_progress_that_cannot_be_written_loses_nothing(tmp_path: Path) -> None:
    calls: list[int] = []

    def closed(done: int, total: int, message: str) -> None:
        calls.append(done)
        raise OSError(5, "Input/output error")

    assert train(CONFIG, load_images("digits", limit=32), out=tmp_path, progress=closed).steps == 6
    assert calls == [1]
