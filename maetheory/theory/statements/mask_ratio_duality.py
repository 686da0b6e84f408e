"""Complementary mask laws give the same mask graph with views and targets exchanged.

Setting
-------
``complement`` is the graph of the same images when every mask is replaced by its complement: what was visible is
hidden, and the mask ratio is 1 − ρ instead of ρ. α and α₂ are the Bayes label errors of views and of targets.

Assumptions
-----------
``complementary mask laws``: each mask is as likely in one graph as its complement is in the other, and the images have
the same masses, labels and contents. Uniform masks of w and of n − w visible patches are complementary, so are
Bernoulli masks of p and 1 − p, and every law with its own complements; block masks of ρ and 1 − ρ are not. The mask
laws are read off the views. A graph whose views do not store their masks (positions dropped, or built from a joint law)
does not know its mask law; there the whole law of the transposed graph is compared instead.

Claim
-----
M' = Mᵀ up to numbering, nodes being matched by what they show: the same singular values, hence the same tail, the same
number of components, and α₂(ρ) = α(1−ρ), α(ρ) = α₂(1−ρ). Proof: the view of a mask is the target of its complement, so
image, view and target have the same joint law as image, target and view of the complement. So no part of a bound that
depends only on the spectrum distinguishes ρ from 1 − ρ.

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

import numpy as np

from maetheory.data import worlds
from maetheory.graph import MaskGraph, NodeContents
from maetheory.masks import BernoulliMasks, BlockMasks, ListedMasks, UniformMasks
from maetheory.theory.statements.label_error_grows_with_mask_ratio import symbols_per_image
from maetheory.theory.theorem import ROUNDING_TOLERANCE, Theorem
from maetheory.theory.theorem_objects import Objects

COMPLEMENTARY = "complementary mask laws of the same images"


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
    return max(_distance_from_transposed(graph, complement), *_terms(graph, complement).values())


def _distance_from_transposed(graph: MaskGraph, complement: MaskGraph) -> float:
    """Largest relative difference of the mass of a pair in one graph and in the other; 1 if nodes do not match."""
    counterparts = match_nodes(graph, complement) if graph.shape == complement.shape[::-1] else None
    if counterparts is None:
        return 1.0
    views, targets = counterparts
    return _relative_difference(graph.joint.toarray(), complement.joint.T[views][:, targets].toarray())


def _relative_difference(one: np.ndarray, two: np.ndarray) -> float:
    """Largest |a − b| / max(a, b) of the entries of two arrays of masses; 0 where both are 0."""
    larger = np.maximum(one, two)
    return float(np.divide(np.abs(one - two), larger, out=np.zeros_like(larger), where=larger > 0).max(initial=0.0))


def _has_complementary_masks(graph: MaskGraph, complement: MaskGraph) -> tuple[bool, str]:
    masks, others = mask_law(graph), mask_law(complement)
    if masks is None or others is None:
        return _is_transposed(graph, complement)
    exchanged = {tuple(not shown for shown in mask): mass for mask, mass in others.items()}
    known = sorted(masks.keys() | exchanged.keys())
    off = _relative_difference(*(np.array([law.get(mask, 0.0) for mask in known]) for law in (masks, exchanged)))
    one, two = (np.asarray(g.image_views.sum(1)).ravel() for g in (graph, complement))
    labels, other_labels = graph.image_labels, complement.image_labels
    same_labels = labels is None or other_labels is None or np.array_equal(labels, other_labels)
    if (
        one.shape != two.shape
        or not same_labels
        or not np.array_equal(symbols_of_images(graph), symbols_of_images(complement))
    ):
        return False, f"the images differ in number, labels or contents; masses of masks agree within {off:.3g}"
    off = max(off, _relative_difference(one, two))
    return off <= ROUNDING_TOLERANCE, f"masses of masks and images agree within {off:.3g} of their size"


def symbols_of_images(graph: MaskGraph) -> np.ndarray:
    """Symbol of each patch of each image, (S, n): what a view hides, its target shows."""
    return np.maximum(symbols_per_image(graph), symbols_per_image(graph.transpose()))


def mask_law(graph: MaskGraph) -> dict[tuple[bool, ...], float] | None:
    """Mass of each mask of a graph, True = visible; None if its views do not store their masks."""
    contents = graph.view_contents
    if contents is None or contents.masks is None:
        return None
    distinct, index = np.unique(contents.masks, axis=0, return_inverse=True)
    masses = np.bincount(index.ravel(), graph.degrees[0])
    return {tuple(mask): float(mass) for mask, mass in zip(distinct.tolist(), masses)}


def _is_transposed(graph: MaskGraph, complement: MaskGraph) -> tuple[bool, str]:
    if graph.shape != complement.shape[::-1]:
        return False, f"the graphs are {graph.shape} and {complement.shape}"
    counterparts = match_nodes(graph, complement)
    if counterparts is None:
        return False, "a view or target of one graph shows what no target or view of the other does"
    views, targets = counterparts
    off = _relative_difference(graph.joint.toarray(), complement.joint.T[views][:, targets].toarray())
    if graph.image_labels is not None and complement.image_labels is not None:
        if graph.n_classes != complement.n_classes:
            return False, f"they have {graph.n_classes} and {complement.n_classes} classes"
        off = max(
            off,
            _relative_difference(graph.class_law, complement.target_class_law[views]),
            _relative_difference(graph.target_class_law, complement.class_law[targets]),
        )
    return off <= ROUNDING_TOLERANCE, f"masses and class laws agree within {off:.3g} of their size"


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


def _complementary_graphs(world: worlds.FiniteWorld, visible: int, positions: str = "kept") -> Objects:
    n = world.n_patches
    seen, hidden = UniformMasks(n, visible), UniformMasks(n, n - visible)
    return {
        "graph": MaskGraph.enumerate(world, seen, positions),
        "complement": MaskGraph.enumerate(world, hidden, positions),
    }


def _graphs_of_listed_masks(world: worlds.FiniteWorld, rng: np.random.Generator, positions: str) -> Objects:
    """Return the graphs of random masks with random weights, and of their complements."""
    n = world.n_patches
    visible = rng.integers(1, n, int(rng.integers(1, 6)))
    masks = np.array([rng.permutation(n) < count for count in visible])
    weights = rng.dirichlet(np.full(len(masks), 0.5)) + 1e-9
    laws = (ListedMasks(shown, weights / weights.sum()) for shown in (masks, ~masks))
    graph, complement = (MaskGraph.enumerate(world, law, positions) for law in laws)
    return {"graph": graph, "complement": complement}


def tight() -> Objects:
    """Return two noisy classes of three patches, with one visible patch and with two."""
    return _complementary_graphs(worlds.mixture(3, 2, 2, 0.2), 1)


def _broken() -> dict[str, Objects]:
    world = worlds.mixture(4, 2, 2, 0.2)
    graphs = [MaskGraph.enumerate(world, BlockMasks((1, 4), visible)) for visible in (1, 3)]
    return {COMPLEMENTARY: {"graph": graphs[0], "complement": graphs[1]}}


def _sample(rng: np.random.Generator) -> Objects:
    n, alphabet = int(rng.integers(2, 5)), int(rng.integers(2, 4))
    states = int(rng.integers(1, min(12, alphabet**n) + 1))
    world = worlds.random(n, alphabet, int(rng.integers(1, 4)), int(rng.integers(2**31)), states)
    positions = str(rng.choice(["kept", "dropped"]))
    if rng.random() < 0.5:
        return _complementary_graphs(world, int(rng.integers(1, n)), positions)
    if rng.random() < 0.5:
        return _graphs_of_listed_masks(world, rng, positions)
    p = float(rng.uniform(0.05, 0.95))
    laws = BernoulliMasks(n, p), BernoulliMasks(n, 1 - p)
    graph, complement = (MaskGraph.enumerate(world, law, positions) for law in laws)
    return {"graph": graph, "complement": complement}


THEOREM = Theorem(
    slug="mask-ratio-duality",
    statement="largest difference of M' and Mᵀ, σ_i, components, α(ρ) - α₂(1-ρ) and α₂(ρ) - α(1-ρ) == 0",
    reference="Ours",
    objects=("complement",),
    lhs=_largest_difference,
    rhs=lambda: 0.0,
    direction="==",
    scale=lambda: 1.0,
    terms=_terms,
    assumptions={COMPLEMENTARY: _has_complementary_masks},
    tight=tight,
    broken=_broken,
    sample=_sample,
)
