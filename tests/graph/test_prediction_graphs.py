"""Graphs of every kind of prediction law equal sums over dictionaries, and no statement is violated on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
from scipy import sparse

from maetheory.core import InputError
from maetheory.data import worlds
from maetheory.data.worlds import FiniteWorld
from maetheory.graph import MaskGraph
from maetheory.masks import (
    AugmentationPairs,
    BernoulliMasks,
    BertCorruption,
    BlockMasks,
    ListedMasks,
    MaskLaw,
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
from maetheory.theory import THEOREMS, Verdict, check

HADAMARD = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
WORLD = worlds.mixture(4, 2, 3, 0.1, seed=2)
Row = tuple[int, ...]
Draws = Iterator[tuple[float, Row, Row]]


def shown(image: Row, places: set[int]) -> Row:
    return tuple(symbol if place in places else -1 for place, symbol in enumerate(image))


def prefix_draws(image: Row) -> Draws:
    for v in (1, 2, 3):
        yield 1 / 3, shown(image, set(range(v))), shown(image, {v})


def rest_draws(image: Row) -> Draws:
    yield 1.0, (*image[:2], -1, -1), (-1, -1, *image[2:])


def mixture_draws(image: Row) -> Draws:
    for count, weight in ((3, 0.25), (1, 0.75)):
        subsets = list(combinations(range(4), count))
        for subset in subsets:
            yield weight / len(subsets), shown(image, set(subset)), shown(image, set(range(4)) - set(subset))


def bert_draws(image: Row) -> Draws:
    """Selected patch by patch, as a sampler would."""
    for pair in combinations(range(4), 2):
        for fates in product([(-1, 0.8), (None, 0.1), (0, 0.05), (1, 0.05)], repeat=2):
            view, chance = list(image), 1 / 6
            for place, (symbol, p) in zip(pair, fates):
                chance *= p
                view[place] = image[place] if symbol is None else symbol
            yield chance, tuple(view), shown(image, set(pair))


def jepa_draws(image: Row) -> Draws:
    """A row of a 2 x 2 grid predicts a single patch, which it does not show."""
    for row, target in product(((0, 1), (2, 3)), range(4)):
        yield 1 / 8, shown(image, set(row) - {target}), shown(image, {target})


def token_draws(image: Row) -> Draws:
    for chance, view, target in rest_draws(image):
        yield chance, view, tuple(min(symbol, 0) for symbol in target)


def rotated_draws(image: Row) -> Draws:
    """Signed sums of pixels 0 and 1 lie between −2 and 4; the first two coefficients predict the others."""
    coefficients = tuple(100 + sum(s * x for s, x in zip(signs, image)) for signs in HADAMARD.tolist())
    yield 1.0, coefficients[:2], coefficients[2:]


def augmented_draws(image: Row) -> Draws:
    changed = [image, image[::-1], (*image[:3], -1)]
    for (one, p), (two, q) in product(zip(changed, (0.5, 0.3, 0.2)), repeat=2):
        yield p * q, one, two


def _crop(states: np.ndarray) -> np.ndarray:
    return np.column_stack([states[:, :3], np.full(len(states), -1)])


CASES: dict[str, tuple[PredictionLaw, Callable[[Row], Draws]]] = {
    "prefix and next": (PrefixMasks(4), prefix_draws),
    "prefix and rest": (PrefixMasks(4, 2, "rest"), rest_draws),
    "mixture of ratios": (MixtureOfRatios(4, (0.25, 0.75), (0.25, 0.75)), mixture_draws),
    "BERT": (BertCorruption(4, 2, 2), bert_draws),
    "blocks": (context_and_target_blocks((2, 2), (1, 2), (1, 1)), jepa_draws),
    "tokens": (TokenizedLaw(PrefixMasks(4, 2, "rest"), target_tokens=(0, 0)), token_draws),
    "rotated": (RotatedLaw(PrefixMasks(4, 2, "rest"), HADAMARD, np.array([0, 1])), rotated_draws),
    "augmentations": (
        AugmentationPairs(4, (lambda x: x, lambda x: x[:, ::-1], _crop), (0.5, 0.3, 0.2)),
        augmented_draws,
    ),
}


def counted(world: FiniteWorld, draws: Callable[[Row], Draws]) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted entries of the joint law of view and target, and those of image and view, by dictionaries."""
    joint: dict[tuple[Row, Row], float] = defaultdict(float)
    views: dict[tuple[int, Row], float] = defaultdict(float)
    for index, (state, mass) in enumerate(zip(world.states.tolist(), world.probability)):
        for chance, view, target in draws(tuple(state)):
            joint[view, target] += mass * chance
            views[index, view] += mass * chance
    return tuple(np.sort([x for x in found.values() if x > 0]) for found in (joint, views))  # type: ignore[return-value]  # a pair


