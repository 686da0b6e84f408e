"""How far have features collapsed, in numbers that say how they were made and beside what to read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from torch import Tensor

from maetheory.core import InputError, Progress, no_progress
from maetheory.data import ImageSet
from maetheory.evaluation.collapse.baselines import NO_RANDOM_INIT, initialisation_rules, random_init_models
from maetheory.evaluation.collapse.curves import CHECKPOINT, NOISE, RANDOM_INIT, SHUFFLED, noise_spectrum
from maetheory.evaluation.collapse.initialisation_span import (
    NO_SPAN,
    band_over_initialisations,
    decisive,
    measure_span,
    span_of,
)
from maetheory.evaluation.collapse.measurement import ReadoutMeasurements, measure_model
from maetheory.evaluation.collapse.metric_estimates import (
    DEFAULT_METRICS,
    NO_ESTIMATE,
    MetricEstimate,
    MetricSpec,
    select_metrics,
)
from maetheory.evaluation.features.encode import Readout
from maetheory.evaluation.features.feature_sets import Layers
from maetheory.masks import MaskLaw


@dataclass(frozen=True)
class CollapseMeasurements:
    """What a model's features were measured to be.

    Attributes
    ----------
    table : DataFrame
        One row per readout, layer, metric and convention; see `collapse_report`.
    spectra : DataFrame
        readout, layer, who ("checkpoint" or a baseline), index from 1, singular_value (uncentred, over √n; noise is
        scaled to the same mean square).
    growth : DataFrame
        readout, layer, who, metric, images, n, value: effective rank and RankMe of random subsets of the images.
    notes : tuple of str
        What to know before quoting a number.
    """

    table: pd.DataFrame
    spectra: pd.DataFrame
    growth: pd.DataFrame
    notes: tuple[str, ...]


def collapse_report(encoder: Any, images: ImageSet | np.ndarray | Tensor, **options: Any) -> pd.DataFrame:
    """Measure the features of a model.

    Parameters
    ----------
    encoder, images, **options
        As for `measure_collapse`.

    Returns
    -------
    DataFrame
        One row per readout, layer, metric and convention: readout, layer, final_norm, metric, convention, value, error,
        low, high, method (how the band was found, and of what), n (rows), images, d, and each baseline, all but noise
        with ``_low`` and ``_high``; NaN where there is none, `note` says why. The random-initialisation baseline
        (random_twin) follows the rule of the checkpoint's code base, random_rule; random_span_low and random_span_high
        enclose it and those of the other usual rules, of which random_lowest and random_highest reach furthest. The
        span is of effective_rank and mean_cosine only, from which `verdict` concludes.

        The value is that of these images, as its publication defines it; `error` is two standard errors, by which other
        images as many would change it. Ranks of few images are too low besides, by more than that; the band of a metric
        of moments is around the value at infinitely many images: with eight times as many rows as dimensions the band
        of an effective rank held it in 91 to 97 of 100 draws, by spectrum. That of a metric of rows or views is around
        the value itself.
    """
    return measure_collapse(encoder, images, **options).table


def measure_collapse(
    encoder: Any,
    images: ImageSet | np.ndarray | Tensor,
    *,
    readouts: Sequence[Readout] | None = None,
    layers: Layers = "last",
    final_norm: bool = True,
    metrics: Sequence[str] | None = None,
    full: bool = False,
    conventions: Literal["default", "all"] = "default",
    law: MaskLaw | None = None,
    twins: int = 5,
    seed: int = 0,
    batch: int | None = None,
    progress: Progress = no_progress,
) -> CollapseMeasurements:
    """Measure the features of a model, beside untrained networks, shuffled columns and noise when `full`.

    Of several layers the last named is measured whole, the others by moments alone.

    Parameters
    ----------
    encoder : anything `encode` takes
    images : ImageSet, or array or tensor of shape (N, C, H, W), N at least 3
    readouts : sequence of "cls", "mean", "tokens", optional
        By default cls and mean, or mean only where there is no cls token. Tokens are streamed into moments.
    layers : "last", "all", int, or several
    final_norm : bool, default True
        Whether the encoder's final norm is applied, in every layer.
    metrics : sequence of str, optional
        Names of metrics; by default six quick ones, or all when `full`.
    full : bool, default False
        Whether baselines are measured too.
    conventions : "default" or "all"
    law : MaskLaw, optional
        What LiDAR's and mask-pair alignment's four views of an image see; by default a quarter of the patches.
    twins : int, default 5
        How many untrained networks are drawn by the rule of the checkpoint's code base, each of which takes as long as
        the model itself. Their mean is the baseline, and its band holds a further one, so with few it is wide, and with
        one it is everything. Of each other usual rule half as many are drawn, rounded up, and only what `verdict` reads
        is measured.
    seed : int
        Of the initial weights, the groups of images, the shuffles and the masks.
    batch : int, optional
        Images at once; by default as many as memory allows.
    progress : Progress

    Raises
    ------
    InputError
        If there are fewer than three images, `twins` is below 1, features hold NaN or infinity (in how many rows), or a
        readout, layer or metric does not exist.
    """
    if twins < 1:
        raise InputError(f"twins must be at least 1, but it is {twins}")
    names = metrics if metrics is not None else (None if full else DEFAULT_METRICS)
    chosen = select_metrics(names, every_convention=conventions == "all")
    settings: dict[str, Any] = {
        "readouts": readouts,
        "layers": layers,
        "final_norm": final_norm,
        "batch": batch,
        "law": law,
        "seed": seed,
        "progress": progress,
    }
    own = measure_model(encoder, images, chosen, full=full, **settings)
    seen = [
        measure_model(twin, images, chosen, full=full, twin=True, **settings)
        for twin in (random_init_models(encoder, twins, seed=seed) if full else ())
    ]
    spanned = decisive(chosen) if full else ()
    span = measure_span(encoder, images, spanned, (twins + 1) // 2, **settings)
    rule = next((rule.name for rule in initialisation_rules(encoder)), "") if seen else ""
    rows = []
    for number, place in enumerate(own.measurements):
        others = [one.measurements[number] for one in seen]
        further = {name: [one.measurements[number] for one in looks] for name, looks in span.items()}
        for index, measure in enumerate(chosen):
            if place.numbers[index] is None:
                continue
            twin = band_over_initialisations(measure, [other.numbers[index] for other in others], place.d)
            ends = dict(NO_SPAN)
            if seen and measure in spanned:
                ends = _span(measure, spanned.index(measure), place.d, further, {rule: twin})
            rows.append(
                {
                    "readout": place.readout,
                    "layer": place.layer,
                    "final_norm": final_norm,
                    "metric": measure.metric,
                    "convention": measure.convention,
                    **_metric_row(place, twin, index, measure),
                    "random_rule": rule,
                    **ends,
                }
            )
    notes = (*own.notes, *((NO_RANDOM_INIT,) if full and not seen else ()))
    deepest = [
        (place, [one.measurements[number] for one in seen])
        for number, place in enumerate(own.measurements)
        if place.spectrum.size
    ]
    return CollapseMeasurements(pd.DataFrame(rows), _spectra_table(deepest), _sample_size_table(deepest), notes)


def _span(
    measure: MetricSpec,
    index: int,
    d: int,
    further: Mapping[str, Sequence[ReadoutMeasurements]],
    own: Mapping[str, MetricEstimate],
) -> dict[str, Any]:
    """Return the span of a metric over the code base's own rule and all others."""
    bands = {
        name: band_over_initialisations(measure, [place.numbers[index] for place in measurements], d)
        for name, measurements in further.items()
    }
    return span_of({**own, **bands})


