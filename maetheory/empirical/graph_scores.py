"""Label errors and eigenvalues of a mask graph bound what any probe on its spectral features can lose."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import final

import numpy as np

from maetheory.empirical.tokens.intervals import IntervalEstimate, student_half_width

ROUNDING = 1e-12  # of an eigenvalue that is 1
_UNBOUNDED = ("residual_bound", "image_bound")


@final
@dataclass(frozen=True)
class BoundInputs:
    """What the bounds are made of, under one mask.

    Attributes
    ----------
    pair_label_error, view_label_error : Band
        φ and α.
    graph_pair_label_error : Band
        The φ that S3 (i) and (iii) need: of the graph as it stands.
    eigenvalues : tuple of Band
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
    """Numbers of a mask graph that the theory connects with the error of a probe, each a mean over masks.

    Attributes
    ----------
    pair_label_error : Band
        φ: how often two views that share a target differ in label.
    view_label_error : Band
        α: how often a view's likeliest label is not its image's.
    connectivity : Band
        1 − λ₂ under a mask: 0 where the graph falls apart.
    next_eigenvalue : Band
        λ_{k+1}.
    residual_bound : Band
        φ/(1 − λ_{k+1}), S3 (i); it says nothing from 1 on.
    certificate : Band
        S3 (iii) for the spectral features: the best that φ, the eigenvalues and the class masses allow, at most 1.
    image_bound : Band
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
    """Compute the scores of one mask; a bound's band covers it wherever those of all its parts cover theirs."""
    phi, alpha, graph_phi = parts.pair_label_error, parts.view_label_error, parts.graph_pair_label_error
    following, second = parts.eigenvalues[parts.k], parts.eigenvalues[1]

    def certified(error: float, *values: float) -> float:
        return spectral_certificate(error, np.array(values), parts.masses, parts.k)

    return GraphScores(
        pair_label_error=phi,
        view_label_error=alpha,
        connectivity=IntervalEstimate(1 - second.value, 1 - second.high, 1 - second.low, second.decided, second.why),
        next_eigenvalue=following,
        residual_bound=_monotone_interval(_residual_bound, graph_phi, following),
        certificate=_monotone_interval(certified, graph_phi, *parts.eigenvalues),
        image_bound=image_bound(phi, following, alpha),
    )


def image_bound(phi: IntervalEstimate, following: IntervalEstimate, alpha: IntervalEstimate) -> IntervalEstimate:
    """Return the band of 4φ/(1 − λ_{k+1}) + 2α, S3 (i), which increases in all three.

    Examples
    --------
    >>> zero, half, one = (IntervalEstimate(end, end, end, True, "") for end in (0.0, 0.5, 1.0))
    >>> image_bound(zero, zero, half).value, image_bound(half, one, zero).value
    (1.0, inf)
    """
    return _monotone_interval(lambda p, v, a: 4 * _residual_bound(p, v) + 2 * a, phi, following, alpha)


def spectral_certificate(phi: float, eigenvalues: np.ndarray, masses: np.ndarray, k: int) -> float:
    """Return min_{μ≥0} μφ + Σ_c p_(c) ν_c for the first k spectral features, S3 (iii).

    The eigenvalues of (I − P_k) − μ(I − Ā) are −μ(1 − λ_i) for i ≤ k and 1 − μ(1 − λ_i) beyond, and the minimum of a
    convex function made of straight pieces is where two of them cross.

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
    crossings = np.concatenate([[0.0], 1 / gaps[gaps > ROUNDING]])[:, None]  # (μ, 1)
    values = np.concatenate([-crossings * (1 - kept), 1 - crossings * (1 - lost)], axis=1)
    largest = -np.sort(-values, axis=1)[:, :r]  # (μ, r)
    return float(np.clip((crossings[:, 0] * phi + largest @ masses).min(), 0.0, 1.0))


def mean_scores(each: Sequence[GraphScores]) -> GraphScores:
    """Average over masks drawn from their law: the mean of the bands, widened by Student's error of the mean."""
    return GraphScores(
        **{
            field.name: mean_interval(
                [getattr(one, field.name) for one in each], math.inf if field.name in _UNBOUNDED else 1.0
            )
            for field in fields(GraphScores)
        }
    )


def mean_interval(under_each: Sequence[IntervalEstimate], most: float = math.inf) -> IntervalEstimate:
    """Return the mean under m masks of a number from 0 to `most`, decided where it is under each of them.

    Examples
    --------
    >>> mean_interval([IntervalEstimate(0.2, 0.1, 0.3, True, ""), IntervalEstimate(0.4, 0.3, 0.5, True, "")]).value.__round__(9)
    0.3
    """
    value, low, high = (np.array([getattr(band, end) for band in under_each]) for end in ("value", "low", "high"))
    unclear = [band.why for band in under_each if not band.decided]
    why = f"under {len(unclear)} of {len(under_each)} masks: {unclear[0]}" if unclear else ""
    margin = student_half_width(value) if np.isfinite(value).all() else 0.0
    least = max(float(low.mean()) - margin, 0.0)
    return IntervalEstimate(float(value.mean()), least, min(float(high.mean()) + margin, most), not unclear, why)


def _residual_bound(phi: float, following: float) -> float:
    return phi / (1 - following) if following < 1 - ROUNDING else math.inf


def _monotone_interval(function: Callable[..., float], *parts: IntervalEstimate) -> IntervalEstimate:
    """Band of a function that increases in all its arguments."""
    value, low, high = (function(*(getattr(part, end) for part in parts)) for end in ("value", "low", "high"))
    unclear = [part.why for part in parts if not part.decided]
    decided = not unclear and math.isinf(high) == math.isinf(low)
    if math.isinf(high):
        unclear.append("the next eigenvalue may be 1, where there is no bound")
    return IntervalEstimate(value, low, high, decided, "; ".join(unclear))
