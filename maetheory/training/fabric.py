"""Build the Fabric of a training run from options and torchrun's environment."""

from __future__ import annotations

import os
from typing import Any

from lightning_fabric import Fabric
from lightning_fabric.utilities.exceptions import MisconfigurationException

from maetheory.core import InputError
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
        or this machine lacks what is asked for.
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
        return Fabric(accelerator=accelerator, devices=devices, num_nodes=nodes, precision=precision, strategy=chosen)
    except (ValueError, RuntimeError, MisconfigurationException) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"this machine cannot train so (accelerator {accelerator}, {devices} devices, precision "
            f"{precision}): {reason}"
        ) from error


def fabric_precision(fabric: Fabric) -> str:
    """Return Fabric's name of its precision, such as "32-true" or "bf16-mixed"."""
    return str(fabric.strategy.precision.precision)


def _torchrun_sizes() -> tuple[int, int]:
    """Return (processes on this node, nodes) from torchrun's environment, (0, 0) without torchrun."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return 0, 0
    devices_started = int(os.environ["LOCAL_WORLD_SIZE"])
    return devices_started, int(os.environ["WORLD_SIZE"]) // devices_started
