"""Twenty kills at random moments of training and of an experiment: the result is that of one that nobody killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "oracles" / "random_kills.py"
KILLS, SEED = 20, 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_random_and_resumed_is_the_uninterrupted_one(tmp_path: Path) -> None:
    """Weights, moments, logs and ledger agree in every byte, and no file of a killed write is left; totals printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(SCRIPT), str(tmp_path), str(KILLS), str(SEED)],
        capture_output=True,
        text=True,
        timeout=1700,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    totals = {line["work"]: line for line in lines if "rounds" in line}
    print(totals)
    assert sum(line["killed"] for line in totals.values()) == KILLS
    assert [line for line in lines if not line.get("same", True)] == []
    assert sum(line["leftovers"] for line in totals.values()) > 0  # there was something to sweep: the locks at least
