"""A look at a model keeps numbers, not features: those of every layer, the last layer's spectra, and its growth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maetheory.core import InputError, Progress
from maetheory.data import ImageSet
from maetheory.evaluation.collapse.baselines import noise_baseline, shuffled
from maetheory.evaluation.collapse.curves import ranks_by_sample_size, scaled_singular_values
from maetheory.evaluation.collapse.metric_estimates import (
    MIN_ROWS_PER_DIMENSION,
    MetricEstimate,
    MetricSpec,
    estimate_by_half_sampling,
    estimate_metrics,
)
from maetheory.evaluation.features.feature_sets import FeatureSet, Layer, collect_features
from maetheory.evaluation.features.masked_views import default_mask_law, masked_view_features, sample_images_for_views
from maetheory.masks import MaskLaw

Views = Mapping[Any, NDArray[np.floating[Any]]]
Estimates = tuple[MetricEstimate | None, ...]


def empty_spectrum() -> NDArray[np.float64]:
    """Return the empty spectrum of a layer that is not the deepest."""
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class ReadoutMeasurements:
    """One readout in one layer, as it was seen.

    Attributes
    ----------
    readout : str
    layer : int or "last"
    images, n, kept, d : int
        Images, rows in all, rows that were kept, dimensions.
    numbers : tuple of Measured or None
        One for each measure; None where it is not measured here.
    shuffled : tuple of Measured or None
        The same of shuffled columns; empty where there were to be no baselines.
    noise : tuple of float
        The same of noise.
    spectrum, shuffled_spectrum : ndarray
        Singular values over √n, of the deepest layer only; else empty.
    growth : tuple of dict
        Ranks of growing parts of the images, of the deepest layer only.
    views : tuple of int, optional
        The shape (n, q, d) of the masked views of images.
    """

    readout: str
    layer: Layer
    images: int
    n: int
    kept: int
    d: int
    numbers: Estimates
    shuffled: Estimates = ()
    noise: tuple[float, ...] = ()
    spectrum: NDArray[np.float64] = field(default_factory=empty_spectrum)
    shuffled_spectrum: NDArray[np.float64] = field(default_factory=empty_spectrum)
    growth: tuple[dict[str, Any], ...] = ()
    views: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class ModelMeasurements:
    """What was seen of one model, and what to know before quoting it."""

    measurements: tuple[ReadoutMeasurements, ...]
    notes: tuple[str, ...]


def measure_model(
    model: Any,
    images: Any,
    metric_specs: Sequence[MetricSpec],
    *,
    law: MaskLaw | None,
    full: bool,
    twin: bool = False,
    seed: int,
    progress: Progress,
    **settings: Any,
) -> ModelMeasurements:
    """Measure every readout and layer of a model in one pass over images, and the last layer under masks.

    Parameters
    ----------
    model, images, law, seed, progress, **how
        As for `measure_collapse`.
    metric_specs : sequence of Measure
    full : bool
        Whether shuffled columns, noise and growth are measured too.
    twin : bool
        Whether this is only to compare with: without shuffled columns, noise, and bands of metrics of rows.
    """
    found = collect_features(model, images, seed=seed, progress=progress, **settings)
    last = found[-1].layer
    views, notes = _masked_views(model, images, found, metric_specs, law, seed=seed, progress=progress, **settings)
    measurements = []
    for done, one in enumerate(found):
        progress(done, len(found), f"measuring {one.readout}, layer {one.layer}")
        seen = views.get(one.readout) if one.layer == last else None
        measurements.append(_measure_readout(one, seen, metric_specs, one.layer == last, full, twin, seed))
    return ModelMeasurements(tuple(measurements), (*_notes(found), *notes))


def _measure_readout(
    one: FeatureSet,
    views: NDArray[np.floating[Any]] | None,
    metric_specs: Sequence[MetricSpec],
    exact: bool,
    full: bool,
    twin: bool,
    seed: int,
) -> ReadoutMeasurements:
    numbers = _fill_view_metrics(
        estimate_metrics(metric_specs, one, exact=exact, row_intervals=not twin), metric_specs, views
    )
    null = shuffled(one, seed=seed) if full and not twin else None
    nulls: Estimates = ()
    if null is not None:
        mixed = None if views is None else _shuffle_views(views, seed)
        nulls = _fill_view_metrics(
            estimate_metrics(metric_specs, null, exact=exact, row_intervals=False), metric_specs, mixed
        )
    shape = None if views is None else views.shape
    return ReadoutMeasurements(
        one.readout,
        one.layer,
        one.images,
        one.n,
        len(one.rows),
        one.d,
        numbers,
        nulls,
        tuple(
            _noise_value(measure, number, one, shape, seed)
            for measure, number in zip(metric_specs, numbers, strict=True)
        )
        if null is not None
        else (),
        scaled_singular_values(one) if exact else empty_spectrum(),
        scaled_singular_values(null) if exact and null is not None else empty_spectrum(),
        ranks_by_sample_size(one) if exact and full else (),
        shape,
    )


def _fill_view_metrics(numbers: Estimates, metric_specs: Sequence[MetricSpec], views: Any) -> Estimates:
    if views is None:
        return numbers
    return tuple(
        estimate_by_half_sampling(measure, views) if measure.needs == "views" else number
        for measure, number in zip(metric_specs, numbers, strict=True)
    )


def _shuffle_views(views: NDArray[np.floating[Any]], seed: int) -> NDArray[np.floating[Any]]:
    n, q, d = views.shape
    return np.random.default_rng(seed).permuted(views.reshape(n * q, d), axis=0).reshape(n, q, d)


def _noise_value(measure: MetricSpec, number: MetricEstimate | None, one: FeatureSet, views: Any, seed: int) -> float:
    if number is None:
        return np.nan
    rows = one.n if measure.needs == "moments" else len(one.rows)
    return noise_baseline(measure, views if measure.needs == "views" else (rows, one.d), seed=seed)


def _masked_views(
    model: Any,
    images: Any,
    found: Sequence[FeatureSet],
    metric_specs: Sequence[MetricSpec],
    law: MaskLaw | None,
    *,
    seed: int,
    progress: Progress,
    **settings: Any,
) -> tuple[Views, tuple[str, ...]]:
    """Return the masked views of a model in each readout, and why there are none."""
    if not any(measure.needs == "views" for measure in metric_specs):
        return {}, ()
    law = law or default_mask_law(model)
    if law is None:
        return {}, ("LiDAR and mask-pair alignment need masked views, which a callable does not give",)
    pixels = images.images if isinstance(images, ImageSet) else images
    last = found[-1]
    readouts: Any = [one.readout for one in found if one.layer == last.layer]
    options = {name: settings[name] for name in ("final_norm", "batch")}
    try:
        return masked_view_features(
            model,
            pixels[sample_images_for_views(len(pixels), last.d, seed)],
            law,
            readouts=readouts,
            layer=last.layer,
            seed=seed,
            progress=progress,
            **options,
        ), ()
    except InputError as error:
        return {}, (f"LiDAR and mask-pair alignment are left out: {error}",)


def _notes(found: Sequence[FeatureSet]) -> list[str]:
    """Say which populations repeat rows, are small, or were streamed."""
    notes = []
    for one in found:
        if one.layer != found[-1].layer:
            continue
        if one.streamed_moments is None and (repeated := len(one.rows) - len(np.unique(one.rows, axis=0))):
            notes.append(f"{repeated} of the {one.n} rows of {one.readout} repeat another row")
        if one.n < MIN_ROWS_PER_DIMENSION * one.d:
            notes.append(
                f"{one.readout}: {one.n} rows are fewer than {MIN_ROWS_PER_DIMENSION} for each of {one.d} dimensions, too few "
                "for the bands of ranks to hold what infinitely many images would give"
            )
        if one.streamed_moments is not None:
            notes.append(
                f"{one.readout}: moments of all {one.n} rows were streamed; metrics of rows and shuffled "
                f"columns take {len(one.rows)} rows at random"
            )
    return notes
