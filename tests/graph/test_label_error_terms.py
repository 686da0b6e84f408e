"""Label errors carry error bounds that cover; ties, guards and thresholds decide. Exact fractions are the judge."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse

from maetheory.core import Estimate, InputError
from maetheory.data.worlds import FiniteWorld
from maetheory.graph import MaskGraph
from maetheory.graph.labels import (
    bayes_labels,
    check_labels,
    class_law,
    label_disagreement,
    pair_label_disagreement,
)
from maetheory.masks import UniformMasks

EPS = float(np.finfo(float).eps)


def rare_patch_world(n: int, rare: float) -> FiniteWorld:
    """Two images that differ in their last patch only, the second with probability `rare` and another label."""
    states = np.zeros((2, n), int)
    states[1, -1] = 1
    return FiniteWorld(states, np.array([1 - rare, rare]), np.array([0, 1]), np.eye(2))


def exact_label_errors(world: FiniteWorld, law: UniformMasks, positions: str) -> list[Fraction]:
    """Return α, α₂ and φ of a world of two labels by exact sums over images and masks."""
    joint: dict = defaultdict(lambda: [Fraction(0), Fraction(0)])
    masks, weights = law.support()
    for state, p, label in zip(world.states.tolist(), world.probability, world.labels.tolist(), strict=True):
        for mask, q in zip(masks.tolist(), weights, strict=True):
            where = tuple(mask) if positions == "kept" else ()
            parts = [tuple(s for s, seen in zip(state, mask, strict=True) if seen == shown) for shown in (True, False)]
            joint[(where, parts[0]), (where, parts[1])][label] += Fraction(p) * Fraction(q)
    views, targets, pairs = (defaultdict(lambda: [Fraction(0), Fraction(0)]) for _ in range(3))
    for (view, target), mass in joint.items():
        for label in (0, 1):
            views[view][label] += mass[label]
            targets[target][label] += mass[label]
    for (view, target), mass in joint.items():
        pairs[target][int(views[view][1] > views[view][0])] += sum(mass)
    return [
        sum(min(mass) for mass in views.values()),
        sum(min(mass) for mass in targets.values()),
        sum(2 * mass[0] * mass[1] / sum(mass) for mass in pairs.values()),
    ]


@pytest.mark.parametrize("positions", ["kept", "dropped"])
@pytest.mark.parametrize("rare", [0.3, 1 / 7, 1e-13])
@pytest.mark.parametrize("visible", [4, 6])
def test_errors_cover_sums_over_all_masks(visible: int, rare: float, positions: str) -> None:
    """With positions dropped hundreds of equal terms make one entry, and their rounding errors add up."""
    world, law, complement = rare_patch_world(11, rare), UniformMasks(11, visible), UniformMasks(11, 11 - visible)
    graph = MaskGraph.enumerate(world, law, positions)
    for one, seen in ((graph, law), (graph.transpose(), complement)):
        found = [one.label_error(), one.target_label_error(), one.pair_label_error()]
        for value, exact in zip(found, exact_label_errors(world, seen, positions), strict=True):
            assert abs(Fraction(value.value) - exact) <= Fraction(value.error)
            assert value.error <= 3 * graph.n_pairs * EPS * value


def test_errors_count_the_pairs_that_were_summed() -> None:
    world, law = rare_patch_world(6, 0.25), UniformMasks(6, 3)
    kept, dropped = (MaskGraph.enumerate(world, law, positions) for positions in ("kept", "dropped"))
    assert kept.n_pairs == dropped.n_pairs == dropped.transpose().n_pairs == 40
    for graph in (kept, dropped, dropped.transpose()):
        for value in (graph.label_error(), graph.target_label_error()):
            assert value.error == pytest.approx(40 * EPS * value, rel=1e-12, abs=0)
    # N2 targets of r = 2 classes, each of at most `most` views; entries of the joint law sum up to 40 − nnz + 1 pairs
    for graph, most, extra in ((kept, 2, 40 - 40), (dropped, 2, 40 - 3)):
        value = graph.pair_label_error()
        terms = 2 * most + 4 * 2 + 2 * graph.shape[1] + 2 * extra
        assert value.error == pytest.approx(terms * EPS * value, rel=1e-12, abs=0)


def test_graphs_from_a_joint_law_count_their_entries() -> None:
    graph = MaskGraph.from_joint(np.array([[0.25, 0.25], [0.25, 0.0], [0.0, 0.25]]), [0, 1, 1])
    assert graph.n_pairs is None
    assert graph.target_label_error().error == 4 * EPS * 0.5
    assert graph.pair_label_error() == 0.5
    assert graph.pair_label_error().error == (2 * 2 + 4 * 2 + 4) * EPS * 0.5


def test_a_label_error_is_the_mass_of_the_other_classes() -> None:
    law = np.array([[0.125, 0.25, 0.0625], [0.5, 0.0, 0.0625]])
    assert label_disagreement(law, np.array([1, 0]), 5) == 0.25
    assert label_disagreement(law, np.array([1, 0]), 5).error == 5 * EPS * 0.25
    assert label_disagreement(law, np.array([2, 1]), 5) == 0.9375


@pytest.mark.parametrize("seed", range(4))
def test_pair_errors_of_many_classes_cover(seed: int) -> None:
    """φ = Σ_t Σ_{a≠b} m_ta m_tb / m_t; masses spread over thirteen decades."""
    rng = np.random.default_rng(seed)
    joint = 10.0 ** rng.uniform(-13, 0, (30, 7)) * (rng.random((30, 7)) < 0.5)
    joint[np.arange(30), rng.integers(7, size=30)] += 1e-13
    labels = rng.integers(4, size=30)
    found = pair_label_disagreement(sparse.csr_array(joint), labels)
    wanted = Fraction(0)
    for column in joint.T:
        mass = [sum((Fraction(x) for x in column[labels == c]), Fraction(0)) for c in range(4)]
        wanted += sum(mass[a] * mass[b] for a in range(4) for b in range(4) if a != b) / sum(mass) if sum(mass) else 0
    assert abs(Fraction(found.value) - wanted) <= Fraction(found.error)
    most, size = int((joint > 0).sum(0).max()), int((joint > 0).any(0).sum()) * 4
    assert size == 28
    assert found.error == pytest.approx((2 * most + 4 * 4 + size) * EPS * found, rel=1e-12, abs=0)
    summed = pair_label_disagreement(sparse.csr_array(joint), labels, 6)
    assert summed.error == pytest.approx(found.error + 10 * EPS * found, rel=1e-12, abs=0)


@pytest.mark.parametrize("mass", [1.0, 1e-13])
@pytest.mark.parametrize("others", [0.0, 0.25])
def test_ties_are_ties_within_a_part_in_a_million_million(mass: float, others: float) -> None:
    """The first of two nearly equal posteriors wins below a difference of 10⁻¹², however small the node is."""
    for difference, wanted in ((0.9e-12, 1), (1.1e-12, 2)):
        share = (1 - others) / 2
        row = mass * np.array([others, share - difference / 2, share + difference / 2])
        assert bayes_labels(np.stack([row, row[::-1]])).tolist() == [wanted, 0]
    assert bayes_labels(np.array([[0.0, mass, mass]])).tolist() == [1]


def test_class_laws_sum_over_images() -> None:
    image_views = sparse.csr_array(np.array([[0.25, 0.25], [0.0, 0.125], [0.375, 0.0]]))
    np.testing.assert_array_equal(class_law(image_views, np.array([0, 2, 2])), [[0.25, 0.0, 0.375], [0.25, 0.0, 0.125]])


@pytest.mark.parametrize(
    "labels",
    [[0, -1], [0, 10_000], [0.0, 1.0], [0], [[0, 1]], [True, False]],
    ids=["negative", "too large", "float", "too few", "matrix", "bool"],
)
def test_what_is_no_label_is_refused(labels: list) -> None:
    with pytest.raises(InputError, match="labels must be 2 integers from 0 to 9999, one per image, but they are"):
        check_labels(labels, 2, "image")


def test_labels_at_the_limits_are_taken() -> None:
    found = check_labels(np.array([0, 9_999], np.uint16), 2)
    assert found.tolist() == [0, 9_999]
    assert found.dtype == np.int64
    assert check_labels([3, 3], 2).tolist() == [3, 3]  # one class is enough
    assert check_labels(None, 2) is None


def test_labels_of_an_estimate_are_never_negative() -> None:
    errors = [MaskGraph.enumerate(rare_patch_world(4, p), UniformMasks(4, 2)).label_error() for p in (0.1, 0.2, 0.4)]
    assert all(isinstance(error, Estimate) and error.low > 0 and not error.sampled for error in errors)
    assert all(a < b for a, b in pairwise(errors))
