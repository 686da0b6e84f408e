"""Ball-arithmetic sides of the theorems that compare two graphs.

A channel is read as it is stored, and its rows are divided by their exact sums, as the law of a graph is. Two graphs
that were enumerated separately agree only up to rounding error; :mod:`graph_assumptions` bounds the cost of that for
the claim by the masses.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from itertools import zip_longest

from maetheory.theory.certified.assumptions import targets_are_sent_by_a_law, views_are_sent_by_a_law
from maetheory.theory.certified.balls import (
    Ball,
    BallMatrix,
    ball,
    ball_max,
    ball_sum,
    column_sums,
    from_rows,
    nonnegative_sqrt,
    rescale,
    row_sums,
)
from maetheory.theory.certified.graph import BallGraph, gram
from maetheory.theory.certified.graph_assumptions import (
    has_complementary_masks,
    hides_more_uniformly,
    law_of_pairs,
    relative_differences,
    same_images,
    same_positions,
    transposed_law,
)
from maetheory.theory.certified.sides import Sides, unit_scale
from maetheory.theory.statements.label_error_grows_with_mask_ratio import IMAGES, MASKS, POSITIONS
from maetheory.theory.statements.mask_ratio_duality import COMPLEMENTARY


def _zero_side(graph: BallGraph) -> Ball:
    return ball(0)


def _normalised_channel(channel: BallMatrix) -> BallMatrix:
    return rescale(channel, rows=[1 / mass for mass in row_sums(channel)])


def _loewner_gap(graph: BallGraph, channel: BallMatrix) -> Ball:
    """Smallest eigenvalue of Ā_M − Ā_{MK} orthogonal to u = √d₁."""
    return ball(0) if graph.shape[0] == 1 else graph.spectrum("fall", loewner_fall(graph, channel))[-1]


def loewner_fall(graph: BallGraph, channel: BallMatrix) -> BallMatrix:
    """Matrix Ā_M − Ā_{MK} + 2uuᵀ with u = √d₁, which makes the eigenvalue of u the largest, shape (N1, N1)."""
    n1 = graph.shape[0]
    after = graph.joint * _normalised_channel(channel)
    kept = [ball(0) if d.is_zero() else 1 / d for d in column_sums(after)]
    fall = graph.pair_law - rescale(after, columns=kept) * after.transpose()  # (N1, N1)
    d1 = graph.degrees[0]
    inverse = [d.rsqrt() for d in d1]
    roots = [d.sqrt() for d in d1]
    lifted = from_rows([[2 * a * b for b in roots] for a in roots], n1, n1)
    return rescale(fall, inverse, inverse) + lifted


def _largest_rise(graph: BallGraph, channel: BallMatrix, view_channel: BallMatrix) -> Ball:
    """Largest difference σ_i(KᵀMK') − σ_i(M) over i ≥ 2."""
    after = _normalised_channel(view_channel).transpose() * graph.joint * _normalised_channel(channel)
    squares = graph.spectrum("after", gram(after, row_sums(after), column_sums(after)))
    pairs = list(zip_longest(squares, graph.eigenvalues, fillvalue=ball(0)))
    rises = [nonnegative_sqrt(one_after) - nonnegative_sqrt(before) for one_after, before in pairs[1:]]
    return reduce(lambda a, b: a.max(b), rises) if rises else ball(0)


def _pair_error_after(graph: BallGraph, channel: BallMatrix) -> Ball:
    """Pair error φ of the processed graph, with the view labels unchanged."""
    after, labels = graph.joint * _normalised_channel(channel), graph.float_graph.view_labels
    error = ball(0)
    for column in after.transpose().tolist():
        masses = [
            ball_sum(w for w, label in zip(column, labels) if label == c) for c in range(graph.float_graph.n_classes)
        ]
        mass = ball_sum(masses)
        if not mass.is_zero():
            others = (ball_sum(other for d, other in enumerate(masses) if d != c) for c in range(len(masses)))
            error += ball_sum(mine * other for mine, other in zip(masses, others)) / mass
    return error


def _bayes_error(class_law: list[list[Ball]]) -> Ball:
    """Bayes error: mass outside the most probable class of each node, independent of tie breaking."""
    return ball_sum(ball_sum(row) - ball_max(row) for row in class_law)


def _label_error(graph: BallGraph) -> Ball:
    return _bayes_error(graph.class_law)


def _label_error_hiding_more(hides_more: BallGraph) -> Ball:
    return _bayes_error(hides_more.class_law)


def _largest_difference(graph: BallGraph, complement: BallGraph) -> Ball:
    """Largest difference of the law and the transposed law (relative), singular values, components and label errors."""
    transposed = transposed_law(graph, complement)
    distances = [ball(1)] if transposed is None else relative_differences(law_of_pairs(graph), transposed)
    pairs = zip_longest(graph.eigenvalues, complement.eigenvalues, fillvalue=ball(0))
    differences = [abs(nonnegative_sqrt(mine) - nonnegative_sqrt(other)) for mine, other in pairs]
    differences.append(ball(abs(graph.float_graph.n_components - complement.float_graph.n_components)))
    if graph.float_graph.image_labels is not None and complement.float_graph.image_labels is not None:
        for mine, other in (
            (graph.class_law, complement.target_class_law),
            (graph.target_class_law, complement.class_law),
        ):
            differences.append(abs(_bayes_error(mine) - _bayes_error(other)))
    return ball_max([*distances, *differences])


_TARGETS = {"targets are sent by a law": targets_are_sent_by_a_law}

GRAPH_COMPARISON_SIDES: Mapping[str, Sides] = {
    "data-processing-shrinks-spectrum": Sides(lhs=_loewner_gap, rhs=_zero_side, assumptions=_TARGETS, scale=unit_scale),
    "channels-on-both-sides-shrink-singular-values": Sides(
        lhs=_largest_rise,
        rhs=_zero_side,
        assumptions={**_TARGETS, "views are sent by a law": views_are_sent_by_a_law},
        scale=unit_scale,
    ),
    "data-processing-raises-pair-error": Sides(
        lhs=lambda graph: graph.pair_label_error(), rhs=_pair_error_after, assumptions=_TARGETS, size=unit_scale
    ),
    "label-error-grows-with-mask-ratio": Sides(
        lhs=_label_error,
        rhs=_label_error_hiding_more,
        assumptions={IMAGES: same_images, POSITIONS: same_positions, MASKS: hides_more_uniformly},
        size=unit_scale,
    ),
    "mask-ratio-duality": Sides(
        lhs=_largest_difference,
        rhs=_zero_side,
        assumptions={COMPLEMENTARY: has_complementary_masks},
        scale=unit_scale,
    ),
}
