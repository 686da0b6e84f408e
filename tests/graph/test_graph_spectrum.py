"""Spectra of worlds with closed-form solutions equal the closed forms."""

from __future__ import annotations

from itertools import pairwise
from math import comb

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.data import worlds
from maetheory.graph import MaskGraph
from maetheory.masks import BernoulliMasks, UniformMasks

EPS = float(np.finfo(float).eps)


def binomial(count: int, noise: float, given: int) -> list[float]:
    """Return the probabilities of 0..count ones among patches of class `given`."""
    one = noise if given == 0 else 1 - noise
    return [comb(count, k) * one**k * (1 - one) ** (count - k) for k in range(count + 1)]


def chi(count: int, noise: float) -> float:
    """Return E(2η − 1)², η the posterior from `count` patches."""
    zero, one = binomial(count, noise, 0), binomial(count, noise, 1)
    return sum((a - b) ** 2 / (2 * (a + b)) for a, b in zip(zero, one, strict=True))


def bayes_error(count: int, noise: float) -> float:
    """Return the Bayes error, ties decided by a fair coin."""
    zero, one = binomial(count, noise, 0), binomial(count, noise, 1)
    return sum(min(a, b) / 2 for a, b in zip(zero, one, strict=True))


def test_values_are_a_dense_svd() -> None:
    graph = MaskGraph.enumerate(worlds.mixture(4, 3, 3, 0.2, seed=1), UniformMasks(4, 2), "dropped")
    wanted = np.linalg.svd(graph.normalized_matrix.toarray(), compute_uv=False)
    found = graph.spectrum(min(graph.shape))
    np.testing.assert_allclose(found.values, wanted, atol=1e3 * EPS)
    with pytest.raises(InputError, match="k"):
        graph.spectrum(min(graph.shape) + 1)


@pytest.mark.parametrize("visible", [1, 3, 5, 7])
def test_two_mirror_symmetric_classes(visible: int) -> None:
    n, noise = 8, 0.1
    graph = MaskGraph.enumerate(worlds.mixture(n, 2, 2, noise), UniformMasks(n, visible), "dropped")
    product = chi(visible, noise) * chi(n - visible, noise)
    found = graph.spectrum(2).values ** 2
    np.testing.assert_allclose(found, [1.0, product], atol=1e3 * EPS)
    phi = (1 - (1 - 2 * bayes_error(visible, noise)) ** 2 * chi(n - visible, noise)) / 2
    assert graph.pair_label_error() == pytest.approx(phi, abs=1e3 * EPS)


def test_a_mixture_has_rank_at_most_its_classes_in_each_mask_block() -> None:
    for classes in (2, 3):
        law = UniformMasks(5, 2)
        graph = MaskGraph.enumerate(worlds.mixture(5, 3, classes, 0.2, seed=4), law)
        singular = np.linalg.svd(graph.normalized_matrix.toarray(), compute_uv=False)
        rank, most = int((singular > 1e-10).sum()), classes * len(law.support()[0])
        assert most - classes < rank <= most  # three prototypes agree on the two visible patches of one mask
        # beyond the prototypes of a seed patches are no longer exchangeable given the class, and the rank grows
        dropped = MaskGraph.enumerate(worlds.mixture(5, 3, classes, 0.2, seed=4), law, "dropped")
        assert (np.linalg.svd(dropped.normalized_matrix.toarray(), compute_uv=False) > 1e-10).sum() > classes
        same = MaskGraph.enumerate(worlds.mixture(5, 3, classes, 0.2), law, "dropped")
        assert (np.linalg.svd(same.normalized_matrix.toarray(), compute_uv=False) > 1e-10).sum() == classes


def test_forgetting_positions_lowers_every_singular_value() -> None:
    world, law = worlds.mixture(4, 2, 3, 0.2, seed=2), BernoulliMasks(4, 0.4)
    kept, dropped = (MaskGraph.enumerate(world, law, positions) for positions in ("kept", "dropped"))
    k = min(*kept.shape, *dropped.shape)
    assert (dropped.spectrum(k).values <= kept.spectrum(k).values + 1e3 * EPS).all()
    # only the number of visible patches, 1 to 3, still tells views apart
    assert (dropped.n_components, kept.n_components) == (3, 14)
    assert dropped.spectrum(4).values[3] < 0.99


def test_label_error_rises_with_the_mask_ratio() -> None:
    """Data processing: with Bayes labels α never falls as more is hidden, kept or dropped."""
    world = worlds.mixture(6, 2, 2, 0.2, seed=0)
    for positions in ("kept", "dropped"):
        errors = [MaskGraph.enumerate(world, UniformMasks(6, v), positions).label_error() for v in range(5, 0, -1)]
        assert all(b >= a - 1e-13 for a, b in pairwise(errors))
        assert errors[-1] > errors[0] + 0.05


def test_every_mask_is_a_component() -> None:
    graph = MaskGraph.enumerate(worlds.mixture(8, 2, 2, 0.1), UniformMasks(8, 3))
    values = graph.spectrum(57).values
    assert graph.n_components == 56
    assert values[55] > 1 - 1e-12
    assert values[56] < 0.99
