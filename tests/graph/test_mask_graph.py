"""A mask graph equals the sum over images and masks that defines it."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from scipy import sparse

from maetheory.core import InputError
from maetheory.data import worlds
from maetheory.data.worlds import FiniteWorld
from maetheory.graph import MaskGraph
from maetheory.masks import BernoulliMasks, BlockMasks, MaskLaw, UniformMasks

EPS = np.finfo(float).eps


def slow_joint(world: FiniteWorld, law: MaskLaw, positions: str) -> dict[tuple, dict[tuple, float]]:
    """Return {view: {target: mass}} by plain loops over images and masks."""
    found: dict[tuple, dict[tuple, float]] = defaultdict(lambda: defaultdict(float))
    for state, p in zip(world.states.tolist(), world.probability.tolist(), strict=True):
        for mask, q in zip(*(part.tolist() for part in law.support()), strict=True):
            view = tuple(s for s, seen in zip(state, mask, strict=True) if seen)
            target = tuple(s for s, seen in zip(state, mask, strict=True) if not seen)
            where = (tuple(mask),) if positions == "kept" else ()
            if p > 0:
                found[(*where, view)][(*where, target)] += p * q
    return found


def keys(contents, positions: str, hidden: bool) -> list[tuple]:
    """Return the name of each node in the slow oracle."""
    names = []
    for i, row in enumerate(contents.symbols.tolist()):
        shown = tuple(s for s in row if s >= 0)
        where = ()
        if positions == "kept":
            where = (tuple((~contents.masks[i] if hidden else contents.masks[i]).tolist()),)
        names.append((*where, shown))
    return names


LAWS = [UniformMasks(4, 1), UniformMasks(4, 3), BernoulliMasks(4, 0.3), BlockMasks(2, 2)]


@pytest.mark.parametrize("positions", ["kept", "dropped"])
@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_joint_is_the_double_loop(law: MaskLaw, positions: str) -> None:
    world = worlds.mixture(4, 3, 2, 0.2, seed=1)
    graph = MaskGraph.enumerate(world, law, positions)
    slow = slow_joint(world, law, positions)
    views = keys(graph.view_contents, positions, hidden=False)
    targets = keys(graph.target_contents, positions, hidden=True)
    assert len(set(views)) == len(views) == len(slow)
    assert set(targets) == {t for row in slow.values() for t in row}
    assert graph.joint.nnz == sum(len(row) for row in slow.values())
    dense = graph.joint.toarray()
    for i, view in enumerate(views):
        for j, target in enumerate(targets):
            assert abs(dense[i, j] - slow[view].get(target, 0.0)) <= 100 * EPS


def test_degrees_normalised_and_augmentation_are_their_definitions() -> None:
    rng = np.random.default_rng(0)
    joint = rng.random((5, 7)) * (rng.random((5, 7)) < 0.6) + np.eye(5, 7) * 0.1 + 0.01 * (np.arange(7) > 4)
    joint /= joint.sum()
    graph = MaskGraph.from_joint(joint)
    d1, d2 = joint.sum(1), joint.sum(0)
    np.testing.assert_allclose(graph.degrees[0], d1, rtol=20 * EPS)
    np.testing.assert_allclose(graph.degrees[1], d2, rtol=20 * EPS)
    wanted = joint / np.sqrt(np.outer(d1, d2))
    np.testing.assert_allclose(graph.normalized.matmat(np.eye(7)), wanted, atol=20 * EPS)
    np.testing.assert_allclose(graph.normalized.rmatmat(np.eye(5)), wanted.T, atol=20 * EPS)
    np.testing.assert_allclose(graph.augmentation.toarray(), wanted @ wanted.T, atol=40 * EPS)
    np.testing.assert_allclose(graph.pair_law.sum(1), d1, rtol=40 * EPS)


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_components_are_the_multiplicity_of_one_and_at_least_the_masks(law: MaskLaw) -> None:
    graph = MaskGraph.enumerate(worlds.mixture(4, 2, 2, 0.2), law)
    singular = np.linalg.svd(graph.normalized_matrix.toarray(), compute_uv=False)
    assert graph.n_components == (singular > 1 - 1e-9).sum() >= len(law.support()[0])
    assert singular.max() <= 1 + 1e-12
    # without noise the two classes never meet either
    assert MaskGraph.enumerate(worlds.mixture(4, 2, 2, 0.0), law).n_components == 2 * len(law.support()[0])


def test_label_errors_are_their_definitions() -> None:
    world, law = worlds.mixture(5, 2, 2, 0.2), UniformMasks(5, 2)
    for positions in ("kept", "dropped"):
        graph = MaskGraph.enumerate(world, law, positions)
        first, second = defaultdict(lambda: np.zeros(2)), defaultdict(lambda: np.zeros(2))
        triples = []
        for state, p, y in zip(world.states.tolist(), world.probability, world.labels, strict=True):
            for mask, q in zip(*law.support(), strict=True):
                where = tuple(mask) if positions == "kept" else ()
                view = (where, tuple(s for s, m in zip(state, mask, strict=True) if m))
                target = (where, tuple(s for s, m in zip(state, mask, strict=True) if not m))
                first[view][y] += p * q
                second[target][y] += p * q
                triples.append((view, target, y, p * q))
        name = {view: int(mass[1] > mass[0] + 1e-12 * mass.sum()) for view, mass in first.items()}
        name2 = {target: int(mass[1] > mass[0] + 1e-12 * mass.sum()) for target, mass in second.items()}
        assert graph.label_error() == pytest.approx(sum(w for v, _, y, w in triples if name[v] != y), abs=1e-13)
        assert graph.target_label_error() == pytest.approx(sum(w for _, t, y, w in triples if name2[t] != y), abs=1e-13)
        phi = sum(
            w * u / second[t].sum()
            for v, t, _, w in triples
            for v2, t2, _, u in triples
            if t == t2 and name[v] != name[v2]
        )
        assert graph.pair_label_error() == pytest.approx(phi, abs=1e-13)
        assert graph.pair_label_error() <= 2 * graph.label_error() + 2 * graph.target_label_error()


def test_the_gap_in_alpha() -> None:
    inside = MaskGraph.from_joint(np.array([[1, 0], [1, 0], [0, 1], [0, 1]]) / 4, [0, 0, 1, 1])
    across = MaskGraph.from_joint(np.array([[1, 0], [0, 1], [1, 0], [0, 1]]) / 4, [0, 0, 1, 1])
    for graph in (inside, across):
        assert graph.label_error() == 0.0
        eigenvalues = np.linalg.eigvalsh(graph.augmentation.toarray())
        np.testing.assert_allclose(eigenvalues, [0, 0, 1, 1], atol=10 * EPS)
    assert (inside.pair_label_error(), inside.target_label_error()) == (0.0, 0.0)
    assert (across.pair_label_error(), across.target_label_error()) == (0.5, 0.5)


@pytest.mark.parametrize("positions", ["kept", "dropped"])
@pytest.mark.parametrize(
    ("law", "complement"),
    [(UniformMasks(5, 2), UniformMasks(5, 3)), (BernoulliMasks(4, 0.3), BernoulliMasks(4, 0.7))],
    ids=["uniform", "bernoulli"],
)
def test_duality_exchanges_views_and_targets(law: MaskLaw, complement: MaskLaw, positions: str) -> None:
    world = worlds.mixture(law.n_patches, 2, 2, 0.1, seed=3)
    graph = MaskGraph.enumerate(world, law, positions)
    dual = MaskGraph.enumerate(world, complement, positions).transpose()
    row = {name: i for i, name in enumerate(keys(dual.view_contents, positions, hidden=True))}
    column = {name: i for i, name in enumerate(keys(dual.target_contents, positions, hidden=False))}
    rows = [row[flip(name)] for name in keys(graph.view_contents, positions, hidden=False)]
    columns = [column[flip(name)] for name in keys(graph.target_contents, positions, hidden=True)]
    np.testing.assert_allclose(dual.joint.toarray()[np.ix_(rows, columns)], graph.joint.toarray(), atol=50 * EPS)
    assert dual.label_error() == pytest.approx(graph.label_error(), abs=1e-13)
    assert dual.target_label_error() == pytest.approx(graph.target_label_error(), abs=1e-13)
    assert dual.pair_label_error() == pytest.approx(graph.pair_label_error(), abs=1e-13)


def flip(name: tuple) -> tuple:
    """Return the same node of the transposed graph; both helpers name it by the mask of its view."""
    return name if len(name) == 1 else (tuple(not seen for seen in name[0]), name[1])


def test_zero_probability_states_are_dropped() -> None:
    world = FiniteWorld(np.array([[0, 1], [1, 1], [0, 0]]), np.array([0.5, 0.0, 0.5]), np.array([0, 1, 0]), np.eye(2))
    graph = MaskGraph.enumerate(world, UniformMasks(2, 1))
    assert graph.image_views.shape[0] == len(graph.image_labels) == 2
    assert min(d.min() for d in graph.degrees) > 0


def test_masses_lost_to_underflow_leave_no_empty_view() -> None:
    world = FiniteWorld(np.array([[0] * 4, [1] * 4]), np.array([1.0, 5e-324]), np.array([0, 1]), np.eye(2))
    for law in (UniformMasks(4, 2), BernoulliMasks(4, 1e-5)):
        graph = MaskGraph.enumerate(world, law)
        assert all(d.min() > 0 for d in graph.degrees)
        assert np.isfinite(graph.normalized_matrix.data).all()


@pytest.mark.parametrize(
    ("joint", "labels", "words"),
    [
        ([[0.5, 0.6]], None, "sum to 1"),
        ([[1.5, -0.5]], None, "non-negative"),
        ([[np.nan, 1.0]], None, "non-finite"),
        ([[1.0, 0.0]], None, "column 1 is zero"),
        ([[1.0], [0.0]], None, "row 1 is zero"),
        ([1.0], None, "shape"),
        ([[1j]], None, "complex"),
        ([["a"]], None, "real matrix"),
        ([[1.0], [0.0, 0.0]], None, "matrix of numbers"),
        ([[1.0]], [10_000], "0 to 9999"),
        (np.zeros((0, 3)), None, "a view and a target"),
        ([[1.0]], [0, 1], "1 integers"),
        ([[1.0]], [-1], "integers from 0"),
        ([[1.0]], [0.5], "float64"),
    ],
)
def test_a_joint_that_is_no_law_is_refused(joint: object, labels: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        MaskGraph.from_joint(joint, labels)


def test_sparse_and_dense_joints_are_one() -> None:
    joint = np.array([[0.5, 0.0], [0.25, 0.25]])
    for given in (sparse.csr_matrix(joint), sparse.coo_array(joint), sparse.csc_array(joint), joint.tolist()):
        np.testing.assert_array_equal(MaskGraph.from_joint(given).joint.toarray(), joint)


def test_tiny_masses_stay_finite() -> None:
    graph = MaskGraph.from_joint([[1.0, 0.0], [0.0, 1e-310]], [0, 1])
    np.testing.assert_allclose(graph.augmentation.toarray(), np.eye(2), rtol=1e-9)
    assert np.isfinite(graph.pair_law.data).all()
    assert graph.pair_label_error() == 0.0


def test_the_callers_array_is_left_alone() -> None:
    given = sparse.csr_array((np.array([0.5, 0.0, 0.25, 0.25]), np.array([0, 1, 1, 1]), np.array([0, 2, 4])))
    assert MaskGraph.from_joint(given).joint.nnz == 2
    assert given.data.tolist() == [0.5, 0.0, 0.25, 0.25]


def test_a_joint_almost_summing_to_one_is_made_to() -> None:
    joint = MaskGraph.from_joint(np.full((2, 2), 0.25 * (1 + 5e-10))).joint
    assert abs(joint.sum() - 1) <= 4 * EPS


def test_bayes_ties_go_to_the_lowest_class() -> None:
    """Two views see a class-0 and a class-1 image each, equally often up to a rounding error that favours class 1."""
    states = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    probability = 0.25 + np.array([-1, 1, -1, 1]) * 1e-15
    world = FiniteWorld(states, probability, np.array([0, 1, 0, 1]), np.eye(2))
    graph = MaskGraph.enumerate(world, UniformMasks(2, 1))
    first = graph.view_contents.masks[:, 0]
    assert graph.view_labels[first].tolist() == [0, 0]
    assert sorted(graph.view_labels[~first].tolist()) == [0, 1]
    assert graph.label_error() == pytest.approx(0.25, abs=1e-12)


def test_without_labels_there_is_no_label_error() -> None:
    graph = MaskGraph.from_joint([[1.0]])
    for asked in (graph.label_error, graph.target_label_error, graph.pair_label_error):
        with pytest.raises(InputError, match="labels"):
            asked()


def test_too_many_pairs_name_the_count() -> None:
    with pytest.raises(InputError, match=r"65,536 states x 12,870 masks are 843,448,320 pairs.*law\.sample"):
        MaskGraph.enumerate(worlds.mixture(16, 2, 2, 0.1), UniformMasks(16, 8))
    with pytest.raises(InputError, match="covers 4"):
        MaskGraph.enumerate(worlds.mixture(3, 2, 2, 0.1), UniformMasks(4, 2))


def test_the_mask_ratio_curve_of_the_mixture_world() -> None:
    world, curve = worlds.mixture(8, 2, 2, 0.1), []
    for visible in range(1, 8):
        graph = MaskGraph.enumerate(world, UniformMasks(8, visible), "dropped")
        eigenvalues = np.append(np.linalg.svd(graph.normalized_matrix.toarray(), compute_uv=False) ** 2, [0.0, 0.0])
        assert eigenvalues[2] < 1e-20  # rank two: patches are exchangeable given the class
        curve.append(4 * graph.pair_label_error() / (1 - eigenvalues[2]) + 2 * graph.label_error())
    assert [round(x, 2) for x in curve] == [0.93, 0.88, 0.33, 0.38, 0.28, 0.51, 0.74]
