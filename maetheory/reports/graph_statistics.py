"""Statistics of a mask graph (exact, sampled or kernel) with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

from maetheory.core import Estimate
from maetheory.empirical import IntervalEstimate, KernelAverage, ShardedGraph, TokenSample, graph_intervals
from maetheory.empirical.graph_scores import image_bound
from maetheory.graph import MaskGraph
from maetheory.spectra import Spectrum

ROUNDING_TOLERANCE = 1e-9  # absolute error of an eigenvalue, which is at most 1


@dataclass(frozen=True)
class GraphStatistics:
    """Size, components, spectrum, label errors and bound of a mask graph.

    Attributes
    ----------
    nodes : (int, int)
        Distinct views and targets.
    edges : int
        Pairs of view and target with positive weight.
    components : IntervalEstimate or None
        Number of connected components; None for a kind of graph that does not count them.
    eigenvalues : tuple of IntervalEstimate
        λ₁..λ_{k+1} of the augmentation graph, λ = σ².
    alpha, alpha2, phi : IntervalEstimate
        Label errors of views, of targets, and of positive pairs.
    bound : IntervalEstimate
        4φ/(1 − λ_{k+1}) + 2α, which bounds the downstream error of k spectral features.
    k : int
    certificate : str
        Accuracy of the spectrum: bounds on omitted singular values, or the share of the weight that the sample covers.
    description : str
        Images and masks that the statistics refer to.
    verdict : str
        Verdict of a statistic that is decided.
    """

    nodes: tuple[int, int]
    edges: int
    components: IntervalEstimate | None
    eigenvalues: tuple[IntervalEstimate, ...]
    alpha: IntervalEstimate
    alpha2: IntervalEstimate
    phi: IntervalEstimate
    bound: IntervalEstimate
    k: int
    certificate: str
    description: str
    verdict: str

    @property
    def by_name(self) -> dict[str, IntervalEstimate]:
        """Statistics that have an interval, in the order of the table."""
        first = {} if self.components is None else {"components": self.components}
        values = {f"λ_{i}": value for i, value in enumerate(self.eigenvalues, 1)}
        return first | values | {"α": self.alpha, "α₂": self.alpha2, "φ": self.phi, "bound": self.bound}


def exact_statistics(
    graph: MaskGraph | ShardedGraph, k: int, edges: int, *, seed: int, description: str, verdict: str
) -> GraphStatistics:
    """Compute the statistics of an enumerated graph; intervals cover rounding errors and omitted singular values."""
    spectrum = graph.spectrum(k + 1, seed=seed)
    count = graph.n_components
    alpha, alpha2, phi = map(
        _interval_of_estimate, (graph.label_error(), graph.target_label_error(), graph.pair_label_error())
    )
    eigenvalues = _squared_intervals(spectrum)
    return GraphStatistics(
        nodes=graph.shape,
        edges=edges,
        components=IntervalEstimate(count, count, count, True, ""),
        eigenvalues=eigenvalues,
        alpha=alpha,
        alpha2=alpha2,
        phi=phi,
        bound=image_bound(phi, eigenvalues[k], alpha),
        k=k,
        certificate=f"{spectrum.summary}; each λ is the square of a singular value",
        description=description,
        verdict=verdict,
    )


def token_statistics(sample: TokenSample, k: int, *, seed: int, description: str) -> GraphStatistics:
    """Estimate the statistics of the graph of all images from a sample."""
    found = graph_intervals(sample, k, seed=seed)
    coverage = (
        f"{found.shared_view_fraction:.0%} of the weight lies on views that several images share, "
        f"{found.shared_target_fraction:.0%} on such targets"
    )
    return GraphStatistics(
        nodes=sample.shape,
        edges=int(sample.graph.joint.nnz),
        components=found.components,
        eigenvalues=found.eigenvalues,
        alpha=found.alpha,
        alpha2=found.alpha2,
        phi=found.phi,
        bound=found.sharp_bound,
        k=k,
        certificate=coverage,
        description=description,
        verdict="DECIDED",
    )


def kernel_statistics(average: KernelAverage, description: str) -> GraphStatistics:
    """Collect the means over masks of the statistics of kernel graphs."""
    n, masks = average.n_images, average.per_mask
    complete = sum(one.complete for one in masks)
    bandwidth = sum(one.bandwidth for one in masks) / len(masks)
    bound = _interval_of_estimate(average.sharp_bound)
    if math.isinf(bound.value):
        why = f"λ_{average.k + 1} cannot be told from 1 under at least one mask"
        bound = IntervalEstimate(math.inf, math.inf, math.inf, False, why)
    return GraphStatistics(
        nodes=(n, n),
        edges=n * n,
        components=None,
        eigenvalues=tuple(map(_interval_of_estimate, average.values)),
        alpha=_interval_of_estimate(average.view_label_error),
        alpha2=_interval_of_estimate(average.target_label_error),
        phi=_interval_of_estimate(average.pair_label_error),
        bound=bound,
        k=average.k,
        certificate=f"spectrum complete under {complete} of {len(masks)} masks; mean bandwidth {bandwidth:.3g}",
        description=description,
        verdict="MEAN",
    )


def _squared_intervals(spectrum: Spectrum) -> tuple[IntervalEstimate, ...]:
    """Return λ = σ² with its interval; undecided if larger singular values may have been omitted."""
    intervals = []
    for value, low, high in zip(spectrum.values, spectrum.lower, spectrum.upper, strict=True):
        square = min(float(value) ** 2, 1.0)
        ends = min(float(low) ** 2, square), max(min(float(high) ** 2, 1.0), square)
        known = not spectrum.missed and (spectrum.complete or ends[1] - ends[0] <= ROUNDING_TOLERANCE)
        intervals.append(IntervalEstimate(square, *ends, known, "" if known else spectrum.summary))
    return tuple(intervals)


def _interval_of_estimate(estimate: Estimate) -> IntervalEstimate:
    return IntervalEstimate(estimate.value, max(estimate.low, 0.0), estimate.high, True, "")
