"""Brackets of eigenvalues: held-out correlations of half-sample singular vectors below, plug-in values above.

Singular vectors fitted to one half of the images correlate on the other half no better than the best functions do, so
their held-out correlations are too small on average. Vectors fitted to all images are optimal for these images, so the
plug-in values are too large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from maetheory.core import generator
from maetheory.empirical.tokens.interval_estimate import Bracket, normal_quantile, standard_error
from maetheory.empirical.tokens.sample import TokenSample
from maetheory.empirical.tokens.singular_functions import (
    SingularFunctions,
    fit_singular_functions,
    held_out_correlations,
)
from maetheory.graph.joint_law import joint_law

CLUSTER_WIDTH = normal_quantile(0.95)  # values at most this many standard errors apart may be one multiple value
MAX_SQUARE_ENTRIES = 20_000_000  # of ĀĀᵀ, formed for its norm


@dataclass(frozen=True)
class SpectrumBrackets:
    """Brackets of λ₁..λ_{k+1}, where λ₁ = 1 in any graph, and of the tail energy Σ_{i>k} λ_i²."""

    eigenvalues: tuple[Bracket, ...]
    tail_energy: Bracket


def spectrum_brackets(sample: TokenSample, k: int, n_tail_values: int, seed: int) -> SpectrumBrackets:
    """Bracket the first k + 1 eigenvalues and the tail energy, for which `n_tail_values` more values are computed."""
    count = min(k + 1 + n_tail_values, *sample.shape)
    half = generator(seed, "halves").permutation(sample.n_images) % 2 == 0
    whole = fit_singular_functions(_joint_law_of_images(sample, None), count, seed)
    halves = [fit_singular_functions(_joint_law_of_images(sample, here), count, seed) for here in (half, ~half)]
    crossed = [
        held_out_correlations(halves[0], _joint_law_of_images(sample, ~half)),
        held_out_correlations(halves[1], _joint_law_of_images(sample, half)),
    ]
    held_out = _SpectrumEstimate(
        (crossed[0].values + crossed[1].values) / 2,
        (_Influence(sample, crossed[0], ~half), _Influence(sample, crossed[1], half)),
    )
    in_sample = _SpectrumEstimate(whole.values, (_Influence(sample, whole, None),))
    corrected = 2 * whole.values**2 - (halves[0].values ** 2 + halves[1].values ** 2) / 2
    return SpectrumBrackets(
        _eigenvalue_brackets(sample, k, held_out, in_sample, corrected),
        _tail_bracket(sample, k, held_out, in_sample, corrected),
    )


@dataclass(frozen=True)
class _SpectrumEstimate:
    """Held-out or in-sample estimates of the singular values, with the influence of each image."""

    values: np.ndarray  # (K,)
    influences: tuple[_Influence, ...]


def _eigenvalue_brackets(
    sample: TokenSample, k: int, held_out: _SpectrumEstimate, in_sample: _SpectrumEstimate, corrected: np.ndarray
) -> tuple[Bracket, ...]:
    """Brackets of λ₁..λ_{k+1}."""
    low, high = _eigenvalue_errors(sample, held_out), _eigenvalue_errors(sample, in_sample)
    lower, upper = held_out.values**2, in_sample.values**2
    return Bracket(1.0, 1.0, 0.0, 0.0, 1.0, upper_terms=0), *(
        Bracket(
            min(lower[i], upper[i]),
            upper[i],
            low.of_square[i],
            high.of_square[i],
            float(corrected[i]),
            lower_terms=int(low.nearby[i]),
        )
        for i in range(1, k + 1)
    )


def _tail_bracket(
    sample: TokenSample, k: int, held_out: _SpectrumEstimate, in_sample: _SpectrumEstimate, corrected: np.ndarray
) -> Bracket:
    """Bracket of the tail energy."""
    lower, upper = (float((estimate.values[k:] ** 4).sum()) for estimate in (held_out, in_sample))
    low, high = (_tail_error(sample, k, estimate) for estimate in (held_out, in_sample))
    value = float((np.clip(corrected[k:], 0, None) ** 2).sum())
    upper += _tail_beyond_found(sample, in_sample.values)
    return Bracket(min(lower, upper), upper, low, high, value, maximum=math.inf, lower_terms=1)


def _joint_law_of_images(sample: TokenSample, images: np.ndarray | None) -> sparse.csr_array:
    """Joint law of view and target over some of the images (None: all), on the nodes of all."""
    chosen = slice(None) if images is None else images
    view, target = sample.views[chosen], sample.targets[chosen]
    weight = np.broadcast_to(sample.mask_weights / len(view), view.shape)
    return joint_law(weight.ravel(), view.ravel(), target.ravel(), sample.shape)


@dataclass(frozen=True)
class _Influence:
    """Influence of each image and mask on the correlations of fitted functions."""

    sample: TokenSample
    fit: SingularFunctions
    images: np.ndarray | None

    def entry(self, i: int, j: int) -> np.ndarray:
        """Derivative of entry (i, j) of the correlation matrix, shape (n, m); its mean is zero for i = j."""
        chosen = slice(None) if self.images is None else self.images
        view, target = self.sample.views[chosen], self.sample.targets[chosen]
        f_i, f_j = self.fit.f[view, i], self.fit.f[view, j]
        g_i, g_j = self.fit.g[target, i], self.fit.g[target, j]
        return f_i * g_j - (self.fit.values[j] * f_i * f_j + self.fit.values[i] * g_i * g_j) / 2


@dataclass(frozen=True)
class _EigenvalueErrors:
    """Standard error of each λ = σ², and the number of values that may coincide with it."""

    of_square: np.ndarray
    nearby: np.ndarray


def _eigenvalue_errors(sample: TokenSample, estimate: _SpectrumEstimate) -> _EigenvalueErrors:
    """Standard errors of λ; a nearly multiple value is perturbed by the norm of its row in the block of its cluster."""
    values, influences = estimate.values, estimate.influences
    alone = np.array([_standard_error(sample, influences, i, i) for i in range(len(values))])
    apart = np.abs(values[:, None] - values)
    near = apart <= CLUSTER_WIDTH * (alone[:, None] + alone)
    variance = alone**2
    for i, j in zip(*np.nonzero(near & ~np.eye(len(values), dtype=bool)), strict=True):
        variance[[i, j]] += _standard_error(sample, influences, i, j) ** 2 / 2
    return _EigenvalueErrors(2 * values * np.sqrt(variance), near.sum(1))


def _standard_error(sample: TokenSample, influences: tuple[_Influence, ...], i: int, j: int) -> float:
    influence = np.concatenate([part.entry(i, j) for part in influences])
    return standard_error(influence, sample.mask_weights, _varies_over_masks(sample))


def _varies_over_masks(sample: TokenSample) -> bool:
    """Whether the spectrum has variance over masks: with positions kept it is that of the drawn masks' blocks."""
    return sample.masks_drawn and sample.positions == "dropped"


def _tail_error(sample: TokenSample, k: int, estimate: _SpectrumEstimate) -> float:
    """Standard error of the tail energy of the computed values."""
    values = estimate.values
    parts = [sum(4 * values[i] ** 3 * part.entry(i, i) for i in range(k, len(values))) for part in estimate.influences]
    return standard_error(np.concatenate(parts), sample.mask_weights, _varies_over_masks(sample))


def _tail_beyond_found(sample: TokenSample, values: np.ndarray) -> float:
    """Σ λ̂² beyond the computed values, exact where Ā is small, else bounded by Σ λ̂² ≤ λ̂_K Σ λ̂."""
    matrix = sample.graph.normalized_matrix
    entries = int((np.bincount(matrix.indices).astype(np.int64) ** 2).sum())
    found = values**2
    if min(entries, matrix.shape[0] ** 2) <= MAX_SQUARE_ENTRIES:
        square = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
        return max(float((square.data**2).sum() - (found**2).sum()), 0.0)
    return max(float(found[-1] * ((matrix.data**2).sum() - found.sum())), 0.0)
