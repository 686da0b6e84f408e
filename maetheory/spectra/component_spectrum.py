"""What is known of one connected component: its largest singular values, and their vectors when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from maetheory.spectra.components import Indices
from maetheory.spectra.counting_operator import Array
from maetheory.spectra.triplets import SingularTriplets


@dataclass(frozen=True)
class ComponentSpectrum:
    """One component with its largest singular values.

    Attributes
    ----------
    rows, columns : (n1,) and (n2,) arrays of int
        Where the component lies in the whole matrix.
    values : (j,) array
        Its largest singular values, descending.
    errors : (j,) array
        Bounds on their errors; the triplets of `top` are as exact as their residuals say.
    whole : bool
        Whether these are all its singular values.
    none_missed : bool
        Whether nothing above the last of them can be missing, because the solver has seen the whole component.
    top : callable
        Returns the first so many triplets.
    """

    rows: Indices
    columns: Indices
    values: Array
    errors: Array
    whole: bool
    none_missed: bool
    top: Callable[[int], SingularTriplets]


@dataclass(frozen=True)
class MergedSpectrum:
    """The k largest triplets of all parts, and bounds on the largest value that was found but dropped, or zeros."""

    kept: SingularTriplets
    dropped_above: float
    dropped_below: float


def merge_components(parts: Sequence[ComponentSpectrum], shape: tuple[int, int], k: int) -> MergedSpectrum:
    """Return the k largest triplets of all parts, placed in the whole matrix; fewer when there are fewer."""
    values = np.concatenate([np.empty(0), *(part.values for part in parts)])
    errors = np.concatenate([np.empty(0), *(part.errors for part in parts)])
    order = np.argsort(-values, kind="stable")
    rest = order[k:]
    above, below = np.max(values[rest] - errors[rest], initial=0.0), np.max(values[rest] + errors[rest], initial=0.0)
    bounds = float(above), float(below)
    if len(parts) == 1 and (len(parts[0].rows), len(parts[0].columns)) == shape:
        return MergedSpectrum(parts[0].top(min(k, len(values))), *bounds)
    owner = np.repeat(np.arange(len(parts)), [len(part.values) for part in parts])
    return MergedSpectrum(_embed_in_matrix(parts, np.bincount(owner[order[:k]], minlength=len(parts)), shape), *bounds)


def _embed_in_matrix(parts: Sequence[ComponentSpectrum], counts: Indices, shape: tuple[int, int]) -> SingularTriplets:
    """Return the first `counts` triplets of each part as vectors of the whole matrix, values descending."""
    chosen = [(parts[number], int(counts[number])) for number in np.flatnonzero(counts).tolist()]
    found = [part.top(count) for part, count in chosen]
    values = np.concatenate([np.empty(0), *(triplets.values for triplets in found)])
    order = np.argsort(-values, kind="stable")
    left, right = np.zeros((shape[0], len(values))), np.zeros((shape[1], len(values)))
    places = np.split(np.argsort(order), np.cumsum([count for _, count in chosen]))
    for (part, _), triplets, here in zip(chosen, found, places):
        left[np.ix_(part.rows, here)], right[np.ix_(part.columns, here)] = triplets.left, triplets.right
    return SingularTriplets(left, values[order], right)


def pad_with_null_vectors(kept: SingularTriplets, k: int, rng: np.random.Generator) -> SingularTriplets:
    """Add null vectors when the components together have fewer than k singular values: the others are 0."""
    missing = k - len(kept.values)
    if not missing:
        return kept
    left, right = (
        _extend_orthonormal_basis(kept.left, missing, rng),
        _extend_orthonormal_basis(kept.right, missing, rng),
    )
    return replace(kept, left=left, right=right, values=np.append(kept.values, np.zeros(missing)))


def _extend_orthonormal_basis(basis: Array, missing: int, rng: np.random.Generator) -> Array:
    extra = rng.standard_normal((len(basis), missing))
    for _ in range(2):
        extra = np.linalg.qr(extra - basis @ (basis.T @ extra))[0]
    return np.hstack([basis, extra])
