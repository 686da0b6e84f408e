"""Summary of one kernel graph: eigenvalues, label errors and the two downstream bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from maetheory.core import Estimate
from maetheory.empirical.kernel.graph import KernelGraph
from maetheory.empirical.kernel.nearest_neighbour_graph import NeighbourGraph


@final
@dataclass(frozen=True, eq=False)
class KernelGraphSummary:
    """Eigenvalues, label errors and bounds of one kernel graph, named as in `KernelAverage`.

    Attributes
    ----------
    values : tuple of Estimate
        λ₁..λ_{k+1} = σ², each with its enclosure.
    pair_label_error, graph_pair_label_error, view_label_error, target_label_error : Estimate
    sharp_bound, graph_bound, self_pair_fraction, tail_energy : Estimate
    bandwidth : float
    complete : bool
        Whether the certificate proves that these are the largest values; False also means undecided.
    missed_eigenvalue_bound : float
        Upper bound on every other λ, with the failure probability of the certificate.
    """

    values: tuple[Estimate, ...]
    pair_label_error: Estimate
    graph_pair_label_error: Estimate
    view_label_error: Estimate
    target_label_error: Estimate
    sharp_bound: Estimate
    graph_bound: Estimate
    self_pair_fraction: Estimate
    tail_energy: Estimate
    bandwidth: float
    complete: bool
    missed_eigenvalue_bound: float


def summarise_kernel_graph(graph: KernelGraph | NeighbourGraph, k: int, *, seed: int = 0) -> KernelGraphSummary:
    """Compute the summary of a labelled graph, starting from its k + 1 largest singular values.

    Raises
    ------
    InputError
        If k is not from 1 to N − 1, there are no labels, or no two images share a target.
    """
    found = graph.spectrum(k + 1, seed=seed)
    values = tuple(_squared_estimate(sigma, found.enclosure_radius) for sigma in found.values)
    distinct, own = graph.pair_label_error(), graph.pair_label_error(distinct=False)
    alpha = graph.view_label_error(seed=seed)
    return KernelGraphSummary(
        values=values,
        pair_label_error=distinct,
        graph_pair_label_error=own,
        view_label_error=alpha,
        target_label_error=graph.target_label_error(),
        sharp_bound=sharp_bound(distinct, values[k], alpha),
        graph_bound=sharp_bound(own, values[k], Estimate(0.0)),
        self_pair_fraction=graph.self_pair_fraction,
        tail_energy=graph.tail_energy(found, k, seed=seed),
        bandwidth=graph.bandwidth,
        complete=found.complete,
        missed_eigenvalue_bound=float(found.missed_below) ** 2,
    )


def sharp_bound(phi: Estimate, next_eigenvalue: Estimate, alpha: Estimate) -> Estimate:
    """4φ/(1 − λ_{k+1}) + 2α (S3 i), infinite where λ_{k+1} cannot be told from 1.

    The error propagates the rounding errors of φ and λ; the sampling error of α over images is not included.

    Examples
    --------
    >>> sharp_bound(Estimate(0.1), Estimate(0.5), Estimate(0.05)).value
    0.9
    """
    gap = 1 - next_eigenvalue.value
    if gap <= next_eigenvalue.error:
        return Estimate(np.inf)
    first = 4 * phi.value / gap
    error = (4 * phi.error + first * next_eigenvalue.error) / (gap - next_eigenvalue.error)
    return Estimate(first + 2 * alpha.value, error)


def _squared_estimate(sigma: float, enclosure: float) -> Estimate:
    """λ = σ² with its error."""
    return Estimate(float(sigma) ** 2, enclosure * (2 * float(sigma) + enclosure))