@pytest.mark.parametrize("name", CASES)
def test_the_joint_law_is_that_of_a_dictionary(name: str) -> None:
    law, draws = CASES[name]
    graph = MaskGraph.enumerate(WORLD, law)
    for found, wanted in zip((graph.joint, graph.image_views), counted(WORLD, draws)):
        np.testing.assert_allclose(np.sort(found.data), wanted, rtol=1e-12)
    graph.check_parts()
    joint = defaultdict(float)  # α needs the views themselves, not only their masses
    for state, mass, label in zip(WORLD.states.tolist(), WORLD.probability, WORLD.labels):
        for chance, view, _ in draws(tuple(state)):
            joint[view, int(label)] += mass * chance
    best: dict[Row, float] = defaultdict(float)
    for (view, _), mass in joint.items():
        best[view] = max(best[view], mass)
    assert float(graph.label_error()) == pytest.approx(1 - sum(best.values()), abs=1e-12)


@pytest.mark.parametrize(
    "law", [UniformMasks(4, 2), BernoulliMasks(4, 0.4), BlockMasks((2, 2), 2), MixtureOfRatios(4, (0.25, 0.5))]
)
@pytest.mark.parametrize("positions", ["kept", "dropped"])
def test_masks_give_the_same_graph_by_both_ways(law: MaskLaw, positions: str) -> None:
    """As a list of masks at once, and as one random choice after another."""
    masks, weights = law.support()
    once = MaskGraph.enumerate(WORLD, law, positions)
    one_by_one = MaskGraph.enumerate(WORLD, MaskPairs(masks, ~masks, weights), positions)
    assert once.shape == one_by_one.shape
    np.testing.assert_allclose(np.sort(once.joint.data), np.sort(one_by_one.joint.data), rtol=1e-12)
    np.testing.assert_allclose(once.spectrum(4).values, one_by_one.spectrum(4).values, atol=1e-12)
    assert float(once.label_error()) == pytest.approx(float(one_by_one.label_error()), abs=1e-12)
    assert float(once.pair_label_error()) == pytest.approx(float(one_by_one.pair_label_error()), abs=1e-12)
    if positions == "kept":
        rows = [
            graph.view_contents.to_pixels("zero") for graph in (once, one_by_one) if graph.view_contents is not None
        ]
        left, right = (np.unique(one, axis=0) for one in rows)
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("name", CASES)
def test_no_statement_is_violated_on_any_law(name: str) -> None:
    graph = MaskGraph.enumerate(WORLD, CASES[name][0])
    rng, (n1, n2) = np.random.default_rng(0), graph.shape
    objects = {"features": rng.normal(size=(n1, 2)), "h": rng.normal(size=(n1, 3)), "h_g": rng.normal(size=(n2, 3))}
    objects |= {"targets": rng.normal(size=(n2, 3)), "weight": np.array(0.5), "lipschitz": np.array(100.0)}
    verdicts = []
    for slug, theorem in THEOREMS.items():
        if theorem.needs_graph and set(theorem.objects) <= set(objects):
            given = {name: objects[name] for name in theorem.objects}
            if graph.target_contents is None and "masks" in theorem.optional:  # which masks hid them is not known
                given["masks"] = np.zeros(n2, int)
            verdicts.append(check(slug, graph, **given).verdict)
    assert Verdict.VIOLATED not in verdicts
    assert sum(verdict in (Verdict.HOLDS, Verdict.TIGHT, Verdict.VACUOUS) for verdict in verdicts) >= 10


def test_dropped_positions_forget_where_patches_were() -> None:
    law = PrefixMasks(4)
    kept, dropped = (MaskGraph.enumerate(WORLD, law, positions) for positions in ("kept", "dropped"))
    assert dropped.shape[1] == WORLD.alphabet < kept.shape[1]
    assert dropped.shape[0] == kept.shape[0]  # the length tells where a prefix ends


def test_sampled_ratios_are_the_mixture() -> None:
    law = MixtureOfRatios(8, (0.25, 0.75), (0.25, 0.75))
    masks = law.sample(np.random.default_rng(0), 4000)
    low = float((masks.sum(1) == 6).mean())
    assert abs(low - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 4000)
    assert law.mask_ratio == 0.625
    listed, weights = law.support()
    np.testing.assert_allclose(law.probability(listed), weights)
    assert weights.sum() == pytest.approx(1)
    assert MixtureOfRatios(4, (0.5, 0.51, 0.74)).support()[1].sum() == pytest.approx(1)
    assert len(MixtureOfRatios(4, (0.5, 0.6)).support()[0]) == 10


