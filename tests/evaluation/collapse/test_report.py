"""Measurements of collapse: one pass over images, coverage of the intervals, and baselines against references."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from small_networks import CONFIG, FOREIGN, trained

from maetheory import metrics
from maetheory.checkpoints import Encoder, EncoderConfig
from maetheory.core import InputError
from maetheory.data import ImageSet
from maetheory.evaluation import collapse_report, encode, measure_collapse
from maetheory.evaluation.collapse import metric_specs
from maetheory.evaluation.collapse.metric_estimates import (
    HALF_SAMPLE_METHOD,
    JACKKNIFE_METHOD,
    estimate_by_half_sampling,
    estimate_metrics,
)
from maetheory.evaluation.collapse.metric_specs import select_metrics
from maetheory.evaluation.collapse.random_initialisation import NO_RANDOM_INIT
from maetheory.evaluation.features import feature_sets
from maetheory.evaluation.features.batch_size import activation_bytes, default_batch_size
from maetheory.evaluation.features.masked_views import N_VIEWS
from maetheory.masks import UniformMasks
from maetheory.metrics import CONVENTIONS
from maetheory.models import MAE, ViTConfig

DEEP = ViTConfig(8, 2, 1, width=16, depth=6, heads=2)


def given(features: Any) -> Any:
    """A callable that returns the rows of `features` in turn, whatever the images."""
    place = [0]

    def callable_(images: torch.Tensor) -> torch.Tensor:
        rows = features[place[0] : place[0] + len(images)]
        place[0] = (place[0] + len(images)) % len(features)
        return torch.as_tensor(rows)

    return callable_


def test_every_metric_under_every_convention_in_every_readout(images: ImageSet) -> None:
    found = measure_collapse(trained(), images, full=True, conventions="all", readouts=("cls", "mean", "tokens"))
    table = found.table
    known = {
        (name, c.name) for name, all_ in CONVENTIONS.items() for c in all_ if name not in ("linear_cka", "alignment")
    }
    known.add(("mask_pair_alignment", "wang-isola-2020"))
    for readout in ("cls", "mean"):
        rows = table[table.readout == readout]
        assert set(zip(rows.metric, rows.convention)) == known
        assert len(rows) == len(known)
    assert not {"lidar", "mask_pair_alignment"} & set(table[table.readout == "tokens"].metric)
    finite = table[np.isfinite(table.low)]
    without = table.note.str.contains("no interval: ")
    assert set(table.metric[without]) <= {
        *("condition_number", "alpha_req", "stable_rank", "nesum"),
        *("participation_ratio", "iso_score"),  # of few images whose directions have tails
    }
    assert len(finite) > 0.9 * (~without).sum()
    around = finite[finite.method == HALF_SAMPLE_METHOD]
    assert set(around.metric) == {"uniformity", "coherence", "twonn", "lidar", "mask_pair_alignment"}
    np.testing.assert_allclose(around.low + around.high, 2 * around.value)
    assert (finite.method.isin((HALF_SAMPLE_METHOD, JACKKNIFE_METHOD))).all()
    inside = around[around.high < around.d]  # a jackknife interval is wider than its error by the bias of second order
    np.testing.assert_allclose(inside.high - inside.low, 2 * inside.error)
    assert table.random_init.notna().sum() == table.shuffled.notna().sum() == table.noise.notna().sum()
    assert table[table.readout == "tokens"].n.max() == 60 * 16
    assert set(found.spectra.who) == {"checkpoint", "random init", "shuffled", "noise"}


def test_an_error_is_not_clipped_where_its_interval_is() -> None:
    """The interval of a rank ends at the dimension and includes value ± error, the spread over samples of images."""
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(20, 360, 96)).astype(np.float32)
    found = [collapse_report(given(rows), np.zeros((360, 1, 2, 2)), metrics=["effective_rank"]) for rows in draws]
    rows = [table.iloc[0] for table in found]
    assert sum(row.high == 96 for row in rows) > 10
    assert all(row.low == row.value - row.error for row in rows if row.high == 96)
    spread = 2 * np.std([row.value for row in rows], ddof=1)
    assert all(0.5 * spread < row.error < 2 * spread for row in rows)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("spread", "mean"), [(1.0, 1e4), (1e-3, 1.0), (1e-5, 1.0)])
def test_rounding_never_gives_a_nearly_collapsed_encoder_an_interval_without_width(
    spread: float, mean: float, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    axes = np.array([3, 1, 1, 1, 1, 1, 1, 1])  # the largest eigenvalue is separate, so that NESum has an interval
    rows = (mean + spread * axes * np.random.default_rng(0).normal(size=(400, 8))).astype(np.float32)
    if streamed:
        monkeypatch.setattr(feature_sets, "MAX_ROWS_IN_MEMORY", 10)
    names = ["participation_ratio", "nesum", "mean_cosine", "umae_uniformity", "direction_std", "effective_rank"]
    table = collapse_report(given(rows), np.zeros((400, 1, 2, 2)), metrics=names).set_index("metric")
    assert (table.error > 0).all()
    for name in names:
        of_rows = getattr(metrics, name)(rows.astype(float))
        assert abs(table.value[name] - of_rows) <= table.error[name]
    assert table.value["participation_ratio"] > 2


def test_full_adds_baselines_and_changes_nothing_else(images: ImageSet) -> None:
    model = trained()
    quick, full = (collapse_report(model, images, full=full) for full in (False, True))
    both = quick.merge(full, on=["readout", "metric", "convention"])
    assert len(both) == len(quick) == 12
    np.testing.assert_array_equal(both.value_x, both.value_y)
    np.testing.assert_array_equal(both.low_x, both.low_y)
    assert list(quick.columns) == list(full.columns)
    assert quick[["random_init", "shuffled", "noise"]].isna().all(axis=None)


def test_tokens_are_streamed_into_what_all_of_them_give(images: ImageSet) -> None:
    model = trained()
    rows = encode(model, images, readout="tokens").double().numpy()
    table = collapse_report(model, images, readouts=("tokens",), batch=7).set_index("metric")
    for name in ("effective_rank", "stable_rank", "participation_ratio", "umae_uniformity", "mean_cosine"):
        assert table.value[name] == pytest.approx(getattr(metrics, name)(rows), rel=1e-6), name


def test_moments_are_streamed_above_the_limit_of_rows_in_memory(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained()
    whole = collapse_report(model, images, full=True)
    monkeypatch.setattr(feature_sets, "MAX_ROWS_IN_MEMORY", 10)
    monkeypatch.setattr(feature_sets, "SAMPLED_ROWS", 30)
    streamed = measure_collapse(model, images, full=True)
    assert any("moments of all 60 rows were streamed" in note for note in streamed.notes)
    both = whole.merge(streamed.table, on=["readout", "metric"])
    spectral = both[both.metric.isin(["effective_rank", "rankme", "mean_cosine", "iso_score", "direction_std"])]
    np.testing.assert_allclose(spectral.value_x, spectral.value_y, rtol=1e-4)
    np.testing.assert_allclose(spectral.random_init_x, spectral.random_init_y, rtol=1e-4)
    kept = both[both.metric == "twonn"]
    assert (kept.n_y < kept.n_x).all()


def test_all_layers_in_one_pass_are_the_layers_one_by_one(images: ImageSet) -> None:
    model = trained()
    calls = []
    model.encoder.register_forward_hook(lambda *_: calls.append(1))
    states = model.encoder.iter_hidden_states
    model.encoder.iter_hidden_states = lambda *args: calls.append(1) or states(*args)
    table = collapse_report(model, images, layers="all")
    assert len(calls) == 1
    ranks = table[(table.metric == "effective_rank") & (table.readout == "mean")].set_index("layer").value
    assert list(ranks.index) == [0, 1, 2]
    for layer in range(3):
        z = encode(model, images, readout="mean", layer=layer).double().numpy()
        assert ranks[layer] == pytest.approx(metrics.effective_rank(z), rel=1e-3)  # lower layers: from moments
    last = collapse_report(model, images)
    same = table[table.layer == 2].merge(last, on=["readout", "metric", "convention"])
    np.testing.assert_array_equal(same.value_x, same.value_y)


@pytest.mark.parametrize(("kind", "config"), [(MAE, CONFIG), (Encoder, FOREIGN)])
def test_tokens_of_at_most_two_layers_are_in_memory(kind: Any, config: Any, images: ImageSet) -> None:
    model = trained(kind, replace(config, depth=6) if kind is Encoder else replace(config, encoder=DEEP))
    given_up: list[Any] = []
    alive: list[int] = []

    def watch(module: Any, inputs: Any, output: torch.Tensor) -> None:
        given_up.append(weakref.ref(output))
        alive.append(sum(one() is not None for one in given_up))

    for block in (model.encoder if kind is MAE else model).blocks:
        block.register_forward_hook(watch)
    found = feature_sets.collect_features(model, images, layers="all", batch=60)
    assert len(found) == 2 * 7
    assert max(alive) == 2


def test_a_lower_layer_costs_no_blocks_above_it(images: ImageSet) -> None:
    model = trained()
    calls: list[int] = []
    for block in model.encoder.blocks:
        block.register_forward_hook(lambda *_: calls.append(1))
    encode(model, images, layer=1)
    assert len(calls) == 1


def test_the_batch_of_a_large_encoder_fits_in_memory() -> None:
    assert (
        default_batch_size(Encoder(FOREIGN)) == default_batch_size(trained()) == default_batch_size(lambda x: x) == 256
    )
    with torch.device("meta"):
        large = Encoder(EncoderConfig(224, 16, 3, 1024, 1, 16, 1024, 4096))
        beit = Encoder(EncoderConfig(224, 16, 3, 1024, 1, 16, 1024, 4096, positions="relative", position_prefix=0))
    values = 197 * (2 * 1024 + 2 * 4096)  # tokens, normed tokens, hidden layer before and after its activation
    assert activation_bytes(large) == 4 * values
    assert activation_bytes(beit) == 4 * (values + 16 * 197**2)
    assert default_batch_size(large) == 2**30 // (4 * values) == 133
    assert default_batch_size(beit) < 133


def test_intervals_have_the_width_of_the_spread_over_new_images() -> None:
    rng = np.random.default_rng(0)
    scale = np.arange(1, 7.0) ** -0.5

    def drawn() -> np.ndarray:
        return (rng.normal(size=(300, 6)) * scale + scale).astype(np.float32)

    chosen = select_metrics(["effective_rank", "mean_cosine", "uniformity", "twonn"])
    found: dict[str, list[Any]] = {measure.metric: [] for measure in chosen}
    for _ in range(30):
        (feature_set,) = feature_sets.collect_features(given(drawn()), rng.random((300, 1, 2, 2)))
        for measure in chosen:
            found[measure.metric] += estimate_metrics([measure], feature_set)
    for name, runs in found.items():
        spread = 2 * np.std([run.value for run in runs], ddof=1)
        assert np.mean([(run.high - run.low) / 2 for run in runs]) == pytest.approx(spread, rel=0.4), name


def test_the_jackknife_agrees_with_that_of_the_metrics_room(images: ImageSet) -> None:
    (feature_set,) = feature_sets.collect_features(trained(), images, readouts=("cls",))
    (measure,) = select_metrics(["effective_rank"])
    (found,) = estimate_metrics([measure], feature_set)
    limit = metrics.jackknife(metrics.effective_rank, feature_set.group_moments, corrected=True)
    value = float(metrics.effective_rank(feature_set.moments))
    second_order = (limit.value - value) ** 2 / value  # the square of the relative bias, times the value
    assert found.error == pytest.approx(limit.error, rel=1e-6)
    np.testing.assert_allclose(
        (found.low, found.high), (limit.low - second_order, limit.high + second_order), rtol=1e-6
    )
    assert found.value == metrics.effective_rank(feature_set.rows.astype(np.float64))
    assert len(feature_set.group_moments) == 20
    assert not np.array_equal(feature_set.groups, np.sort(feature_set.groups))  # groups know no order of images


@pytest.mark.parametrize("metric", ["effective_rank", "participation_ratio", "mean_cosine"])
def test_intervals_contain_the_value_for_infinitely_many_images(metric: str) -> None:
    """Two standard errors hold 95 in 100; of 100 draws the share is off by 0.02, thrice that by chance."""
    eigenvalues = np.arange(1, 9.0) ** -0.5
    shares = np.sqrt(eigenvalues) / np.sqrt(eigenvalues).sum()
    entropy = float(np.exp(-(shares * np.log(shares)).sum()))
    truth = {
        "effective_rank": entropy,
        "mean_cosine": 0.0,
        "participation_ratio": eigenvalues.sum() ** 2 / (eigenvalues**2).sum(),
    }[metric]
    (measure,) = select_metrics([metric])
    held = below = 0
    for seed in range(100):
        rows = np.random.default_rng(seed).normal(size=(400, 8)) * np.sqrt(eigenvalues)
        feature_set = feature_sets.FeatureSet("cls", "last", 400, rows, np.arange(400) % 20)
        (found,) = estimate_metrics([measure], feature_set)
        held += found.low <= truth <= found.high
        below += found.value < truth
    assert 0.88 <= held / 100 <= 1
    assert (below > 75) == (metric != "mean_cosine")  # the values of ranks are too low, and are left as they are


def test_intervals_of_ranks_end_at_the_dimension() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 32))
    feature_set = feature_sets.FeatureSet("cls", "last", 60, rows, np.arange(60) % 20)
    (found,) = estimate_metrics(select_metrics(["effective_rank"]), feature_set)
    assert found.low == found.value - found.error < found.value < found.high == 32
    table = measure_collapse(given(rows.astype(np.float32)), np.zeros((60, 1, 2, 2)), metrics=("effective_rank",))
    assert "output: 60 rows are too few for 32 dimensions (n / d < 8)" in table.notes[0]


def test_metrics_of_pairs_use_a_sample_of_many_rows_and_a_note_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost of pairs grows with the square of the number of rows, so that two million would take weeks."""
    rows = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    names = ("twonn", "uniformity", "coherence", "effective_rank")
    whole = measure_collapse(rows, full=True, conventions="all", metrics=names)
    monkeypatch.setattr(metric_specs, "MAX_ROWS_OF_PAIRS", 60)
    pd.testing.assert_frame_equal(
        measure_collapse(rows, full=True, conventions="all", metrics=names).table, whole.table
    )
    assert not any("pairs of rows" in note for note in whole.notes)
    monkeypatch.setattr(metric_specs, "MAX_ROWS_OF_PAIRS", 59)
    sampled = measure_collapse(rows, full=True, conventions="all", metrics=names)
    note = "features: twonn and uniformity compare pairs of rows, and use a random sample of 59 of the 60 rows"
    assert sampled.notes == (*whole.notes, note)
    used = sampled.table.groupby("metric").n.unique().map(list).to_dict()
    assert used == {"twonn": [59], "uniformity": [59], "coherence": [60], "effective_rank": [60]}
    columns = ["value", "low", "shuffled", "noise"]
    before, after = (found.table.set_index(["metric", "convention"])[columns] for found in (whole, sampled))
    assert (before != after).loc[["twonn", "uniformity"]].all(axis=None)
    pd.testing.assert_frame_equal(
        before.loc[["coherence", "effective_rank"]], after.loc[["coherence", "effective_rank"]]
    )


