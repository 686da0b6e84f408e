"""The estimate of the remaining time is the mean of the steps so far, and is missing where there is no mean."""

from __future__ import annotations

import time

import pytest

from maetheory.cli.remaining_time import MIN_SECONDS, RemainingTime
from maetheory.cli.terminal import SECONDS_BETWEEN_LINES, _line_progress


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_equal_steps_are_extrapolated_exactly(clock: Clock) -> None:
    left, total = RemainingTime(clock), 20
    for done in range(total + 1):
        estimate = left.estimate(done, total)
        if done > 1 and 4 * (done - 1) >= MIN_SECONDS:
            assert estimate == pytest.approx(4 * (total - done), rel=1e-12)
        else:
            assert estimate is None
        clock.now += 4


@pytest.mark.parametrize(
    ("steps", "seconds", "known"),
    [
        (1, MIN_SECONDS, True),
        (0, MIN_SECONDS, False),
        (1, MIN_SECONDS - 0.01, False),
    ],
)
def test_nothing_is_said_before_some_steps_and_some_seconds(
    steps: int, seconds: float, known: bool, clock: Clock
) -> None:
    left = RemainingTime(clock)
    left.estimate(0, 100)
    clock.now += 60  # processes start
    assert left.estimate(3, 100) is None
    clock.now += seconds
    assert (left.estimate(3 + steps, 100) is not None) == known


def test_steps_before_an_interruption_do_not_count(clock: Clock) -> None:
    left = RemainingTime(clock)
    left.estimate(500, 1000)
    clock.now += 60
    left.estimate(501, 1000)
    clock.now += 100
    assert left.estimate(511, 1000) == pytest.approx(10 * 489)


@pytest.mark.parametrize(("done", "total"), [(60, 101), (49, 100)])
def test_another_total_and_a_step_back_begin_a_new_task(done: int, total: int, clock: Clock) -> None:
    left = RemainingTime(clock)
    left.estimate(0, 100)
    left.estimate(1, 100)
    clock.now += 10
    assert left.estimate(50, 100) is not None
    clock.now += 10
    assert left.estimate(done, total) is None


def test_the_time_runs_down_during_a_step_and_grows_when_the_step_takes_longer(clock: Clock) -> None:
    left = RemainingTime(clock)
    left.estimate(0, 11)
    left.estimate(1, 11)
    clock.now += 20
    assert left.estimate(6, 11) == 20
    clock.now += 2
    assert left.estimate(6, 11) == 18
    clock.now += 38  # ten times the mean
    assert left.estimate(6, 11) == pytest.approx(10 * 5 - 40)
    clock.now += 400
    assert left.estimate(6, 11) >= 0


def test_no_line_is_printed_twice_nor_too_soon(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(time, "monotonic", clock)
    report = _line_progress()
    for _ in range(200):  # a first step of 200 s, during which other processes train
        clock.now += 1
        report(0, 66, "training begins")
    for done in range(66):
        clock.now += 2
        report(done + 1, 66, f"training, step {done + 1}")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(set(lines))
    assert lines[0] == "training begins (0/66)"
    assert 8 <= len(lines) <= 1 + 132 / SECONDS_BETWEEN_LINES
    assert "left" in lines[-1]
