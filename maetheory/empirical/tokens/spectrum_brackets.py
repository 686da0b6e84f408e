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
from maetheory.empirical.tokens.intervals import Bracket, normal_quantile, standard_error
from maetheory.empirical.tokens.sample import TokenSample
from maetheory.graph.joint import joint_law
from maetheory.spectra import spectrum

_RANK = 1e-10
CLUSTER_WIDTH = normal_quantile(0.95)  # values at most this many standard errors apart may be one multiple value
MAX_SQUARE_ENTRIES = 20_000_000  # of ĀĀᵀ, formed for its norm


@dataclass(frozen=True)
class _SingularFunctions:
    """Functions of views and of targets, and their correlations on a set of images."""

    values: np.ndarray  # (K,) descending, σ
    f: np.ndarray  # (N1, K)
    g: np.ndarray  # (N2, K)


@dataclass(frozen=True)
class SpectrumBrackets:
    """Brackets of λ₁..λ_{k+1}, where λ₁ = 1 in any graph, and of the tail energy Σ_{i>k} λ_i²."""

    eigenvalues: tuple[Bracket, ...]
    tail_energy: Bracket


def spectrum_brackets(sample: TokenSample, k: int, n_tail_values: int, seed: int) -> SpectrumBrackets:
    """Bracket the first k + 1 eigenvalues and the tail energy, for which `n_tail_values` more values are computed."""
    count = min(k + 1 + n_tail_values, *sample.shape)
    side = generator(seed, "halves").permutation(sample.n_images) % 2 == 0
    whole = _fit(_law(sample, None), count, seed)
    halves = [_fit(_law(sample, here), count, seed) for here in (side, ~side)]
    crossed = [
        _held_out_correlations(halves[0], _law(sample, ~side)),
        _held_out_correlations(halves[1], _law(sample, side)),
    ]
    held_out = _SpectrumEstimate(
        (crossed[0].values + crossed[1].values) / 2,
        (_Influence(sample, crossed[0], ~side), _Influence(sample, crossed[1], side)),
    )
    in_sample = _SpectrumEstimate(whole.values, (_Influence(sample, whole, None),))
    corrected = 2 * whole.values**2 - (halves[0].values ** 2 + halves[1].values ** 2) / 2
    return SpectrumBrackets(
        _eigenvalues(sample, k, held_out, in_sample, corrected), _tail(sample, k, held_out, in_sample, corrected)
    )


@dataclass(frozen=True)
class _SpectrumEstimate:
    """Held-out or in-sample estimates of the singular values, with the influence of each image."""

    values: np.ndarray  # (K,)
    influences: tuple[_Influence, ...]


def _eigenvalues(
    sample: TokenSample, k: int, held_out: _SpectrumEstimate, in_sample: _SpectrumEstimate, corrected: np.ndarray
) -> tuple[Bracket, ...]:
    low, high = _errors(sample, held_out), _errors(sample, in_sample)
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


def _tail(
    sample: TokenSample, k: int, held_out: _SpectrumEstimate, in_sample: _SpectrumEstimate, corrected: np.ndarray
) -> Bracket:
    lower, upper = (float((ends.values[k:] ** 4).sum()) for ends in (held_out, in_sample))
    low, high = (_tail_error(sample, k, ends) for ends in (held_out, in_sample))
    guess = float((np.clip(corrected[k:], 0, None) ** 2).sum())
    upper += _tail_beyond_found(sample, in_sample.values)
    return Bracket(min(lower, upper), upper, low, high, guess, maximum=math.inf, lower_terms=1)


def _law(sample: TokenSample, images: np.ndarray | None) -> sparse.csr_array:
    """Joint law of view and target over some of the images (None: all), on the nodes of all."""
    chosen = slice(None) if images is None else images
    view, target = sample.views[chosen], sample.targets[chosen]
    weight = np.broadcast_to(sample.mask_weights / len(view), view.shape)
    return joint_law(weight.ravel(), view.ravel(), target.ravel(), sample.shape)


def _fit(law: sparse.csr_array, count: int, seed: int) -> _SingularFunctions:
    """Singular functions of a joint law; a node without mass gets their mean."""
    degrees = [np.asarray(law.sum(axis)) for axis in (1, 0)]
    one, two = (_inverse_root(part) for part in degrees)
    found = spectrum(sparse.csr_array(sparse.diags_array(one) @ law @ sparse.diags_array(two)), count, seed=seed)
    f, g = (
        np.where(part[:, None] > 0, _inverse_root(part)[:, None] * vectors, np.sqrt(part) @ vectors)
        for part, vectors in zip(degrees, (found.left, found.right), strict=True)
    )
    return _SingularFunctions(found.values.clip(0, 1), f, g)


def _inverse_root(degrees: np.ndarray) -> np.ndarray:
    return np.divide(1.0, np.sqrt(degrees), out=np.zeros_like(degrees), where=degrees > 0)


