"""Largest singular values of one connected component, and merging components into the spectrum of the matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from maetheory.spectra.connected_components import Indices
from maetheory.spectra.counting_operator import Array
from maetheory.spectra.triplets import SingularTriplets


@dataclass(frozen=True)
class ComponentSpectrum:
    """Largest singular values of one connected component.

    Attributes
    ----------
    rows, columns : (n1,) and (n2,) arrays of int
        Indices of the component's rows and columns in the matrix.
    values : (j,) array
        Its largest singular values, descending.
    errors : (j,) array
        Bounds on the errors of the values; the accuracy of the triplets is given by their residuals.
    complete : bool
        Whether these are all its singular values.
    none_missed : bool
        Whether no larger value can be missing, because the solver decomposed the whole component.
    top_triplets : callable
        Returns the given number of largest triplets.
    """

    rows: Indices
    columns: Indices
    values: Array
    errors: Array
    complete: bool
    none_missed: bool
    top_triplets: Callable[[int], SingularTriplets]


@dataclass(frozen=True)
class MergedSpectrum:
    """The k largest triplets of all components, and bounds on the largest computed value that is not among them.

    Attributes
    ----------
    triplets : SingularTriplets
        The k largest, as vectors of the whole matrix; fewer when the components have fewer.
    dropped_above, dropped_below : float
        Lower and upper bound on the largest value computed but not returned; 0 when there is none.
    """

    triplets: SingularTriplets
    dropped_above: float
    dropped_below: float


def merge_components(parts: Sequence[ComponentSpectrum], shape: tuple[int, int], k: int) -> MergedSpectrum:
    """Return the k largest triplets of all components, embedded in the whole matrix; fewer when there are fewer."""
    values = np.concatenate([np.empty(0), *(part.values for part in parts)])
    errors = np.concatenate([np.empty(0), *(part.errors for part in parts)])
    order = np.argsort(-values, kind="stable")
    rest = order[k:]
    above, below = np.max(values[rest] - errors[rest], initial=0.0), np.max(values[rest] + errors[rest], initial=0.0)
    bounds = float(above), float(below)
    if len(parts) == 1 and (len(parts[0].rows), len(parts[0].columns)) == shape:
        return MergedSpectrum(parts[0].top_triplets(min(k, len(values))), *bounds)
    owner = np.repeat(np.arange(len(parts)), [len(part.values) for part in parts])
    counts = np.bincount(owner[order[:k]], minlength=len(parts))
    return MergedSpectrum(_embed_in_matrix(parts, counts, shape), *bounds)


def _embed_in_matrix(parts: Sequence[ComponentSpectrum], counts: Indices, shape: tuple[int, int]) -> SingularTriplets:
    """Return the first `counts` triplets of each component as vectors of the whole matrix, values descending."""
    chosen = [(parts[number], int(counts[number])) for number in np.flatnonzero(counts).tolist()]
    found = [part.top_triplets(count) for part, count in chosen]
    values = np.concatenate([np.empty(0), *(triplets.values for triplets in found)])
    order = np.argsort(-values, kind="stable")
    left, right = np.zeros((shape[0], len(values))), np.zeros((shape[1], len(values)))
    positions = np.split(np.argsort(order), np.cumsum([count for _, count in chosen]))
    for (part, _), triplets, here in zip(chosen, found, positions):
        left[np.ix_(part.rows, here)], right[np.ix_(part.columns, here)] = triplets.left, triplets.right
    return SingularTriplets(left, values[order], right)


def pad_with_null_vectors(triplets: SingularTriplets, k: int, rng: np.random.Generator) -> SingularTriplets:
    """Return k triplets, adding singular values 0 with orthonormal vectors when the components have fewer than k."""
    missing = k - len(triplets.values)
    if not missing:
        return triplets
    left = _extend_orthonormal_basis(triplets.left, missing, rng)
    right = _extend_orthonormal_basis(triplets.right, missing, rng)
    return replace(triplets, left=left, right=right, values=np.append(triplets.values, np.zeros(missing)))


def _extend_orthonormal_basis(basis: Array, missing: int, rng: np.random.Generator) -> Array:
    extra = rng.standard_normal((len(basis), missing))
    for _ in range(2):
        extra = np.linalg.qr(extra - basis @ (basis.T @ extra))[0]
    return np.hstack([basis, extra])
