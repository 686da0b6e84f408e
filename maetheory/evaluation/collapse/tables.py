"""Tables of measured metrics, singular values and ranks by sample size, each with its baselines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from maetheory.evaluation.collapse.measurement import ModelMeasurements, ReadoutMeasurements
from maetheory.evaluation.collapse.metric_specs import NO_ESTIMATE, MetricEstimate, MetricSpec
from maetheory.evaluation.collapse.other_initialisations import NO_SPAN, assessed_metrics, union_of_intervals
from maetheory.evaluation.collapse.prediction_interval import interval_over_initialisations
from maetheory.evaluation.collapse.spectra_and_rank_curves import (
    CHECKPOINT,
    NOISE,
    RANDOM_INIT,
    SHUFFLED,
    noise_spectrum,
)
from maetheory.evaluation.collapse.untrained_comparison import UntrainedMeasurements


def metric_table(
    metric_specs: Sequence[MetricSpec], model: ModelMeasurements, untrained: UntrainedMeasurements, final_norm: bool
) -> pd.DataFrame:
    """Return one row per readout, layer, metric and convention, with the columns of `collapse_report`."""
    rows = []
    for number, readout in enumerate(model.measurements):
        for index, spec in enumerate(metric_specs):
            if readout.estimates[index] is None:
                continue
            random_init, compared = _compare_with_untrained(spec, number, readout, index, untrained)
            rows.append(
                {
                    "readout": readout.readout,
                    "layer": readout.layer,
                    "final_norm": final_norm,
                    "metric": spec.metric,
                    "convention": spec.convention,
                    **_metric_row(readout, random_init, index, spec),
                    "random_rule": untrained.rule,
                    **compared,
                }
            )
    return pd.DataFrame(rows)


def _compare_with_untrained(
    spec: MetricSpec, number: int, readout: ReadoutMeasurements, index: int, untrained: UntrainedMeasurements
) -> tuple[MetricEstimate, dict[str, Any]]:
    """Return the baseline of a metric, and its span with the model's own estimate on the same images."""
    own = untrained.own_rule_estimates(spec, number)
    nothing = {
        **NO_SPAN,
        "random_images": untrained.n_images,
        "random_init_error": np.nan,
        "same_images": np.nan,
        "same_images_error": np.nan,
    }
    if not own or spec not in assessed_metrics(untrained.specs):
        return interval_over_initialisations(spec, own, readout.d), nothing
    by_rule = {untrained.rule: own, **untrained.other_rules_estimates(spec, number)}
    intervals = {
        name: interval_over_initialisations(
            spec, estimates, readout.d, [ones for other, ones in by_rule.items() if other != name]
        )
        for name, estimates in by_rule.items()
    }
    same = untrained.same_images_estimate(spec, number) or readout.estimates[index] or NO_ESTIMATE
    return intervals[untrained.rule], {
        **union_of_intervals(intervals),
        "random_images": untrained.n_images,
        "random_init_error": float(np.mean([(one or NO_ESTIMATE).error for one in own])),
        "same_images": same.value,
        "same_images_error": same.error,
    }


def _metric_row(
    readout: ReadoutMeasurements, random_init: MetricEstimate, index: int, spec: MetricSpec
) -> dict[str, Any]:
    """Return the estimate of a metric and those of its baselines."""
    estimate = readout.estimates[index] or NO_ESTIMATE
    shuffled = (readout.shuffled[index] if readout.shuffled else None) or NO_ESTIMATE
    n, images, note = (
        readout.n if spec.needs == "moments" else spec.n_rows(readout.n_kept),
        readout.n_images,
        estimate.note,
    )
    if spec.needs == "views" and readout.views is not None:
        images, q, _ = readout.views
        n, note = images * q, f"{q} masks of {images} images" + (f"; {note}" if note else "")
    record: dict[str, Any] = {
        "value": estimate.value,
        "error": estimate.error,
        "low": estimate.low,
        "high": estimate.high,
        "method": estimate.method,
        "limit": estimate.limit,
        "limit_low": estimate.low if np.isfinite(estimate.limit) else np.nan,
        "limit_high": estimate.high if np.isfinite(estimate.limit) else np.nan,
        "no_limit": estimate.no_limit,
        "n": n,
        "images": images,
        "d": readout.d,
    }
    for name, baseline in (("random_init", random_init), ("shuffled", shuffled)):
        record |= {name: baseline.value, f"{name}_low": baseline.low, f"{name}_high": baseline.high}
    return record | {"noise": readout.noise[index] if readout.noise else np.nan, "note": note}


def spectra_table(model: ModelMeasurements, untrained: UntrainedMeasurements) -> pd.DataFrame:
    """Return singular values over √n of the last layer and its baselines; of untrained networks their means."""
    rows: list[dict[str, Any]] = []
    for readout, others in _last_layer_pairs(model, untrained):
        spectra = {CHECKPOINT: readout.spectrum}
        if others:
            spectra[RANDOM_INIT] = np.mean([other.spectrum for other in others], axis=0)
        if readout.shuffled_spectrum.size:
            spectra |= {
                SHUFFLED: readout.shuffled_spectrum,
                NOISE: noise_spectrum(readout.n, readout.d, readout.spectrum),
            }
        rows += [
            {"readout": readout.readout, "layer": readout.layer, "who": source, "index": i, "singular_value": float(s)}
            for source, values in spectra.items()
            for i, s in enumerate(values, 1)
            if s > 0
        ]
    return pd.DataFrame(rows, columns=["readout", "layer", "who", "index", "singular_value"])


def sample_size_table(model: ModelMeasurements, untrained: UntrainedMeasurements) -> pd.DataFrame:
    """Return the ranks of nested subsets of the images; of untrained networks their means."""
    rows: list[dict[str, Any]] = []
    for readout, others in _last_layer_pairs(model, untrained):
        place = {"readout": readout.readout, "layer": readout.layer}
        rows += [{**place, "who": CHECKPOINT, **row} for row in readout.ranks_by_sample_size]
        for same in zip(*[other.ranks_by_sample_size for other in others], strict=True):
            mean = float(np.mean([row["value"] for row in same]))
            rows.append({**place, "who": RANDOM_INIT, **same[0], "value": mean})
    return pd.DataFrame(rows, columns=["readout", "layer", "who", "metric", "images", "n", "value"])


def _last_layer_pairs(
    model: ModelMeasurements, untrained: UntrainedMeasurements
) -> list[tuple[ReadoutMeasurements, list[ReadoutMeasurements]]]:
    """Return each readout of the last layer with the same readout of the untrained networks."""
    return [
        (readout, [one.measurements[number] for one in untrained.models] if untrained.on_all_images else [])
        for number, readout in enumerate(model.measurements)
        if readout.spectrum.size
    ]
