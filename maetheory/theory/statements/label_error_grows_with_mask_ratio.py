"""The label error does not decrease with the mask ratio.

Setting
-------
``hides_more`` is the graph of the same images under masks that leave fewer patches visible. α = Pr[y(x₁) ≠ y(x̄)] with
Bayes labels y(x₁).

Assumptions
-----------
Both graphs have the same images with the same labels: equal masses, labels, and contents of the views of each image
(with positions kept, the image itself; with positions dropped, the frequency of each symbol in it). Positions are kept
in both graphs or dropped in both. Both mask laws are uniform, the second with at most as many visible patches: counts
of visible patches are compared, and masses of masks where positions are kept. With positions dropped the graph does not
store its masks; then the consequence that the proof uses is compared: given the image, views of the second graph are
uniform parts of views of the first (a certificate compares this with positions kept, too). :func:`check` does not
verify it where the views have more than two million parts.

Claim
-----
α(graph) ≤ α(hides_more), with positions kept or dropped in both. Proof: a uniform subset of a uniform set of visible
patches is a uniform set of fewer, so the smaller view is the output of a channel on the larger, and Bayes errors do not
decrease under channels.

Slack
-----
Information of the newly hidden patches about the label.

Tight when
----------
The newly hidden patches are redundant: copies of one patch, or one more flip-noisy binary patch after an odd number.

Reference
---------
Ours, on the mask ratio of Zhang, Wang and Wang 2022.
"""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
from scipy import sparse

from maetheory.core import Estimate
from maetheory.data import worlds
from maetheory.graph import MaskGraph, NodeContents
from maetheory.masks import BlockMasks, UniformMasks
from maetheory.theory.theorem import ROUNDING_TOLERANCE, Theorem
from maetheory.theory.theorem_objects import Objects

IMAGES = "both graphs have the same images"
POSITIONS = "positions are kept in both graphs or dropped in both"
_MAX_PARTS = 2_000_000
MASKS = "both mask laws are uniform, the second with fewer visible patches"


def _same_images(graph: MaskGraph, hides_more: MaskGraph) -> tuple[bool, str]:
    one, two = (np.asarray(g.image_views.sum(1)).ravel() for g in (graph, hides_more))
    if one.shape != two.shape:
        return False, f"there are {len(one)} and {len(two)} images"
    off = float(np.abs(one - two).max())
    labels, others = graph.image_labels, hides_more.image_labels
    same = labels is not None and others is not None and np.array_equal(labels, others)
    shown = contents_agree(graph, hides_more)
    words = f"labels {'agree' if same else 'differ'}, contents {'agree' if shown else 'differ'}"
    return off <= ROUNDING_TOLERANCE and same and shown, f"masses agree within {off:.3g}, {words}"


def contents_agree(graph: MaskGraph, hides_more: MaskGraph) -> bool:
    """Whether images agree in each symbol that both graphs show, or in symbol frequencies; true if neither is known.

    Symbols are compared position by position only if positions are kept in both graphs, which is a separate assumption.
    """
    if (
        graph.view_contents is None
        or hides_more.view_contents is None
        or keeps_positions(graph) != keeps_positions(hides_more)
    ):
        return True
    if not keeps_positions(graph):
        size = 1 + max(int(g.view_contents.symbols.max(initial=0)) for g in (graph, hides_more) if g.view_contents)
        one, two = (_symbol_frequencies(g, size) for g in (graph, hides_more))
        return bool(np.abs(one - two).max() <= ROUNDING_TOLERANCE)
    symbols, other_symbols = symbols_per_image(graph), symbols_per_image(hides_more)
    if symbols.shape != other_symbols.shape:
        return False
    known = np.minimum(symbols, other_symbols) >= 0
    return bool((symbols == other_symbols)[known].all())


def keeps_positions(graph: MaskGraph) -> bool:
    """Whether the views of the graph store which patches they show."""
    return graph.view_contents is not None and graph.view_contents.masks is not None


def symbols_per_image(graph: MaskGraph) -> np.ndarray:
    """Symbol of each patch of each image, shape (S, n), assembled from its views; −1 where no view shows it."""
    assert graph.view_contents is not None
    symbols, masks = graph.view_contents.symbols, graph.view_contents.masks
    assert masks is not None
    views = np.full(masks.shape, -1)
    views[masks] = symbols[symbols >= 0]  # both in patch order
    image, view = graph.image_views.tocoo().coords
    assembled = np.full((graph.image_views.shape[0], masks.shape[1]), -1)
    np.maximum.at(assembled, image, views[view])
    return assembled


def _symbol_frequencies(graph: MaskGraph, size: int) -> np.ndarray:
    """Frequency of each symbol among the visible patches of each image, shape (S, `size`)."""
    assert graph.view_contents is not None
    counts = (graph.view_contents.symbols[:, :, None] == np.arange(size)).sum(1)  # (N1, w, size) -> (N1, size)
    shown = graph.image_views @ counts  # (S, N1) @ (N1, size)
    return np.asarray(shown / shown.sum(1, keepdims=True))  # every view shows a patch


def _same_positions(graph: MaskGraph, hides_more: MaskGraph) -> tuple[bool, str]:
    words = ["kept" if keeps_positions(g) else "dropped" for g in (graph, hides_more)]
    return words[0] == words[1], f"positions are {words[0]} and {words[1]}"


