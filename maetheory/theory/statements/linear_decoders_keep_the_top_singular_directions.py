"""The optimal features under a linear decoder are the top singular directions of the mask graph times the pixels.

Setting
-------
h = f W with k features f (N1, k) and a matrix W (k, d), no bias (append a constant feature for one). H, F and X₂ have
the rows √d₁ h(x₁), √d₁ f(x₁) and √d₂ x₂; s₁ ≥ s₂ ≥ … are the singular values of Ā_M X₂, whose rows are
√d₁ E[x₂ | x₁]; P_F projects on the columns of F.

Assumptions
-----------
``linear decoder``: h is a linear function of the features, measured as the part of H outside the columns of F.

Claim
-----
For every h, L_MAE(h) = ‖X₂‖_F² − ‖Ā_M X₂‖_F² + ‖H − Ā_M X₂‖_F². Hence, by Eckart and Young,
L_MAE(fW) ≥ ‖X₂‖_F² − Σ_{i≤k} s_i², and at given features L_MAE(fW) ≥ ‖X₂‖_F² − ‖P_F Ā_M X₂‖_F². At most dim(x₂)
dimensions are useful, and each direction of the graph counts by σ_i times its pixel energy, not by σ_i alone.

Slack
-----
‖H − Ā_M X₂‖_F² − Σ_{i>k} s_i²; at given features exactly ‖H − P_F Ā_M X₂‖_F². The identity has none.

Tight when
----------
F spans the top k left singular vectors of Ā_M X₂ and W is least squares; at given features for least squares.

Reference
---------
Ours; Eckart and Young 1936 and Izenman 1975 on reduced-rank regression.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from maetheory.core import Estimate, InputError
from maetheory.graph import MaskGraph
from maetheory.graph.functionals import best_prediction, irreducible_loss, mean_square, reconstruction_loss
from maetheory.theory.example_graphs import four_view_graph
from maetheory.theory.propagated_errors import projector_error, square_error
from maetheory.theory.theorem import ROUNDING_TOLERANCE, Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import column_basis, reconstruction_scale, weighted_rows


@dataclass(frozen=True)
class LinearDecoderOptimum:
    """Optimal features and linear decoder of width k, with their loss.

    Attributes
    ----------
    features : ndarray, shape (N1, k)
        E f fᵀ = I on the directions used, zero columns beyond; any invertible change of basis is as good.
    decoder : ndarray, shape (k, d)
    loss : float
        L_MAE(features @ decoder), the least over all encoders and linear decoders of width k.
    """

    features: np.ndarray
    decoder: np.ndarray
    loss: float


def linear_decoder_optimum(graph: MaskGraph, targets: np.ndarray, k: int) -> LinearDecoderOptimum:
    """Return the rank-k optimum in closed form; dense, for small graphs.

    Parameters
    ----------
    graph : MaskGraph
    targets : ndarray, shape (N2, d)
    k : int
        Number of features, at least 1.

    Raises
    ------
    InputError
        If `k` is not positive or `targets` does not have one row per target.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.5, 0.0], [0.0, 0.5]])
    >>> best = linear_decoder_optimum(graph, np.array([[2.0, 0.0], [0.0, 1.0]]), 1)
    >>> round(best.loss, 12), np.round(best.features @ best.decoder, 12).tolist()
    (0.5, [[2.0, 0.0], [0.0, 0.0]])
    """
    if k < 1:
        raise InputError(f"k must be at least 1 feature, but {k} was given")
    left, size, right = np.linalg.svd(_weighted_best_prediction(graph, targets), full_matrices=False)
    missing = max(0, k - len(size))
    features = np.pad(left[:, :k], ((0, 0), (0, missing))) / np.sqrt(graph.degrees[0])[:, None]  # (N1, k)
    decoder = np.pad(size[:k, None] * right[:k], ((0, missing), (0, 0)))  # (k, d)
    return LinearDecoderOptimum(features, decoder, _residual_energy(graph, targets, size[k:]))


def _weighted_best_prediction(graph: MaskGraph, targets: np.ndarray) -> np.ndarray:
    """Weighted best prediction Ā_M X₂ with the rows √d₁ E[x₂ | x₁], shape (N1, d)."""
    return weighted_rows(graph, best_prediction(graph, targets))


def _residual_energy(graph: MaskGraph, targets: np.ndarray, left_out: np.ndarray) -> float:
    """Loss ‖X₂‖_F² − Σ_{i≤k} s_i² as a sum of squares, from the singular values s_i, i > k."""
    return irreducible_loss(graph, targets) + float((left_out**2).sum())


def _loss_by_coordinates(graph: MaskGraph, h: np.ndarray, targets: np.ndarray) -> float:
    aim = _weighted_best_prediction(graph, targets)
    away = float(((weighted_rows(graph, h) - aim) ** 2).sum())
    return mean_square(graph.degrees[1], targets) - float((aim**2).sum()) + away


def _optimum_at_rank(graph: MaskGraph, features: np.ndarray, targets: np.ndarray) -> float:
    size = np.linalg.svd(_weighted_best_prediction(graph, targets), compute_uv=False)
    return _residual_energy(graph, targets, size[features.shape[1] :])


def _optimum_for_features(graph: MaskGraph, features: np.ndarray, targets: np.ndarray) -> Estimate:
    aim, basis = _weighted_best_prediction(graph, targets), column_basis(weighted_rows(graph, features))
    left = float(((aim - basis @ (basis.T @ aim)) ** 2).sum())
    return Estimate(
        irreducible_loss(graph, targets) + left, square_error(left, _projection_error(graph, features, aim))
    )


def _projection_error(graph: MaskGraph, features: np.ndarray, rows: np.ndarray) -> float:
    """Rounding error of P_F applied to rows, which grows as the features become dependent."""
    return projector_error(weighted_rows(graph, features)) * float(np.linalg.norm(rows))


def _part_outside_features(graph: MaskGraph, features: np.ndarray, h: np.ndarray) -> float:
    """Norm ‖H − P_F H‖_F."""
    rows, basis = weighted_rows(graph, h), column_basis(weighted_rows(graph, features))
    return float(np.linalg.norm(rows - basis @ (basis.T @ rows)))


def _loss(graph: MaskGraph, features: np.ndarray, h: np.ndarray, targets: np.ndarray) -> Estimate:
    """L_MAE, whose error covers the loss of the nearest h that is linear in the features exactly."""
    loss, rounding = reconstruction_loss(graph, h, targets), _projection_error(graph, features, weighted_rows(graph, h))
    return Estimate(loss, square_error(loss, _part_outside_features(graph, features, h) + rounding))


def _is_linear_decoder(graph: MaskGraph, features: np.ndarray, h: np.ndarray) -> tuple[bool, str]:
    outside, size = _part_outside_features(graph, features, h), float(np.linalg.norm(weighted_rows(graph, h)))
    return outside <= ROUNDING_TOLERANCE * size, f"‖H - P_F H‖_F = {outside:.3g} of ‖H‖_F = {size:.3g}, 0 is needed"


def _conform(world: dict[str, Any]) -> Objects:
    graph, basis = world["graph"], column_basis(weighted_rows(world["graph"], world["features"]))
    rows = basis @ (basis.T @ weighted_rows(graph, world["h"]))  # (N1, rank) @ (rank, N1) @ (N1, d)
    return {**world, "h": rows / np.sqrt(graph.degrees[0])[:, None]}


def _example() -> tuple[MaskGraph, np.ndarray]:
    graph = four_view_graph()
    return graph, np.array([[1.0, 0.0, 2.0], [0.0, -1.0, 1.0], [-2.0, 1.0, 0.5]])


def tight() -> Objects:
    """Return the best two features of a world whose best prediction has rank three."""
    graph, targets = _example()
    best = linear_decoder_optimum(graph, targets, 2)
    return {"graph": graph, "features": best.features, "h": best.features @ best.decoder, "targets": targets}


def tight_given_features() -> Objects:
    """Return two features that are not the best, with their least-squares decoder."""
    graph, targets = _example()
    features = np.array([[1.0, 0.3], [-0.5, 2.0], [0.2, 0.1], [1.5, -1.0]])
    aim = {"graph": graph, "features": features, "h": best_prediction(graph, targets)}
    return {**_conform(aim), "targets": targets}


def tight_identity() -> Objects:
    """Return arbitrary predictions: the identity holds for all."""
    graph, targets = _example()
    h = np.array([[1.0, 0.0, 1.0], [0.0, 2.0, 0.0], [-1.0, 0.5, 0.0], [0.3, 0.3, 0.3]])
    return {"graph": graph, "h": h, "targets": targets}


def broken() -> dict[str, Objects]:
    """Return one feature, ±1, whose nonlinear decoder predicts two directions without error."""
    graph = MaskGraph.from_joint([[0.5, 0.0], [0.0, 0.5]])
    world = {"graph": graph, "features": np.array([[1.0], [-1.0]]), "h": np.eye(2), "targets": np.eye(2)}
    return {"linear decoder": world}


THEOREM = Theorem(
    slug="linear-decoder-optimum",
    statement="L_MAE(fW) >= ‖X₂‖_F² - Σ_{i<=k} s_i(Ā_M X₂)²",
    reference="Ours, after Eckart and Young 1936",
    objects=("features", "h", "targets"),
    lhs=_loss,
    rhs=_optimum_at_rank,
    assumptions={"linear decoder": _is_linear_decoder},
    size=reconstruction_scale,
    trivial=0.0,
    tight=tight,
    broken=broken,
    conform=_conform,
)

GIVEN_FEATURES = Theorem(
    slug="linear-decoder-optimum-given-features",
    statement="L_MAE(fW) >= ‖X₂‖_F² - ‖P_F Ā_M X₂‖_F²",
    reference="Ours; least squares",
    objects=("features", "h", "targets"),
    lhs=_loss,
    rhs=_optimum_for_features,
    assumptions={"linear decoder": _is_linear_decoder},
    size=reconstruction_scale,
    trivial=0.0,
    tight=tight_given_features,
    broken=broken,
    conform=_conform,
)

LOSS = Theorem(
    slug="linear-decoder-loss",
    statement="L_MAE(h) == ‖X₂‖_F² - ‖Ā_M X₂‖_F² + ‖H - Ā_M X₂‖_F²",
    reference="Ours",
    objects=("h", "targets"),
    lhs=reconstruction_loss,
    rhs=_loss_by_coordinates,
    direction="==",
    scale=reconstruction_scale,
    offsets=(("targets", "h"),),
    tight=tight_identity,
)
