"""A fully collapsed encoder has a reconstruction loss of at least the variance of the targets.

Setting
-------
f ≡ c for all views (full collapse), so the decoder g receives only c and perhaps which patches it must predict. x₂ is
embedded in one space for all masks: zero-filled in the image, or packed in patch order. The variance depends on that
choice, which must be stated.

Assumptions
-----------
``features are collapsed``: f(x₁) is the same for every view.
``position-blind decoder``: h depends on the view through f alone. A real decoder receives the mask, and then the
printed bound can fail: the single image (0, 1), one of two patches hidden and packed, has Var(x₂) = ¼ and a decoder
that knows the position attains 0.

Claim
-----
L_MAE(h) ≥ Var(x₂) = E‖x₂ − E x₂‖². For every decoder that receives c and the mask m,
L_MAE(h) ≥ E_m Var(x₂ | m), which is ≤ Var(x₂) and the same in every embedding: the second theorem here, which assumes
``decoder sees the mask alone`` instead.

Slack
-----
Exactly ‖h − E x₂‖², respectively E‖h_m − E[x₂ | m]‖².

Tight when
----------
h is the mean target, respectively the mean target of each mask.

Reference
---------
Zhang, Wang and Wang 2022, theorem 3.6 and equation 9: printed. The position-aware form is ours.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import block_diag
from scipy.sparse.csgraph import connected_components

from maetheory.core import Estimate
from maetheory.graph import MaskGraph
from maetheory.graph.functionals import reconstruction_loss, target_variance, target_variance_given_mask
from maetheory.theory.propagated_errors import square_error
from maetheory.theory.theorem import ROUNDING_TOLERANCE, Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import reconstruction_scale


def _first_of_group(rows: np.ndarray, group: np.ndarray) -> np.ndarray:
    """First row of the group of each row."""
    _, first, member = np.unique(group, return_index=True, return_inverse=True)
    return rows[first[member.ravel()]]


def _equal_within_groups(rows: np.ndarray, group: np.ndarray) -> tuple[bool, float]:
    """Whether rows equal the first row of their group up to its rounding error, and their largest difference."""
    reference = _first_of_group(rows, group)
    off, size = (np.abs(values).max(1, initial=0.0) for values in (rows - reference, reference))
    return bool((off <= ROUNDING_TOLERANCE * size).all()), float(off.max(initial=0.0))


def _is_collapsed(features: np.ndarray) -> tuple[bool, str]:
    holds, spread = _equal_within_groups(features, np.zeros(len(features)))
    return holds, f"features differ by up to {spread:.3g}, 0 is needed"


def _feature_groups(features: np.ndarray) -> np.ndarray:
    """Index of each view's features among the distinct ones, shape (N1,); all 0 if the features count as collapsed.

    Otherwise features that differ only by rounding error would identify the view, and both assumptions would hold.
    """
    if _is_collapsed(features)[0]:
        return np.zeros(len(features), int)
    return np.unique(features, axis=0, return_inverse=True)[1].ravel()


def _is_position_blind(features: np.ndarray, h: np.ndarray) -> tuple[bool, str]:
    holds, spread = _equal_within_groups(h, _feature_groups(features))
    return holds, f"views of equal features get predictions that differ by up to {spread:.3g}, 0 is needed"


def _target_masks(graph: MaskGraph, masks: np.ndarray | None) -> np.ndarray:
    return graph.target_masks if masks is None else masks


def _groups_given_the_mask(graph: MaskGraph, features: np.ndarray, masks: np.ndarray | None) -> np.ndarray:
    """Index of features and mask of each pair of view and target, shape (pairs,)."""
    x1, x2 = graph.joint.tocoo().coords
    seen = np.column_stack([_feature_groups(features)[x1], _target_masks(graph, masks)[x2]])  # (pairs, 2)
    return np.unique(seen, axis=0, return_inverse=True)[1].ravel()


def _depends_on_mask_alone(
    graph: MaskGraph, features: np.ndarray, h: np.ndarray, masks: np.ndarray | None = None
) -> tuple[bool, str]:
    shown = h[graph.joint.tocoo().coords[0]]
    holds, spread = _equal_within_groups(shown, _groups_given_the_mask(graph, features, masks))
    return holds, f"views of equal features and mask get predictions that differ by up to {spread:.3g}, 0 is needed"


def _loss(graph: MaskGraph, features: np.ndarray, h: np.ndarray, targets: np.ndarray) -> Estimate:
    """L_MAE, whose error covers the loss of the decoder that is position-blind exactly."""
    away = ((h - _first_of_group(h, _feature_groups(features))) ** 2).sum(1)  # (N1,)
    return _with_distance(reconstruction_loss(graph, h, targets), float(graph.degrees[0] @ away))


def _loss_given_the_mask(
    graph: MaskGraph, features: np.ndarray, h: np.ndarray, targets: np.ndarray, masks: np.ndarray | None = None
) -> Estimate:
    """L_MAE, whose error covers the loss of the decoder that depends on the mask alone exactly."""
    pairs = graph.joint.tocoo()
    shown = h[pairs.coords[0]]
    away = ((shown - _first_of_group(shown, _groups_given_the_mask(graph, features, masks))) ** 2).sum(1)  # (pairs,)
    return _with_distance(reconstruction_loss(graph, h, targets), float(pairs.data @ away))


def _with_distance(loss: float, square: float) -> Estimate:
    return Estimate(loss, square_error(loss, math.sqrt(square)))


def _conform(world: dict[str, Any]) -> Objects:
    constant = {name: np.repeat(world[name][:1], len(world[name]), 0) for name in ("features", "h")}
    return {**world, **constant}


def _conform_given_the_mask(world: dict[str, Any]) -> Objects:
    """Make f constant, and h constant on views that share a mask, directly or through other views."""
    graph, features, h = world["graph"], world["features"], world["h"]
    x1, x2 = graph.joint.tocoo().coords
    shown = sparse.csr_array((np.ones(len(x1)), (x1, _target_masks(graph, world.get("masks"))[x2])))  # (N1, m)
    group = connected_components(shown @ shown.T, directed=False)[1]
    first = np.unique(group, return_index=True)[1]
    return {**world, "features": np.repeat(features[:1], len(features), 0), "h": h[first[group]]}


def _sample_given_the_mask(rng: np.random.Generator) -> Objects:
    """Draw up to three masks with up to three views and targets each."""
    blocks = [rng.random(rng.integers(1, 4, 2)) + 1e-3 for _ in range(rng.integers(1, 4))]
    joint = block_diag(*blocks)
    (n1, n2), d = joint.shape, rng.integers(1, 4)
    return {
        "graph": MaskGraph.from_joint(joint / joint.sum()),
        "features": np.ones((n1, 1)),
        "h": rng.normal(size=(n1, d)),
        "targets": rng.normal(size=(n2, d)),
        "masks": np.repeat(np.arange(len(blocks)), [block.shape[1] for block in blocks]),
    }


def tight() -> Objects:
    """Return h ≡ E x₂ on a graph of three views and three targets."""
    graph = MaskGraph.from_joint([[0.1, 0.2, 0.0], [0.15, 0.05, 0.1], [0.0, 0.2, 0.2]])
    targets = np.array([[1.0, 0.0], [0.0, 3.0], [-2.0, 1.0]])
    mean = graph.degrees[1] @ targets
    return {"graph": graph, "features": np.ones((3, 1)), "h": np.tile(mean, (3, 1)), "targets": targets}


def one_image_of_two_patches() -> Objects:
    """Return the image (0, 1) with one patch hidden and packed: a decoder that knows which one attains 0 at f ≡ c."""
    graph = MaskGraph.from_joint([[0.5, 0.0], [0.0, 0.5]])
    targets = np.array([[1.0], [0.0]])
    return {"graph": graph, "features": np.ones((2, 1)), "h": targets.copy(), "targets": targets}


def broken() -> dict[str, Objects]:
    """Return an encoder that has not collapsed, and a decoder that knows the position."""
    world = one_image_of_two_patches()
    return {
        "features are collapsed": {**world, "features": np.array([[1.0], [2.0]])},
        "position-blind decoder": world,
    }


def tight_given_the_mask() -> Objects:
    """Return two masks with two images each, h the mean target of its mask."""
    joint = np.zeros((4, 4))
    joint[:2, :2], joint[2:, 2:] = [[0.2, 0.1], [0.1, 0.1]], [[0.05, 0.15], [0.2, 0.1]]
    graph = MaskGraph.from_joint(joint)
    targets, masks = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 2.0], [0.0, -1.0]]), np.array([0, 0, 1, 1])
    means = [np.average(targets[masks == m], axis=0, weights=graph.degrees[1][masks == m]) for m in masks]
    return {"graph": graph, "features": np.ones((4, 1)), "h": np.array(means), "targets": targets, "masks": masks}


def broken_given_the_mask() -> dict[str, Objects]:
    """Return an encoder that separates two views of one mask, and a decoder that separates them at f ≡ c."""
    joint, x2 = np.diag([0.5, 0.5]), np.array([[1.0], [0.0]])
    world = {"graph": MaskGraph.from_joint(joint), "h": x2, "targets": x2, "masks": np.array([0, 0])}
    return {
        "features are collapsed": {**world, "features": x2},
        "decoder sees the mask alone": {**world, "features": np.ones((2, 1))},
    }


THEOREM = Theorem(
    slug="full-collapse-costs-variance",
    statement="f ≡ c implies L_MAE(h) >= Var(x₂)",
    reference="Zhang, Wang and Wang 2022, theorem 3.6, equation 9 (printed)",
    objects=("features", "h", "targets"),
    lhs=_loss,
    rhs=target_variance,
    assumptions={"features are collapsed": _is_collapsed, "position-blind decoder": _is_position_blind},
    size=reconstruction_scale,
    trivial=0.0,
    tight=tight,
    broken=broken,
    conform=_conform,
)

GIVEN_THE_MASK = Theorem(
    slug="full-collapse-costs-variance-given-the-mask",
    statement="f ≡ c implies L_MAE(h) >= E_m Var(x₂ | m), also if the decoder knows the mask m",
    reference="The position-aware form of Zhang, Wang and Wang 2022, theorem 3.6 (ours)",
    objects=("features", "h", "targets"),
    optional=("masks",),
    lhs=_loss_given_the_mask,
    rhs=target_variance_given_mask,
    assumptions={"features are collapsed": _is_collapsed, "decoder sees the mask alone": _depends_on_mask_alone},
    size=reconstruction_scale,
    trivial=0.0,
    tight=tight_given_the_mask,
    broken=broken_given_the_mask,
    conform=_conform_given_the_mask,
    sample=_sample_given_the_mask,
)
