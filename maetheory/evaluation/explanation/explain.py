"""Explain what the features of a model have collapsed onto: their leading directions, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maetheory.core import InputError, Progress, generator, no_progress
from maetheory.data import ImageSet
from maetheory.evaluation.explanation.content_free_images import CONTENT_FREE_KINDS
from maetheory.evaluation.explanation.cross_fitted_directions import FOLDS
from maetheory.evaluation.explanation.explain_readout import (
    N_CONTENT_FREE,
    N_UNTRAINED_IMAGES,
    Material,
    collect_material,
    explain_readout,
)
from maetheory.evaluation.explanation.explanation import CollapseExplanation, Ratios, ReadoutExplanation
from maetheory.evaluation.explanation.feature_passes import Passes
from maetheory.evaluation.features.backbone import encoder_depth
from maetheory.evaluation.features.collapse_inputs import collapse_inputs
from maetheory.evaluation.features.encode import Readout
from maetheory.evaluation.features.feature_sets import GivenFeatures
from maetheory.evaluation.features.foreign_model import ChannelValues
from maetheory.evaluation.features.foreign_output import OutputPart

MIN_IMAGES = 2 * FOLDS
MAX_IMAGES = 2000
N_INITIALISATIONS = 2  # untrained networks
FEW_IMAGES = 10  # a dimension, below which a note says that directions are found with error
NO_NETWORK_TO_EXPLAIN = (
    "an explanation needs the network and its images: features alone do not say what the network makes of images "
    "without content, nor in which layer a direction arises"
)


def explain_collapse(
    encoder: Any,
    images: Any,
    labels: Any = None,
    *,
    directions: int = 5,
    readouts: Sequence[Readout] | None = None,
    readout: Readout | OutputPart | None = None,
    prefix_tokens: int | None = None,
    mean: ChannelValues | None = None,
    std: ChannelValues | None = None,
    layer: int | Literal["last"] = "last",
    final_norm: bool = True,
    n_images: int = MAX_IMAGES,
    n_initialisations: int = N_INITIALISATIONS,
    untrained: Sequence[Mapping[str, Ratios]] | None = None,
    seed: int = 0,
    batch: int | None = None,
    progress: Progress = no_progress,
) -> CollapseExplanation:
    """Explain the leading principal directions of a model's features, as `measure_collapse` reads them.

    For each direction: the share of the variance that it carries; the share of that which images without content
    (constant colours, shuffled patches, noise) already have, beside untrained networks; the simple statistics of images
    that its scores follow; the layer from which it can be read; the images at its extremes; and, with labels, what a
    linear probe and k-NN gain or lose without it. Scores of an image are along directions found without it.

    Parameters
    ----------
    encoder, images
        As for `measure_collapse`; features alone cannot be explained.
    labels : array of int (N,), optional
        Classes of the images; by default those of an `ImageSet` of several classes. Without them nothing is probed.
    directions : int, default 5
        Number of leading directions, m.
    readouts, readout, prefix_tokens, mean, std, final_norm
        As for `measure_collapse`; not tokens.
    layer : int or "last"
        The layer whose features are explained; negative counts from the end.
    n_images : int, default 2000
        At most this many images are used, drawn at random; at least 20. The first 400 of them, in random order, are
        those from which images without content are made.
    n_initialisations : int, default 2
        Number of untrained networks of the same architecture, on 100 images of each kind; 0 for none.
    untrained : sequence, optional
        Attribute `untrained` of the explanation of another model of this architecture, with the same images, readouts,
        directions, layer and seed; then no untrained networks are drawn.
    seed : int
        Seed of all draws, folds and initial weights.
    batch : int, optional
    progress : Progress

    Returns
    -------
    CollapseExplanation

    Raises
    ------
    InputError
        If features are given alone, there are fewer than 20 images, a number is out of range, a readout or layer does
        not exist, or labels do not fit.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> images = rng.random((60, 1, 4, 4)) * rng.random((60, 1, 1, 1))
    >>> found = explain_collapse(lambda x: x.flatten(1), images, directions=1)
    >>> found.readouts[0].directions[0].best_statistic[0]
    'brightness'
    """
    check_explainable(readouts if readout is None else (readout,), directions=directions)
    if n_images < MIN_IMAGES or n_initialisations < 0:
        raise InputError(
            f"n_images must be at least {MIN_IMAGES} and n_initialisations at least 0, but they are {n_images} and "
            f"{n_initialisations}"
        )
    inputs = collapse_inputs(
        encoder,
        images,
        readouts=readouts,
        readout=readout,
        prefix_tokens=prefix_tokens,
        mean=mean,
        std=std,
        progress=progress,
    )
    if isinstance(inputs.encoder, GivenFeatures):
        raise InputError(NO_NETWORK_TO_EXPLAIN)
    pixels, known = _pixels_and_labels(inputs.images, labels)
    chosen = np.sort(generator(seed, "explanation", "images").permutation(len(pixels))[:n_images])
    options = {**inputs.options, "final_norm": final_norm, "batch": batch}
    passes = Passes(pixels, inputs.readouts, explained_layers(inputs.encoder, layer), options, seed, progress)
    material = collect_material(inputs.encoder, passes, chosen, known, directions, n_initialisations, untrained)
    explained = [explain_readout(material, name, directions) for name in material.features]
    notes = (
        *inputs.notes,
        *_notes(material, len(pixels), n_initialisations),
        *_notes_on_directions(explained, directions),
    )
    return CollapseExplanation(tuple(explained), notes, seed, tuple(material.untrained))


def check_explainable(readouts: Sequence[Any] | None, total: int = MIN_IMAGES, directions: Any = 1) -> None:
    """Raise `InputError` if readouts, a number of images or a number of directions cannot be explained."""
    if any(isinstance(one, str) and one == "tokens" for one in readouts or ()):
        raise InputError("an explanation reads one vector for each image: choose the readout cls or mean, not tokens")
    if total < MIN_IMAGES:
        raise InputError(f"an explanation needs at least {MIN_IMAGES} images, but there are {total}")
    if isinstance(directions, bool) or not isinstance(directions, int) or directions < 1:
        raise InputError(f"directions must be a whole number of at least 1, but it is {directions!r}")


def explanation_plan(
    total: int,
    n_initialisations: int = N_INITIALISATIONS,
    *,
    seconds: tuple[float, float] | None = None,
    shared: bool = False,
) -> str:
    """Return what an explanation takes, in words.

    Parameters
    ----------
    total : int
        Number of images that there are.
    n_initialisations : int
    seconds : (float, float), optional
        Measured seconds of a pass that returns all layers, and of one that returns the last, for each image.
    shared : bool
        Whether the untrained networks were measured with another model already.

    Examples
    --------
    >>> explanation_plan(3000)
    'the explanation takes 2000 images, 1200 without content, and 800 passes of untrained networks'
    >>> print(explanation_plan(3000, seconds=(0.02, 0.01), shared=True))
    the explanation takes 2000 images, 1200 without content, and no passes of untrained networks, which are shared: at
    least 0:00:52 for these passes, then directions and probes
    """
    used, kinds = min(total, MAX_IMAGES), len(CONTENT_FREE_KINDS)
    without = kinds * min(used, N_CONTENT_FREE)
    untrained = 0 if shared else n_initialisations * (1 + kinds) * min(used, N_UNTRAINED_IMAGES)
    networks = (
        "no passes of untrained networks, which are shared" if shared else f"{untrained} passes of untrained networks"
    )
    sentence = f"the explanation takes {used} images, {without} without content, and {networks}"
    if seconds is None:
        return sentence
    passes = used * seconds[0] + (without + untrained) * seconds[1]
    return (
        f"{sentence}: at least {timedelta(seconds=max(1, round(passes)))} for these passes, then directions and probes"
    )


def _pixels_and_labels(images: Any, labels: Any) -> tuple[Any, NDArray[np.integer] | None]:
    """Return the array or tensor of images, and the label of each of them if they are known."""
    pixels = images.images if isinstance(images, ImageSet) else images
    check_explainable(None, len(pixels))
    if labels is None:
        return pixels, images.labels if isinstance(images, ImageSet) else None
    known = np.asarray(labels)
    if known.shape != (len(pixels),) or known.dtype.kind not in "iub":
        raise InputError(
            f"labels are one whole number for each of the {len(pixels)} images, but they are {known.dtype} of shape "
            f"{known.shape}"
        )
    return pixels, known


def explained_layers(encoder: Any, layer: int | str) -> tuple[int, ...] | Literal["last"]:
    """Return all layers up to the one that is explained; "last" for a model whose layers are not known."""
    depth = encoder_depth(encoder)
    if depth is None:
        if layer != "last":
            raise InputError("layers can be chosen for Vision Transformers only: a callable has the last one")
        return "last"
    number = depth if layer == "last" else int(layer)
    if not -depth - 1 <= number <= depth:
        raise InputError(f"layer must lie between 0 and {depth} or be 'last', but it is {layer}")
    return tuple(range(number % (depth + 1) + 1))


def _notes(material: Material, total: int, n_initialisations: int) -> Iterator[str]:
    """Yield what limits the explanation of any readout."""
    used = len(material.chosen)
    if used < total:
        yield f"the explanation uses {used} of {total} images, drawn at random"
    if not material.untrained:
        unknown = ", since the architecture is not known" if n_initialisations else ""
        yield f"images without content are not compared with untrained networks{unknown}"
    if material.passes.layers == "last":
        yield "the layers of a model of another library are not known, so that no layer of origin is named"
    if material.labelled is None:
        yield "there are no labels of two classes or more: what probes gain or lose is left out"


def _notes_on_directions(explained: Sequence[ReadoutExplanation], wanted: int) -> Iterator[str]:
    """Yield where there are fewer directions than wanted, or few images to find them."""
    for one in explained:
        if len(one.directions) < wanted:
            yield f"the features of {one.readout} vary along {len(one.directions)} directions only, not {wanted}"
        if one.directions and one.n < FEW_IMAGES * one.d:
            yield (
                f"{one.readout}: {one.n} images for {one.d} dimensions find directions with error; all numbers but "
                "those by layer and of probes are of images that did not help to find them"
            )
