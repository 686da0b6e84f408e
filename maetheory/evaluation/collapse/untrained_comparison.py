"""Untrained networks beside a model, all measured on the same images.

Ranks grow with the number of images, so that a model and its untrained networks are compared on equally many, and on
the same ones. A random subset of the images suffices for the comparison, and costs less than all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maetheory.core import generator
from maetheory.data import ImageSet
from maetheory.evaluation.collapse.measurement import ModelMeasurements, measure_model
from maetheory.evaluation.collapse.metric_specs import MetricEstimate, MetricSpec
from maetheory.evaluation.collapse.other_initialisations import assessed_metrics, measure_other_initialisations
from maetheory.evaluation.collapse.random_initialisation import initialisation_rules, random_init_models
from maetheory.evaluation.features.feature_sets import FeatureSet, features_of_images


@dataclass(frozen=True)
class UntrainedMeasurements:
    """Measurements of untrained networks, and of the model itself on the same images.

    Attributes
    ----------
    rule : str
        Name of the initialisation rule of the checkpoint's code base, "" without baselines.
    models : tuple of ModelMeasurements
        Networks drawn by that rule.
    specs : tuple of MetricSpec
        What they were measured with: all metrics on all images, the assessed ones on a subset.
    other_rules : mapping from name of rule to list of ModelMeasurements
        Networks drawn by the other usual rules, with the assessed metrics only.
    n_images : int
        Number of images that all of them were measured on.
    same_images : ModelMeasurements, optional
        The model itself on the same images, with the assessed metrics; None where these are all images.
    """

    rule: str = ""
    models: tuple[ModelMeasurements, ...] = ()
    specs: tuple[MetricSpec, ...] = ()
    other_rules: Mapping[str, Sequence[ModelMeasurements]] = field(default_factory=dict)
    n_images: int = 0
    same_images: ModelMeasurements | None = None

    @property
    def on_all_images(self) -> bool:
        """Whether there are untrained networks, measured on all images of the model."""
        return bool(self.models) and self.same_images is None

    def own_rule_estimates(self, spec: MetricSpec, readout: int) -> list[MetricEstimate | None]:
        """Return the estimates of a metric over the networks of the code base's own rule; none if not measured."""
        if spec not in self.specs:
            return []
        return [one.measurements[readout].estimates[self.specs.index(spec)] for one in self.models]

    def other_rules_estimates(self, spec: MetricSpec, readout: int) -> dict[str, list[MetricEstimate | None]]:
        """Return the estimates of an assessed metric over the networks of each other rule."""
        index = assessed_metrics(self.specs).index(spec)
        return {
            name: [one.measurements[readout].estimates[index] for one in models]
            for name, models in self.other_rules.items()
        }

    def same_images_estimate(self, spec: MetricSpec, readout: int) -> MetricEstimate | None:
        """Return the estimate of an assessed metric of the model itself on the images of the untrained networks."""
        if self.same_images is None:
            return None
        return self.same_images.measurements[readout].estimates[self.specs.index(spec)]

    def beside(
        self, encoder: Any, images: Any, *, feature_sets: Sequence[FeatureSet] = (), seed: int, **settings: Any
    ) -> UntrainedMeasurements:
        """Return the same untrained networks beside another model of their architecture.

        Parameters
        ----------
        encoder, images, feature_sets, seed, **settings
            As for `measure_untrained`, and as for the networks.
        """
        if self.same_images is None:
            return self
        chosen = _random_indices(images, self.n_images, seed)
        same_images = _measure_on_images(encoder, images, chosen, feature_sets, self.specs, seed, settings)
        return replace(self, same_images=same_images)


def measure_untrained(
    encoder: Any,
    images: Any,
    metric_specs: Sequence[MetricSpec],
    count: int,
    *,
    n_images: int | None = None,
    feature_sets: Sequence[FeatureSet] = (),
    seed: int,
    **settings: Any,
) -> UntrainedMeasurements:
    """Measure untrained networks drawn by the rule of the code base, and by each other usual rule.

    Parameters
    ----------
    encoder, images, seed, **settings
        As for `measure_model`.
    metric_specs : sequence of MetricSpec
    count : int
        Networks of the code base's own rule; of each other rule half as many, rounded up.
    n_images : int, optional
        Number of images, drawn at random; then only the assessed metrics are measured. All by default.
    feature_sets : sequence of FeatureSet
        Those of the model itself on all images, of which the comparison takes the chosen ones; where they are not kept,
        these images are encoded again.
    """
    rules = initialisation_rules(encoder)
    if not rules:
        return UntrainedMeasurements()
    specs, assessed, subset, same_images = tuple(metric_specs), assessed_metrics(metric_specs), images, None
    on_subset = n_images is not None and n_images < len(images)
    if on_subset:
        chosen = _random_indices(images, n_images or 0, seed)
        specs, subset = assessed, _images_at(images, chosen)
        same_images = _measure_on_images(encoder, images, chosen, feature_sets, specs, seed, settings)
    models = tuple(
        measure_model(model, subset, specs, with_baselines=not on_subset, is_baseline=True, seed=seed, **settings)
        for model in random_init_models(encoder, count, seed=seed)
    )
    others = measure_other_initialisations(encoder, subset, assessed, (count + 1) // 2, seed=seed, **settings)
    return UntrainedMeasurements(rules[0].name, models, specs, others, len(subset), same_images)


def _measure_on_images(
    encoder: Any,
    images: Any,
    chosen: NDArray[np.intp],
    feature_sets: Sequence[FeatureSet],
    specs: Sequence[MetricSpec],
    seed: int,
    settings: Mapping[str, Any],
) -> ModelMeasurements:
    """Measure the model itself on the chosen images, from its features of all images where these are kept."""
    kept = features_of_images(feature_sets, chosen, seed) if feature_sets else None
    return measure_model(
        encoder,
        _images_at(images, chosen),
        specs,
        with_baselines=False,
        is_baseline=True,
        feature_sets=kept,
        seed=seed,
        **settings,
    )


def _random_indices(images: Any, count: int, seed: int) -> NDArray[np.intp]:
    """Return the positions of `count` of the images, drawn at random, ascending."""
    return np.sort(generator(seed, "collapse", "untrained").permutation(len(images))[:count])


def _images_at(images: Any, chosen: NDArray[np.intp]) -> Any:
    """Return the images at these positions."""
    return (images.images if isinstance(images, ImageSet) else images)[chosen]
