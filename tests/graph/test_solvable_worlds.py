"""Spectra and label errors of each world equal the closed forms of its docstring."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from maetheory.core import InputError
from maetheory.data import load_images, worlds
from maetheory.data.images import ImageSet
from maetheory.graph import MaskGraph, irreducible_loss, target_variance_given_mask
from maetheory.masks import BlockMasks, UniformMasks, patchify
from maetheory.theory.closed_form_mixture import canonical_correlation

EPS = float(np.finfo(float).eps)


def block(graph: MaskGraph, mask: list[int]) -> np.ndarray:
    """Return the singular values of the block of one mask in a graph with positions kept."""
    rows = (graph.view_contents.masks == np.array(mask, bool)).all(1)
    columns = (graph.target_contents.masks == ~np.array(mask, bool)).all(1)
    return np.linalg.svd(graph.normalized_matrix.toarray()[np.ix_(rows, columns)], compute_uv=False)


@pytest.mark.parametrize("seed", [None, 3])
def test_independent_patches_have_no_correlation(seed: int | None) -> None:
    world, law = worlds.independent(4, 3, seed), UniformMasks(4, 1)
    graph = MaskGraph.enumerate(world, law)
    singular = np.linalg.svd(graph.normalized_matrix.toarray(), compute_uv=False)
    np.testing.assert_allclose(singular[:4], 1.0, atol=100 * EPS)
    assert singular[4] <= 100 * EPS
    q = np.array([world.probability[world.states[:, 0] == a].sum() for a in range(3)])
    assert (seed is None) == np.allclose(q, 1 / 3)
    assert graph.label_error() == pytest.approx(0.75 * (1 - q.max()), abs=100 * EPS)
    assert graph.pair_label_error() == pytest.approx(0.25 * (1 - (q**2).sum()), abs=100 * EPS)
    x = graph.targets()
    assert irreducible_loss(graph, x) == pytest.approx(target_variance_given_mask(graph, x), rel=1e-12)


@pytest.mark.parametrize("stay", [0.7, 0.1, 1.0])
def test_spectrum_of_a_chain_is_that_of_its_border(stay: float) -> None:
    alphabet = 3
    graph = MaskGraph.enumerate(worlds.markov(5, alphabet, stay), BlockMasks((1, 5), 2))
    mu = abs(alphabet * stay - 1) / (alphabet - 1)
    for mask in ([1, 1, 0, 0, 0], [0, 0, 0, 1, 1]):
        found = block(graph, mask)
        size = min(len(found), alphabet)
        np.testing.assert_allclose(found[:size], [1.0, mu, mu], atol=200 * EPS)
        assert not found[size:].size or found[size] <= 200 * EPS
    if stay < 1:
        inner = block(graph, [1, 0, 0, 0, 1])  # two borders tell more than one
        assert inner[1] > mu + 1e-3


def test_label_error_of_a_chain_grows_with_distance() -> None:
    n, alphabet, stay = 4, 3, 0.8
    mu = (alphabet * stay - 1) / (alphabet - 1)
    wanted = np.mean([1 - (1 + (alphabet - 1) * mu**j) / alphabet for j in range(n)])
    graph = MaskGraph.enumerate(worlds.markov(n, alphabet, stay), UniformMasks(n, 1))
    assert graph.label_error() == pytest.approx(wanted, abs=100 * EPS)


@pytest.mark.parametrize(("positions", "components"), [("kept", 12), ("dropped", 3)])
def test_duplicates_determine_each_other(positions: str, components: int) -> None:
    graph = MaskGraph.enumerate(worlds.duplicates(4, 3), UniformMasks(4, 1), positions)
    assert graph.n_components == components
    np.testing.assert_allclose(graph.spectrum(components).values, 1.0, atol=10 * EPS)
    assert graph.shape == (components, components)
    assert graph.label_error() == graph.target_label_error() == graph.pair_label_error() == 0.0
    assert irreducible_loss(graph, graph.targets("packed")) == 0.0


@pytest.mark.parametrize("r", [0.0, 0.3, 0.8])
def test_two_binary_gaussian_patches(r: float) -> None:
    graph = MaskGraph.enumerate(worlds.gaussian(2, 2, r), UniformMasks(2, 1), "dropped")
    assert graph.spectrum(2).values[1] == pytest.approx(2 / np.pi * np.arcsin(r), abs=1e-11)


def test_gaussian_cells_are_those_of_the_normal_law() -> None:
    r, alphabet = 0.6, 4
    law = worlds.gaussian(2, alphabet, r).probability.reshape(alphabet, alphabet).cumsum(0).cumsum(1)
    edges = norm.ppf(np.arange(1, alphabet) / alphabet)
    normal = multivariate_normal([0, 0], [[1, r], [r, 1]])
    for i, a in enumerate(edges):
        for j, b in enumerate(edges):
            assert law[i, j] == pytest.approx(normal.cdf([a, b]), abs=1e-9)


def test_quantised_gaussians_approach_the_canonical_correlation() -> None:
    r, n, v = 0.6, 3, 1
    rho = r * np.sqrt(v * (n - v) / ((1 + (v - 1) * r) * (1 + (n - v - 1) * r)))
    found = []
    for alphabet in (2, 4, 8, 16):
        graph = MaskGraph.enumerate(worlds.gaussian(n, alphabet, r), UniformMasks(n, v))
        found.append(block(graph, [1, 0, 0])[1])
    assert all(a < b for a, b in zip(found, [*found[1:], rho], strict=True))  # nested bins: data processing
    assert 0.97 * rho < found[-1]
    assert found[0] < 0.8 * rho


def test_gaussian_symbols_are_bin_means() -> None:
    values = worlds.gaussian(2, 5, 0.5).values[:, 0]
    x = np.sort(np.random.default_rng(0).standard_normal(500_000)).reshape(5, -1)
    np.testing.assert_allclose(values, x.mean(1), atol=0.02)


def test_gaussian_labels_are_the_likelier_sign_of_the_common_factor() -> None:
    world = worlds.gaussian(4, 4, 0.5)
    mirror = np.sort(3 - world.states, axis=1)
    tied = (mirror == np.sort(world.states, axis=1)).all(1)
    assert tied.sum() == 36  # six ways to place 0 and 3, 0 and 3, or 1 and 2, 1 and 2; 24 to place all four
    assert not world.labels[tied].any()
    larger = world.values[world.states].sum((1, 2)) > 1e-9
    assert (world.labels[~tied] == larger[~tied]).mean() > 0.95
    assert world.probability @ world.labels == pytest.approx((1 - world.probability[tied].sum()) / 2, abs=1e-12)


def test_images_are_unchanged_when_the_alphabet_suffices() -> None:
    images = load_images("digits").limit(40)
    world = worlds.from_images(images, 4, 10_000)
    assert world.states.shape == (40, 4)
    np.testing.assert_allclose(world.probability, 1 / 40)
    wanted = {(y, p.tobytes()) for y, p in zip(images.labels.tolist(), patchify(images.images.astype(float), 4))}
    assert {(y, p.tobytes()) for y, p in zip(world.labels.tolist(), world.pixels)} == wanted


def test_quantised_images_carry_the_mean_of_their_patches() -> None:
    images = load_images("digits").limit(60)
    world = worlds.from_images(images, 4, 6, seed=1)
    again = worlds.from_images(images, 4, 6, seed=1)
    assert world.alphabet == 6
    np.testing.assert_array_equal(world.states, again.states)
    assert world.probability.sum() == pytest.approx(1.0)
    mean = np.einsum("s,snc->c", world.probability, world.pixels) / 4
    np.testing.assert_allclose(mean, patchify(images.images.astype(float), 4).mean((0, 1)), atol=1e-12)
    graph = MaskGraph.enumerate(world, UniformMasks(4, 2))
    assert graph.label_error() < 0.5
    assert graph.n_components >= 6


def test_one_picture_in_two_classes_is_two_states() -> None:
    images = ImageSet(np.zeros((3, 1, 2, 4), np.uint8), [0, 1, 1], "black")
    world = worlds.from_images(images, 2, 2)
    assert world.labels.tolist() == [0, 1]
    np.testing.assert_allclose(world.probability, [1 / 3, 2 / 3])
    assert MaskGraph.enumerate(world, UniformMasks(2, 1)).label_error() == pytest.approx(1 / 3)


def test_random_worlds_are_laws_and_follow_their_seed() -> None:
    world = worlds.random(4, 3, 3, seed=1, n_states=20)
    assert len(np.unique(world.states, axis=0)) == 20
    assert world.probability.min() > 0
    np.testing.assert_array_equal(world.probability, worlds.random(4, 3, 3, seed=1, n_states=20).probability)
    assert (worlds.random(4, 3, 3, seed=2).probability != worlds.random(4, 3, 3, seed=3).probability).any()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: worlds.markov(3, 2, 1.1), "stay"),
        (lambda: worlds.gaussian(3, 2, 0.9), "correlation"),
        (lambda: worlds.gaussian(3, 2, float("nan")), "correlation"),
        (lambda: worlds.duplicates(1, 2), "one to see and one to hide"),
        (lambda: worlds.independent(3, 1), "alphabet"),
        (lambda: worlds.random(3, 2, 2, seed=0, n_states=9), "1 and the 8 states"),
        (lambda: worlds.random(3, 2, 0, seed=0), "n_classes"),
        (lambda: worlds.from_images(load_images("digits").limit(10), 3, 4), "3 does not divide 8x8"),
        (lambda: worlds.from_images(load_images("digits").limit(10), 8, 4), "n_patches"),
    ],
)
def test_impossible_worlds_are_refused(make: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()  # type: ignore[operator]  # a lambda of the table, typed as an object


def test_two_gaussian_halves_have_the_correlation_of_their_covariance() -> None:
    n, r = 7, 0.4
    covariance = np.full((n, n), r) + (1 - r) * np.eye(n)
    found = []
    for v in range(1, n):
        across, seen, hidden = covariance[:v, v:], covariance[:v, :v], covariance[v:, v:]
        square = np.linalg.solve(seen, across) @ np.linalg.solve(hidden, across.T)
        found.append(np.sqrt(np.linalg.eigvals(square).real.max()))
        assert canonical_correlation(n, v, r) == pytest.approx(found[-1], abs=1e-12)
    assert int(np.argmax(found)) + 1 in (3, 4)


def test_a_mixture_has_as_many_directions_as_classes_in_each_block() -> None:
    graph = MaskGraph.enumerate(worlds.mixture(4, 3, 3, 0.2), UniformMasks(4, 2))
    found = block(graph, [1, 1, 0, 0])
    assert found[2] > 1e-3
    assert found[3] <= 1000 * EPS
