"""The layer from which a direction can be read: planted layers, cross-validation, errors, the last layer."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.core import Estimate
from maetheory.evaluation.explanation.cross_fitted_directions import cross_fitted_directions
from maetheory.evaluation.explanation.layer_of_origin import LayerShare, layer_of_origin, layer_shares


def test_a_direction_that_appears_in_the_third_layer_is_found_there() -> None:
    rng = np.random.default_rng(0)
    score = rng.standard_normal(200)
    mixed = rng.standard_normal((1, 8))
    layers = [rng.standard_normal((200, 8)), rng.standard_normal((200, 8))]
    layers += [rng.standard_normal((200, 8)) + 3 * np.outer(score, mixed[0]) for _ in range(2)]
    layers.append(np.outer(score, mixed[0]))
    (found,) = layer_shares(layers, score[:, None])
    assert [one.layer for one in found] == [0, 1, 2, 3, 4]
    assert str(layer_of_origin(found)) == "2"
    assert float(found[1].readable) < 0.05
    assert float(found[2].readable) > 0.9
    assert float(found[4].readable) == pytest.approx(1, abs=1e-6)


def test_a_wide_layer_of_noise_determines_nothing() -> None:
    rng = np.random.default_rng(1)
    score = rng.standard_normal((60, 1))
    (found,) = layer_shares([rng.standard_normal((60, 200)), np.repeat(score, 3, axis=1)], score)
    assert found[0].readable.low < 0  # R² of the images that it was fitted to would be 1
    assert float(found[0].readable) < 0.5
    assert float(found[0].share) < 5 / 60
    assert float(found[0].share) > 0


def test_a_constant_layer_has_nothing_and_raises_no_warning() -> None:
    rng = np.random.default_rng(2)
    score = rng.standard_normal((80, 1))
    (found,) = layer_shares([np.full((80, 5), 3.0), score], score)
    assert float(found[0].readable) <= 0
    assert float(found[0].share) == 0
    assert float(found[1].share) == pytest.approx(1)


def test_the_share_in_the_last_layer_is_that_of_the_variance() -> None:
    Z = np.random.default_rng(3).standard_normal((200, 6)) * [4, 3, 2, 1, 1, 1]
    found = cross_fitted_directions(Z, 3)
    values = np.linalg.eigvalsh(np.cov(Z.T))[::-1]
    shares = layer_shares([Z], (Z - found.mean) @ found.directions)
    np.testing.assert_allclose([float(one.share) for (one,) in shares], values[:3] / values.sum(), rtol=1e-9)


def test_errors_contain_the_truth_as_often_as_they_say() -> None:
    readable, share = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        score = rng.standard_normal(200)
        features = np.stack([score + rng.standard_normal(200), 2 * rng.standard_normal(200)], axis=1)
        ((found,),) = layer_shares([features], score[:, None])
        readable.append(found.readable.low < 0.5 < found.readable.high)  # 1 / (1 + 1)
        share.append(found.share.low < 1 / 6 < found.share.high)  # of variances 1, 1 and 4
    assert 0.88 < np.mean(readable) <= 0.99
    assert 0.88 < np.mean(share) <= 0.99


def shares(*readable: tuple[float, float]) -> list[LayerShare]:
    return [
        LayerShare(layer, Estimate(value, error, sampled=True), Estimate(0.1))
        for layer, (value, error) in enumerate(readable)
    ]


def test_the_range_of_layers_is_that_of_the_errors() -> None:
    found = layer_of_origin(shares((0.0, 0.1), (0.45, 0.1), (0.52, 0.1), (0.9, 0.0), (1.0, 0.0)))
    assert found is not None
    assert (found.layer, found.earliest, found.latest) == (2, 1, 3)
    assert str(found) == "2 (1 to 3)"
    again = layer_of_origin(shares((0.9, 0.0), (0.1, 0.0), (0.9, 0.0), (1.0, 0.0)))  # lost in between
    assert again is not None
    assert str(again) == "2"
    few = layer_of_origin(shares((0.3, 0.0), (0.6, 0.1)))  # half of what the last layer gives
    assert few is not None
    assert str(few) == "0"
    assert layer_of_origin(shares((0.0, 0.0), (0.1, 0.2))) is None