def _metric_row(place: ReadoutMeasurements, twin: MetricEstimate, index: int, measure: MetricSpec) -> dict[str, Any]:
    """Return a metric's numbers and its baselines'."""
    found = place.numbers[index] or NO_ESTIMATE
    null = (place.shuffled[index] if place.shuffled else None) or NO_ESTIMATE
    n, images, note = place.n if measure.needs == "moments" else place.kept, place.images, found.note
    if measure.needs == "views" and place.views is not None:
        images, q, _ = place.views
        n, note = images * q, f"{q} masks of {images} images" + (f"; {note}" if note else "")
    record: dict[str, Any] = {
        "value": found.value,
        "error": found.error,
        "low": found.low,
        "high": found.high,
        "method": found.method,
        "n": n,
        "images": images,
        "d": place.d,
    }
    for name, other in (("random_twin", twin), ("shuffled", null)):
        record |= {name: other.value, f"{name}_low": other.low, f"{name}_high": other.high}
    return record | {"noise": place.noise[index] if place.noise else np.nan, "note": note}


def _spectra_table(deepest: Sequence[tuple[ReadoutMeasurements, Sequence[ReadoutMeasurements]]]) -> pd.DataFrame:
    """Return singular values over √n beside those of the baselines; of several twins their means."""
    rows: list[dict[str, Any]] = []
    for place, others in deepest:
        spectra = {CHECKPOINT: place.spectrum}
        if others:
            spectra[RANDOM_INIT] = np.mean([other.spectrum for other in others], axis=0)
        if place.shuffled_spectrum.size:
            spectra |= {SHUFFLED: place.shuffled_spectrum, NOISE: noise_spectrum(place.n, place.d, place.spectrum)}
        rows += [
            {"readout": place.readout, "layer": place.layer, "who": who, "index": i, "singular_value": float(s)}
            for who, values in spectra.items()
            for i, s in enumerate(values, 1)
            if s > 0
        ]
    return pd.DataFrame(rows, columns=["readout", "layer", "who", "index", "singular_value"])


def _sample_size_table(deepest: Sequence[tuple[ReadoutMeasurements, Sequence[ReadoutMeasurements]]]) -> pd.DataFrame:
    """Return the ranks of growing parts of the images; of several twins their means."""
    rows: list[dict[str, Any]] = []
    for place, others in deepest:
        rows += [{"readout": place.readout, "layer": place.layer, "who": CHECKPOINT, **row} for row in place.growth]
        for same in zip(*[other.growth for other in others], strict=True):
            mean = float(np.mean([row["value"] for row in same]))
            rows.append({"readout": place.readout, "layer": place.layer, "who": RANDOM_INIT, **same[0], "value": mean})
    return pd.DataFrame(rows, columns=["readout", "layer", "who", "metric", "images", "n", "value"])
