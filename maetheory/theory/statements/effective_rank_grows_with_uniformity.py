"""The effective rank of the optimal features does not decrease with the weight of the uniformity penalty.

Setting
-------
L_U-MAE(h) = L_MAE(h) + λ L_unif(f), h = g∘f, f with k features and τ = E‖f‖², the weight λ given. λ_1 ≥ λ_2 ≥ … are the
eigenvalues of Ā; s_i those of FFᵀ. τ is measured.

Assumptions
-----------
``bi-Lipschitz decoder``: ‖f − f⁺‖² ≤ L ‖h − h⁺‖² on every positive pair, with a finite L; measured if not given.
``heavier weight`` (of the second to fourth theorem): the second weight is not below the first.

Claim
-----
L_U-MAE(h) ≥ λ Σ s_i² + (1/L) Σ s_i (1 − λ_i) at s_i = (λ_i/(2λL) − μ)_+ for i ≤ k, with μ such that Σ s_i = τ. Proof:
L_MAE ≥ ½ E‖h − h⁺‖² ≥ (1/2L) E‖f − f⁺‖² = (1/L)(τ − tr FᵀĀF), L_unif = Σ s_i², and tr FᵀĀF ≤ Σ s_i λ_i by von
Neumann's trace inequality; the right side is convex in s and water-filling minimises it.
The second to fourth theorem: effective rank exp H(s/τ), participation ratio τ²/Σ s_i² and stable rank τ/s_1 of that s
do not fall as λ grows. Proof: s_i/s_j = (λ_i − κ)/(λ_j − κ) with κ = 2λLμ rises in κ for λ_i > λ_j, and κ falls as λ
grows because Σ (λ_i − κ)_+ = 2λLτ; so s/τ at the lighter weight majorises s/τ at the heavier, and all three are
Schur-concave. They go from min(k, number of components) at λ → 0 to k at λ → ∞.

Slack
-----
Sum of the slacks of the alignment split, the decoder assumption and von Neumann's inequality; no closed form.

Tight when
----------
F = V diag(√s), g(z) = z/√L and targets E[h|x₂]: every graph has such a world. The ranks are constant where s is, for
instance if the leading k eigenvalues agree.

Reference
---------
Ours; the form of Zhang, Wang and Wang 2022, theorem 4.2, that is not vacuous.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from maetheory.core import Estimate, InputError
from maetheory.graph import MaskGraph
from maetheory.graph.functionals import mean_square
from maetheory.theory.example_graphs import four_view_graph
from maetheory.theory.propagated_errors import eigenvalue_error, estimate_between
from maetheory.theory.statements.reconstruction_bounds_encoder_alignment import DECODER_CONSTANT, bi_lipschitz
from maetheory.theory.statements.reconstruction_bounds_encoder_alignment import broken as merged
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import eigenvalues, reconstruction_scale, umae_loss

_EPS = float(np.finfo(float).eps)


def predicted_spectrum(lam: np.ndarray, *, weight: float, lipschitz: float, energy: float) -> np.ndarray:
    """Eigenvalues of FFᵀ at the minimiser, shape (k,), by exact water-filling; they sum to `energy`.

    Parameters
    ----------
    lam : ndarray, shape (k,)
        The leading k eigenvalues of Ā, descending.
    weight, lipschitz : float
        λ and L, positive.
    energy : float
        τ = E‖f‖², not negative.

    Raises
    ------
    InputError
        If a number is out of range, or `lam` is empty or not descending.

    Examples
    --------
    >>> predicted_spectrum(np.array([1.0, 0.5, 0.0]), weight=0.5, lipschitz=1.0, energy=1.0).tolist()
    [0.75, 0.25, 0.0]
    """
    lam = np.asarray(lam, float)
    if lam.ndim != 1 or not lam.size or np.any(np.diff(lam) > 0):
        raise InputError("lam must be a descending vector of at least one eigenvalue")
    if not (weight > 0 and lipschitz > 0 and energy >= 0):
        raise InputError(
            f"weight and lipschitz must be positive and energy not negative, but they are "
            f"{weight}, {lipschitz} and {energy}"
        )
    heights = (lam - lam[0]) / (2 * weight * lipschitz)  # (k,)
    levels = (np.cumsum(heights) - energy) / np.arange(1, len(lam) + 1)  # (k,)
    wet = max(int((heights > levels).sum()), 1)
    return np.maximum(heights - levels[wet - 1], 0.0)


def rank_measures(spectrum: np.ndarray) -> dict[str, float]:
    """Effective rank, participation ratio and stable rank of FFᵀ with these eigenvalues; 0 if all are 0.

    Examples
    --------
    >>> {name: round(value, 9) for name, value in rank_measures(np.array([1.0, 1.0, 0.0])).items()}
    {'effective rank': 2.0, 'participation ratio': 2.0, 'stable rank': 2.0}
    """
    total = float(np.sum(spectrum))
    if total == 0.0:
        return {"effective rank": 0.0, "participation ratio": 0.0, "stable rank": 0.0}
    share = spectrum / total
    used = share[share > 0]
    return {
        "effective rank": math.exp(-float(used @ np.log(used))),
        "participation ratio": 1 / float(share @ share),
        "stable rank": 1 / float(share.max()),
    }


def minimiser(graph: MaskGraph, k: int, *, weight: float, lipschitz: float, energy: float) -> np.ndarray:
    """Features f, shape (N1, k) with k ≤ N1, that attain the bound; dense, for small graphs."""
    left, _, _ = np.linalg.svd(graph.normalized_matrix.toarray())
    size = predicted_spectrum(eigenvalues(graph, k), weight=weight, lipschitz=lipschitz, energy=energy)
    return left[:, :k] * np.sqrt(size) / np.sqrt(graph.degrees[0])[:, None]


def _water_filling_spectrum(
    graph: MaskGraph, features: np.ndarray, weight: float, lipschitz: float
) -> tuple[np.ndarray, np.ndarray]:
    lam = np.minimum(eigenvalues(graph, features.shape[1]), 1.0)
    energy = mean_square(graph.degrees[0], features)
    return lam, predicted_spectrum(lam, weight=weight, lipschitz=lipschitz, energy=energy)


def _rhs(graph: MaskGraph, features: np.ndarray, weight: float, lipschitz: float) -> Estimate:
    """Least value over s, in which an error of the eigenvalues counts at most as often as Σ s_i = τ."""
    lam, size = _water_filling_spectrum(graph, features, weight, lipschitz)
    value = weight * float(size @ size) + float(size @ (1 - lam)) / lipschitz
    return Estimate(value, eigenvalue_error(graph) * float(size.sum()) / lipschitz + 4 * _EPS * len(size) * value)


def _error_of_shares(graph: MaskGraph, size: np.ndarray, weight: float, lipschitz: float) -> float:
    """Bound on Σ |error of s_i/τ|: an error η of all heights λ_i/(2λL) moves each s_i by at most 2η."""
    height_error = eigenvalue_error(graph) / (2 * weight * lipschitz)
    total = float(size.sum())
    return len(size) * (2 * height_error / total + 4 * _EPS) if total > 0 else 0.0


def _with_error_of_shares(name: str, size: np.ndarray, error: float) -> Estimate:
    """Rank measure of a spectrum whose shares have this error in sum."""
    value, k, total = rank_measures(size)[name], len(size), float(np.sum(size))
    if total == 0.0 or error == 0.0:
        return Estimate(value)
    top, squares = float(size.max()) / total, float((size / total) @ (size / total))
    if name == "effective rank":
        return estimate_between(value, *(value * math.exp(sign * _entropy_change(error / 2, k)) for sign in (-1, 1)))
    middle, change = (top, error) if name == "stable rank" else (squares, error * (2 * top + error))
    return estimate_between(value, 1 / (middle + change), 1 / max(middle - change, 1 / k))


def _entropy_change(variation: float, k: int) -> float:
    """Largest change of the entropy of k shares at this distance in total variation (Audenaert 2007)."""
    if variation >= 1 - 1 / k:
        return math.log(k)
    binary = -variation * math.log(variation) - (1 - variation) * math.log1p(-variation)
    return min(variation * math.log(k - 1) + binary, math.log(k))


def _trivial_bound(graph: MaskGraph, features: np.ndarray, weight: float) -> float:
    """Bound without the theorem, from L_MAE ≥ 0 and L_unif ≥ τ²/min(k, N₁), as F has at most that rank."""
    return weight * mean_square(graph.degrees[0], features) ** 2 / min(features.shape)


def _terms(graph: MaskGraph, features: np.ndarray, weight: float, lipschitz: float) -> dict[str, float]:
    return rank_measures(_water_filling_spectrum(graph, features, weight, lipschitz)[1])


def tight() -> Objects:
    """Return the minimiser with three features on a connected graph, a linear decoder and the targets it predicts."""
    graph = four_view_graph()
    features = minimiser(graph, 3, weight=0.3, lipschitz=2.0, energy=1.5)
    h = features / math.sqrt(2.0)
    targets = graph.joint.T @ h / graph.degrees[1][:, None]
    return {"graph": graph, "features": features, "h": h, "targets": targets, "weight": 0.3, "lipschitz": 2.0}


def broken() -> dict[str, Objects]:
    """Return a decoder that merges two views which the encoder separates."""
    world = merged()["bi-Lipschitz decoder"]
    return {"bi-Lipschitz decoder": {**world, "weight": 1.0}}


THEOREM = Theorem(
    slug="effective-rank-grows-with-uniformity",
    statement="L_U-MAE(h) >= λ Σ s_i² + (1/L) Σ s_i (1 - λ_i), s by water-filling at Σ s_i = E‖f‖²",
    reference="Ours, on Zhang, Wang and Wang 2022, theorem 4.2",
    objects=("features", "h", "targets", "weight"),
    optional=("lipschitz",),
    derived=DECODER_CONSTANT,
    lhs=umae_loss,
    rhs=_rhs,
    assumptions={"bi-Lipschitz decoder": bi_lipschitz},
    size=reconstruction_scale,
    offsets=(("targets", "h"),),
    trivial=_trivial_bound,
    terms=_terms,
    tight=tight,
    broken=broken,
)


def _not_lighter(weight: float, heavier: float) -> tuple[bool, str]:
    return heavier >= weight, f"weights {weight:.6g} and {heavier:.6g}"


def _order_weights(world: dict[str, Any]) -> Objects:
    low, high = sorted((world["weight"], world["heavier"]))
    return {**world, "weight": low, "heavier": high}


def _world_with_stable_order() -> Objects:
    """Three views in two components: the two leading eigenvalues agree, so that s is uniform at every weight."""
    graph = MaskGraph.from_joint([[0.3, 0.0], [0.2, 0.0], [0.0, 0.5]])
    return {"graph": graph, "features": np.eye(3)[:, :2], "weight": 0.1, "heavier": 2.0}


def _monotone_theorem(name: str) -> Theorem:
    def minimiser_rank_at(weight: str) -> Callable[..., Estimate]:
        def minimiser_rank(graph: MaskGraph, features: np.ndarray, lipschitz: float, **world: Any) -> Estimate:
            size = _water_filling_spectrum(graph, features, world[weight], lipschitz)[1]
            return _with_error_of_shares(name, size, _error_of_shares(graph, size, world[weight], lipschitz))

        return minimiser_rank

    return Theorem(
        slug=f"{name.replace(' ', '-')}-of-the-minimiser-grows",
        statement=f"{name} of the minimiser at the heavier weight >= at the lighter",
        reference="Ours",
        objects=("features", "weight", "heavier"),
        optional=("lipschitz",),
        shapes={"heavier": ()},
        derived={"lipschitz": lambda: 1.0},
        lhs=minimiser_rank_at("heavier"),
        rhs=minimiser_rank_at("weight"),
        assumptions={"heavier weight": _not_lighter},
        tight=_world_with_stable_order,
        broken=lambda: {"heavier weight": {**_world_with_stable_order(), "heavier": 0.05}},
        conform=_order_weights,
    )


EFFECTIVE_RANK, PARTICIPATION_RATIO, STABLE_RANK = (
    _monotone_theorem(name) for name in ("effective rank", "participation ratio", "stable rank")
)
