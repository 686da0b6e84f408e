"""Epps–Pulley statistic of slices: closed form, level under the null, power, and what it does not depend on."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from scipy.stats import binom, ortho_group

from maetheory.core import InputError, generator
from maetheory.metrics import gaussianity
from maetheory.metrics.gaussianity import epps_pulley


def by_pairs(x):
    """The statistic by a double sum over rows, Gaussian integrals done by hand."""
    n, total = len(x), 0.0
    for a in x:
        for b in x:
            total += math.exp(-((a - b) ** 2) / 2)
    return total / n - math.sqrt(2) * sum(math.exp(-(a**2) / 4) for a in x) + n / math.sqrt(3)


def features(name, n=200, d=6, seed=1):
    rng = generator(seed, name)
    z = rng.normal(size=(n, d))
    return {
        "gaussian": z,
        "collapsed": z[:, :1] @ rng.normal(size=(1, d)) + 0.05 * z,
        "one strong direction": z * np.r_[2.0, np.ones(d - 1)],
        "heavy tails": z / np.sqrt(rng.chisquare(3, size=(n, 1)) / 3),
        "two clusters": z + 3 * np.sign(rng.normal(size=(n, 1))),
        "on a sphere": z[:, :2] / np.linalg.norm(z[:, :2], axis=1, keepdims=True),
    }[name]


@pytest.mark.parametrize("x", [features("gaussian")[:60, 0], features("two clusters")[:30, 1], [0.0, 0.1, -4.0, 4.5]])
def test_the_integral_is_the_sum_over_pairs(x):
    x = np.asarray(x)
    assert epps_pulley(x[:, None])[0] == pytest.approx(by_pairs(x), abs=1e-7 * len(x))


def test_it_is_the_mean_over_slices_of_features_with_one_scale():
    z, seed = features("one strong direction", 30, 3), 5
    slices = np.random.default_rng(seed).normal(size=(3, 4))
    centred = z - z.mean(0)
    centred /= np.sqrt((centred**2).mean())
    expected = np.mean([by_pairs(centred @ (u / np.linalg.norm(u))) for u in slices.T])
    found = gaussianity(z, np.random.default_rng(seed), n_slices=4, n_draws=2)
    assert found.statistic == pytest.approx(expected, rel=1e-6)
    assert found.distance == pytest.approx(expected / 30, rel=1e-6)
    assert (found.n_slices, found.n_draws) == (4, 2)


def test_many_slices_are_those_of_small_blocks(monkeypatch):
    z = features("gaussian", 50)
    whole = gaussianity(z, generator(0, "blocks"), n_slices=7, n_draws=2)
    monkeypatch.setattr(sys.modules["maetheory.metrics.gaussianity"], "_BLOCK", 100)
    assert gaussianity(z, generator(0, "blocks"), n_slices=7, n_draws=2).statistic == pytest.approx(whole.statistic)


def test_gaussian_features_are_rejected_as_often_as_the_level_says():
    """Under the null the p-value is uniform on 1/10, …, 1: counts lie within a binomial interval of 0.9999."""

    def p_value(seed):
        z = 7 + 3 * generator(seed, "features").normal(size=(25, 3))
        return gaussianity(z, generator(seed, "slices"), n_slices=2, n_draws=9).p_value

    found = np.array([p_value(seed) for seed in range(150)])
    for level in (0.1, 0.3, 0.5, 0.9):
        low, high = binom.ppf([5e-5, 1 - 5e-5], len(found), level)
        assert low <= (found <= level + 1e-9).sum() <= high


@pytest.mark.parametrize("name", ["collapsed", "one strong direction", "heavy tails", "two clusters", "on a sphere"])
def test_what_is_not_an_isotropic_gaussian_is_found(name):
    found = gaussianity(features(name), generator(0, "slices"), n_slices=16, n_draws=39)
    assert found.p_value == 1 / 40
    assert found.statistic > found.null_high > found.null_mean > 0


def test_the_distance_does_not_grow_with_the_number_of_rows():
    few, many = (gaussianity(features("two clusters", n), generator(0, "s"), n_draws=1).distance for n in (500, 5000))
    assert many == pytest.approx(few, rel=0.2)


@pytest.mark.parametrize("scale", [1e-160, 1.0, 1e160])
def test_neither_unit_nor_mean_matters(scale):
    z = features("heavy tails", 80)
    one, other = (gaussianity(x, generator(0, "slices"), n_slices=8, n_draws=9) for x in (z, scale * (z + 2)))
    assert other.statistic == pytest.approx(one.statistic, rel=1e-9)
    assert other.p_value == one.p_value


def test_a_rotation_changes_the_slices_alone():
    z = features("heavy tails", 300, 4)
    turned = z @ ortho_group.rvs(4, random_state=0)
    one, other = (gaussianity(x, generator(0, "slices"), n_slices=600, n_draws=1).statistic for x in (z, turned))
    assert other == pytest.approx(one, rel=0.03)


@pytest.mark.parametrize(
    ("z", "change", "words"),
    [
        (np.ones((5, 2)), {}, "all rows of Z are equal"),
        (np.full((5, 2), 0.1), {}, "all rows of Z are equal"),
        (np.zeros((5, 2)), {}, "all rows of Z are equal"),
        (np.ones((1, 2)), {}, "at least 2"),
        (np.array([[1.0, np.nan], [0, 1]]), {}, "NaN or infinity in 1 of its 2 rows"),
        (np.eye(3), {"n_slices": 0}, "n_slices must be at least 1, but 0"),
        (np.eye(3), {"n_draws": 0}, "n_draws must be at least 1, but 0"),
    ],
)
def test_bad_arguments_are_named(z, change, words):
    with pytest.raises(InputError, match=words):
        gaussianity(z, generator(0, "slices"), **change)
