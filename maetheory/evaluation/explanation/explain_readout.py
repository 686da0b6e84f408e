"""Explain the leading directions of one readout, from features that are collected once for all readouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maetheory.core import generator
from maetheory.core.memory import check_memory
from maetheory.evaluation.collapse.random_initialisation import random_init_models
from maetheory.evaluation.explanation.content_free_images import CONTENT_FREE_KINDS, PAIRED_KINDS, ChannelMoments
from maetheory.evaluation.explanation.content_free_share import (
    ContentFreeShare,
    content_free_share,
    variance_ratios,
)
from maetheory.evaluation.explanation.cross_fitted_directions import (
    CrossFittedDirections,
    cross_fitted_directions,
    leading_directions,
)
from maetheory.evaluation.explanation.explanation import ExplainedDirection, Ratios, ReadoutExplanation
from maetheory.evaluation.explanation.feature_passes import Floats, Passes
from maetheory.evaluation.explanation.image_statistics import correlate_statistics
from maetheory.evaluation.explanation.layer_of_origin import LayerShare, layer_of_origin, layer_shares
from maetheory.evaluation.explanation.removal import RemovalEffect, removal_effects, usable_labels
from maetheory.evaluation.features.backbone import vision_transformer

N_CONTENT_FREE = 400  # images without content of each kind
N_UNTRAINED_IMAGES = 100  # of each kind, for each untrained network
N_EXTREMES = 8
SUBSPACE = "content-free subspace"


@dataclass(frozen=True, eq=False)
class Material:
    """Everything that is computed once for all readouts.

    Attributes
    ----------
    encoder : any
    passes : Passes
    chosen : ndarray of int (n,)
        Positions of the images that are used.
    features : mapping from readout to list of ndarray (n, d)
        Of these images, by layer.
    statistics : mapping from name to ndarray (n,)
    made_from : ndarray of int (r,)
        Positions, among those chosen, of the images from which images without content are made.
    content_free : mapping from kind to mapping from readout to ndarray (r, d)
    untrained : sequence of mappings from readout to mapping from kind to tuple of float
        Variance ratios of each untrained network, by direction.
    n_untrained_images : int
    labelled : (ndarray of int, ndarray of int), optional
        Positions, among those chosen, of the images that can be probed, and their labels.
    """

    encoder: Any
    passes: Passes
    chosen: NDArray[np.intp]
    features: Mapping[str, Sequence[Floats]]
    statistics: Mapping[str, Floats]
    made_from: NDArray[np.intp]
    content_free: Mapping[str, Mapping[str, Floats]]
    untrained: Sequence[Mapping[str, Ratios]]
    n_untrained_images: int
    labelled: tuple[NDArray[np.intp], NDArray[np.integer]] | None


def collect_material(
    encoder: Any,
    passes: Passes,
    chosen: NDArray[np.intp],
    labels: NDArray[np.integer] | None,
    directions: int,
    n_initialisations: int,
    untrained: Sequence[Mapping[str, Ratios]] | None = None,
) -> Material:
    """Encode real images and images without content, with the model and with untrained networks.

    Parameters
    ----------
    encoder : any
    passes : Passes
    chosen : ndarray of int (n,)
        Positions of the images to use, ascending.
    labels : ndarray of int (N,), optional
        Of all images.
    directions, n_initialisations : int
    untrained : sequence, optional
        Variance ratios of untrained networks that were measured before; then none are drawn.

    Raises
    ------
    InputError
        If memory does not hold the features of all layers.
    """
    _check_feature_memory(encoder, passes, len(chosen))
    features = passes.real_features(encoder, chosen, layers=True)
    statistics, moments = passes.statistics(encoder, chosen)
    order = generator(passes.seed, "explanation", "content-free").permutation(len(chosen))
    made_from, few = np.sort(order[:N_CONTENT_FREE]), np.sort(chosen[order[:N_UNTRAINED_IMAGES]])
    content_free = passes.content_free_features(encoder, chosen[made_from], moments)
    if untrained is None:
        untrained = [
            _untrained_ratios(model, passes, few, moments, directions)
            for model in random_init_models(encoder, n_initialisations, seed=passes.seed)
        ]
    kept = usable_labels(None if labels is None else labels[chosen])
    labelled = None if kept is None or labels is None else (kept, labels[chosen][kept])
    n_untrained = len(few) if untrained else 0
    return Material(
        encoder, passes, chosen, features, statistics, made_from, content_free, untrained, n_untrained, labelled
    )


def explain_readout(material: Material, readout: str, directions: int) -> ReadoutExplanation:
    """Return the explanation of the leading directions of one readout."""
    seed = material.passes.seed
    layers = material.features[readout]
    Z = layers[-1]
    found = cross_fitted_directions(Z, directions, seed=seed)
    scores = (Z - found.mean) @ found.directions  # along the directions of all images: a function of the network
    by_direction: Sequence[Sequence[LayerShare]] = [()] * found.m
    if material.passes.layers != "last" and found.m:
        by_direction = layer_shares(layers, scores, seed=seed)
    statistics = correlate_statistics(material.statistics, found.scores, seed=seed) if found.m else []
    shares = _content_free_shares(material, readout, found)
    effects = _effects(material, readout, Z, found)
    explained = tuple(
        ExplainedDirection(
            k + 1,
            found.shares[k],
            float(found.stability[k]),
            shares[k],
            statistics[k],
            tuple(by_direction[k]),
            layer_of_origin(by_direction[k]) if by_direction[k] else None,
            tuple(one for one in effects if one.removed == str(k + 1)),
            *_extremes(material, found.scores[:, k]),
        )
        for k in range(found.m)
    )
    of_all = tuple(one for one in effects if not one.removed.isdecimal())
    return ReadoutExplanation(
        readout,
        material.passes.last_layer,
        len(Z),
        Z.shape[1],
        len(material.made_from),
        material.n_untrained_images,
        found.mean_share,
        found.share,
        explained,
        of_all,
    )


def content_free_subspace(features: Sequence[Floats], m: int) -> Floats:
    """Return the m leading directions (d, m) of images without content, pooled after each kind's mean is subtracted.

    Parameters
    ----------
    features : sequence of ndarray (r, d)
        One array for each kind, with equally many rows.
    m : int
    """
    return leading_directions(np.concatenate([one.astype(np.float64) - one.mean(0) for one in features]), m)[1]


def _content_free_shares(
    material: Material, readout: str, found: CrossFittedDirections
) -> list[tuple[ContentFreeShare, ...]]:
    """Return the shares of each direction that each kind of images without content has."""
    shares: list[list[ContentFreeShare]] = [[] for _ in range(found.m)]
    Z = np.asarray(material.features[readout][-1][material.made_from], dtype=np.float64)
    real = found.scores_of(Z, material.made_from)
    for kind in CONTENT_FREE_KINDS:
        features = np.asarray(material.content_free[kind][readout], dtype=np.float64)
        without = found.scores_of(features, material.made_from)
        for k in range(found.m):
            untrained = tuple(one[readout][kind][k] for one in material.untrained)
            paired = kind in PAIRED_KINDS
            shares[k].append(content_free_share(kind, real[:, k], without[:, k], paired=paired, untrained=untrained))
    return [tuple(one) for one in shares]


def _effects(material: Material, readout: str, Z: Floats, found: CrossFittedDirections) -> list[RemovalEffect]:
    """Return what probes gain or lose without each direction, all of them, and the content-free subspace."""
    if material.labelled is None or not found.m:
        return []
    removals = {str(k + 1): found.directions[:, [k]] for k in range(found.m)}
    if found.m > 1:
        removals[f"first {found.m}"] = found.directions
    subspace = content_free_subspace([material.content_free[kind][readout] for kind in CONTENT_FREE_KINDS], found.m)
    if subspace.shape[1]:
        removals[SUBSPACE] = subspace
    kept, labels = material.labelled
    passes = material.passes
    return removal_effects(Z[kept], labels, removals, seed=passes.seed, progress=passes.progress)


def _untrained_ratios(
    model: Any, passes: Passes, images: NDArray[np.intp], moments: ChannelMoments, m: int
) -> dict[str, Ratios]:
    """Return the variance ratios of an untrained network by readout and kind."""
    real = passes.real_features(model, images, layers=False)
    without = passes.content_free_features(model, images, moments)
    return {
        readout: {
            kind: variance_ratios(Z, without[kind][readout].astype(np.float64), m, seed=passes.seed)
            for kind in CONTENT_FREE_KINDS
        }
        for readout, (Z,) in real.items()
    }


def _extremes(material: Material, scores: Floats) -> tuple[Any, ...]:
    """Return positions of the images with the lowest and the highest scores, and their pixels."""
    order = np.argsort(scores, kind="stable")
    shown = min(N_EXTREMES, len(order) // 2)
    ends = [material.chosen[order[:shown]], material.chosen[order[::-1][:shown]]]
    return (*ends, *(material.passes.thumbnails(material.encoder, end) for end in ends))


def _check_feature_memory(encoder: Any, passes: Passes, n: int) -> None:
    """Check that memory holds the features of all layers, with as much again for double precision of one."""
    vit = vision_transformer(encoder)
    if vit is not None:
        needed = 4.0 * n * vit.config.width * (len(passes.layers) + 4) * 2
        check_memory(needed, f"features of {n} images in all layers", "explain fewer images")
