"""A sample of timm's ViT-like models: none is read as something else in silence, and nearly all are read right."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "checkpoint_sweep.py"
EVERY = 20  # every n-th name; the whole sweep is benchmarks/checkpoint_sweep.py


def sweep_script() -> Any:
    """Return the benchmark as a module."""
    specification = importlib.util.spec_from_file_location("checkpoint_sweep", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize(("with_config", "share"), [(False, 0.8), (True, 0.95)])
def test_a_sample_of_timm_models(with_config: bool, share: float) -> None:
    script = sweep_script()
    counts, others = script.sweep(script.model_names()[::EVERY], with_config, max_width=400)
    print(f"config {with_config}: {script.describe(counts)}; other families: {script.describe(others)}")
    assert not [outcome for outcome in counts | others if "wrong, silently" in outcome]
    assert not with_config or not [outcome for outcome in counts if "wrong" in outcome]
    assert sum(n for outcome, n in counts.items() if outcome.startswith("right")) >= share * counts.total() - 1
    assert not [outcome for outcome in others if not outcome.startswith("refused")]
