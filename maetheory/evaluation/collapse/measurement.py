"""Measurements of one model: metrics of every readout and layer, and singular values and ranks of the last layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maetheory.core import Progress
from maetheory.evaluation.collapse.baselines import noise_baseline, shuffle_columns
from maetheory.evaluation.collapse.metric_estimates import estimate_by_half_sampling, estimate_metrics
from maetheory.evaluation.collapse.metric_specs import MetricEstimate, MetricSpec
from maetheory.evaluation.collapse.notes import feature_notes
from maetheory.evaluation.collapse.spectra_and_rank_curves import ranks_by_sample_size, scaled_singular_values
from maetheory.evaluation.collapse.view_features import last_layer_view_features, shuffle_views
from maetheory.evaluation.features.feature_sets import FeatureSet, Layer, collect_features
from maetheory.masks import MaskLaw
from maetheory.metrics.shared_results import shared_results

Estimates = tuple[MetricEstimate | None, ...]


def empty_spectrum() -> NDArray[np.float64]:
    """Return an empty array, the spectrum of any layer but the last."""
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class ReadoutMeasurements:
    """Measurements of one readout in one layer.

    Attributes
    ----------
    readout : str
    layer : int or "last"
    n_images, n, n_kept, d : int
        Numbers of images, of rows, of rows that were kept, and of dimensions.
    estimates : tuple of MetricEstimate or None
        One for each metric; None for a metric that is not measured in this layer.
    shuffled : tuple of MetricEstimate or None
        The same for shuffled columns; empty without baselines.
    noise : tuple of float
        The same for Gaussian noise.
    spectrum, shuffled_spectrum : ndarray
        Singular values over √n; empty for any layer but the last.
    ranks_by_sample_size : tuple of dict
        Ranks of nested subsets of the images; empty for any layer but the last.
    views : tuple of int, optional
        The shape (n, q, d) of the features under masks.
    """

    readout: str
    layer: Layer
    n_images: int
    n: int
    n_kept: int
    d: int
    estimates: Estimates
    shuffled: Estimates = ()
    noise: tuple[float, ...] = ()
    spectrum: NDArray[np.float64] = field(default_factory=empty_spectrum)
    shuffled_spectrum: NDArray[np.float64] = field(default_factory=empty_spectrum)
    ranks_by_sample_size: tuple[dict[str, Any], ...] = ()
    views: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class ModelMeasurements:
    """Measurements of every readout and layer of one model, with notes for the reader."""

    measurements: tuple[ReadoutMeasurements, ...]
    notes: tuple[str, ...]


def measure_model(
    model: Any,
    images: Any,
    metric_specs: Sequence[MetricSpec],
    *,
    law: MaskLaw | None,
    with_baselines: bool,
    is_baseline: bool = False,
    feature_sets: Sequence[FeatureSet] | None = None,
    seed: int,
    progress: Progress,
    **settings: Any,
) -> ModelMeasurements:
    """Measure every readout and layer of a model in one pass over the images, and the last layer under masks.

    Parameters
    ----------
    model, images, law, seed, progress, **settings
        As for `measure_collapse`.
    metric_specs : sequence of MetricSpec
    with_baselines : bool
        Whether to measure shuffled columns, noise and ranks by sample size too.
    is_baseline : bool
        Whether the model is itself a baseline: then shuffled columns, noise and the intervals of metrics of rows are
        left out.
    feature_sets : sequence of FeatureSet, optional
        What `collect_features` returns for this model and these images, if it is known already.
    """
    if feature_sets is None:
        feature_sets = collect_features(model, images, seed=seed, progress=progress, **settings)
    last = feature_sets[-1].layer
    views, notes = last_layer_view_features(
        model, images, feature_sets, metric_specs, law, seed=seed, progress=progress, **settings
    )
    measurements = []
    for done, one in enumerate(feature_sets):
        progress(done, len(feature_sets), f"measuring {one.readout}, layer {one.layer}")
        measurements.append(
            _measure_readout(
                one,
                views.get(one.readout) if one.layer == last else None,
                metric_specs,
                exact=one.layer == last,
                with_baselines=with_baselines,
                is_baseline=is_baseline,
                seed=seed,
            )
        )
    return ModelMeasurements(tuple(measurements), (*feature_notes(feature_sets, metric_specs), *notes))


def _measure_readout(
    feature_set: FeatureSet,
    views: NDArray[np.floating[Any]] | None,
    metric_specs: Sequence[MetricSpec],
    *,
    exact: bool,
    with_baselines: bool,
    is_baseline: bool,
    seed: int,
) -> ReadoutMeasurements:
    estimates = _fill_view_metrics(
        estimate_metrics(metric_specs, feature_set, exact=exact, row_intervals=not is_baseline), metric_specs, views
    )
    shape = None if views is None else views.shape
    shuffled_set = shuffle_columns(feature_set, seed=seed) if with_baselines and not is_baseline else None
    shuffled: Estimates = ()
    noise: tuple[float, ...] = ()
    if shuffled_set is not None:
        shuffled = _fill_view_metrics(
            estimate_metrics(metric_specs, shuffled_set, exact=exact, row_intervals=False),
            metric_specs,
            None if views is None else shuffle_views(views, seed),
        )
        with shared_results():
            noise = tuple(
                _noise_value(spec, estimate, feature_set, shape, seed)
                for spec, estimate in zip(metric_specs, estimates, strict=True)
            )
    return ReadoutMeasurements(
        readout=feature_set.readout,
        layer=feature_set.layer,
        n_images=feature_set.n_images,
        n=feature_set.n,
        n_kept=len(feature_set.rows),
        d=feature_set.d,
        estimates=estimates,
        shuffled=shuffled,
        noise=noise,
        spectrum=(
            scaled_singular_values(feature_set) if exact and (with_baselines or not is_baseline) else empty_spectrum()
        ),
        shuffled_spectrum=(
            scaled_singular_values(shuffled_set) if exact and shuffled_set is not None else empty_spectrum()
        ),
        ranks_by_sample_size=ranks_by_sample_size(feature_set) if exact and with_baselines else (),
        views=shape,
    )


def _fill_view_metrics(estimates: Estimates, metric_specs: Sequence[MetricSpec], views: Any) -> Estimates:
    """Return the estimates with those of metrics of views computed from `views`, if given."""
    if views is None:
        return estimates
    of_views = [spec for spec in metric_specs if spec.needs == "views"]
    found = dict(zip(of_views, estimate_by_half_sampling(of_views, views), strict=True))
    return tuple(found.get(spec, estimate) for spec, estimate in zip(metric_specs, estimates, strict=True))


def _noise_value(
    metric_spec: MetricSpec, estimate: MetricEstimate | None, feature_set: FeatureSet, views: Any, seed: int
) -> float:
    """Return a metric of Gaussian noise with the shape of the features; NaN where the metric is not measured."""
    if estimate is None:
        return np.nan
    rows = feature_set.n if metric_spec.needs == "moments" else metric_spec.n_rows(len(feature_set.rows))
    return noise_baseline(metric_spec, views if metric_spec.needs == "views" else (rows, feature_set.d), seed=seed)
