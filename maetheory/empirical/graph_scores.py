"""Scores of a mask graph: label errors, eigenvalues and bounds on the error of probes on its spectral features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import final

import numpy as np

from maetheory.empirical.tokens.interval_estimate import (
    ROUNDING_ERROR,
    IntervalEstimate,
    monotone_interval,
    residual_bound,
    student_half_width,
)

_UNBOUNDED = ("residual_bound", "image_bound")


@final
@dataclass(frozen=True)
class BoundInputs:
    """Label errors and eigenvalues from which the bounds under one mask are computed.

    Attributes
    ----------
    pair_label_error, view_label_error : IntervalEstimate
        φ and α.
    graph_pair_label_error : IntervalEstimate
        φ of the graph itself, self pairs included, which enters S3 (i) and (iii).
    eigenvalues : tuple of IntervalEstimate
        λ₁..λ_{k+r}, descending; 0 beyond.
    masses : ndarray, shape (r,)
        Class masses, descending.
    k : int
    """

    pair_label_error: IntervalEstimate
    view_label_error: IntervalEstimate
    graph_pair_label_error: IntervalEstimate
    eigenvalues: tuple[IntervalEstimate, ...]
    masses: np.ndarray
    k: int


@final
@dataclass(frozen=True)
class GraphScores:
    """Quantities of a mask graph that the theory relates to the error of a probe, each a mean over masks.

    Attributes
    ----------
    pair_label_error : IntervalEstimate
        φ: probability that two views that share a target differ in label.
    view_label_error : IntervalEstimate
        α: probability that a view's most probable label is not its image's.
    connectivity : IntervalEstimate
        1 − λ₂ under a mask: 0 if the graph is disconnected.
    next_eigenvalue : IntervalEstimate
        λ_{k+1}.
    residual_bound : IntervalEstimate
        φ/(1 − λ_{k+1}), S3 (i); vacuous from 1 on.
    certificate : IntervalEstimate
        S3 (iii) for the spectral features: the sharpest bound from φ, the eigenvalues and the class masses, at most 1.
    image_bound : IntervalEstimate
        4φ/(1 − λ_{k+1}) + 2α, S3 (i) for whole images.
    """

    pair_label_error: IntervalEstimate
    view_label_error: IntervalEstimate
    connectivity: IntervalEstimate
    next_eigenvalue: IntervalEstimate
    residual_bound: IntervalEstimate
    certificate: IntervalEstimate
    image_bound: IntervalEstimate


def graph_scores(parts: BoundInputs) -> GraphScores:
    """Compute the scores of one mask; the interval of a bound covers it if those of all its inputs cover theirs."""
    phi, alpha, graph_phi = parts.pair_label_error, parts.view_label_error, parts.graph_pair_label_error
    next_eigenvalue, second = parts.eigenvalues[parts.k], parts.eigenvalues[1]

    def certified(error: float, *values: float) -> float:
        return spectral_certificate(error, np.array(values), parts.masses, parts.k)

    return GraphScores(
        pair_label_error=phi,
        view_label_error=alpha,
        connectivity=IntervalEstimate(1 - second.value, 1 - second.high, 1 - second.low, second.decided, second.why),
        next_eigenvalue=next_eigenvalue,
        residual_bound=monotone_interval(residual_bound, graph_phi, next_eigenvalue),
        certificate=monotone_interval(certified, graph_phi, *parts.eigenvalues),
        image_bound=image_bound(phi, next_eigenvalue, alpha),
    )


def image_bound(phi: IntervalEstimate, next_eigenvalue: IntervalEstimate, alpha: IntervalEstimate) -> IntervalEstimate:
    """Return the interval of 4φ/(1 − λ_{k+1}) + 2α, S3 (i), which increases in all three.

    Examples
    --------
    >>> zero, half, one = (IntervalEstimate(end, end, end, True, "") for end in (0.0, 0.5, 1.0))
    >>> image_bound(zero, zero, half).value, image_bound(half, one, zero).value
    (1.0, inf)
    """
    return monotone_interval(lambda p, v, a: 4 * residual_bound(p, v) + 2 * a, phi, next_eigenvalue, alpha)


def spectral_certificate(phi: float, eigenvalues: np.ndarray, masses: np.ndarray, k: int) -> float:
    """Return min_{μ≥0} μφ + Σ_c p_(c) ν_c for the first k spectral features, S3 (iii).

    The eigenvalues of (I − P_k) − μ(I − Ā) are −μ(1 − λ_i) for i ≤ k and 1 − μ(1 − λ_i) beyond. The objective is convex
    and piecewise linear in μ, so its minimum is where two of them cross.

    Parameters
    ----------
    phi : float
    eigenvalues : ndarray, shape (at least k + r,)
        Of Ā, descending.
    masses : ndarray, shape (r,)
        Descending, of sum 1.
    k : int

    Examples
    --------
    >>> spectral_certificate(0.0, np.array([1.0, 1.0, 0.0]), np.array([0.5, 0.5]), 1)  # two components, one feature
    0.5
    """
    r = len(masses)
    kept, lost = eigenvalues[: min(r, k)], eigenvalues[k : k + r]
    gaps = (kept[:, None] - lost).ravel()
    crossings = np.concatenate([[0.0], 1 / gaps[gaps > ROUNDING_ERROR]])[:, None]  # (μ, 1)
    values = np.concatenate([-crossings * (1 - kept), 1 - crossings * (1 - lost)], axis=1)
    largest = -np.sort(-values, axis=1)[:, :r]  # (μ, r)
    return float(np.clip((crossings[:, 0] * phi + largest @ masses).min(), 0.0, 1.0))


def mean_scores(per_mask: Sequence[GraphScores]) -> GraphScores:
    """Average scores over masks drawn from a law: means of the intervals, widened by Student's half-width."""
    return GraphScores(
        **{
            field.name: mean_interval(
                [getattr(scores, field.name) for scores in per_mask], math.inf if field.name in _UNBOUNDED else 1.0
            )
            for field in fields(GraphScores)
        }
    )


def mean_interval(per_mask: Sequence[IntervalEstimate], maximum: float = math.inf) -> IntervalEstimate:
    """Return the mean over masks of a quantity from 0 to `maximum`, decided if it is decided under each mask.

    Examples
    --------
    >>> mean_interval([IntervalEstimate(0.25, 0.1, 0.4, True, ""), IntervalEstimate(0.75, 0.5, 0.9, True, "")]).value
    0.5
    """
    value, low, high = (np.array([getattr(one, end) for one in per_mask]) for end in ("value", "low", "high"))
    reasons = [one.why for one in per_mask if not one.decided]
    why = f"under {len(reasons)} of {len(per_mask)} masks: {reasons[0]}" if reasons else ""
    half_width = student_half_width(value) if np.isfinite(value).all() else 0.0
    least = max(float(low.mean()) - half_width, 0.0)
    largest = min(float(high.mean()) + half_width, maximum)
    return IntervalEstimate(float(value.mean()), least, largest, not reasons, why)
