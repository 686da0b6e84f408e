"""Test alignment and uniformity against loops over pairs."""

import numpy as np
import pytest
from metric_oracles import gaussian_uniformity, pair_alignment

from maetheory.core import InputError
from maetheory.metrics import alignment, uniformity


@pytest.mark.parametrize("t", [0.5, 2.0])
@pytest.mark.parametrize("shape", [(30, 4), (2, 3), (20, 1)])
def test_uniformity_agrees_with_its_double_loop(t, shape):
    Z = np.random.default_rng(0).normal(size=shape) + 0.3
    assert uniformity(Z, t=t) == pytest.approx(gaussian_uniformity(Z, t), rel=1e-8, abs=1e-12)


def test_uniformity_is_the_same_through_tiles():
    Z = np.random.default_rng(0).normal(size=(2500, 3))
    unit = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    potential = np.exp(-4 * (1 - unit @ unit.T))
    n = len(Z)
    assert uniformity(Z) == pytest.approx(np.log((potential.sum() - n) / (n * (n - 1))), rel=1e-10)
    assert uniformity(Z, convention="with-diagonal") == pytest.approx(np.log(potential.mean()), rel=1e-10)


def test_uniformity_lies_between_antipodes_and_collapse():
    assert uniformity([[1.0, 0.0], [-2.0, 0.0]]) == pytest.approx(-8)
    assert uniformity(np.tile([0.1, 0.7], (2000, 1))) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("a", [1.0, 2.0, 3.5])
def test_alignment_agrees_with_its_loop(a):
    rng = np.random.default_rng(0)
    Z1, Z2 = rng.normal(size=(2, 25, 6))
    assert alignment(Z1, Z2, a=a) == pytest.approx(pair_alignment(Z1, Z2, a), rel=1e-10)
    assert alignment(Z1, 3 * Z1) == pytest.approx(0, abs=1e-14)
    assert alignment(Z1, -Z1, a=a) == pytest.approx(2**a)


def test_unusable_pairs_are_refused():
    with pytest.raises(InputError, match="paired"):
        alignment(np.ones((3, 2)), np.ones((4, 2)))
    with pytest.raises(InputError, match="Z2 has NaN or infinity in 1 of its 3 rows"):
        alignment(np.ones((3, 2)), [[1, 2], [np.nan, 1], [1, 1]])
    with pytest.raises(InputError, match="1 row"):
        uniformity(np.ones((1, 2)))
    with pytest.raises(InputError, match="1 zero rows of 2"):
        uniformity([[0.0, 0.0], [1.0, 0.0]])
    with pytest.raises(InputError, match="positive"):
        uniformity(np.ones((3, 2)), t=0)
    with pytest.raises(InputError, match="positive"):
        alignment(np.ones((3, 2)), np.ones((3, 2)), a=-1)
