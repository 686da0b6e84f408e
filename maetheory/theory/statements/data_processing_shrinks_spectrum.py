"""Data-processing inequality: a channel applied to the targets shrinks the spectrum in the Loewner order.

Setting
-------
M is the joint law of view and target with Bayes labels y(x₁). ``channel`` K (N2, T) replaces each target by one of T
outcomes, drawn from its row; ``view_channel`` (N1, T₁) does the same to views. λ_i and σ_i descend and are 0 beyond the
smaller side. Hiding fewer patches of the same view, dropping positions and quantising are channels.

Assumptions
-----------
The rows of every channel are laws: non-negative, each summing to one.

Claim
-----
Ā_{MK} ⪯ Ā_M in the Loewner order, read on the complement of √d₁, where both have eigenvalue 1. So no λ_i increases.
With channels on both sides no σ_i increases; hence σ_i with positions dropped is at most σ_i with positions kept. φ
does not decrease under a channel on targets. Proof: D₂^½ K D₂'^-½ is a conditional expectation, so its norm is at most
1, and Ā_{MK} = Ā_M (D₂^½ K D₂'^-½)(·)ᵀ Ā_Mᵀ. For φ: 1 − φ = Σ_c y_cᵀ Ā y_c with y_c = √d₁ 1[y = c].

Slack
-----
The smallest eigenvalue of Ā_M − Ā_{MK} orthogonal to √d₁; the smallest decrease of a σ_i, i ≥ 2; the increase of φ.

Tight when
----------
The channel loses no information about the view: it merges targets with proportional columns of M, or splits targets.

Reference
---------
Ours; the data processing inequality for maximal correlation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from maetheory.core import Estimate
from maetheory.graph import MaskGraph
from maetheory.graph.labels import pair_label_disagreement
from maetheory.theory.theorem import ROUNDING_TOLERANCE, Theorem
from maetheory.theory.theorem_objects import Objects


def _is_law(rows: np.ndarray) -> tuple[bool, str]:
    least, off = float(rows.min()), float(np.abs(rows.sum(1) - 1).max())
    return least >= 0 and off <= ROUNDING_TOLERANCE, f"least entry {least:.3g}, rows sum to one within {off:.3g}"


def _targets_are_sent_by_a_law(channel: np.ndarray) -> tuple[bool, str]:
    return _is_law(channel)


def _views_are_sent_by_a_law(view_channel: np.ndarray) -> tuple[bool, str]:
    return _is_law(view_channel)


def normalised(joint: np.ndarray) -> np.ndarray:
    """Normalised matrix D₁^-½ M D₂^-½ of a dense law, with 0^-½ := 0, shape (N1, N2)."""
    scales = []
    for axis in (1, 0):
        degrees = np.maximum(joint.sum(axis), 0.0)
        scales.append(np.divide(1.0, np.sqrt(degrees), out=np.zeros_like(degrees), where=degrees > 0))
    return scales[0][:, None] * joint * scales[1]


def _loewner_gap(graph: MaskGraph, channel: np.ndarray) -> float:
    """Smallest eigenvalue of Ā_M − Ā_{MK} on the complement of √d₁; 0 for a single view."""
    before = graph.normalized_matrix.toarray()
    after = normalised(graph.joint @ channel)
    rest = np.linalg.svd(np.sqrt(graph.degrees[0])[:, None])[0][:, 1:]  # (N1, N1 - 1)
    difference = rest.T @ (before @ before.T - after @ after.T) @ rest
    return float(np.linalg.eigvalsh(difference)[0]) if difference.size else 0.0


def _largest_rise(graph: MaskGraph, channel: np.ndarray, view_channel: np.ndarray) -> float:
    """Largest σ_i(KᵀMK') − σ_i(M) over i from 2 to the largest possible rank; 0 if there is no such i."""
    before = np.linalg.svd(graph.normalized_matrix.toarray(), compute_uv=False)
    after = np.linalg.svd(normalised(view_channel.T @ (graph.joint @ channel)), compute_uv=False)
    size = max(len(before), len(after))
    rises = np.pad(after, (0, size - len(after))) - np.pad(before, (0, size - len(before)))
    return float(rises[1:].max(initial=-np.inf)) if size > 1 else 0.0


def _pair_error(graph: MaskGraph) -> Estimate:
    return graph.pair_label_error()


def _pair_error_after(graph: MaskGraph, channel: np.ndarray) -> Estimate:
    """Pair error φ = Σ_t (1 − Σ_c P(c|t)²) P(t) of the processed graph, with the view labels unchanged."""
    law = graph.joint @ np.maximum(channel, 0.0)  # (N1, T)
    return pair_label_disagreement(sparse.csr_array(law[:, law.sum(0) > 0]), graph.view_labels)


def _conform(objects: dict[str, Any]) -> Objects:
    """Turn every channel into a law: take absolute values and divide rows by their sums."""
    changed: dict[str, Any] = {}
    for name in ("channel", "view_channel"):
        if name in objects:
            rows = np.abs(objects[name]) + 1e-12
            changed[name] = rows / rows.sum(1, keepdims=True)
    return {**objects, **changed}


def _graph() -> MaskGraph:
    return MaskGraph.from_joint([[0.2, 0.1, 0.05], [0.05, 0.025, 0.2], [0.125, 0.0625, 0.1875]], np.array([0, 1, 1]))


def tight() -> Objects:
    """Return a channel that merges two targets with proportional columns and splits the third at random."""
    return {"graph": _graph(), "channel": np.array([[1.0, 0, 0], [1, 0, 0], [0, 0.3, 0.7]])}


def tight_on_both_sides() -> Objects:
    """Return the same channel on targets and one that splits the first view."""
    return {**tight(), "view_channel": np.array([[0.4, 0.6, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])}


def _broken() -> dict[str, Objects]:
    channel = np.array([[1.2, -0.2, 0], [0, 1, 0], [0, 0, 1]])
    return {"targets are sent by a law": {"graph": _graph(), "channel": channel}}


def _broken_on_both_sides() -> dict[str, Objects]:
    target, view = "targets are sent by a law", "views are sent by a law"
    return {
        target: {**tight_on_both_sides(), **_broken()[target]},
        view: {**tight_on_both_sides(), "view_channel": 2 * np.eye(3)},
    }


THEOREM = Theorem(
    slug="data-processing-shrinks-spectrum",
    statement="the least eigenvalue of Ā_M - Ā_{MK} beside √d₁ >= 0",
    reference="Ours",
    objects=("channel",),
    shapes={"channel": ("N2", "T")},
    lhs=_loewner_gap,
    rhs=lambda: 0.0,
    scale=lambda: 1.0,
    assumptions={"targets are sent by a law": _targets_are_sent_by_a_law},
    tight=tight,
    broken=_broken,
    conform=_conform,
)

BOTH_SIDES = Theorem(
    slug="channels-on-both-sides-shrink-singular-values",
    statement="max_{i>=2} σ_i(processed) - σ_i <= 0",
    reference="Ours",
    objects=("channel", "view_channel"),
    shapes={"channel": ("N2", "T"), "view_channel": ("N1", "T1")},
    lhs=_largest_rise,
    rhs=lambda: 0.0,
    direction="<=",
    scale=lambda: 1.0,
    assumptions={
        "targets are sent by a law": _targets_are_sent_by_a_law,
        "views are sent by a law": _views_are_sent_by_a_law,
    },
    tight=tight_on_both_sides,
    broken=_broken_on_both_sides,
    conform=_conform,
)

PAIR_ERROR = Theorem(
    slug="data-processing-raises-pair-error",
    statement="φ(M) <= φ(MK)",
    reference="Ours",
    objects=("channel",),
    shapes={"channel": ("N2", "T")},
    lhs=_pair_error,
    rhs=_pair_error_after,
    direction="<=",
    trivial=1.0,
    assumptions={"targets are sent by a law": _targets_are_sent_by_a_law},
    tight=tight,
    broken=_broken,
    conform=_conform,
)
