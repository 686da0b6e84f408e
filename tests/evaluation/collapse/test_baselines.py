"""Baselines: untrained networks with their prediction interval, and noise against its moments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from small_networks import CONFIG, FOREIGN, trained

from maetheory import metrics
from maetheory.checkpoints import Encoder
from maetheory.core import InputError
from maetheory.data import ImageSet
from maetheory.evaluation import collapse_report, random_init_model
from maetheory.evaluation.collapse.baselines import noise_baseline, noise_moments
from maetheory.evaluation.collapse.metric_specs import MetricEstimate, select_metrics
from maetheory.evaluation.collapse.prediction_interval import combine_initialisations
from maetheory.metrics import Moments
from maetheory.models import MAE, SimMIM
from maetheory.models.positions import sincos_positions


@pytest.mark.parametrize(("kind", "config"), [(MAE, CONFIG), (SimMIM, CONFIG), (Encoder, FOREIGN)])
def test_the_baseline_of_an_untrained_model_is_that_model(kind: Any, config: Any, images: ImageSet) -> None:
    untrained = kind(config)
    before = torch.get_rng_state()
    model = random_init_model(untrained, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    names = ("effective_rank", "mean_cosine", "twonn", "lidar", "mask_pair_alignment")
    table = collapse_report(model, images, full=True, seed=3, metrics=names, n_initialisations=1)
    np.testing.assert_allclose(table.value, table.random_init, rtol=1e-9)
    other = collapse_report(trained(kind, config), images, full=True, seed=3, metrics=("effective_rank",))
    assert not np.isclose(other.value, other.random_init, rtol=1e-3).any()


def test_a_fixed_position_table_is_kept_and_a_trained_one_is_not() -> None:
    fixed = Encoder(FOREIGN)
    with torch.no_grad():
        fixed.pos_embed.copy_(sincos_positions(16, 4, 4))
    assert torch.equal(random_init_model(fixed).pos_embed, fixed.pos_embed)
    other = trained(Encoder, FOREIGN)
    untrained = random_init_model(other)
    assert untrained.pos_embed.std().item() == pytest.approx(0.02, rel=0.2)
    assert untrained.blocks[0].attn.qkv.weight.abs().max() <= np.sqrt(6 / 64) + 1e-6  # Xavier: √(6 / (16 + 48))


def test_noise_has_the_moments_that_noise_has() -> None:
    drawn = Moments(24).update(np.random.default_rng(0).normal(size=(4000, 24)))
    for measure in select_metrics(None, every_convention=True):
        if measure.needs == "moments" and measure.metric != "alpha_req":
            assert noise_baseline(measure, (4000, 24)) == pytest.approx(measure(drawn), rel=0.03, abs=2e-3), measure
    assert metrics.effective_rank(noise_moments(20, 50)) <= 20
    assert metrics.mean_cosine(noise_moments(400, 24)) == pytest.approx(0, abs=1e-12)
    assert metrics.umae_uniformity(noise_moments(400, 24)) == pytest.approx(1 / 24, rel=0.02)


def test_the_interval_over_initialisations_contains_a_further_one() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        *others, further = rng.normal(10, 1, size=4)
        found = combine_initialisations(
            [MetricEstimate(value, value - 1e-9, value + 1e-9, 1e-9, "") for value in others]
        )
        held += found.low <= further <= found.high
    assert held / 2000 == pytest.approx(0.95, abs=0.015)


def test_the_interval_of_ranks_uses_logarithms_and_lies_between_1_and_the_dimension() -> None:
    rng, held = np.random.default_rng(1), 0
    for _ in range(2000):
        *others, further = np.exp(rng.normal(2, 0.3, size=6))
        found = combine_initialisations(
            [MetricEstimate(v, v * (1 - 1e-9), v * (1 + 1e-9), 1e-9 * v, "") for v in others], upper_bound=1e9
        )
        held += found.low <= further <= found.high
    assert held / 2000 == pytest.approx(0.95, abs=0.015)
    wild = combine_initialisations([MetricEstimate(v, v, v, 0, "") for v in (2.0, 60.0)], upper_bound=64)
    assert (wild.low, wild.high) == (1, 64)


def test_the_baseline_is_the_mean_of_several_initialisations(images: ImageSet) -> None:
    names = ("effective_rank", "mean_cosine", "uniformity")
    model = trained()
    three = collapse_report(model, images, full=True, metrics=names, n_initialisations=3)
    single = [collapse_report(random_init_model(model, seed=seed), images, metrics=names) for seed in range(3)]
    np.testing.assert_allclose(three.random_init, np.mean([table.value for table in single], axis=0), rtol=1e-9)
    one = collapse_report(model, images, full=True, metrics=names, n_initialisations=1)
    has_interval = three.metric != "uniformity"
    width, wider = (table.random_init_high - table.random_init_low for table in (three, one))
    assert (width[has_interval] <= wider[has_interval]).all()
    ranks = one[one.metric == "effective_rank"]
    assert (ranks.random_init_low == 1).all(), "one network does not show the spread over initialisations"
    assert (ranks.random_init_high == ranks.d).all()
    assert width[~has_interval].isna().all()
    with pytest.raises(InputError, match="n_initialisations must be at least 1, but it is 0"):
        collapse_report(model, images, full=True, n_initialisations=0)


def test_the_old_keyword_is_accepted_and_warns(images: ImageSet) -> None:
    new = collapse_report(trained(), images, full=True, metrics=("mean_cosine",), n_initialisations=2)
    with pytest.warns(DeprecationWarning, match="twins was renamed; use n_initialisations"):
        old = collapse_report(trained(), images, full=True, metrics=("mean_cosine",), twins=2)
    np.testing.assert_array_equal(old.random_init, new.random_init)
