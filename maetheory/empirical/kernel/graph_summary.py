"""Summary of one kernel graph: eigenvalues, label errors and the two downstream bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from maetheory.core import Estimate
from maetheory.empirical.kernel.graph import KernelGraph
from maetheory.empirical.kernel.nearest_neighbour_graph import NeighbourGraph


@dataclass(frozen=True, eq=False, kw_only=True)
class KernelGraphQuantities:
    """Eigenvalues, label errors and bounds of one kernel graph, or their means over masks.

    Attributes
    ----------
    values : tuple of Estimate
        λ₁..λ_{k+1} = σ² of the augmentation graph under one mask.
    pair_label_error : Estimate
        φ of pairs of two different images that share a target; enters `sharp_bound`, as for token graphs.
    graph_pair_label_error : Estimate
        φ of the graph itself, pairs of an image with itself (which agree) included; enters `graph_bound`.
    view_label_error : Estimate
        Upper estimate of α: leave-one-out error of a kernel-weighted vote of the other images' views. The graph
        itself has α = 0, because every view belongs to one image.
    target_label_error : Estimate
        α₂ of the graph itself.
    sharp_bound : Estimate
        4φ/(1 − λ_{k+1}) + 2α with φ of different images and the leave-one-out α, comparable with token graphs; neither
        is less than the graph's own. Infinite where λ_{k+1} cannot be told from 1.
    graph_bound : Estimate
        4φ/(1 − λ_{k+1}) with φ of the graph itself and its α = 0: S3 (i), a theorem for these images.
    self_pair_fraction : Estimate
        Fraction of positive pairs whose two views come from one image.
    tail_energy : Estimate
        Σ_{i>k} λ_i².
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


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class KernelGraphSummary(KernelGraphQuantities):
    """Quantities of one kernel graph, the error of each a bound on its rounding error or an enclosure.

    Attributes
    ----------
    bandwidth : float
    complete : bool
        Whether the certificate proves that these are the largest values; False also means undecided.
    missed_eigenvalue_bound : float
        Upper bound on every other λ, with the failure probability of the certificate.
    """

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
