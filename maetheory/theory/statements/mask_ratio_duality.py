"""Mask ratios ρ and 1 − ρ give the same mask graph with views and targets exchanged.

Setting
-------
``complement`` is the graph of the same images under masks of ratio 1 − ρ. α and α₂ are the Bayes label errors of views
and of targets.

Assumptions
-----------
The complement has the law of the transposed graph, images included. This is true for uniform and for Bernoulli masks,
but not for block masks. If the graphs store the contents of their nodes, each view of one is matched with the target of
the other that has the same contents; then all masses are compared, and with labels the class law of every node. Graphs
without contents must have the same numbering. The whole assumption is verified.

Claim
-----
M_{1−ρ} = M_ρᵀ up to numbering: the same singular values, hence the same tail, the same number of components, and
α₂(ρ) = α(1−ρ), α(ρ) = α₂(1−ρ). Proof: under these laws the set of visible patches at 1 − ρ is distributed as the set
of hidden patches at ρ. So no part of a bound that depends only on the spectrum distinguishes ρ from 1 − ρ.

Slack
-----
Zero.

Tight when
----------
Always.

Reference
---------
Ours, on the mask ratio of Zhang, Wang and Wang 2022.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from maetheory.data import worlds
from maetheory.graph import MaskGraph, NodeContents
from maetheory.masks import BernoulliMasks, BlockMasks, UniformMasks
from maetheory.theory.objects import Objects
from maetheory.theory.theorem import ROUNDING_TOLERANCE, Theorem

TRANSPOSED = "the complement has the law of the transposed graph"


def _singular_values(graph: MaskGraph) -> np.ndarray:
    return np.linalg.svd(graph.normalized_matrix.toarray(), compute_uv=False)


def _terms(graph: MaskGraph, complement: MaskGraph) -> dict[str, float]:
    """Largest differences between dual quantities; singular values are padded with 0 to the same length."""
    one, two = _singular_values(graph), _singular_values(complement)
    size = max(len(one), len(two))
    differences = np.pad(one, (0, size - len(one))) - np.pad(two, (0, size - len(two)))
    found = {
        "singular values": float(np.abs(differences).max()),
        "components": float(abs(graph.n_components - complement.n_components)),
    }
    if graph.image_labels is not None and complement.image_labels is not None:
        found["alpha"] = abs(graph.label_error() - complement.target_label_error())
        found["alpha2"] = abs(graph.target_label_error() - complement.label_error())
    return found


def _largest_difference(graph: MaskGraph, complement: MaskGraph) -> float:
    return max(_terms(graph, complement).values())


def _is_transposed(graph: MaskGraph, complement: MaskGraph) -> tuple[bool, str]:
    if graph.shape != complement.shape[::-1]:
        return False, f"the graphs are {graph.shape} and {complement.shape}"
    counterparts = match_nodes(graph, complement)
    if counterparts is None:
        return False, "a view or target of one graph shows what no target or view of the other does"
    views, targets = counterparts
    off = _largest_entry(graph.joint - complement.joint.T[views][:, targets])
    if graph.image_labels is not None and complement.image_labels is not None:
        if graph.n_classes != complement.n_classes:
            return False, f"they have {graph.n_classes} and {complement.n_classes} classes"
        off = max(
            off,
            _largest_entry(graph.class_law - complement.target_class_law[views]),
            _largest_entry(graph.target_class_law - complement.class_law[targets]),
        )
    return off <= ROUNDING_TOLERANCE, f"masses and class laws agree within {off:.3g}"


def match_nodes(graph: MaskGraph, complement: MaskGraph) -> tuple[np.ndarray, np.ndarray] | None:
    """Target of the complement for each view, and its view for each target; None if a node has no counterpart."""
    views = _match_contents(graph.view_contents, complement.target_contents, graph.shape[0])
    targets = _match_contents(graph.target_contents, complement.view_contents, graph.shape[1])
    return None if views is None or targets is None else (views, targets)


def _match_contents(contents: NodeContents | None, other: NodeContents | None, size: int) -> np.ndarray | None:
    """Index in `other` of the node with the same contents, for each node; the identity if neither is known."""
    if contents is None or other is None:
        return np.arange(size) if contents is other else None
    index_of = {shown: index for index, shown in enumerate(_node_contents(other))}
    found = [index_of.get(shown, -1) for shown in _node_contents(contents)]
    return np.array(found) if -1 not in found else None


def _node_contents(contents: NodeContents) -> Iterator[tuple[tuple[bool, ...], tuple[int, ...]]]:
    """Yield mask (if positions were kept) and symbols of each node; no two nodes of a graph have the same."""
    masks = [()] * len(contents.symbols) if contents.masks is None else contents.masks.tolist()
    for mask, symbols in zip(masks, contents.symbols.tolist(), strict=True):
        yield tuple(mask), tuple(symbol for symbol in symbols if symbol >= 0)


def _largest_entry(difference: Any) -> float:
    return float(np.abs(difference).max())


def _complementary_graphs(world: worlds.FiniteWorld, visible: int, positions: str = "kept") -> Objects:
    n = world.n_patches
    seen, hidden = UniformMasks(n, visible), UniformMasks(n, n - visible)
    return {
        "graph": MaskGraph.enumerate(world, seen, positions),
        "complement": MaskGraph.enumerate(world, hidden, positions),
    }


def tight() -> Objects:
    """Return two noisy classes of three patches, with one visible patch and with two."""
    return _complementary_graphs(worlds.mixture(3, 2, 2, 0.2), 1)


def _broken() -> dict[str, Objects]:
    world = worlds.mixture(4, 2, 2, 0.2)
    graphs = [MaskGraph.enumerate(world, BlockMasks((1, 4), visible)) for visible in (1, 3)]
    return {TRANSPOSED: {"graph": graphs[0], "complement": graphs[1]}}


def _sample(rng: np.random.Generator) -> Objects:
    n, alphabet = int(rng.integers(2, 5)), int(rng.integers(2, 4))
    states = int(rng.integers(1, min(12, alphabet**n) + 1))
    world = worlds.random(n, alphabet, int(rng.integers(1, 4)), int(rng.integers(2**31)), states)
    positions = str(rng.choice(["kept", "dropped"]))
    if rng.random() < 0.5:
        return _complementary_graphs(world, int(rng.integers(1, n)), positions)
    p = float(rng.uniform(0.05, 0.95))
    laws = BernoulliMasks(n, p), BernoulliMasks(n, 1 - p)
    graph, complement = (MaskGraph.enumerate(world, law, positions) for law in laws)
    return {"graph": graph, "complement": complement}


THEOREM = Theorem(
    slug="mask-ratio-duality",
    statement="largest difference of σ_i, components, α(ρ) - α₂(1-ρ) and α₂(ρ) - α(1-ρ) == 0",
    reference="Ours",
    objects=("complement",),
    lhs=_largest_difference,
    rhs=lambda: 0.0,
    direction="==",
    scale=lambda: 1.0,
    terms=_terms,
    assumptions={TRANSPOSED: _is_transposed},
    tight=tight,
    broken=_broken,
    sample=_sample,
)
