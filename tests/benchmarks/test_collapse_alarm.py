"""The alarm of a collapse monitor rings in planted collapses and is silent in healthy runs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "collapse_alarm.py"
HEALTHY, COLLAPSING = ("MAE", "classifier"), ("one direction", "weight decay")


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    specification = importlib.util.spec_from_file_location("collapse_alarm", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


def test_the_limit_of_a_rate_is_that_of_a_poisson_count(benchmark: ModuleType) -> None:
    assert benchmark.rate_per_1000_steps(0, 1000) == (0, pytest.approx(2.9957, abs=1e-3))  # the rule of three
    assert benchmark.rate_per_1000_steps(2, 4000)[0] == 0.5


@pytest.mark.slow
@pytest.mark.parametrize("kind", HEALTHY)
def test_a_healthy_run_raises_no_alarm(benchmark: ModuleType, kind: str) -> None:
    assert benchmark.monitored_run(kind, 100, 300).first_alarm is None


@pytest.mark.slow
@pytest.mark.parametrize("kind", COLLAPSING)
def test_a_planted_collapse_raises_the_alarm_after_it_began(benchmark: ModuleType, kind: str) -> None:
    first = benchmark.monitored_run(kind, 100, 300).first_alarm
    assert first is not None
    assert 150 < first <= 300
