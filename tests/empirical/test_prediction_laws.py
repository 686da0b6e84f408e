"""Token and kernel graphs of prefixes, blocks and mixtures equal the exact graph of the same images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.data import worlds
from maetheory.data.images import ImageSet
from maetheory.data.worlds import FiniteWorld
from maetheory.empirical.kernel import average_over_masks, kernel_graph
from maetheory.empirical.kernel.nearest_neighbour_graph import neighbour_graph
from maetheory.empirical.tokens.codebook import fit_codebook
from maetheory.empirical.tokens.graph import token_graph
from maetheory.empirical.tokens.sample import sample_from_codes
from maetheory.graph import MaskGraph
from maetheory.masks import (
    AugmentationPairs,
    BernoulliMasks,
    BertCorruption,
    ListedMasks,
    MaskPairs,
    MixtureOfRatios,
    Outcome,
    PredictionLaw,
    PrefixMasks,
    RotatedLaw,
    TokenizedLaw,
    UniformMasks,
    context_and_target_blocks,
)

CODES = worlds.mixture(4, 2, 2, 0.1).states[[0, 1, 3, 5, 7, 8, 12, 14, 15]]
LABELS = np.array([0, 0, 1, 0, 1, 0, 1, 1, 1])
WORLD = FiniteWorld(CODES, np.full(9, 1 / 9), LABELS, np.array([[0.0], [1.0]]))
IMAGES = ImageSet(CODES.reshape(9, 1, 2, 2).astype(float), LABELS, "states")
LAWS: dict[str, PredictionLaw] = {
    "prefix, next": PrefixMasks(4),
    "prefix, rest": PrefixMasks(4, 2, "rest"),
    "mixture": MixtureOfRatios(4, (0.25, 0.75), (0.3, 0.7)),
    "Bernoulli": BernoulliMasks(4, 0.4),
    "blocks": context_and_target_blocks((2, 2), (1, 2), (1, 1)),
    "listed": ListedMasks(np.array([[True, True, False, False], [True, False, True, True]]), np.array([0.2, 0.8])),
    "pairs": MaskPairs(np.array([[True, False, False, False]]), np.array([[False, False, False, True]])),
}


def same_numbers(one: MaskGraph, two: MaskGraph) -> None:
    assert one.shape == two.shape
    np.testing.assert_allclose(np.sort(one.joint.data), np.sort(two.joint.data), rtol=1e-12)
    size = min(one.shape)
    np.testing.assert_allclose(one.spectrum(size).values, two.spectrum(size).values, atol=1e-10)
    for name in ("label_error", "target_label_error", "pair_label_error"):
        assert float(getattr(one, name)()) == pytest.approx(float(getattr(two, name)()), abs=1e-12)


@pytest.mark.parametrize("positions", ["kept", "dropped"])
@pytest.mark.parametrize("name", LAWS)
def test_token_graphs_are_the_exact_graph_of_their_images(name: str, positions: str) -> None:
    exact = MaskGraph.enumerate(WORLD, LAWS[name], positions)
    same_numbers(sample_from_codes(CODES, LABELS, LAWS[name], positions=positions).graph, exact)
    codebook = fit_codebook(IMAGES, 1, 2)
    same_numbers(token_graph(IMAGES, LAWS[name], codebook=codebook, positions=positions), exact)


@pytest.mark.parametrize("name", LAWS)
def test_a_kernel_graph_without_blur_is_the_graph_of_each_pair_of_masks(name: str) -> None:
    for view, target, _ in zip(*LAWS[name].mask_pairs(), strict=True):
        found = kernel_graph(IMAGES, view, target_mask=target, patch=1, bandwidth=0.0)
        near = neighbour_graph(IMAGES, view, target_mask=target, patch=1, bandwidth=0.0, neighbours=9)
        for graph in (found, near):
            disagree = float(graph.pair_label_error(distinct=False))
            assert disagree == pytest.approx(pairs_that_disagree(target), abs=1e-6)
            assert graph.views.shape[1] == view.sum()


def pairs_that_disagree(target: np.ndarray) -> float:
    """Probability that another image of the same target, or the image itself, has another label, by loops."""
    shown = [tuple(row) for row in CODES[:, target].tolist()]
    total = 0.0
    for one, label in zip(shown, LABELS, strict=True):
        same = [other for two, other in zip(shown, LABELS, strict=True) if two == one]
        total += np.mean([other != label for other in same]) / len(shown)
    return total


def test_drawn_pairs_have_the_frequencies_of_the_law() -> None:
    views, targets, weights = LAWS["blocks"].mask_pairs()
    drawn = LAWS["blocks"].sample_mask_pairs(np.random.default_rng(0), 4000)
    for view, target, weight in zip(views, targets, weights, strict=True):
        share = ((drawn[0] == view).all(1) & (drawn[1] == target).all(1)).mean()
        assert abs(share - weight) < 5 * np.sqrt(weight * (1 - weight) / 4000)


def test_drawn_masks_of_a_mask_law_are_those_that_they_were() -> None:
    law = UniformMasks(9, 4)
    masks = law.sample(np.random.default_rng(3), 6)
    views, targets = law.sample_mask_pairs(np.random.default_rng(3), 6)
    np.testing.assert_array_equal(views, masks)
    np.testing.assert_array_equal(targets, ~masks)


@pytest.mark.parametrize("neighbours", [None, 9])
def test_an_average_over_prefixes_is_the_mean_of_their_graphs(neighbours: int | None) -> None:
    found = average_over_masks(
        IMAGES, PrefixMasks(4), masks=3, k=2, patch=1, bandwidth=0.5, neighbours=neighbours, seed=1
    )
    alone = [
        kernel_graph(IMAGES, view, target_mask=target, patch=1, bandwidth=0.5)
        for view, target in zip(found.masks, found.target_masks, strict=True)
    ]
    assert (found.target_masks.sum(1) == 1).all()
    expected = np.mean([float(graph.pair_label_error()) for graph in alone])
    assert float(found.pair_label_error) == pytest.approx(expected, abs=1e-5)


class Unlisted(PredictionLaw):
    """A law of a user, which lists no masks."""

    n_patches = 4

    @property
    def n_outcomes(self) -> int:
        return 1

    def outcomes(self, states: np.ndarray) -> Iterator[Outcome]:
        yield Outcome(1.0, states[:, :2], states[:, 2:])


@pytest.mark.parametrize(
    ("law", "words"),
    [
        (RotatedLaw(PrefixMasks(4), np.eye(4), np.arange(2)), "RotatedLaw is none: it shows coefficients in a basis"),
        (BertCorruption(4, 2, 1), "BertCorruption is none: it replaces patches"),
        (TokenizedLaw(PrefixMasks(4), (0, 0)), "TokenizedLaw is none: its symbols are tokens"),
        (AugmentationPairs(4, (lambda x: x,)), "AugmentationPairs is none: an augmentation may change"),
        (Unlisted(), "Unlisted is none: it does not say which patches it shows"),
    ],
)
def test_laws_that_show_no_patches_are_refused_with_the_reason(law: PredictionLaw, words: str) -> None:
    with pytest.raises(InputError, match=words):
        sample_from_codes(CODES, LABELS, law)
    with pytest.raises(InputError, match=words):
        token_graph(IMAGES, law, codebook=fit_codebook(IMAGES, 1, 2), n_masks=2)
    with pytest.raises(InputError, match=words):
        average_over_masks(IMAGES, law, masks=2, k=2, patch=1)
    assert MaskGraph.enumerate(WORLD, law).shape[0] > 0


def test_a_target_that_shows_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="must show at least one patch each"):
        kernel_graph(IMAGES, np.ones(4, bool), target_mask=np.zeros(4, bool), patch=1)
    with pytest.raises(InputError, match="must be boolean of shape"):
        kernel_graph(IMAGES, np.ones(4, bool), target_mask=np.zeros(3, bool), patch=1)
    assert kernel_graph(IMAGES, np.ones(4, bool), target_mask=np.ones(4, bool), patch=1).n == 9