def test_tokens_of_one_image_stay_in_one_half() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, 1, 5)) + 2
    tokens = (centres + 0.01 * rng.normal(size=(40, 16, 5))).reshape(640, 5)
    (measure,) = select_metrics(["uniformity"])
    (together,), (apart,) = (
        estimate_by_half_sampling([measure], tokens, units) for units in (np.repeat(np.arange(40), 16), None)
    )
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_masked_views_follow_the_law_and_their_number_is_noted(images: ImageSet) -> None:
    table = collapse_report(trained(), images, full=True, metrics=("lidar", "mask_pair_alignment"))
    assert (table.note == f"{N_VIEWS} masks of 60 images").all()
    assert (table.n == N_VIEWS * 60).all()
    free = table.set_index(["readout", "metric"])
    assert free.noise["cls", "mask_pair_alignment"] == pytest.approx(2, abs=0.1)
    overlapping = collapse_report(trained(), images, metrics=("mask_pair_alignment",), law=UniformMasks(16, 15))
    assert (
        overlapping.value < free.value.xs("mask_pair_alignment", level="metric").min()
    ).all()  # views that overlap more


def test_plain_modules_and_callables(images: ImageSet) -> None:
    torch.manual_seed(0)
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 5))
    found = measure_collapse(linear, images, full=True)
    assert set(found.table.readout) == {"output"}
    assert found.table.random_init.isna().all()
    assert NO_RANDOM_INIT in found.notes
    assert any("masked views" in note for note in found.notes)
    z = encode(linear, images).double().numpy()
    assert found.table.set_index("metric").value["rankme"] == pytest.approx(metrics.rankme(z), rel=1e-12)
    assert set(collapse_report(lambda x: x.flatten(2).mT, images).readout) == {"cls", "mean"}
    with pytest.raises(InputError, match="Vision Transformers only"):
        collapse_report(linear, images, layers="all")