def _held_out_correlations(fit: _SingularFunctions, law: sparse.csr_array) -> _SingularFunctions:
    """Correlations of fitted functions under another law, the smaller of two estimates.

    Correlations pair by pair are independent of the noise in this law, but a pair may contain part of a pair with a
    larger value. Canonical correlations, the constant included, are rotated to the singular directions of this law: the
    i-th is at most the i-th of all functions, but with many functions the rotation fits the noise.
    """
    f, g = (_normalise(part, np.asarray(law.sum(axis))) for part, axis in ((fit.f, 1), (fit.g, 0)))
    pair_by_pair = (f * (law @ g)).sum(0)
    return _SingularFunctions(np.minimum(pair_by_pair, _canonical_correlations(f, g, law)).clip(0, 1), f, g)


def _canonical_correlations(f: np.ndarray, g: np.ndarray, law: sparse.csr_array) -> np.ndarray:
    """Canonical correlations of the functions and the constant, as many as there are functions."""
    white = [
        _whiten(np.column_stack([np.ones(len(part)), part]), np.asarray(law.sum(axis)))
        for part, axis in ((f, 1), (g, 0))
    ]
    values = np.linalg.svd(white[0].T @ (law @ white[1]), compute_uv=False)[: f.shape[1]]
    return np.pad(values, (0, f.shape[1] - len(values)))


def _whiten(functions: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Orthonormal basis of the span of functions, in the inner product weighted by degrees."""
    scale, axes = np.linalg.eigh(functions.T @ (degrees[:, None] * functions))
    alive = scale > _RANK * scale[-1]
    return functions @ (axes[:, alive] / np.sqrt(scale[alive]))


def _normalise(functions: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Functions scaled to unit mean square; zero functions stay zero."""
    size = np.sqrt(degrees @ functions**2)  # (N,) @ (N, K) -> (K,)
    return np.divide(functions, size, out=np.zeros_like(functions), where=size > 0)


@dataclass(frozen=True)
class _Influence:
    """Influence of each image and mask on the correlations of fitted functions."""

    sample: TokenSample
    fit: _SingularFunctions
    images: np.ndarray | None

    def of(self, i: int, j: int) -> np.ndarray:
        """Derivative of entry (i, j) of the correlation matrix, shape (n, m); its mean is zero for i = j."""
        chosen = slice(None) if self.images is None else self.images
        view, target = self.sample.views[chosen], self.sample.targets[chosen]
        f_i, f_j = self.fit.f[view, i], self.fit.f[view, j]
        g_i, g_j = self.fit.g[target, i], self.fit.g[target, j]
        return f_i * g_j - (self.fit.values[j] * f_i * f_j + self.fit.values[i] * g_i * g_j) / 2


@dataclass(frozen=True)
class _Errors:
    """Standard error of each λ = σ², and the number of values that may coincide with it."""

    of_square: np.ndarray
    nearby: np.ndarray


def _errors(sample: TokenSample, ends: _SpectrumEstimate) -> _Errors:
    """Standard errors of λ; a nearly multiple value is perturbed by the norm of its row in the block of its cluster."""
    values, found = ends.values, ends.influences
    alone = np.array([_standard_error(sample, found, i, i) for i in range(len(values))])
    apart = np.abs(values[:, None] - values)
    near = apart <= CLUSTER_WIDTH * (alone[:, None] + alone)
    variance = alone**2
    for i, j in zip(*np.nonzero(near & ~np.eye(len(values), dtype=bool)), strict=True):
        variance[[i, j]] += _standard_error(sample, found, i, j) ** 2 / 2
    return _Errors(2 * values * np.sqrt(variance), near.sum(1))


def _standard_error(sample: TokenSample, found: tuple[_Influence, ...], i: int, j: int) -> float:
    influence = np.concatenate([part.of(i, j) for part in found])
    return standard_error(influence, sample.mask_weights, _masks_vary(sample))


def _masks_vary(sample: TokenSample) -> bool:
    """Whether the spectrum has variance over masks: with positions kept it is that of the drawn masks' blocks."""
    return sample.masks_drawn and sample.positions == "dropped"


def _tail_error(sample: TokenSample, k: int, ends: _SpectrumEstimate) -> float:
    parts = [
        sum(4 * ends.values[i] ** 3 * part.of(i, i) for i in range(k, len(ends.values))) for part in ends.influences
    ]
    return standard_error(np.concatenate(parts), sample.mask_weights, _masks_vary(sample))


def _tail_beyond_found(sample: TokenSample, values: np.ndarray) -> float:
    """Σ λ̂² beyond the computed values, exact where Ā is small, else bounded by Σ λ̂² ≤ λ̂_K Σ λ̂."""
    matrix = sample.graph.normalized_matrix
    entries = int((np.bincount(matrix.indices).astype(np.int64) ** 2).sum())
    found = values**2
    if min(entries, matrix.shape[0] ** 2) <= MAX_SQUARE_ENTRIES:
        square = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
        return max(float((square.data**2).sum() - (found**2).sum()), 0.0)
    return max(float(found[-1] * ((matrix.data**2).sum() - found.sum())), 0.0)
