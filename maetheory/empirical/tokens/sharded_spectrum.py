"""Certified singular values of a sharded matrix; constant vectors where its graph has k components or more."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator

from maetheory.empirical.parallel.process_group import ProcessGroup
from maetheory.empirical.parallel.root_driven import solve_on_root
from maetheory.spectra import Spectrum, certify, spectrum

Vectors = tuple[np.ndarray, np.ndarray]


def sharded_spectrum(
    process_group: ProcessGroup,
    local_rows: sparse.csr_array,
    offsets: Vectors,
    k: int,
    *,
    seed: int,
    component_vectors: Vectors | None = None,
) -> Spectrum:
    """Return the k largest singular values of a sharded matrix; the vectors are the local rows.

    Parameters
    ----------
    process_group : ProcessGroup
    local_rows : csr_array, shape (n_r, N2)
        Rows of Ā_M of this process.
    offsets : tuple of ndarray of int, each of shape (w + 1,)
        Index of the first view, and of the first target, of each process, then their numbers.
    k : int
        From 1 to min(N1, N2).
    seed : int
        Starts the solver.
    component_vectors : tuple of ndarray, shapes (n_r, k) and (t_r, k), optional
        Local rows of k pairs of singular vectors with σ = 1, where the graph has k components or more. They are
        certified without a solver, which need not separate equal values then; otherwise `maetheory.spectra.spectrum`
        solves from products.
    """
    lengths = [np.diff(ends).tolist() for ends in offsets]
    if component_vectors is not None:
        left, right = (
            process_group.gather(vectors, rows) for vectors, rows in zip(component_vectors, lengths, strict=True)
        )

        def solve(operator: LinearOperator) -> Spectrum:
            return certify(operator, np.ones(k), left, right, seed=seed)
    else:

        def solve(operator: LinearOperator) -> Spectrum:
            return spectrum(operator, k, seed=seed)

    found = solve_on_root(process_group, local_rows, offsets[0], solve)
    return _scatter_vectors(process_group, lengths, found, k)


def _scatter_vectors(process_group: ProcessGroup, lengths: list[list[int]], found: Spectrum | None, k: int) -> Spectrum:
    """Broadcast the values and the certificate, and scatter the rows of the vectors."""
    empty = np.empty(0)
    certificate = process_group.run_on_root(lambda: replace(cast(Spectrum, found), left=empty, right=empty))
    vectors = (None, None) if found is None else (found.left, found.right)
    left, right = (process_group.scatter(rows, length, (k,)) for rows, length in zip(vectors, lengths, strict=True))
    return replace(certificate, left=left, right=right)