def test_an_encoder_without_cls_is_read_by_its_mean(images: ImageSet) -> None:
    config = EncoderConfig(8, 2, 1, 16, 1, 2, 16, 32, cls=False, position_prefix=0, mean=(0.5,), std=(0.5,))
    assert set(collapse_report(Encoder(config), images).readout) == {"mean"}
    with pytest.raises(InputError, match="no cls token"):
        collapse_report(Encoder(config), images, readouts=("cls",))


def test_features_that_are_not_numbers_are_counted(images: ImageSet) -> None:
    rows = np.ones((60, 3), np.float32)
    rows[[3, 50], 1] = np.nan, np.inf
    with pytest.raises(InputError, match="output, layer last, hold NaN or infinity in 2 of 60 rows") as caught:
        measure_collapse(given(rows), images, batch=16)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("n", "words"), [(1, "there is 1"), (2, "there are 2")])
def test_few_images_are_refused(n: int, words: str, images: ImageSet) -> None:
    with pytest.raises(InputError, match=words):
        collapse_report(trained(), images.take(np.arange(n)))
    assert len(collapse_report(trained(), images.take(np.arange(3)), full=True)) > 30


def test_zero_and_repeated_features_are_noted(images: ImageSet) -> None:
    dead = collapse_report(lambda x: 0 * x.flatten(1), images, full=True).set_index("metric")
    assert np.isnan(dead.value["mean_cosine"])
    assert "60 zero rows" in dead.note["mean_cosine"]
    assert dead.value["effective_rank"] == 0
    twice = ImageSet(np.concatenate([images.images[:30]] * 2), np.arange(60) % 3, "twice")
    found = measure_collapse(lambda x: x.flatten(1), twice, full=True)
    assert "30 of the 60 rows of output repeat another row" in found.notes
    assert np.isfinite(found.table.set_index("metric").value["twonn"])


