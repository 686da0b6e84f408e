"""Figure 1(a): the mask graph of a world of seven images, and the augmentation graph that it induces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from maetheory.data.finite_world import FiniteWorld
from maetheory.figures.style import CLASS_COLOURS
from maetheory.graph import MaskGraph, NodeContents
from maetheory.masks import UniformMasks

MASK_GRAPH, AUGMENTATION_GRAPH = "mask graph", "augmentation graph"
BETWEEN_CLASSES = -1

_BETWEEN_STYLE: dict[str, Any] = {"color": "black", "ls": (0, (2.5, 1.2)), "alpha": 0.85}
_IMAGES = ((0, 0, 1), (0, 1, 0), (0, 1, 1), (0, 1, 2), (2, 3, 2), (2, 2, 3), (2, 3, 3))
_LABELS = (0, 0, 0, 0, 1, 1, 1)


def two_class_world() -> FiniteWorld:
    """Return seven equally likely images of three patches: one class has symbols 0 and 1, the other 2 and 3.

    The fourth image, of the first class, contains a symbol of the second, which connects the classes.
    """
    return FiniteWorld(np.array(_IMAGES), np.full(7, 1 / 7), np.array(_LABELS), np.linspace(0, 1, 4)[:, None])


def mask_graph_layout(world: FiniteWorld | None = None, *, n_visible: int = 2) -> pd.DataFrame:
    """Compute node and edge positions of the mask graph of a world and of the augmentation graph that it induces.

    Positions of patches are dropped.

    Parameters
    ----------
    world : FiniteWorld, optional
        A labelled world; :func:`two_class_world` by default.
    n_visible : int
        Number of visible patches.

    Returns
    -------
    DataFrame
        graph, kind ("node" or "edge"), name, label (class of a node or of both ends of an edge, else −1), weight
        (probability), x, y and for an edge x_end, y_end.
    """
    world = two_class_world() if world is None else world
    graph = MaskGraph.enumerate(world, UniformMasks(world.n_patches, n_visible), "dropped")
    circle = _circle_layout(_node_table(graph.view_contents, graph.view_labels, graph.degrees[0]))
    pairs = _edge_table(circle, circle, np.triu(graph.pair_law.toarray(), 1) * 2)
    parts = [part.assign(graph=AUGMENTATION_GRAPH) for part in (pairs, circle)]
    return pd.concat([bipartite_layout(graph).assign(graph=MASK_GRAPH), *parts], ignore_index=True)


def bipartite_layout(graph: MaskGraph) -> pd.DataFrame:
    """Compute node and edge positions of a labelled mask graph, for `draw_graph`: views at x = 0, targets at x = 1.

    Parameters
    ----------
    graph : MaskGraph
        With labels; its nodes are named by their symbols, or counted where it was not enumerated.

    Returns
    -------
    DataFrame
        Columns of `mask_graph_layout` without graph.

    Examples
    --------
    >>> frame = bipartite_layout(MaskGraph.from_joint([[0.5, 0.0], [0.25, 0.25]], labels=[0, 1]))
    >>> list(frame.name), list(frame.label)
    (['1–1', '2–1', '2–2', '1', '2', '1', '2'], [0, -1, 1, 0, 1, 0, 1])
    """
    left = _column_layout(_node_table(graph.view_contents, graph.view_labels, graph.degrees[0]), 0.0)
    right = _column_layout(_node_table(graph.target_contents, graph.target_labels, graph.degrees[1]), 1.0)
    return pd.concat([_edge_table(left, right, graph.joint.toarray()), left, right], ignore_index=True)


def _node_table(contents: NodeContents | None, labels: np.ndarray, degrees: np.ndarray) -> pd.DataFrame:
    if contents is None:
        names = [str(number) for number in range(1, len(degrees) + 1)]
    else:
        names = ["".join(str(symbol) for symbol in row if symbol >= 0) for row in contents.symbols]
    return pd.DataFrame({"kind": "node", "name": names, "label": labels, "weight": degrees})


def _sorted_positions(nodes: pd.DataFrame) -> np.ndarray:
    """Return the position of each node in the order by class, then by name, from 0."""
    return nodes.sort_values(["label", "name"]).index.argsort()


def _column_layout(nodes: pd.DataFrame, x: float) -> pd.DataFrame:
    return nodes.assign(x=x, y=1.0 - (_sorted_positions(nodes) + 0.5) / len(nodes))


def _circle_layout(nodes: pd.DataFrame) -> pd.DataFrame:
    angle = np.pi / 2 + 2 * np.pi * (_sorted_positions(nodes) + 0.5) / len(nodes)  # the first class on the left
    return nodes.assign(x=np.cos(angle), y=np.sin(angle))


def _edge_table(start: pd.DataFrame, end: pd.DataFrame, weight: np.ndarray) -> pd.DataFrame:
    i, j = np.nonzero(weight)
    a, b = start.iloc[i].reset_index(), end.iloc[j].reset_index()
    label = np.where(a.label == b.label, a.label, BETWEEN_CLASSES)
    ends = {"x": a.x, "y": a.y, "x_end": b.x, "y_end": b.y}
    return pd.DataFrame({"kind": "edge", "name": a.name + "–" + b.name, "label": label, "weight": weight[i, j], **ends})


def draw_mask_graphs(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw the mask graph on the first axes and the augmentation graph on the second; line width is probability."""
    for ax, name in zip(axes, (MASK_GRAPH, AUGMENTATION_GRAPH), strict=True):
        draw_graph(ax, frame[frame.graph == name])
    for x, side in ((0, "views $x_1$"), (1, "targets $x_2$")):
        axes[0].annotate(side, (x, -0.03), ha="center", va="top")
    axes[0].set(title="mask graph $M$", xlim=(-0.3, 1.3), ylim=(-0.12, 1.0))
    axes[1].set(title="augmentation graph $A = M D_2^{-1} M^T$", xlim=(-1.3, 1.3), ylim=(-1.2, 1.15))
    _draw_legend(axes[1])


def draw_graph(ax: Axes, part: pd.DataFrame) -> None:
    """Draw edges and nodes of one graph, rows of `mask_graph_layout`, without ticks and frame."""
    _draw_edges(ax, part[part.kind == "edge"])
    _draw_nodes(ax, part[part.kind == "node"])
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


def _draw_edges(ax: Axes, edges: pd.DataFrame) -> None:
    for edge in edges.sort_values("weight").itertuples():
        within = edge.label != BETWEEN_CLASSES
        style: dict[str, Any] = {"color": CLASS_COLOURS[edge.label], "alpha": 0.5} if within else _BETWEEN_STYLE
        width = 0.6 + 4.5 * edge.weight / edges.weight.max()
        ax.plot([edge.x, edge.x_end], [edge.y, edge.y_end], lw=width, zorder=1, solid_capstyle="butt", **style)


def _draw_nodes(ax: Axes, nodes: pd.DataFrame) -> None:
    ax.scatter(nodes.x, nodes.y, c=[CLASS_COLOURS[label] for label in nodes.label], s=230, edgecolors="white", zorder=2)
    for node in nodes.itertuples():
        ax.annotate(node.name, (node.x, node.y), ha="center", va="center_baseline", color="white", fontsize=8, zorder=3)


def _draw_legend(ax: Axes) -> None:
    for label, colour in enumerate(CLASS_COLOURS[:2]):
        ax.scatter([], [], color=colour, s=40, label=f"class {label}")
    ax.plot([], [], lw=1.2, label="between classes", **_BETWEEN_STYLE)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, handletextpad=0.4, columnspacing=1)
