"""Singular functions of a joint law, and their correlations under another law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from maetheory.spectra import spectrum

_MIN_RELATIVE_VARIANCE = 1e-10  # of a direction in the span of functions, below which it is dropped


@dataclass(frozen=True)
class SingularFunctions:
    """Functions of views and of targets, and their correlations on a set of images."""

    values: np.ndarray  # (K,) descending, σ
    f: np.ndarray  # (N1, K)
    g: np.ndarray  # (N2, K)


def fit_singular_functions(law: sparse.csr_array, count: int, seed: int) -> SingularFunctions:
    """Singular functions of a joint law; a node without mass gets their mean."""
    degrees = [np.asarray(law.sum(axis)) for axis in (1, 0)]
    one, two = (_inverse_root(part) for part in degrees)
    found = spectrum(sparse.csr_array(sparse.diags_array(one) @ law @ sparse.diags_array(two)), count, seed=seed)
    f, g = (
        np.where(part[:, None] > 0, _inverse_root(part)[:, None] * vectors, np.sqrt(part) @ vectors)
        for part, vectors in zip(degrees, (found.left, found.right), strict=True)
    )
    return SingularFunctions(found.values.clip(0, 1), f, g)


def _inverse_root(degrees: np.ndarray) -> np.ndarray:
    return np.divide(1.0, np.sqrt(degrees), out=np.zeros_like(degrees), where=degrees > 0)


def held_out_correlations(fit: SingularFunctions, law: sparse.csr_array) -> SingularFunctions:
    """Correlations of fitted functions under another law, the smaller of two estimates.

    Correlations pair by pair are independent of the noise in this law, but a pair may contain part of a pair with a
    larger value. Canonical correlations, the constant included, are rotated to the singular directions of this law: the
    i-th is at most the i-th of all functions, but with many functions the rotation fits the noise.
    """
    f, g = (_normalise(part, np.asarray(law.sum(axis))) for part, axis in ((fit.f, 1), (fit.g, 0)))
    pair_by_pair = (f * (law @ g)).sum(0)
    return SingularFunctions(np.minimum(pair_by_pair, _canonical_correlations(f, g, law)).clip(0, 1), f, g)


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
    alive = scale > _MIN_RELATIVE_VARIANCE * scale[-1]
    return functions @ (axes[:, alive] / np.sqrt(scale[alive]))


def _normalise(functions: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Functions scaled to unit mean square; zero functions stay zero."""
    size = np.sqrt(degrees @ functions**2)  # (N,) @ (N, K) -> (K,)
    return np.divide(functions, size, out=np.zeros_like(functions), where=size > 0)
