"""What `measure_collapse` is given: a model with images, or features alone."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from maetheory.core import InputError, Progress, no_progress
from maetheory.evaluation.features.encode import NAMED_READOUTS, Readout, encoder_notes
from maetheory.evaluation.features.feature_sets import GivenFeatures
from maetheory.evaluation.features.foreign_model import AssumptionWarning, ChannelValues
from maetheory.evaluation.features.foreign_output import OutputPart
from maetheory.evaluation.features.given_features import NO_NETWORK, check_features, is_feature_array
from maetheory.evaluation.features.image_collections import collect_images


@dataclass(frozen=True)
class CollapseInputs:
    """A model and its images, or features in place of both.

    Attributes
    ----------
    encoder : model or GivenFeatures
    images : ImageSet, array or tensor
    readouts : sequence of str, optional
    options : dict
        For `collect_features`.
    notes : tuple of str
        What a reader of the measurements should know of them.
    """

    encoder: Any
    images: Any
    readouts: Sequence[Readout] | None
    options: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def collapse_inputs(
    encoder: Any,
    images: Any = None,
    *,
    readouts: Sequence[Readout] | None = None,
    readout: OutputPart | None = None,
    prefix_tokens: int | None = None,
    mean: ChannelValues | None = None,
    std: ChannelValues | None = None,
    progress: Progress = no_progress,
) -> CollapseInputs:
    """Return a model and images, or features, ready to be measured; parameters as for `measure_collapse`.

    Raises
    ------
    InputError
        If features come with images or options of a model, a model comes without images, or `readout` and `readouts`
        are both given.

    Warns
    -----
    AssumptionWarning
        What may be wrong with a model of another library, as `encode` does.
    """
    if isinstance(encoder, GivenFeatures):
        return CollapseInputs(encoder, encoder.rows, None, notes=(NO_NETWORK, *encoder.notes))
    if is_feature_array(encoder):
        if images is not None:
            raise InputError(
                "features are measured as they are: give an array of features alone, or an encoder and images"
            )
        if any(option is not None for option in (readouts, readout, prefix_tokens, mean, std)):
            raise InputError(
                "readouts, prefix_tokens, mean and std are options for models; an array is measured as it is"
            )
        rows, notes = check_features(encoder)
        return CollapseInputs(GivenFeatures(rows, notes), rows, None, notes=(NO_NETWORK, *notes))
    if images is None:
        raise InputError("a model needs images: collapse_report(encoder, images); features alone are given as an array")
    if isinstance(readouts, str):
        readouts = (cast(Readout, readouts),)
    if isinstance(readout, str) and readout in NAMED_READOUTS:
        if readouts is not None:
            raise InputError("give readout or readouts, not both")
        readouts, readout = (cast(Readout, readout),), None
    pixels, image_notes = collect_images(images, encoder, progress)
    done, assumed = encoder_notes(encoder, mean, std, readout)
    for assumption in assumed:
        warnings.warn(assumption, AssumptionWarning, stacklevel=3)
    given: dict[str, Any] = {"part": readout, "prefix_tokens": prefix_tokens, "mean": mean, "std": std}
    options = {name: value for name, value in given.items() if value is not None}
    return CollapseInputs(encoder, pixels, readouts, options, (*image_notes, *done, *assumed))
