"""Fixture that runs a script in two processes of a torch.distributed group."""

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
rank, where = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{where}/store", rank=rank, world_size=2,
                        timeout=datetime.timedelta(seconds=150))
task = pickle.load(open(f"{where}/task.pickle", "rb"))
"""
AFTER = """
pickle.dump(answer, open(f"{where}/{rank}.pickle", "wb"))
dist.destroy_process_group()
"""


@pytest.fixture(scope="session")
def in_two_processes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, dict[str, Any]], list[Any]]:
    """Return a runner of a script that reads `task` and `rank` and sets `answer`, in both processes of a group."""

    def run(script: str, task: dict[str, Any]) -> list[Any]:
        where = tmp_path_factory.mktemp("two")
        (where / "task.pickle").write_bytes(pickle.dumps(task))
        (where / "share.py").write_text(BEFORE + script + AFTER)
        started = [
            subprocess.Popen(
                [sys.executable, "-W", "ignore", str(where / "share.py"), str(rank), str(where)],
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in (0, 1)
        ]
        try:
            for process in started:
                said = process.communicate(timeout=240)[1]
                assert process.returncode == 0, said
        finally:
            for process in started:
                process.kill()
        return [pickle.loads((where / f"{rank}.pickle").read_bytes()) for rank in (0, 1)]

    return run
