"""Common offsets of objects: a constant on each component that cancels in a claim, removed before it is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

_LARGE = 100.0


def remove_offsets(world: Mapping[str, Any], groups: tuple[tuple[str, ...], ...]) -> dict[str, Any]:
    """Return the world with each group of objects shifted by one of its own rows on each component.

    Only an offset more than a hundred times the spread is removed, so that the digits of other worlds do not change.

    Parameters
    ----------
    world : mapping
        ``graph`` and arrays with one row per view (N1) or target (N2).
    groups : tuple of tuples of str
        Names of objects that are shifted together, each tuple by a constant of its own.
    """
    shifted = dict(world)
    for group in groups:
        names = [name for name in group if name in world]
        if names:
            shifted.update(_shift_together({name: world[name] for name in names}, world["graph"]))
    return shifted


def _shift_together(rows: Mapping[str, np.ndarray], graph: Any) -> dict[str, np.ndarray]:
    members = {name: graph.components[name in _OF_TARGETS] for name in rows}
    found = {name: value.copy() for name, value in rows.items()}
    for component in range(graph.n_components):
        here = {name: members[name] == component for name in rows}
        offset = next(rows[name][here[name]][0] for name in rows)  # (d,)
        near = {name: rows[name][here[name]] - offset for name in rows}
        spread = max(float(np.abs(value).max(initial=0.0)) for value in near.values())
        if float(np.abs(offset).max(initial=0.0)) > _LARGE * spread:
            for name, value in near.items():
                found[name][here[name]] = value
    return found


_OF_TARGETS = frozenset({"h_g", "targets"})
