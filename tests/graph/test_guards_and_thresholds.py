"""Limits, tolerances and refusals of mask graphs, at the last value that passes and the first that does not."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from scipy import sparse

from maetheory.core import InputError, SquaresOverflowError
from maetheory.data import worlds
from maetheory.data.worlds import FiniteWorld
from maetheory.graph import (
    MaskGraph,
    MaskGraphEmbedding,
    NodeContents,
    alignment_loss,
    asymmetric_alignment,
    best_prediction,
    conditional_mean,
    functionals,
    mask_graph,
    mean_square,
    positive_pair_distance,
    reconstruction_loss,
    spectral_loss,
    target_variance,
    target_variance_given_mask,
    uniformity_loss,
)
from maetheory.graph import enumerate as enumeration
from maetheory.graph.joint_law import check_joint, joint_law
from maetheory.masks import BernoulliMasks, UniformMasks

EPS = float(np.finfo(float).eps)
SMALL = np.array([[0.25, 0.25, 0.0], [0.0, 0.25, 0.25]])


# Joint laws


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_a_joint_law_may_miss_one_by_a_billionth(sign: int, form: type) -> None:
    near = MaskGraph.from_joint(form(SMALL * (1 + sign * 0.9e-9))).joint
    assert abs(near.sum() - 1) <= 4 * EPS
    with pytest.raises(InputError, match=r"sum to 1 within 1e-9, but it sums to (1\.0000000011|0\.9999999989)"):
        MaskGraph.from_joint(form(SMALL * (1 + sign * 1.1e-9)))


@pytest.mark.parametrize("wrong", [-1e-300, np.nan, np.inf, -np.inf])
def test_one_wrong_entry_among_many_is_refused(wrong: float) -> None:
    joint = np.full((40, 30), 1 / 1200)
    assert MaskGraph.from_joint(joint).shape == (40, 30)
    joint[17, 23] = wrong
    with pytest.raises(InputError, match="negative or non-finite entry"):
        MaskGraph.from_joint(joint)


def test_one_empty_view_or_target_among_many_is_named() -> None:
    for axis, name in ((0, "row 17"), (1, "column 17")):
        joint = np.ones((40, 30))
        joint[(17, slice(None)) if axis == 0 else (slice(None), 17)] = 0.0
        with pytest.raises(InputError, match=f"but {name} is zero"):
            MaskGraph.from_joint(joint / joint.sum())


def test_entries_of_one_place_are_summed_before_they_are_checked() -> None:
    row, column, mass = [0, 0, 1, 1], [0, 0, 1, 0], [0.75, -0.25, 0.5, 0.0]
    raw = sparse.csr_array((mass, column, [0, 2, 4]), shape=(2, 2))
    for given in (sparse.coo_array((mass, (row, column)), shape=(2, 2)), raw):
        found = check_joint(given)
        assert found.toarray().tolist() == [[0.5, 0.0], [0.0, 0.5]]
        assert found.nnz == 2  # the stored zero is no edge
    assert raw.nnz == 4
    law = joint_law(np.array([0.25, 0.25, 0.5]), np.array([0, 0, 1]), np.array([1, 1, 0]), (2, 3))
    assert law.toarray().tolist() == [[0.0, 0.5, 0.0], [0.5, 0.0, 0.0]]
    assert law.nnz == 2


@pytest.mark.parametrize(
    "joint", [np.ones((1, 1, 1)), np.ones(1), np.array([["1"]]), np.array([[object()]]), np.array([[1 + 0j]])]
)
def test_what_is_no_real_matrix_is_refused(joint: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"real matrix of shape \(N1, N2\), but it is"):
        check_joint(joint)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float16])
def test_any_real_type_is_a_joint_law(dtype: type) -> None:
    assert check_joint(np.array([[1]], dtype)).toarray().tolist() == [[1.0]]
    with pytest.raises(InputError, match="a view and a target"):
        check_joint(np.empty((0, 0)))


def test_labels_of_rows_are_checked() -> None:
    with pytest.raises(InputError, match="labels must be 2 integers from 0 to 9999, one per row of joint"):
        MaskGraph.from_joint(SMALL, [0, 1, 1])
    graph = MaskGraph.from_joint(SMALL, [0, 2])
    assert graph.n_classes == 3
    assert graph.label_error() == 0.0


# Enumeration


def test_pairs_are_enumerated_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    world, law = worlds.mixture(3, 2, 2, 0.1), UniformMasks(3, 1)  # 8 states, 3 masks
    assert enumeration.MAX_PAIRS == 20_000_000
    monkeypatch.setattr(enumeration, "MAX_PAIRS", 24)
    assert MaskGraph.enumerate(world, law).n_pairs == 24
    monkeypatch.setattr(enumeration, "MAX_PAIRS", 23)
    with pytest.raises(InputError, match=r"8 states x 3 masks are 24 pairs, more than the 23"):
        MaskGraph.enumerate(world, law)


class CertainMask(UniformMasks):
    """Two masks, of which the second never comes."""

    def support(self) -> tuple[np.ndarray, np.ndarray]:
        masks, _ = super().support()
        return masks, np.array([1.0] + [0.0] * (len(masks) - 1))


def test_masks_of_probability_zero_make_no_views() -> None:
    graph = MaskGraph.enumerate(worlds.mixture(3, 2, 2, 0.1), CertainMask(3, 1))
    assert (graph.n_pairs, graph.shape) == (8, (2, 4))
    assert graph.joint.data.min() > 0
    assert graph.degrees[0].sum() == pytest.approx(1.0)


def test_states_are_dropped_where_their_rarest_pair_underflows() -> None:
    """A state of 10⁻³¹⁰ stays with masks of ⅓, and goes with masks of 10⁻¹⁶; nothing else does."""
    states = np.array([[0, 0, 0], [1, 1, 1], [0, 1, 1]])
    world = FiniteWorld(states, np.array([0.5, 1e-310, 0.5]), np.array([0, 1, 2]), np.eye(2))
    for law, kept in ((UniformMasks(3, 1), [0, 1, 2]), (BernoulliMasks(3, 1e-15), [0, 2])):
        graph = MaskGraph.enumerate(world, law)
        assert graph.image_labels.tolist() == kept
        assert graph.image_views.shape[0] == graph.image_targets.shape[0] == len(kept)
        assert all(degrees.min() > 0 for degrees in graph.degrees)


def test_a_world_and_a_law_of_different_sizes_are_refused() -> None:
    for n in (3, 5):
        with pytest.raises(InputError, match=f"must cover the world's 4 patches, but it covers {n}"):
            MaskGraph.enumerate(worlds.mixture(4, 2, 2, 0.1), UniformMasks(n, 2))
    unlabelled = FiniteWorld(np.array([[0, 1]]), np.array([1.0]), None, np.eye(2))
    assert MaskGraph.enumerate(unlabelled, UniformMasks(2, 1)).image_labels is None


# Graphs


def test_pair_laws_are_built_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is on the smaller of N1² and Σ_t (views of t)²."""
    assert mask_graph.MAX_PAIR_ENTRIES == 50_000_000
    three_and_one = MaskGraph.from_joint(np.array([[1, 0], [1, 0], [1, 0], [0, 1]]) / 4)  # 3² + 1² of 4²
    full = MaskGraph.from_joint(np.full((3, 5), 1 / 15))  # 3² of 5 · 3²
    for graph, entries in ((three_and_one, 10), (full, 9)):
        monkeypatch.setattr(mask_graph, "MAX_PAIR_ENTRIES", entries)
        assert MaskGraph(graph.joint, graph.image_views, graph.image_targets).augmentation.nnz == entries
        monkeypatch.setattr(mask_graph, "MAX_PAIR_ENTRIES", entries - 1)
        other = MaskGraph(graph.joint, graph.image_views, graph.image_targets)
        with pytest.raises(InputError, match=r"would take up to (10|45) entries, more than \d+: use `normalized`"):
            _ = other.pair_law


