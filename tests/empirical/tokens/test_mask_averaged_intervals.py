"""Intervals averaged over masks cover the means of each mask's exact values."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.data import worlds
from maetheory.empirical import graph_intervals, mean_graph_intervals, sample_from_codes
from maetheory.graph import MaskGraph
from maetheory.masks import MaskLaw, UniformMasks

WORLD, LAW = worlds.mixture(4, 2, 2, 0.1), UniformMasks(4, 2)


@dataclass(frozen=True)
class OneMask(MaskLaw):
    """Law of a single mask."""

    mask: tuple[bool, ...]

    @property
    def n_patches(self):
        return len(self.mask)

    @property
    def mask_ratio(self):
        return 1 - sum(self.mask) / len(self.mask)

    def sample(self, rng, n):
        return np.tile(self.mask, (n, 1))

    def support(self):
        return np.array([self.mask]), np.ones(1)

    def probability(self, masks):
        return (masks == np.array(self.mask)).all(1).astype(float)


def exact(k: int, law: MaskLaw = LAW) -> dict[str, float]:
    rows = []
    for mask in law.support()[0]:
        graph = MaskGraph.enumerate(WORLD, OneMask(tuple(mask)), "kept")
        values = graph.spectrum(min(graph.shape)).values ** 2
        next_eigenvalue = float(values[k]) if k < len(values) else 0.0
        alpha, phi = float(graph.label_error()), float(graph.pair_label_error())
        bound = 4 * phi / (1 - next_eigenvalue) + 2 * alpha
        rows.append([alpha, float(graph.target_label_error()), phi, next_eigenvalue, bound])
    return dict(zip(("alpha", "alpha2", "phi", "next_eigenvalue", "sharp_bound"), np.mean(rows, 0), strict=True))


def drawn(seed: int, n: int, law: MaskLaw = LAW, n_masks: int | None = None, positions: str = "kept"):
    states = np.random.default_rng(seed).choice(len(WORLD.states), n, p=WORLD.probability)
    codes, labels = WORLD.states[states], WORLD.labels[states]
    return sample_from_codes(codes, labels, law, n_masks=n_masks, seed=seed, positions=positions)


@pytest.mark.parametrize("n_masks", [None, 5])
def test_intervals_cover_the_exact_means(n_masks):
    truth, held = exact(1), {}
    for seed in range(6):
        found = mean_graph_intervals(drawn(seed, 500, n_masks=n_masks), 1)
        for name, value in truth.items():
            held.setdefault(name, []).append(getattr(found, name).covers(value))
    assert all(sum(hits) >= 5 for hits in held.values()), held


def test_label_errors_are_near_those_of_all_masks_at_once_and_the_spectrum_is_not():
    sample = drawn(0, 2000)
    together, apart = graph_intervals(sample, 1), mean_graph_intervals(sample, 1)
    assert apart.alpha.value == pytest.approx(together.alpha.value, abs=0.02)
    assert together.eigenvalues[1].value == pytest.approx(1, abs=1e-6)  # six blocks, each with a value 1
    assert apart.next_eigenvalue.value == pytest.approx(exact(1)["next_eigenvalue"], abs=0.1)


def test_more_features_than_nodes_have_next_eigenvalue_zero():
    found = mean_graph_intervals(drawn(0, 500), 4)
    assert (found.next_eigenvalue.value, found.next_eigenvalue.low) == (0, 0)
    assert found.next_eigenvalue.covers(exact(4)["next_eigenvalue"])


def test_equal_images_have_one_node_and_next_eigenvalue_zero():
    codes, labels = np.zeros((40, 2), int), np.arange(40) % 2
    found = mean_graph_intervals(sample_from_codes(codes, labels, UniformMasks(2, 1)), 1)
    assert (found.next_eigenvalue.low, found.next_eigenvalue.value) == (0, 0)
    assert found.next_eigenvalue.high < 0.2
    assert found.phi.covers(0)
    assert found.alpha.covers(0.5)


def test_masks_that_are_drawn_make_intervals_wider():
    sample = drawn(0, 800, n_masks=4)
    fixed = mean_graph_intervals(replace(sample, masks_drawn=False), 1)
    wide = mean_graph_intervals(sample, 1)
    assert wide.alpha.low < fixed.alpha.low <= fixed.alpha.value == wide.alpha.value
    alone = mean_graph_intervals(drawn(0, 800, n_masks=1), 1)
    for interval in (alone.alpha, alone.alpha2, alone.phi, alone.next_eigenvalue):
        assert (interval.low, interval.high, interval.decided) == (0, 1, False)
    assert (alone.sharp_bound.high, alone.sharp_bound.decided) == (np.inf, False)


def test_few_masks_widen_by_students_quantile():
    """Of two masks whose numbers differ by δ the mean is off by 12.706 δ / 2 at 95 %, of normal ones by 1.96 δ / 2."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 4000)
    noise = np.linspace(0.05, 0.4, 6)  # of each patch, so that masks that show one patch differ
    codes = np.where(rng.random((4000, 6)) < noise, 1 - labels[:, None], labels[:, None])
    sample = sample_from_codes(codes, labels, UniformMasks(6, 1), n_masks=3, seed=1)
    fixed = mean_graph_intervals(replace(sample, masks_drawn=False), 1).alpha
    shown = [
        mean_graph_intervals(
            replace(
                sample,
                views=sample.views[:, [i]],
                targets=sample.targets[:, [i]],
                mask_weights=np.ones(1),
                masks_drawn=False,
            ),
            1,
        ).alpha.value
        for i in range(3)
    ]
    assert np.std(shown) > 0.01
    margin = 4.302652729749462 * np.std(shown, ddof=1) / np.sqrt(3)
    wide = mean_graph_intervals(sample, 1).alpha
    assert wide.high == pytest.approx(min(fixed.high + margin, 1), rel=1e-12)
    assert wide.low == pytest.approx(max(fixed.low - margin, 0), rel=1e-12)


def test_bad_input_is_one_sentence():
    with pytest.raises(InputError, match="in this sample they are dropped"):
        mean_graph_intervals(drawn(0, 50, positions="dropped"), 1)
    with pytest.raises(InputError, match="at least 20 images, but there are 19"):
        mean_graph_intervals(drawn(0, 19), 1)
    with pytest.raises(InputError, match="at least 1 feature"):
        mean_graph_intervals(drawn(0, 50), 0)
    with pytest.raises(InputError, match="strictly between 0 and 1"):
        mean_graph_intervals(drawn(0, 50), 1, confidence=1.0)


def test_a_mask_that_shows_one_code_lowers_the_mean_next_eigenvalue_by_its_weight() -> None:
    """Patch 0 is the same in all images, and patch 1 determines patch 2; the values are those of each mask alone."""
    codes = np.random.default_rng(0).integers(0, 2, (400, 3))
    codes[:, 0], codes[:, 2] = 0, codes[:, 1]
    alone = [
        mean_graph_intervals(sample_from_codes(codes, codes[:, 1], OneMask(mask)), 1).next_eigenvalue.value
        for mask in ((True, False, False), (False, True, False))
    ]
    both = mean_graph_intervals(sample_from_codes(codes, codes[:, 1], UniformMasks(3, 1)), 1).next_eigenvalue.value
    assert alone[0] == 0
    assert alone[1] > 0.9
    assert both == pytest.approx((alone[0] + 2 * alone[1]) / 3, abs=0.02)
