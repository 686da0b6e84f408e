"""Assumptions about pairs of graphs in ball arithmetic: same images, same positions, uniform or complementary masks.

A graph does not store its mask law. The property that a theorem uses follows from the laws of images and views: under
uniform masks a view of fewer patches is a uniform part of a view of more patches, image by image. This is compared
entry by entry, with positions kept or dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import comb, inf
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from maetheory.theory.certified.assumptions import ROUNDING_TOLERANCE, Margin
from maetheory.theory.certified.balls import (
    Ball,
    ball,
    ball_max,
    ball_sum,
    enclosure,
    nonnegative_sqrt,
    power,
    squared_norm,
)
from maetheory.theory.certified.graph import BallGraph, normalised
from maetheory.theory.statements.label_error_grows_with_mask_ratio import contents_agree, keeps_positions, uniform_parts
from maetheory.theory.statements.mask_ratio_duality import match_nodes, symbols_of_images

_MAX_UNKNOWNS = 20_000
Law = dict[tuple[int, int], Ball]


def _failed_margin(words: str) -> Margin:
    return Margin(ball(-inf), ball(0), words)


def _exact_margin(words: str) -> Margin:
    return Margin(ball(0), ball(0), words)


def _absolute_differences(one: Law, two: Law) -> list[Ball]:
    """Absolute differences of two sparse laws, entry by entry."""
    return [abs(_probability_at(one, at) - _probability_at(two, at)) for at in {**one, **two}]


def relative_differences(one: Mapping[Any, Ball], two: Mapping[Any, Ball]) -> list[Ball]:
    """Differences |a − b| / max(a, b) of two sparse laws of positive masses; 1 where only one has mass."""
    both = [(one[at], two[at]) for at in one if at in two]
    alone = len(one.keys() ^ two.keys())
    return [abs(a - b) / a.max(b) for a, b in both] + [ball(1)] * alone


def _probability_at(law: Law, at: tuple[int, int]) -> Ball:
    found = law.get(at)
    return ball(0) if found is None else found


def _agreement_margin(differences: Iterable[Ball], words: str, cost: Ball | None = None) -> Margin:
    """Margin of laws that agree within 1e-12 in each entry; the cost defaults to the sum of the differences."""
    differences = list(differences)
    most = ball_max(differences)
    return Margin(
        -most, ball(ROUNDING_TOLERANCE), words.format(enclosure(most)), ball_sum(differences) if cost is None else cost
    )


def _image_masses(graph: BallGraph) -> Law:
    masses: Law = {}
    for image, _, w in graph.image_views():
        masses[image, 0] = masses.get((image, 0), ball(0)) + w
    return masses


def same_images(graph: BallGraph, hides_more: BallGraph) -> Margin:
    """Margin of the same images: equal labels and contents, and masses that agree within 1e-12."""
    one, two = graph.float_graph, hides_more.float_graph
    if one.image_views.shape[0] != two.image_views.shape[0]:
        return _failed_margin(f"there are {one.image_views.shape[0]} and {two.image_views.shape[0]} images")
    if one.image_labels is None or two.image_labels is None or not np.array_equal(one.image_labels, two.image_labels):
        return _failed_margin("labels differ")
    if not contents_agree(one, two):
        return _failed_margin("labels agree, contents differ")
    return _agreement_margin(
        _absolute_differences(_image_masses(graph), _image_masses(hides_more)),
        "masses agree within {}, labels agree, contents agree",
    )


def same_positions(graph: BallGraph, hides_more: BallGraph) -> Margin:
    """Margin of the same positions: kept in both graphs, or dropped in both."""
    words = ["kept" if keeps_positions(g.float_graph) else "dropped" for g in (graph, hides_more)]
    sentence = f"positions are {words[0]} and {words[1]}"
    return _exact_margin(sentence) if words[0] == words[1] else _failed_margin(sentence)


def hides_more_uniformly(graph: BallGraph, hides_more: BallGraph) -> Margin:
    """Margin of uniform masks: views of the second graph are uniform parts of views of the first."""
    counts = []
    for g in (graph, hides_more):
        contents = g.float_graph.view_contents
        if contents is None:
            return _failed_margin("a graph from a joint law does not know its masks")
        seen = (contents.symbols >= 0).sum(1)
        if np.ptp(seen):
            return _failed_margin("the masks are not sets of one size")
        counts.append(int(seen[0]))
    words = f"{counts[0]} and {counts[1]} visible patches"
    if counts[1] > counts[0]:
        return _failed_margin(words)
    uneven = [x for g, k in zip((graph, hides_more), counts) for x in _uneven_masks(g, k)]
    comparable = keeps_positions(graph.float_graph) == keeps_positions(hides_more.float_graph)
    if not comparable or not same_images(graph, hides_more).value >= -ROUNDING_TOLERANCE:
        return _agreement_margin(
            uneven, words + ", masses of masks differ by {}"
        )  # the assumption that fails reports it
    parts = uniform_parts(graph.float_graph, hides_more.float_graph)
    if parts is None:
        return Margin(
            ball(-ROUNDING_TOLERANCE), ball(ROUNDING_TOLERANCE), words + ", too many parts of views to compare"
        )
    differences = _absolute_differences(
        _law_of_parts(graph, parts, counts), _entries_by_index(hides_more.image_views())
    )
    most = ball_max([*uneven, *differences])
    words = f"{words}, views are uniform parts of views within {enclosure(most)}"
    return Margin(-most, ball(ROUNDING_TOLERANCE), words, ball_sum(differences))


def _uneven_masks(graph: BallGraph, visible: int) -> list[Ball]:
    """Difference of the mass of each mask from the uniform law, if positions are kept."""
    contents = graph.float_graph.view_contents
    if contents is None or contents.masks is None:
        return []
    number = comb(contents.masks.shape[1], visible)
    masses = _masses_of_masks(graph, contents.masks)
    return [abs(mass - ball(1) / number) for mass in masses.values()] if len(masses) == number else [ball(1)]


def _masses_of_masks(graph: BallGraph, masks: np.ndarray) -> dict[tuple[bool, ...], Ball]:
    """Mass of each distinct mask (True = visible) of the views, given with one row per view."""
    masses: dict[tuple[bool, ...], Ball] = {}
    for mask, d in zip(map(tuple, masks.tolist()), graph.degrees[0]):
        masses[mask] = masses.get(mask, ball(0)) + d
    return masses


def _entries_by_index(triples: Iterable[tuple[int, int, Ball]]) -> Law:
    return {(i, j): w for i, j, w in triples}


def _law_of_parts(graph: BallGraph, parts: sparse.csr_array, counts: list[int]) -> Law:
    """Law of the image and a uniform part of its view; the last index is for parts that the other graph lacks."""
    law: Law = {}
    for image, view, w in graph.image_views():
        at = slice(parts.indptr[view], parts.indptr[view + 1])
        for part, ways in zip(parts.indices[at], parts.data[at]):
            share = w * int(ways) / comb(*counts)
            law[image, int(part)] = law.get((image, int(part)), ball(0)) + share
    return law


def _support_of_law(law: Law) -> set[tuple[int, int]]:
    return {at for at, w in law.items() if not w.is_zero()}


def has_complementary_masks(graph: BallGraph, complement: BallGraph) -> Margin:
    """Margin of complementary mask laws of the same images, in relative terms; of the whole law if masks are unknown.

    Image and mask are independent. If their masses agree up to a relative δ, all masses of pairs, nodes and classes
    agree up to a factor r = (1 − δ)⁻², hence the entries of Ā_M up to r²; as Ā_M is non-negative and has norm one,
    singular values, label errors and relative masses differ by at most r² − 1.
    """
    one, two = graph.float_graph, complement.float_graph
    contents, other_contents = one.view_contents, two.view_contents
    if contents is None or other_contents is None or contents.masks is None or other_contents.masks is None:
        return _is_transposed(graph, complement)
    labels, others = one.image_labels, two.image_labels
    same_number = one.image_views.shape[0] == two.image_views.shape[0]
    same_labels = labels is None or others is None or np.array_equal(labels, others)
    if not same_number or not same_labels or not np.array_equal(symbols_of_images(one), symbols_of_images(two)):
        return _failed_margin("the images differ in number, labels or contents")
    exchanged = _masses_of_masks(complement, ~other_contents.masks)
    of_masks = relative_differences(_masses_of_masks(graph, contents.masks), exchanged)
    of_images = relative_differences(_image_masses(graph), _image_masses(complement))
    most = ball_max([*of_masks, *of_images])
    cost = power(1 / (1 - most), 4) - 1 if most < 1 else ball(inf)
    words = f"masses of masks and images agree within {enclosure(most)} of their size"
    return Margin(-most, ball(ROUNDING_TOLERANCE), words, cost)


def transposed_law(graph: BallGraph, complement: BallGraph) -> Law | None:
    """Law of the complement with views and targets exchanged, by the nodes of `graph`; None if nodes do not match."""
    one, two = graph.float_graph, complement.float_graph
    counterparts = match_nodes(one, two) if one.shape == two.shape[::-1] else None
    if counterparts is None:
        return None
    view_of, target_of = ({int(j): i for i, j in enumerate(side)} for side in counterparts)
    return {(view_of[j], target_of[i]): w for i, j, w in complement.pairs}


def law_of_pairs(graph: BallGraph) -> Law:
    """Probability of every pair of view and target that occurs."""
    return _entries_by_index(graph.pairs)


def _is_transposed(graph: BallGraph, complement: BallGraph) -> Margin:
    """Margin of two graphs that do not know their masks: the complement has views and targets exchanged.

    Singular values differ by at most ‖Ā_M − Ā_M'ᵀ‖_F, in which each difference is weighted by its masses, and label
    errors by the sum of the differences of the class laws; components differ only if the sets of pairs differ, and
    masses of pairs by their own relative differences.
    """
    one, two = graph.float_graph, complement.float_graph
    if one.shape != two.shape[::-1]:
        return _failed_margin(f"the graphs are {one.shape} and {two.shape}")
    counterparts, transposed = match_nodes(one, two), transposed_law(graph, complement)
    if counterparts is None or transposed is None:
        return _failed_margin("a view or target of one graph shows what no target or view of the other does")
    if one.image_labels is not None and two.image_labels is not None and one.n_classes != two.n_classes:
        return _failed_margin(f"they have {one.n_classes} and {two.n_classes} classes")
    views, targets = counterparts
    law = law_of_pairs(graph)
    differences, of_classes = _absolute_differences(law, transposed), ball(0)
    if one.image_labels is not None and two.image_labels is not None:
        for mine, other, counterpart in (
            (graph.class_law, complement.target_class_law, views),
            (graph.target_class_law, complement.class_law, targets),
        ):
            gaps = [abs(x - y) for row, at in zip(mine, counterpart) for x, y in zip(row, other[at])]
            differences, of_classes = differences + gaps, of_classes + ball_sum(gaps)
    if _support_of_law(law) != _support_of_law(transposed):
        cost = ball(max(one.shape))
    else:
        exchanged = complement.joint.transpose().tolist()  # (N2', N1')
        rows = [[exchanged[i][j] for j in targets] for i in views]
        sides = [complement.degrees[1][i] for i in views], [complement.degrees[0][j] for j in targets]
        normalised_difference = normalised(graph.joint, *graph.degrees) - normalised(type(graph.joint)(rows), *sides)
        of_values = nonnegative_sqrt(squared_norm(normalised_difference)) + of_classes
        cost = ball_max([of_values, *relative_differences(law, transposed)])
    return _agreement_margin(differences, "masses and class laws agree within {}", cost)


def images_known_exactly(graph: BallGraph) -> Margin:
    """Margin of a common law of class, view and target whose marginals are the stored class laws.

    If each view has one class, or each target has, there is only one candidate; otherwise a linear program finds one.
    The marginals of the candidate differ from the stored ones by δ, summed over entries; so do α and α₂.
    """
    found = _classes_of_pairs(graph)
    if found is None:
        return Margin(
            ball(-ROUNDING_TOLERANCE),
            ball(ROUNDING_TOLERANCE),
            "views and targets are shared by too many classes to compare",
        )
    shares, unique = found
    by_view: Law = {}
    by_target: Law = {}
    for (i, j, w), row in zip(graph.pairs, shares):
        for c, share in row:
            by_view[i, c] = by_view.get((i, c), ball(0)) + w * share
            by_target[j, c] = by_target.get((j, c), ball(0)) + w * share
    differences = [
        *_absolute_differences(by_view, _nonzero_entries(graph.class_law)),
        *_absolute_differences(by_target, _nonzero_entries(graph.target_class_law)),
    ]
    off = ball_sum(differences)
    words = f"one law of class, view and target has the stored laws within {enclosure(off)}"
    if not unique and not off <= ROUNDING_TOLERANCE:
        return Margin(ball(-ROUNDING_TOLERANCE), ball(ROUNDING_TOLERANCE), f"no {words[4:]} was found", 2 * off)
    return Margin(-off, ball(ROUNDING_TOLERANCE), words, 2 * off)


def _nonzero_entries(rows: list[list[Ball]]) -> Law:
    return {(i, c): w for i, row in enumerate(rows) for c, w in enumerate(row) if not w.is_zero()}


def _classes_of_pairs(graph: BallGraph) -> tuple[list[list[tuple[int, Ball]]], bool] | None:
    """Classes and shares of each pair, with shares summing to one, and whether they are the only possible ones."""
    for side, law in enumerate((graph.class_law, graph.target_class_law)):
        if all(sum(not w.is_zero() for w in row) == 1 for row in law):
            only = [next(c for c, w in enumerate(row) if not w.is_zero()) for row in law]
            return [[(only[pair[side]], ball(1))] for pair in graph.pairs], True
    guess = _class_shares_by_linear_program(graph)
    if guess is None:
        return None
    rows = [[(c, ball(float(x))) for c, x in enumerate(row) if x > 0] for row in guess]
    masses = [ball_sum(x for _, x in row) for row in rows]
    return [[(c, x / mass) for c, x in row] for row, mass in zip(rows, masses)], False


def _class_shares_by_linear_program(graph: BallGraph) -> np.ndarray | None:
    """Shares of the classes in each pair by a linear program in floats, shape (pairs, r); a guess to be verified."""
    classes, size = graph.float_graph.n_classes, len(graph.pairs)
    if size * classes > _MAX_UNKNOWNS:
        return None
    x1, x2, weight = (np.array(column) for column in zip(*((i, j, float(w)) for i, j, w in graph.pairs)))
    unknown = np.arange(size * classes)
    pair, label = np.divmod(unknown, classes)
    rows, aims = [], []
    for node, law in ((x1, graph.class_law), (x2, graph.target_class_law)):
        row = node[pair] * classes + label
        rows.append(sparse.csr_array((np.ones(len(unknown)), (row, unknown)), shape=(len(law) * classes, len(unknown))))
        aims.append(np.array([[float(w) for w in one] for one in law]).ravel())
    rows.append(sparse.csr_array((np.ones(len(unknown)), (pair, unknown)), shape=(size, len(unknown))))
    aims.append(weight)
    sums: sparse.csr_array = sparse.vstack(rows, format="csr")
    slack = sparse.eye_array(sums.shape[0])
    objective = np.r_[np.zeros(len(unknown)), np.ones(2 * sums.shape[0])]
    found = linprog(objective, A_eq=sparse.hstack([sums, slack, -slack]), b_eq=np.concatenate(aims), method="highs")
    if found.x is None:
        return None
    shares = np.maximum(found.x[: len(unknown)].reshape(size, classes), 0.0)
    empty = shares.sum(1) == 0
    shares[empty] = weight[empty, None]
    return np.asarray(shares)
