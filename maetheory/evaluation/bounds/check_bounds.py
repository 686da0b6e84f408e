"""Check theorems on the features and predictions of a trained masked autoencoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from maetheory.core import InputError
from maetheory.evaluation.bounds.encoded_graph import EncodedGraph
from maetheory.theory import THEOREMS, Check, Theorem
from maetheory.theory.theorem_names import find_theorem

MODEL_OBJECTS = ("features", "h", "h_g", "targets", "weight")
"""Objects of theorems that a trained model provides; the decoder's constant and the masks are computed from them."""

UNIT_NORM_THEOREMS = ("reconstruction-bounds-asymmetric-alignment", "asymmetric-alignment-bounds-alignment")
"""Theorems that the paper states for predictions of norm 1; they are measured on `EncodedGraph.with_unit_norms`."""

LABEL_THEOREMS = (
    "factorisation-bounds-probe-residual",
    "probe-residual-bounds-view-error",
    "probe-residual-bounds-image-error",
    "umae-bounds-downstream-error",
    "spectral-features-bound-downstream-error",
    "excess-loss-bounds-downstream-error",
    "certificate-bounds-downstream-error",
    "downstream-error-averages-over-components",
    "votes-beat-views-when-errors-scatter",
)
"""Theorems about labels, left out by default for a graph without labels."""


def check_bounds(
    encoded_graph: EncodedGraph, slugs: Iterable[str] | None = None, *, unit_norms: bool = True
) -> tuple[Check, ...]:
    """Check theorems on the features and predictions of a model on a mask graph.

    The constant L of the decoder is the smallest that is valid on all positive pairs. A theorem about f therefore holds
    for any readout taken as f; a large L means that its assumption says little about the trained decoder. The note of
    each check ends with the f and the h_g that it used.

    Parameters
    ----------
    encoded_graph : EncodedGraph
    slugs : iterable of str, optional
        Keys of `maetheory.theory.THEOREMS`; by default all whose objects a trained model provides.
    unit_norms : bool, default True
        Whether to measure theorems 3.2 and 3.3 on predictions scaled to norm 1. Otherwise they are INAPPLICABLE unless
        the norms happen to be 1.

    Returns
    -------
    tuple of Check
        In the order of `slugs`; with a NaN or infinity in the model's output the verdict is VIOLATED.

    Raises
    ------
    InputError
        If a slug is unknown, or its theorem needs what this model does not have (such as the weight λ of a run without
        uniformity).

    Examples
    --------
    >>> import torch
    >>> from maetheory.data import worlds
    >>> from maetheory.evaluation import encode_graph
    >>> from maetheory.graph import MaskGraph
    >>> from maetheory.masks import UniformMasks
    >>> from maetheory.models import MAE, MAEConfig, ViTConfig
    >>> model = MAE(MAEConfig(ViTConfig(2, 1, 1, width=8, depth=1, heads=1), 8, 1, 1))
    >>> graph = MaskGraph.enumerate(worlds.mixture(4, 2, 2, 0.1), UniformMasks(4, 2))
    >>> [str(check.verdict) for check in check_bounds(encode_graph(model, graph), ["alignment-split"])]
    ['TIGHT']
    """
    named = tuple(_applicable_theorems(encoded_graph) if slugs is None else slugs)
    theorems = [_find_theorem(slug, encoded_graph) for slug in named]
    scaled = encoded_graph.with_unit_norms() if unit_norms else encoded_graph
    return tuple(
        _check_theorem(theorem, scaled if theorem.slug in UNIT_NORM_THEOREMS else encoded_graph) for theorem in theorems
    )


def _check_theorem(theorem: Theorem, encoded_graph: EncodedGraph) -> Check:
    available = _available_objects(encoded_graph)
    given = {name: available[name] for name in (*theorem.objects, *theorem.optional) if name in available}
    check = theorem.check(encoded_graph.graph, **given)
    return replace(check, note="; ".join(part for part in (check.note, encoded_graph.description) if part))


def _available_objects(encoded_graph: EncodedGraph) -> Mapping[str, object]:
    objects = {name: getattr(encoded_graph, name) for name in MODEL_OBJECTS}
    return MappingProxyType({name: value for name, value in objects.items() if value is not None})


def _applicable_theorems(encoded_graph: EncodedGraph) -> list[str]:
    """Return the theorems about a graph whose objects, at least one, a trained model provides."""
    available = set(_available_objects(encoded_graph))
    labelled = encoded_graph.graph.image_labels is not None
    return [
        slug
        for slug, theorem in THEOREMS.items()
        if theorem.needs_graph
        and theorem.objects
        and set(theorem.objects) <= available
        and (labelled or slug not in LABEL_THEOREMS)
    ]


def _find_theorem(slug: str, encoded_graph: EncodedGraph) -> Theorem:
    theorem = find_theorem(THEOREMS, slug)
    missing = [name for name in theorem.objects if name not in _available_objects(encoded_graph)]
    if missing:
        raise InputError(
            f"{theorem.slug} needs {', '.join(missing)}, which this model does not have; it has "
            f"{', '.join(_available_objects(encoded_graph))}"
        )
    return theorem
