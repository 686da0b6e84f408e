"""Kill training runs and experiments at random moments, resume them, and print what became of them.

Run as ``python random_kills.py FOLDER KILLS SEED``. Every run is a fork of this process, which has imported everything,
so that a kill costs no new start. One line of JSON is printed for each of the two kinds of work.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any


def train_once(out: Path) -> None:
    """Train a small model for 64 steps, from its newest checkpoint on."""
    from maetheory.data import load_images
    from maetheory.models import PRESETS
    from maetheory.training import TrainConfig, train

    model = replace(PRESETS["digits"], encoder=replace(PRESETS["digits"].encoder, width=16, depth=1), decoder_width=16)
    recipe = TrainConfig(model, epochs=4, batch=16, warmup_epochs=1, log_every=1, save_seconds=0.0)
    train(recipe, load_images("digits", limit=256), out=out, resume=True)


def reproduce_once(out: Path) -> None:
    """Train and measure three small models, and write the report."""
    from maetheory.experiments import experiment, reproduce
    from maetheory.experiments.studies.objectives import objective_cells

    digits = experiment("digits")
    recipe = replace(digits.cells[0].recipe, epochs=3, batch=64, warmup_epochs=1, log_every=1, save_seconds=0.0)
    cells = objective_cells(recipe, 0.1)
    small = replace(digits, cells=cells, seeds=(0,), train_limit=256, test_limit=96, monitor_epochs=2)
    reproduce(small, out=out, workers=1)


def start(work: Callable[[Path], None], out: Path) -> int:
    """Return the number of a forked process that does the work and ends with 0, or with 3 after an error."""
    child = os.fork()
    if child:
        return child
    code = 3
    try:
        work(out)
        code = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    os._exit(code)


def finish(work: Callable[[Path], None], out: Path) -> float:
    """Do the work to its end and return the seconds that it took."""
    begin = time.monotonic()
    _, status = os.waitpid(start(work, out), 0)
    if status != 0:
        raise SystemExit(f"work that nobody killed ended with {status}")
    return time.monotonic() - begin


def kill_once(work: Callable[[Path], None], out: Path, seconds: float) -> bool:
    """Kill the work after so many seconds and return whether it still ran; an error of its own ends this process."""
    child = start(work, out)
    time.sleep(seconds)
    done, status = os.waitpid(child, os.WNOHANG)
    if not done:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and status != 0:
        raise SystemExit(f"a resumed run ended with {status}")
    return os.WIFSIGNALED(status)


def result(out: Path) -> dict[str, Any]:
    """Return hashes of weights, moments and logs, the ledger without its provenance, and the names of all files."""
    files = sorted(path for path in out.rglob("*") if path.is_file() and path.suffix != ".torn")  # what a kill cut off
    exact = [path for path in files if path.suffix == ".safetensors" or path.name in ("metrics.jsonl", "config.json")]
    records = []
    for path in files:
        if path.name == "ledger.jsonl":
            records = [json.loads(line) for line in path.read_text().splitlines()]
    return {
        "bytes": {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in exact},
        "ledger": [{name: value for name, value in one.items() if name != "provenance"} for one in records],
        "names": [str(path.relative_to(out)) for path in files],
    }


def main() -> None:
    """Kill each kind of work half of the times and compare its end with that of work that nobody killed."""
    import torch

    import maetheory.experiments
    import maetheory.training

    assert maetheory.experiments.reproduce
    assert maetheory.training.train
    torch.set_num_threads(1)
    folder, kills, rng = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    for work, share in ((train_once, kills - kills // 2), (reproduce_once, kills // 2)):
        seconds = finish(work, folder / f"{work.__name__} whole")
        expected = result(folder / f"{work.__name__} whole")
        killed, rounds, leftovers = 0, 0, 0
        while killed < share:
            rounds += 1
            out = folder / f"{work.__name__} {rounds}"
            for _ in range(min(5, share - killed)):
                killed += kill_once(work, out, rng.uniform(0, seconds / 2))
                leftovers += len(list(out.rglob(".*")))
            finish(work, out)
            same = result(out) == expected
            print(json.dumps({"work": work.__name__, "round": rounds, "same": same, "killed": killed}), flush=True)
        print(
            json.dumps({"work": work.__name__, "killed": killed, "rounds": rounds, "leftovers": leftovers}), flush=True
        )


if __name__ == "__main__":
    main()
