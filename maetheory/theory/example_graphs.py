"""Two connected mask graphs on which several statements attain equality."""

from __future__ import annotations

from maetheory.graph import MaskGraph


def three_view_graph() -> MaskGraph:
    """Mask graph of three views and three targets: connected, of rank three, no two views with the same targets."""
    return MaskGraph.from_joint([[0.1, 0.2, 0.0], [0.15, 0.05, 0.1], [0.0, 0.1, 0.3]])


def four_view_graph() -> MaskGraph:
    """Mask graph of four views and three targets: connected, of rank three, no two views with the same targets."""
    return MaskGraph.from_joint([[0.2, 0.05, 0.0], [0.1, 0.15, 0.05], [0.0, 0.1, 0.15], [0.1, 0.0, 0.1]])
