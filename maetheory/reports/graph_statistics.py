"""The numbers of a mask graph, exact or with bands, in one form whichever way the graph was made."""

from __future__ import annotations

import math
from dataclasses import dataclass

from maetheory.core import Estimate
from maetheory.empirical import IntervalEstimate, KernelAverage, Sample, ShardedGraph, bands
from maetheory.empirical.graph_scores import image_bound
from maetheory.graph import MaskGraph
from maetheory.spectra import Spectrum

ROUNDING_TOLERANCE = 1e-9  # of an eigenvalue, which is at most 1


@dataclass(frozen=True)
class GraphStatistics:
    """What `maetheory graph` says of a graph.

    Attributes
    ----------
    nodes : (int, int)
        Distinct views and targets.
    edges : int
        Pairs of view and target that occur.
    components : Band or None
        None where the kind of graph does not count them.
    eigenvalues : tuple of Band
        λ₁..λ_{k+1} of the augmentation graph, λ = σ².
    alpha, alpha2, phi : Band
        Label errors of views, of targets, and of positive pairs.
    bound : Band
        4φ/(1 − λ_{k+1}) + 2α, which bounds the downstream error of k spectral features.
    k : int
    certificate : str
        What is known of singular values that were left out.
    description : str
        Whose numbers these are, in one sentence.
    verdict : str
        Of a number that is decided.
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
        """All numbers that have a band, by name, in the order of the table."""
        first = {} if self.components is None else {"components": self.components}
        values = {f"λ_{i}": band for i, band in enumerate(self.eigenvalues, 1)}
        return first | values | {"α": self.alpha, "α₂": self.alpha2, "φ": self.phi, "bound": self.bound}


def exact_statistics(
    graph: MaskGraph | ShardedGraph, k: int, edges: int, *, seed: int, description: str, verdict: str
) -> GraphStatistics:
    """Numbers of a graph as it stands: every band is round-off, or what the certificate leaves open."""
    found = graph.spectrum(k + 1, seed=seed)
    count = graph.n_components
    alpha, alpha2, phi = (
        _interval_of_estimate(part)
        for part in (graph.label_error(), graph.target_label_error(), graph.pair_label_error())
    )
    values = _squared_intervals(found)
    return GraphStatistics(
        graph.shape,
        edges,
        IntervalEstimate(count, count, count, True, ""),
        values,
        alpha,
        alpha2,
        phi,
        image_bound(phi, values[k], alpha),
        k,
        f"{found.reading}; a λ is the square of one",
        description,
        verdict,
    )


def token_statistics(sample: Sample, k: int, *, seed: int, description: str) -> GraphStatistics:
    """Numbers of the graph of all images, as far as a sample tells."""
    found = bands(sample, k, seed=seed)
    met = (
        f"{found.shared_view_fraction:.0%} of the weight lies on views that another image shows too, {found.shared_target_fraction:.0%} "
        "on such targets"
    )
    return GraphStatistics(
        sample.shape,
        int(sample.graph.joint.nnz),
        found.components,
        found.eigenvalues,
        found.alpha,
        found.alpha2,
        found.phi,
        found.sharp_bound,
        k,
        met,
        description,
        "DECIDED",
    )


def kernel_statistics(found: KernelAverage, description: str) -> GraphStatistics:
    """Means over masks of the numbers of kernel graphs."""
    n = found.n_images
    complete = sum(one.complete for one in found.each)
    width = sum(one.bandwidth for one in found.each) / len(found.each)
    said = f"complete under {complete} of {len(found.each)} masks; bandwidth {width:.3g} on average"
    bound = _interval_of_estimate(found.sharp_bound)
    if math.isinf(bound.value):
        bound = IntervalEstimate(
            math.inf, math.inf, math.inf, False, f"λ_{found.k + 1} cannot be told from 1 under some mask"
        )
    return GraphStatistics(
        (n, n),
        n * n,
        None,
        tuple(map(_interval_of_estimate, found.values)),
        _interval_of_estimate(found.view_label_error),
        _interval_of_estimate(found.target_label_error),
        _interval_of_estimate(found.pair_label_error),
        bound,
        found.k,
        said,
        description,
        "MEAN",
    )


def _squared_intervals(found: Spectrum) -> tuple[IntervalEstimate, ...]:
    bands_of = []
    for value, low, high in zip(found.values, found.lower, found.upper, strict=True):
        square = min(float(value) ** 2, 1.0)
        ends = min(float(low) ** 2, square), max(min(float(high) ** 2, 1.0), square)
        known = not found.missed and (found.complete or ends[1] - ends[0] <= ROUNDING_TOLERANCE)
        bands_of.append(IntervalEstimate(square, *ends, known, "" if known else found.reading))
    return tuple(bands_of)


def _interval_of_estimate(estimate: Estimate) -> IntervalEstimate:
    return IntervalEstimate(estimate.value, max(estimate.low, 0.0), estimate.high, True, "")
