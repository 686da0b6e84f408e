"""Ranges of numeric options, checked for every command before it starts.

Each command refuses values that make no sense for it. This module refuses what makes no sense for any: numbers that are
not finite, and counts so large that they overflow or that no run would end. What is only too large for this machine is
refused by an estimate of memory, see `maetheory.core.memory`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import typer

MAX_COUNT = 10**9
MAX_SIZE = 1e100
MAX_COUNTS: Mapping[str, int] = MappingProxyType(
    {
        "epochs": 1_000_000,
        "worlds": 1_000_000,
        "patch": 100_000,
        "graph_patch": 100_000,
        "image_size": 16_384,
        "n_initialisations": 10_000,
        "heads": 100_000,
        "workers": 1024,
        "devices": 1024,
        "nodes": 100_000,
    }
)
"""Name of an option -> largest integer; others allow `MAX_COUNT`."""
MAY_BE_INFINITE = frozenset({"bandwidth"})  # an infinite bandwidth joins all images


def with_checked_ranges(command: Any) -> Any:
    """Add the check to every numeric option of a command and of its subcommands, and return the command."""
    for subcommand in getattr(command, "commands", {}).values():
        with_checked_ranges(subcommand)
    for parameter in command.params:
        parameter.callback = _checking_callback(parameter.callback)
    return command


def check_range(name: str, value: Any) -> None:
    """Raise BadParameter if a number is outside the range of options with this name; other values pass.

    Examples
    --------
    >>> check_range("epochs", 100)
    >>> try:
    ...     check_range("epochs", 10**20)
    ... except typer.BadParameter as error:
    ...     print(error.message)
    it must be at most 1,000,000, but it is 100000000000000000000
    """
    if isinstance(value, list | tuple):
        for one in value:
            check_range(name, one)
    elif isinstance(value, float):
        if math.isinf(value) and name in MAY_BE_INFINITE:
            return
        if not math.isfinite(value):
            raise typer.BadParameter(f"it must be finite, but it is {value}")
        if abs(value) > MAX_SIZE:
            raise typer.BadParameter(f"it must be at most {MAX_SIZE:g} in size, but it is {value:g}")
    elif isinstance(value, int) and not isinstance(value, bool):
        largest = MAX_COUNTS.get(name, MAX_COUNT)
        if value > largest and name != "seed":  # a seed has a range of its own
            raise typer.BadParameter(f"it must be at most {largest:,}, but it is {value}")
        if value < -largest:
            raise typer.BadParameter(f"it must not be negative, but it is {value}")


def _checking_callback(own_callback: Any) -> Any:
    def callback(context: Any, parameter: Any, value: Any) -> Any:
        if own_callback is not None:
            value = own_callback(context, parameter, value)
        check_range(parameter.name, value)
        return value

    return callback
