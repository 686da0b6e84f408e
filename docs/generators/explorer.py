"""Numbers of the interactive page: every setting of its sliders, computed by the package, as one JavaScript file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from maetheory.data import worlds
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks
from maetheory.theory import check
from maetheory.theory.exact_probe import image_error, probe_residual, view_error
from maetheory.theory.statements.label_error_alone_is_not_enough import label_blind_pair
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser
from maetheory.theory.theorem_quantities import eigenvalues

NOISES = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
PATCHES = {2: 6, 3: 4}
"""Number of patches of a picture by number of classes, so that a graph has at most 108 nodes."""
MAX_FEATURES = 6
STATEMENTS = (
    ("spectral-features-bound-downstream-error", "residual ≤ φ/(1 − λₖ₊₁)"),
    ("probe-residual-bounds-view-error", "view error ≤ 2 · residual"),
    ("probe-residual-bounds-image-error", "image error ≤ 4 · residual + 2α"),
    ("certificate-bounds-downstream-error", "residual ≤ certificate of these features"),
    ("spectral-contrast-is-bounded-by-eigenvalues", "spectral contrast ≥ −(λ₁² + … + λₖ²)"),
    ("umae-downstream-bound-exceeds-six", "the bound of theorem 4.1 is at least 6"),
)
"""Statements whose verdicts are shown, and their claims in short."""


def explorer_data(folder: Path, _: Path) -> None:
    """Write ``explorer_data.js``, whose one constant holds all graphs; a page opened from a disk cannot fetch JSON."""
    static = folder / "static"
    static.mkdir(parents=True, exist_ok=True)
    document = {
        "noises": NOISES,
        "patches": PATCHES,
        "statements": dict(STATEMENTS),
        "graphs": mixture_graphs() | label_blind_graphs(),
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    (static / "explorer_data.js").write_text(f"const MAETHEORY_GRAPHS = {text};\n", encoding="utf-8")


def mixture_graphs() -> dict[str, Any]:
    """Return the graphs of class mixtures, by "mixture/CLASSES/VISIBLE/NOISE"; positions are dropped."""
    found = {}
    for classes, patches in PATCHES.items():
        for noise in NOISES:
            world = worlds.mixture(patches, max(2, classes), classes, noise)
            for visible in range(1, patches):
                graph = MaskGraph.enumerate(world, UniformMasks(patches, visible), "dropped")
                found[f"mixture/{classes}/{visible}/{noise:g}"] = graph_record(graph)
    return found


def label_blind_graphs() -> dict[str, Any]:
    """Return the pair of graphs with equal spectra and α = 0 of which one has features that tell nothing."""
    within, across = label_blind_pair(2)
    return {"pair/within": graph_record(within), "pair/across": graph_record(across)}


def graph_record(graph: MaskGraph) -> dict[str, Any]:
    """Return what is drawn of a graph: its joint law, class probabilities, spectrum, label errors, and each k."""
    size = min(graph.shape[0], MAX_FEATURES)
    spectrum = eigenvalues(graph, max(size + 1, 2))
    return {
        "joint": [[_short(p) for p in row] for row in graph.joint.toarray()],
        "views": _shares(graph.class_law),
        "targets": _shares(graph.target_class_law),
        "components": graph.n_components,
        "eigenvalues": [_short(value) for value in np.clip(spectrum, 0, 1)],
        "alpha": _short(graph.label_error().value),
        "phi": _short(graph.pair_label_error().value),
        "features": [_feature_record(graph, k, float(spectrum[k])) for k in range(1, size + 1)],
    }


def _feature_record(graph: MaskGraph, k: int, following: float) -> dict[str, Any]:
    """Return errors, bound and verdicts for k spectral features; a bound without a spectral gap is null."""
    features = minimiser(graph, k)
    gap = 1 - following
    phi, alpha = graph.pair_label_error().value, graph.label_error().value
    return {
        "k": k,
        "residual": _short(probe_residual(graph, features)),
        "view_error": _short(view_error(graph, features)),
        "image_error": _short(image_error(graph, features)) if graph.image_labels is not None else None,
        "bound": _short(4 * phi / gap + 2 * alpha) if gap > 1e-9 else None,
        "verdicts": {name: _verdict(name, graph, features) for name, _ in STATEMENTS},
    }


def _verdict(name: str, graph: MaskGraph, features: np.ndarray) -> list[Any]:
    """Return the verdict, and both sides where they are finite numbers."""
    result = check(name, graph, features=features)
    sides = (result.lhs, result.rhs)
    return [
        result.verdict.value,
        *(_short(float(side)) if side is not None and np.isfinite(side) else None for side in sides),
    ]


def _shares(law: np.ndarray) -> list[list[float]]:
    """Return the conditional law of the class given each node, from the joint law of node and class."""
    return [[_short(p) for p in row / row.sum()] for row in law]


def _short(value: float) -> float:
    """Return a number with six digits; what is below 1e-12 is the rounding error of 0 here."""
    return float(f"{value:.6g}") if abs(value) > 1e-12 else 0.0