def _hides_more_uniformly(graph: MaskGraph, hides_more: MaskGraph) -> tuple[bool, str]:
    counts = []
    for g in (graph, hides_more):
        if g.view_contents is None:
            return False, "a graph from a joint law does not know its masks"
        seen = (g.view_contents.symbols >= 0).sum(1)
        if np.ptp(seen) or not _equally_likely(g, int(seen[0])):
            return False, "the masks are not equally likely sets of one size"
        counts.append(int(seen[0]))
    words = f"{counts[0]} and {counts[1]} visible patches"
    if counts[1] > counts[0] or keeps_positions(graph) or keeps_positions(hides_more):
        return counts[1] <= counts[0], words
    parts = uniform_parts(graph, hides_more) if _same_images(graph, hides_more)[0] else None
    if parts is None:
        return True, words
    shown = (graph.image_views @ parts).toarray() / comb(*counts)  # (S, N1) @ (N1, N1' + 1)
    off = float(np.abs(shown[:, :-1] - hides_more.image_views.toarray()).max())
    off = max(off, float(shown[:, -1].max()))
    return off <= ROUNDING_TOLERANCE, f"{words}, views are uniform parts of views within {off:.3g}"


def uniform_parts(graph: MaskGraph, hides_more: MaskGraph) -> sparse.csr_array | None:
    """Number of ways in which each view of `hides_more` is a part of each view of `graph`, shape (N1, N1' + 1).

    The last column counts parts that are no view of `hides_more`. None if a graph does not store the contents of its
    views, or if the views have more than two million parts.
    """
    one, two = graph.view_contents, hides_more.view_contents
    if one is None or two is None:
        return None
    seen, fewer = one.symbols.shape[1], two.symbols.shape[1]
    if len(one.symbols) * comb(seen, fewer) > _MAX_PARTS:
        return None
    index_of = {
        shown: index for index, shown in enumerate(zip(_visible_positions(two), map(tuple, two.symbols.tolist())))
    }
    chosen = list(combinations(range(seen), fewer))
    column = [
        index_of.get((tuple(where[i] for i in part if where), tuple(symbols[i] for i in part)), len(index_of))
        for where, symbols in zip(_visible_positions(one), one.symbols.tolist())
        for part in chosen
    ]
    row = np.repeat(np.arange(len(one.symbols)), len(chosen))
    shape = (len(one.symbols), len(index_of) + 1)
    return sparse.csr_array(sparse.coo_array((np.ones(len(row), int), (row, column)), shape=shape))


def _visible_positions(contents: NodeContents) -> list[tuple[int, ...]]:
    """Indices of the patches that each view shows, ascending; empty if positions were dropped."""
    masks = [()] * len(contents.symbols) if contents.masks is None else contents.masks
    return [tuple(np.flatnonzero(mask).tolist()) for mask in masks]


def _equally_likely(graph: MaskGraph, visible: int) -> bool:
    assert graph.view_contents is not None
    masks = graph.view_contents.masks
    if masks is None:
        return True
    distinct, member = np.unique(masks, axis=0, return_inverse=True)
    mass = np.bincount(member.ravel(), graph.degrees[0])
    return len(distinct) == comb(masks.shape[1], visible) and bool(np.ptp(mass) <= ROUNDING_TOLERANCE)


def _label_error(graph: MaskGraph) -> Estimate:
    return graph.label_error()


def _label_error_hiding_more(hides_more: MaskGraph) -> Estimate:
    return hides_more.label_error()


def _graphs_at_two_ratios(world: worlds.FiniteWorld, more: int, fewer: int, positions: str = "kept") -> Objects:
    laws = UniformMasks(world.n_patches, more), UniformMasks(world.n_patches, fewer)
    graph, hides_more = (MaskGraph.enumerate(world, law, positions) for law in laws)
    return {"graph": graph, "hides_more": hides_more}


def tight() -> Objects:
    """Return images of copies of one patch, one of them in two classes: α = 0.2 at every mask ratio."""
    states = np.array([[0, 0, 0], [0, 0, 0], [1, 1, 1]])
    world = worlds.FiniteWorld(states, np.array([0.3, 0.2, 0.5]), np.array([0, 1, 1]), np.array([0.0, 1.0]))
    return _graphs_at_two_ratios(world, 2, 1)


def _broken() -> dict[str, Objects]:
    good, other = worlds.mixture(4, 2, 2, 0.2), worlds.mixture(4, 2, 2, 0.1)
    graph = _graphs_at_two_ratios(good, 3, 1)["graph"]
    fewer = BlockMasks((1, 4), 1)
    return {
        IMAGES: {"graph": graph, "hides_more": _graphs_at_two_ratios(other, 3, 1)["hides_more"]},
        POSITIONS: {
            "graph": _graphs_at_two_ratios(good, 3, 1, "dropped")["graph"],
            "hides_more": _graphs_at_two_ratios(good, 3, 1)["hides_more"],
        },
        MASKS: {"graph": graph, "hides_more": MaskGraph.enumerate(good, fewer)},
    }


def _sample(rng: np.random.Generator) -> Objects:
    n, alphabet = int(rng.integers(3, 5)), int(rng.integers(2, 4))
    states = int(rng.integers(1, min(12, alphabet**n) + 1))
    world = worlds.random(n, alphabet, int(rng.integers(2, 4)), int(rng.integers(2**31)), states)
    fewer, more = np.sort(rng.choice(np.arange(1, n), 2, replace=False))
    return _graphs_at_two_ratios(world, int(more), int(fewer), str(rng.choice(["kept", "dropped"])))


THEOREM = Theorem(
    slug="label-error-grows-with-mask-ratio",
    statement="α(ρ) <= α(ρ') for ρ <= ρ'",
    reference="Ours",
    objects=("hides_more",),
    lhs=_label_error,
    rhs=_label_error_hiding_more,
    direction="<=",
    trivial=1.0,
    assumptions={IMAGES: _same_images, POSITIONS: _same_positions, MASKS: _hides_more_uniformly},
    tight=tight,
    broken=_broken,
    sample=_sample,
)
