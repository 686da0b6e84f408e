"""The reconstruction loss is at least the asymmetric alignment of view and target predictions, up to ε.

Setting
-------
A mask splits an image into a view x₁ and a target x₂. h(x₁) predicts the target from the view; h_g(x₂) is the output of
an autoencoder on the target itself, so that ε = E‖h_g(x₂) − x₂‖² is the autoencoding error, which is measured here
instead of assumed (assumption 3.1). L_MAE(h) = E‖h(x₁) − x₂‖² and L_asym(h) = −E h(x₁)ᵀ h_g(x₂).

Assumptions
-----------
``unit norms``: the paper assumes ‖h‖ = ‖h_g‖ = 1; the proof uses only ½(E‖h‖² + E‖h_g‖²) ≥ 1.

Claim
-----
L_MAE(h) ≥ L_asym(h) − ε + 1, because ½‖a − b‖² ≤ ‖a − x‖² + ‖b − x‖² for every x.

Slack
-----
Exactly 2 E‖x₂ − (h + h_g)/2‖² + ½(E‖h‖² + E‖h_g‖²) − 1.

Tight when
----------
Every target is the midpoint of its two predictions, and the norms are one on average. With unit norms h must then be
the same for all views of a target, so h is constant on every component of the graph; h_g is free.

Reference
---------
Zhang, Wang and Wang 2022, theorem 3.2: its role is printed, the constant is ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from maetheory.graph import MaskGraph
from maetheory.graph.functionals import asymmetric_alignment, mean_square, reconstruction_loss
from maetheory.theory.theorem import ROUNDING_TOLERANCE, Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import autoencoding_error


def _rhs(graph: MaskGraph, h: np.ndarray, h_g: np.ndarray, targets: np.ndarray) -> float:
    return asymmetric_alignment(graph, h, h_g) - autoencoding_error(graph, h_g, targets) + 1.0


def _norms_at_least_one(graph: MaskGraph, h: np.ndarray, h_g: np.ndarray) -> tuple[bool, str]:
    average = 0.5 * (mean_square(graph.degrees[0], h) + mean_square(graph.degrees[1], h_g))
    return average >= 1.0 - ROUNDING_TOLERANCE, f"½(E‖h‖² + E‖h_g‖²) = {average:.6g}, at least 1 is needed"


def _scale(graph: MaskGraph, h: np.ndarray, h_g: np.ndarray, targets: np.ndarray) -> float:
    d1, d2 = graph.degrees
    return 1.0 + mean_square(d1, h) + mean_square(d2, h_g) + mean_square(d2, targets)


def normalise_rows(rows: np.ndarray) -> np.ndarray:
    """Scale every row to norm one; a zero row becomes the first unit vector."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(norms > 0, rows / np.where(norms > 0, norms, 1.0), np.eye(1, rows.shape[1]))


def _conform(world: dict[str, Any]) -> Objects:
    return {**world, "h": normalise_rows(world["h"]), "h_g": normalise_rows(world["h_g"])}


def tight() -> Objects:
    """Return two components, h constant on each, any h_g of unit norm, and targets midway; no loss is zero."""
    graph = MaskGraph.from_joint([[0.1, 0.2, 0.0], [0.15, 0.05, 0.0], [0.0, 0.0, 0.5]])
    h = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    angle = np.array([0.3, 1.1, 2.0])
    h_g = np.stack([np.cos(angle), np.sin(angle)], 1)
    return {"graph": graph, "h": h, "h_g": h_g, "targets": (h[[0, 0, 2]] + h_g) / 2}


def broken() -> dict[str, Objects]:
    """Return predictions of norm zero: all errors vanish, so that the constant 1 is not attained."""
    world = dict(tight())
    return {"unit norms": {**world, "h": 0.0 * world["h"], "h_g": 0.0 * world["h_g"], "targets": np.zeros((3, 2))}}


THEOREM = Theorem(
    slug="reconstruction-bounds-asymmetric-alignment",
    statement="L_MAE(h) >= L_asym(h) - ε + 1",
    reference="Zhang, Wang and Wang 2022, theorem 3.2 (role printed, constant ours)",
    objects=("h", "h_g", "targets"),
    lhs=reconstruction_loss,
    rhs=_rhs,
    assumptions={"unit norms": _norms_at_least_one},
    scale=_scale,
    trivial=0.0,
    tight=tight,
    broken=broken,
    conform=_conform,
)
