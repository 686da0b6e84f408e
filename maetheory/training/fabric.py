"""Build the Fabric of a training run from options and torchrun's environment."""

from __future__ import annotations

import os
from typing import Any

from lightning_fabric import Fabric
from lightning_fabric.accelerators import CPUAccelerator
from lightning_fabric.plugins.environments import LightningEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException

from maetheory.core import InputError, printable_value
from maetheory.core.processes import check_process_count
from maetheory.training.sharding import fsdp_strategy

STRATEGIES = ("auto", "ddp", "fsdp")


def make_fabric(
    accelerator: str = "auto",
    devices: int | None = None,
    nodes: int | None = None,
    precision: Any = "32-true",
    *,
    strategy: str = "auto",
) -> Fabric:
    """Return the Fabric of a training run; under torchrun `devices` and `nodes` need not be given.

    Parameters
    ----------
    accelerator : {"auto", "cpu", "cuda", "mps"}
    devices, nodes : int, optional
        Processes on each node, and nodes: by default those torchrun started, without torchrun 1 and 1. With more than
        one and without torchrun, Fabric starts the other processes of this node itself.
    precision : str
        "32-true", "bf16-mixed", …
    strategy : {"auto", "ddp", "fsdp"}
        What several processes hold: with "ddp", and so by default, each holds all weights; with "fsdp" each holds a
        part of the weights, gradients and moments, and blocks are gathered as they are needed. The numbers are the
        same.

    Raises
    ------
    InputError
        If a number is below 1 or not the one torchrun was given, the strategy is unknown or is "fsdp" for one process,
        this machine lacks what is asked for, or several nodes are asked for that nothing starts.
    """
    if strategy not in STRATEGIES:
        raise InputError(f"the strategy must be one of {', '.join(STRATEGIES)}, but it is {strategy!r}")
    devices_started, nodes_started = _torchrun_sizes()
    for name, given, started in (("devices", devices, devices_started), ("nodes", nodes, nodes_started)):
        if given is not None and given < 1:
            raise InputError(f"{name} must be at least 1, but it is {given}")
        if given is not None and started and given != started:
            raise InputError(
                f"torchrun was told of {started} {name}, so {name} must be left out or be {started}, but it is {given}"
            )
    devices, nodes = devices or devices_started or 1, nodes or nodes_started or 1
    processes = devices * nodes
    if strategy == "fsdp" and processes == 1:
        raise InputError(
            "fsdp shares the weights among processes, so it needs at least 2, but there is 1; start more "
            "with torchrun, or leave the strategy out"
        )
    try:
        chosen = fsdp_strategy(processes) if strategy == "fsdp" else "ddp" if processes > 1 else "auto"
        fabric = Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes, precision=precision, strategy=chosen)
    except (ValueError, RuntimeError, MisconfigurationException) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"this machine cannot train so (accelerator {accelerator}, {devices} devices, precision "
            f"{precision}): {reason}"
        ) from error
    _check_launch(fabric, devices, nodes)
    return fabric


def fabric_precision(fabric: Fabric) -> str:
    """Return Fabric's name of its precision, such as "32-true" or "bf16-mixed"."""
    return str(fabric.strategy.precision.precision)


def _check_launch(fabric: Fabric, devices: int, nodes: int) -> None:
    """Raise InputError before Fabric starts more processes than this machine can run, or waits for other nodes.

    Processes that torchrun, SLURM or another launcher has started are its own affair. Without one, Fabric reaches other
    nodes only if MASTER_ADDR names the first of them.
    """
    environment = getattr(fabric.strategy, "cluster_environment", None)
    if not isinstance(environment, LightningEnvironment):
        return
    if nodes > 1 and "MASTER_ADDR" not in os.environ:
        raise InputError(
            f"this machine is 1 node, but nodes is {nodes}, and nothing starts the others: start the command on every "
            f"node with torchrun --nnodes={nodes}, or leave nodes out"
        )
    if not environment.creates_processes_externally and isinstance(fabric.accelerator, CPUAccelerator):
        check_process_count(devices, f"{devices} devices", "ask for fewer devices, or leave their number out")


def _torchrun_sizes() -> tuple[int, int]:
    """Return (processes on this node, nodes) from torchrun's environment, (0, 0) without torchrun."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return 0, 0
    local, total = (_positive_variable(name) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    return local, total // local


def _positive_variable(name: str) -> int:
    text = os.environ.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise InputError(f"torchrun sets {name} to a number of processes, but it is {printable_value(text)}")
    return int(text)
