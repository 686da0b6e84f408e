"""Tables of measured metrics, singular values and ranks by sample size, each with its baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class UntrainedMeasurements:
    """Measurements of untrained networks.

    Attributes
    ----------
    rule : str
        Name of the initialisation rule of the checkpoint's code base, "" without baselines.
    models : tuple of ModelMeasurements
        Networks drawn by that rule.
    other_rules : mapping from name of rule to list of ModelMeasurements
        Networks drawn by the other usual rules, with the assessed metrics only.
    """

    rule: str
    models: tuple[ModelMeasurements, ...]
    other_rules: Mapping[str, Sequence[ModelMeasurements]]


def metric_table(
    metric_specs: Sequence[MetricSpec], model: ModelMeasurements, untrained: UntrainedMeasurements, final_norm: bool
) -> pd.DataFrame:
    """Return one row per readout, layer, metric and convention, with the columns of `collapse_report`."""
    assessed = assessed_metrics(metric_specs)
    rows = []
    for number, readout in enumerate(model.measurements):
        same_rule = [one.measurements[number] for one in untrained.models]
        other_rules = {
            name: [one.measurements[number] for one in models] for name, models in untrained.other_rules.items()
        }
        for index, spec in enumerate(metric_specs):
            if readout.estimates[index] is None:
                continue
            random_init = interval_over_initialisations(spec, [one.estimates[index] for one in same_rule], readout.d)
            span = dict(NO_SPAN)
            if same_rule and spec in assessed:
                position = assessed.index(spec)
                others = {
                    name: interval_over_initialisations(spec, [one.estimates[position] for one in ones], readout.d)
                    for name, ones in other_rules.items()
                }
                span = union_of_intervals({untrained.rule: random_init, **others})
            rows.append(
                {
                    "readout": readout.readout,
                    "layer": readout.layer,
                    "final_norm": final_norm,
                    "metric": spec.metric,
                    "convention": spec.convention,
                    **_metric_row(readout, random_init, index, spec),
                    "random_rule": untrained.rule,
                    **span,
                }
            )
    return pd.DataFrame(rows)


def _metric_row(
    readout: ReadoutMeasurements, random_init: MetricEstimate, index: int, spec: MetricSpec
) -> dict[str, Any]:
    """Return the estimate of a metric and those of its baselines."""
    estimate = readout.estimates[index] or NO_ESTIMATE
    shuffled = (readout.shuffled[index] if readout.shuffled else None) or NO_ESTIMATE
    n, images, note = readout.n if spec.needs == "moments" else readout.n_kept, readout.n_images, estimate.note
    if spec.needs == "views" and readout.views is not None:
        images, q, _ = readout.views
        n, note = images * q, f"{q} masks of {images} images" + (f"; {note}" if note else "")
    record: dict[str, Any] = {
        "value": estimate.value,
        "error": estimate.error,
        "low": estimate.low,
        "high": estimate.high,
        "method": estimate.method,
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
        (readout, [one.measurements[number] for one in untrained.models])
        for number, readout in enumerate(model.measurements)
        if readout.spectrum.size
    ]
