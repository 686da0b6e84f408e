"""Features of the last layer under several masks, for the metrics of masked views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maetheory.core import InputError, Progress
from maetheory.data import ImageSet
from maetheory.evaluation.collapse.metric_specs import MetricSpec
from maetheory.evaluation.features.feature_sets import FeatureSet
from maetheory.evaluation.features.masked_views import (
    default_mask_law,
    masked_view_features,
    sample_image_indices_for_views,
)
from maetheory.masks import MaskLaw

Views = Mapping[Any, NDArray[np.floating[Any]]]


def last_layer_view_features(
    model: Any,
    images: Any,
    feature_sets: Sequence[FeatureSet],
    metric_specs: Sequence[MetricSpec],
    law: MaskLaw | None,
    *,
    seed: int,
    progress: Progress,
    **settings: Any,
) -> tuple[Views, tuple[str, ...]]:
    """Return the features of the last layer under masks by readout, or the reason why there are none."""
    if not any(spec.needs == "views" for spec in metric_specs):
        return {}, ()
    law = law or default_mask_law(model)
    if law is None:
        return {}, (
            "LiDAR and mask-pair alignment need masked views, which only a Vision Transformer that is known gives",
        )
    pixels = images.images if isinstance(images, ImageSet) else images
    last = feature_sets[-1]
    readouts: Any = [one.readout for one in feature_sets if one.layer == last.layer]
    options = {name: settings[name] for name in ("final_norm", "batch")}
    try:
        return masked_view_features(
            model,
            pixels[sample_image_indices_for_views(len(pixels), last.d, seed)],
            law,
            readouts=readouts,
            layer=last.layer,
            seed=seed,
            progress=progress,
            **options,
        ), ()
    except InputError as error:
        return {}, (f"LiDAR and mask-pair alignment are left out: {error}",)


def shuffle_views(views: NDArray[np.floating[Any]], seed: int) -> NDArray[np.floating[Any]]:
    """Return features under masks with each dimension shuffled independently over images and masks."""
    n, q, d = views.shape
    return np.random.default_rng(seed).permuted(views.reshape(n * q, d), axis=0).reshape(n, q, d)