def test_seeds_are_zero_by_default() -> None:
    for made in (MaskGraph.spectrum, MaskGraphEmbedding):
        assert inspect.signature(made).parameters["seed"].default == 0


def test_views_and_targets_of_a_component_share_its_number() -> None:
    graph = MaskGraph.from_joint(np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 1]]) / 5)
    views, targets = graph.components
    assert views.tolist() == [0, 1, 0, 2]
    assert targets.tolist() == [1, 2, 0, 2]
    assert graph.n_components == 3
    assert MaskGraph.from_joint([[1.0]]).n_components == 1


def test_the_transpose_exchanges_everything() -> None:
    graph = MaskGraph.enumerate(worlds.mixture(3, 2, 2, 0.2), UniformMasks(3, 1))
    other = graph.transpose()
    assert other.view_contents is graph.target_contents
    assert other.target_contents is graph.view_contents
    assert other.image_views is graph.image_targets
    assert other.image_labels is graph.image_labels
    np.testing.assert_array_equal(other.joint.toarray(), graph.joint.toarray().T)
    np.testing.assert_array_equal(other.degrees[0], graph.degrees[1])


@pytest.mark.parametrize("masked", ["views", "targets"])
def test_nodes_without_contents_have_no_pixels(masked: str) -> None:
    graph = MaskGraph.from_joint(SMALL)
    with pytest.raises(InputError, match=f"{masked} in pixels need a graph enumerated from a world"):
        graph.view_features() if masked == "views" else graph.targets()
    with pytest.raises(InputError, match="masks need a graph"):
        _ = graph.target_masks