def test_coarser_tokens_shrink_the_spectrum() -> None:
    """A tokenizer is a channel on targets: every eigenvalue falls and the pair label error rises."""
    world = worlds.mixture(4, 2, 3, 0.1, seed=2)
    states = world.states + 2 * np.random.default_rng(0).integers(0, 2, world.states.shape)  # two symbols a token
    world = FiniteWorld(states, world.probability, world.labels, np.arange(4.0)[:, None])
    fine = PrefixMasks(4, 2, "rest")
    coarse = TokenizedLaw(fine, target_tokens=(0, 1, 0, 1))
    graphs = [MaskGraph.enumerate(world, law) for law in (fine, coarse)]
    assert graphs[1].shape[1] < graphs[0].shape[1]
    first, second = (graph.spectrum(4).values for graph in graphs)
    assert (second <= first + 1e-12).all()
    assert (second < first - 1e-3).any()
    errors = [float(graph.pair_label_error()) for graph in graphs]
    assert errors[0] <= errors[1]


def test_patches_are_shown_where_they_are_patches() -> None:
    contents = MaskGraph.enumerate(WORLD, PrefixMasks(4)).view_contents
    assert contents is not None
    assert contents.to_pixels("zero").shape[1] == 4
    assert {tuple(mask) for mask in contents.masks} == {
        (True, False, False, False),
        (True, True, False, False),
        (True, True, True, False),
    }
    assert MaskGraph.enumerate(WORLD, CASES["tokens"][0]).view_contents is None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PrefixMasks(4, 4), "leaves at least one"),
        (lambda: PrefixMasks(1), "leaves at least one"),
        (lambda: PrefixMasks(4, 2, "last"), '"next" or "rest"'),  # type: ignore[arg-type]  # the mistake
        (lambda: MixtureOfRatios(4, ()), "at least one ratio"),
        (lambda: MixtureOfRatios(4, (0.5,), (0.5,)), "sum to 1, one for each ratio"),
        (lambda: MixtureOfRatios(4, (0.5, 0.75), (1.0, 0.0)), "positive numbers"),
        (lambda: MixtureOfRatios(4, (0.99,)), "leaves nothing visible"),
        (lambda: BertCorruption(4, 2, 5), "can be selected"),
        (lambda: BertCorruption(4, 2, 1, 0.9, 0.2), "nor their sum above 1"),
        (lambda: MaskPairs(np.zeros((1, 4), bool), np.ones((1, 4), bool)), "at least one patch each"),
        (lambda: context_and_target_blocks((2, 2), (3, 1), (1, 1)), "does not fit"),
        (lambda: context_and_target_blocks((1, 2), (1, 1), (1, 2)), "leave nothing of context"),
        (lambda: TokenizedLaw(PrefixMasks(4), view_tokens=(-1, 0)), "from 0 on"),
        (lambda: RotatedLaw(PrefixMasks(4), np.ones((4, 4)), np.arange(2)), "orthogonal"),
        (lambda: AugmentationPairs(4, ()), "at least one augmentation"),
        (lambda: MaskGraph.enumerate(WORLD, PrefixMasks(5)), "the law must cover the world's 4 patches"),
        (lambda: MaskGraph.enumerate(WORLD, PrefixMasks(4), "lost"), "positions must be"),
        (lambda: MaskGraph.enumerate(WORLD, BertCorruption(4, 3, 1)), "shows the symbol 2, but the world has symbols"),
        (lambda: MaskGraph.enumerate(WORLD, TokenizedLaw(PrefixMasks(4), (0,))), "there are 1 tokens"),
    ],
)
def test_what_is_no_law_is_one_sentence(make: Callable[[], object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


@pytest.mark.parametrize("side", ["view", "target"])
def test_a_symbol_that_the_world_lacks_is_refused_on_either_side(side: str) -> None:
    class Shifted(PrefixMasks):
        def outcomes(self, states: np.ndarray) -> Iterator[Outcome]:
            for probability, view, target in super().outcomes(states):
                shown = {"view": view, "target": target}
                shown[side] = np.where(shown[side] >= 0, shown[side] + 1, shown[side])
                yield Outcome(probability, shown["view"], shown["target"])

    with pytest.raises(InputError, match="shows the symbol 2, but the world has symbols from 0 to 1"):
        MaskGraph.enumerate(WORLD, Shifted(4))


def test_states_of_probability_zero_are_dropped() -> None:
    probability = np.where(np.arange(len(WORLD.probability)) == 0, 0.0, WORLD.probability)
    graph = MaskGraph.enumerate(replace(WORLD, probability=probability / probability.sum()), PrefixMasks(4))
    assert graph.image_views.shape[0] == len(WORLD.probability) - 1
    assert sparse.issparse(graph.joint)
    assert isinstance(ListedMasks(np.array([[True, False]])), PredictionLaw)