def test_rounding_errors_and_missing_intervals_are_noted(images: ImageSet) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    rows[:, 5] = rows[:, :5].sum(axis=1)
    table = collapse_report(given(rows), images, metrics=("condition_number", "coherence")).set_index("metric")
    assert table.note["condition_number"] == (
        "a direction is missing, up to the rounding error of float32 features; no interval: the smallest singular "
        "value of finitely many images has a bias of larger order than 1/n"
    )
    assert np.isnan(table.low["condition_number"])
    assert table.low["coherence"] < table.value["coherence"]
    few = collapse_report(given(rows[:20]), images.take(np.arange(20)), metrics=("coherence",)).iloc[0]
    assert np.isnan(few.low)
    assert few.note == "too few images for an interval"


def test_unknown_names_are_refused(images: ImageSet) -> None:
    with pytest.raises(InputError, match="no metric 'rank'; did you mean rankme, stable_rank or effective_rank"):
        collapse_report(trained(), images, metrics=("rank",))
    with pytest.raises(InputError, match="at least one readout"):
        collapse_report(trained(), images, readouts=())
    with pytest.raises(InputError, match="between 0 and 2"):
        collapse_report(trained(), images, layers=9)
    with pytest.raises(InputError, match="this one gave"):
        collapse_report(lambda x: x.flatten(1).sum(1), images)