def test_pixels_stand_at_their_patches() -> None:
    """Nodes of one and two patches: −1 pads the symbols, and only "zero" can hold both."""
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    masks = np.array([[True, False, True], [False, True, False]])
    mixed = NodeContents(np.array([[1, 0], [0, -1]]), masks, values)
    np.testing.assert_array_equal(mixed.to_pixels("zero"), [[3, 4, 0, 0, 1, 2], [0, 0, 1, 2, 0, 0]])
    with pytest.raises(InputError, match="equally many"):
        mixed.to_pixels("packed")
    even = NodeContents(np.array([[1, 0], [0, 0]]), None, values)
    np.testing.assert_array_equal(even.to_pixels("packed"), [[3, 4, 1, 2], [1, 2, 1, 2]])
    with pytest.raises(InputError, match="positions were dropped"):
        even.to_pixels("zero")
    with pytest.raises(InputError, match="but it is 'other'"):
        mixed.to_pixels("other")


# Functionals


def test_functionals_of_a_small_graph_are_their_hand_sums() -> None:
    graph = MaskGraph.from_joint(SMALL)
    h, x = np.array([[1.0], [3.0]]), np.array([[0.0], [1.0], [5.0]])
    np.testing.assert_array_equal(conditional_mean(graph, h), [[1.0], [2.0], [3.0]])
    np.testing.assert_array_equal(best_prediction(graph, x), [[0.5], [3.0]])
    assert reconstruction_loss(graph, h, x) == 0.25 * (1 + 0 + 4 + 4)
    assert asymmetric_alignment(graph, h, x) == -0.25 * (0 + 1 + 3 + 15)
    assert alignment_loss(graph, h) == -(0.25 * 1 + 0.5 * 4 + 0.25 * 9)
    assert positive_pair_distance(graph, h) == 2 * 0.25 * (0 + 1 + 1 + 0)
    assert uniformity_loss(graph, h) == 25.0
    assert spectral_loss(graph, h) == 2 * -4.5 + 25
    assert mean_square(graph.degrees[0], h) == 5.0
    assert target_variance(graph, x) == pytest.approx(0.25 * 0 + 0.5 * 1 + 0.25 * 25 - 1.75**2)
    masks = np.array([7, 7, 2])
    assert target_variance_given_mask(graph, x, masks) == pytest.approx(0.75 * (2 / 9))


