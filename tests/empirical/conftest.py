"""What tests of graphs shared among processes have in common."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

BEFORE = """
import datetime, pickle, sys
import numpy as np, torch
torch.set_num_threads(1)
import torch.distributed as dist
number, where = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{where}/store", rank=number, world_size=2,
                        timeout=datetime.timedelta(seconds=150))
task = pickle.load(open(f"{where}/task.pickle", "rb"))
"""
AFTER = """
pickle.dump(answer, open(f"{where}/{number}.pickle", "wb"))
dist.destroy_process_group()
"""


@pytest.fixture(scope="session")
def in_two_processes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, dict[str, Any]], list[Any]]:
    """Run a script, which finds its `task` and its `number` and leaves an `answer`, as both processes of a group."""

    def run(script: str, task: dict[str, Any]) -> list[Any]:
        where = tmp_path_factory.mktemp("two")
        (where / "task.pickle").write_bytes(pickle.dumps(task))
        (where / "share.py").write_text(BEFORE + script + AFTER)
        started = [
            subprocess.Popen(
                [sys.executable, "-W", "ignore", str(where / "share.py"), str(number), str(where)],
                stderr=subprocess.PIPE,
                text=True,
            )
            for number in (0, 1)
        ]
        try:
            for process in started:
                said = process.communicate(timeout=240)[1]
                assert process.returncode == 0, said
        finally:
            for process in started:
                process.kill()
        return [pickle.loads((where / f"{number}.pickle").read_bytes()) for number in (0, 1)]

    return run
