"""Samples, support and probabilities of each mask law agree with one another."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.masks import (
    BernoulliMasks,
    BlockMasks,
    ListedMasks,
    MaskLaw,
    MixtureOfRatios,
    UniformMasks,
    visible_count,
)

LAWS: list[MaskLaw] = [
    UniformMasks(5, 2),
    UniformMasks(6, 1),
    BernoulliMasks(4, 0.3),
    BernoulliMasks(5, 0.97),
    BlockMasks(3, 5),
    BlockMasks((2, 4), 3),
    BlockMasks((4, 3), 1),
    ListedMasks(np.array([[1, 0, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1]], bool), [0.5, 0.25, 0.25, 0]),
]


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_support_is_every_mask_of_positive_probability(law: MaskLaw) -> None:
    every = np.array(list(product([False, True], repeat=law.n_patches)))
    masks, probability = law.support()
    assert probability.sum() == pytest.approx(1.0, abs=1e-12)
    assert law.probability(every).sum() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(law.probability(masks), probability, rtol=1e-12)
    assert len(np.unique(masks, axis=0)) == len(masks) == (law.probability(every) > 0).sum()
    assert masks.any(1).all()
    assert not masks.all(1).any()
    assert (~masks).mean(1) @ probability == pytest.approx(law.mask_ratio, abs=1e-12)


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_samples_follow_the_probabilities(law: MaskLaw) -> None:
    n = 40_000
    drawn = law.sample(np.random.default_rng(0), n)
    masks, probability = law.support()
    index = {mask.tobytes(): i for i, mask in enumerate(masks)}
    counts = np.bincount([index[mask.tobytes()] for mask in drawn], minlength=len(masks))
    chi2 = ((counts - n * probability) ** 2 / (n * probability)).sum()
    assert chi2 < len(masks) + 6 * np.sqrt(2 * len(masks))


@pytest.mark.parametrize("law", [*LAWS, MixtureOfRatios(5, (0.25, 0.5, 0.8), (0.2, 0.3, 0.5))], ids=repr)
def test_joint_visibility_counts_the_pairs_of_the_support(law: MaskLaw) -> None:
    masks, probability = law.support()
    expected = np.zeros((law.n_patches, law.n_patches))
    for mask, weight in zip(masks, probability, strict=True):
        expected += weight * np.outer(mask, mask)
    np.testing.assert_allclose(law.joint_visibility(), expected, rtol=0, atol=1e-13)


def test_joint_visibility_of_many_masks_needs_a_closed_form() -> None:
    assert UniformMasks(400, 100).joint_visibility()[0, 1] == pytest.approx(100 * 99 / (400 * 399), rel=1e-14)
    assert BernoulliMasks(400, 0.25).joint_visibility()[0, 1] == pytest.approx(1 / 16, rel=1e-14)


def test_block_law_hides_one_block() -> None:
    masks, _ = BlockMasks((4, 5), 14).support()
    for mask in masks.reshape(-1, 4, 5):
        rows, columns = np.nonzero(~mask)
        assert np.ptp(rows) == 1
        assert np.ptp(columns) == 2


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: UniformMasks(4, 0), "n_visible"),
        (lambda: UniformMasks(4, 4), "n_visible"),
        (lambda: BernoulliMasks(4, 1.0), "p_visible"),
        (lambda: BlockMasks(2, 4), "n_visible"),
        (lambda: UniformMasks(40, 20).support(), "sample"),
        (lambda: visible_count(16, 0.0), "between 0 and 1"),
        (lambda: visible_count(16, 1.0), "between 0 and 1"),
        (lambda: visible_count(16, 0.99), "nothing visible"),
        (lambda: visible_count(1, 0.5), "leaves nothing"),
    ],
)
def test_impossible_laws_are_refused_plainly(make: object, word: str) -> None:
    with pytest.raises(InputError, match=word):
        make()  # type: ignore[operator]  # a lambda of the table, typed as an object


@pytest.mark.parametrize(("ratio", "visible"), [(0.75, 4), (0.5, 8), (0.9, 1), (0.7, 4)])
def test_visible_count_is_mae_s(ratio: float, visible: int) -> None:
    assert visible_count(16, ratio) == visible