@pytest.mark.parametrize("chunk", [1, 2, 3, 2**21])
@pytest.mark.parametrize("width", [0, 1, 3])
def test_chunks_of_pairs_add_up(chunk: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    joint = rng.random((5, 4))
    graph = MaskGraph.from_joint(joint / joint.sum())
    h, x = rng.standard_normal((5, width)), rng.standard_normal((4, width))
    monkeypatch.setattr(functionals, "_CHUNK", chunk)
    wanted = np.sum(graph.joint.toarray() * ((h[:, None] - x[None]) ** 2).sum(2))
    assert reconstruction_loss(graph, h, x) == pytest.approx(wanted, rel=1e-14, abs=0)


def test_pairs_are_taken_in_chunks_that_bound_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chunk holds _CHUNK numbers, 16 MiB: with a _CHUNK of 7, 2 pairs of width 3 at a time."""
    assert functionals._CHUNK * np.dtype(float).itemsize == 16 * 2**20
    sizes = []

    class Recorded(np.ndarray):
        def __getitem__(self, key: object) -> np.ndarray:
            if isinstance(key, np.ndarray):
                sizes.append(len(key))
            return np.asarray(self)[key]

    joint = sparse.csr_array(np.full((5, 4), 1 / 20))
    for chunk, width, wanted in ((7, 3, [2] * 10), (7, 1, [7, 7, 6]), (7, 0, [7, 7, 6]), (1, 3, [1] * 20)):
        monkeypatch.setattr(functionals, "_CHUNK", chunk)
        sizes.clear()
        functionals._mean_squared_distance(joint, np.ones((5, width)).view(Recorded), np.zeros((4, width)))
        assert sizes == wanted


@pytest.mark.parametrize(
    ("loss", "largest"),
    [
        (lambda g, h: reconstruction_loss(g, h, 0 * h), 1e153),
        (lambda g, h: reconstruction_loss(g, 0 * h, h), 1e153),
        (lambda g, h: asymmetric_alignment(g, h, h), 1e153),
        (alignment_loss, 1e153),
        (lambda g, h: positive_pair_distance(g, h * [[1], [0]]), 1e153),
        (uniformity_loss, 1e76),
        (spectral_loss, 1e76),
        (target_variance, 1e153),
        (lambda g, h: mean_square(g.degrees[0], h), 1e153),
    ],
)
def test_squares_overflow_at_the_end_of_the_range(loss, largest: float) -> None:
    """The largest loss is finite, a hundredfold one is refused, and infinite or undefined features give no number."""
    graph = MaskGraph.from_joint([[0.25, 0.25], [0.25, 0.25]])
    h = np.array([[1.0], [-0.5]])
    assert np.isfinite(loss(graph, largest * h))
    with pytest.raises(SquaresOverflowError):
        loss(graph, 100 * largest * h)
    for wrong in (np.nan, np.inf):
        with np.errstate(invalid="ignore"):
            assert not np.isfinite(loss(graph, np.array([[1.0], [wrong]])))


@pytest.mark.parametrize("shape", [(2,), (2, 1, 1), (3, 1), (1, 1), ()])
def test_features_have_a_row_for_each_node(shape: tuple[int, ...]) -> None:
    graph = MaskGraph.from_joint(np.full((2, 2), 0.25))
    for kind, loss in (("views", alignment_loss), ("targets", target_variance)):
        with pytest.raises(InputError, match=f"one row for each of the graph's 2 {kind}, but its shape is"):
            loss(graph, np.zeros(shape))


def test_views_and_targets_of_different_widths_are_refused() -> None:
    graph = MaskGraph.from_joint(np.full((2, 2), 0.25))
    for loss in (reconstruction_loss, asymmetric_alignment):
        for widths in ((1, 2), (2, 1)):
            with pytest.raises(InputError, match=f"they have {widths[0]} and {widths[1]}"):
                loss(graph, *(np.zeros((2, width)) for width in widths))


@pytest.mark.parametrize("masks", [np.zeros(3, int), np.zeros((2, 1), int), np.zeros(1, int)])
def test_each_target_has_one_mask(masks: np.ndarray) -> None:
    graph = MaskGraph.from_joint(np.full((2, 2), 0.25))
    if masks.size == 2:
        assert target_variance_given_mask(graph, np.eye(2), masks.ravel()) == 0.5
        return
    with pytest.raises(InputError, match="masks must hold one number per target, 2"):
        target_variance_given_mask(graph, np.eye(2), masks)


# The embedding


def test_views_of_an_embedding_are_checked_row_by_row() -> None:
    embedding = MaskGraphEmbedding(1).fit(SMALL)
    for form in (np.asarray, sparse.csr_array):
        rows = np.ones((20, 3))
        assert embedding.transform(form(rows)).shape == (20, 1)
        rows[13, 2] = -1e-300
        with pytest.raises(InputError, match="a negative or non-finite entry"):
            embedding.transform(form(rows))
        rows[13, 2] = np.inf
        with pytest.raises(InputError, match="a negative or non-finite entry"):
            embedding.transform(form(rows))
        rows[13] = 0.0
        with pytest.raises(InputError, match="row 13 is zero"):
            embedding.transform(form(rows))
        with pytest.raises(
            InputError, match=r"rows over the 3 targets of the fitted graph, but their shape is \(20, 2\)"
        ):
            embedding.transform(form(np.ones((20, 2))))
    assert MaskGraphEmbedding().k == 2
    assert MaskGraphEmbedding().seed == 0


def test_only_the_proportions_of_a_view_matter() -> None:
    embedding = MaskGraphEmbedding(2).fit(SMALL)
    rows = np.array([[1.0, 3.0, 0.0], [0.0, 1.0, 1.0]])
    np.testing.assert_allclose(
        embedding.transform(1e-200 * rows), rows @ embedding.target_embedding_ / [[4.0], [2.0]], rtol=1e-12
    )
