"""The view error of a linear probe is at most twice its residual, the image error at most four times plus 2α.

Setting
-------
The least-squares head scores each view by its row of P_F Y; the best class is its prediction, and an image is given the
class that most of its views predict. Ties of scores and of votes count as errors. α = Pr[y(x₁) ≠ y(x̄)].

Assumptions
-----------
None beyond labels on the images.

Claim
-----
Pr[prediction ≠ y(x₁)] ≤ 2 ‖(I − P_F)Y‖_F², since a row whose best class is wrong is at least ½ away (squared) from its
label; and Pr[vote ≠ y(x̄)] ≤ 4 ‖(I − P_F)Y‖_F² + 2α, since at least half of an image's views must be wrong before the
vote is. Step (b) towards the downstream bound.

Slack
-----
No closed form.

Tight when
----------
Every error is a tie: two views of different classes with equal features, and images half of whose views are of this
kind.

Reference
---------
HaoChen et al. 2021; for masks a step of Zhang, Wang and Wang 2022, theorem 4.1; constants ours.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from maetheory.core import Estimate
from maetheory.graph import MaskGraph
from maetheory.theory.exact_probe import image_error, measured_residual, view_error
from maetheory.theory.theorem import Theorem, combine
from maetheory.theory.theorem_objects import Objects


def _twice_residual(graph: MaskGraph, features: np.ndarray) -> Estimate:
    return combine((2.0, measured_residual(graph, features)))


def _image_error_bound(graph: MaskGraph, features: np.ndarray) -> Estimate:
    return combine((4.0, measured_residual(graph, features)), (2.0, graph.label_error()))


def tight() -> Objects:
    """Return four images of two classes; half of the views of two images have features that both classes share."""
    view_of = np.array([[0.1, 0, 0.1, 0], [0, 0.1, 0, 0.1], [0, 0, 0.3, 0], [0, 0, 0, 0.3]])  # (images, views)
    target_of = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])  # (views, targets)
    law, shown = view_of.sum(0)[:, None] * target_of, view_of @ target_of
    labels = np.array([0, 1, 0, 1])
    graph = MaskGraph(sparse.csr_array(law), sparse.csr_array(view_of), sparse.csr_array(shown), labels)
    return {"graph": graph, "features": target_of.astype(float)}


VIEW_ERROR = Theorem(
    slug="probe-residual-bounds-view-error",
    statement="Pr[prediction != y(x₁)] <= 2 ‖(I - P_F)Y‖_F²",
    reference="A step of Zhang, Wang and Wang 2022, theorem 4.1, after HaoChen et al. 2021 (constants ours)",
    objects=("features",),
    lhs=view_error,
    rhs=_twice_residual,
    direction="<=",
    size=lambda: 1.0,
    trivial=1.0,
    tight=tight,
)

IMAGE_ERROR = Theorem(
    slug="probe-residual-bounds-image-error",
    statement="Pr[vote != y(x̄)] <= 4 ‖(I - P_F)Y‖_F² + 2α",
    reference="A step of Zhang, Wang and Wang 2022, theorem 4.1, after HaoChen et al. 2021 (constants ours)",
    objects=("features",),
    lhs=image_error,
    rhs=_image_error_bound,
    direction="<=",
    size=lambda: 1.0,
    trivial=1.0,
    tight=tight,
)
