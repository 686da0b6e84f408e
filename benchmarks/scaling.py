"""Helpers of the benchmarks that measure cost against problem size, each size in a process of its own."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys

import numpy as np


def peak_gib() -> float:
    """Peak memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def sizes_up_to(largest: int) -> list[int]:
    """Four sizes, each four times the one before."""
    return [largest // 4**j for j in (3, 2, 1, 0)]


def exponent(sizes: list[int], costs: list[float]) -> float:
    """Slope of cost against size on logarithmic axes."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def run_in_process(script: str, *arguments: object) -> dict:
    """Run a script in a new process and return the JSON document that it prints."""
    command = [sys.executable, script, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def run_in_process_group(script: str, world_size: int, *arguments: object) -> list[dict]:
    """Run a script in the processes of a torch.distributed group; return their JSON documents in order of rank."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={world_size}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}  # torchrun sets this for two processes, but not for one
    command = [*launcher, script, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=environment)
    return sorted(map(json.loads, done.stdout.splitlines()), key=lambda document: document["rank"])
