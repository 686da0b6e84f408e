"""The numbers of a mask graph, exact or with bands, in one form whichever way the graph was made."""

from __future__ import annotations

import math
from dataclasses import dataclass

from maetheory.core import Estimate
from maetheory.empirical import Band, KernelAverage, Sample, ShardedGraph, bands
from maetheory.empirical.graph_scores import image_bound
from maetheory.graph import MaskGraph
from maetheory.spectra import Spectrum

ROUNDING = 1e-9  # of an eigenvalue, which is at most 1


@dataclass(frozen=True)
class GraphNumbers:
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
    meaning : str
        Whose numbers these are, in one sentence.
    verdict : str
        Of a number that is decided.
    """

    nodes: tuple[int, int]
    edges: int
    components: Band | None
    eigenvalues: tuple[Band, ...]
    alpha: Band
    alpha2: Band
    phi: Band
    bound: Band
    k: int
    certificate: str
    meaning: str
    verdict: str

    @property
    def named(self) -> dict[str, Band]:
        """All numbers that have a band, by name, in the order of the table."""
        first = {} if self.components is None else {"components": self.components}
        values = {f"λ_{i}": band for i, band in enumerate(self.eigenvalues, 1)}
        return first | values | {"α": self.alpha, "α₂": self.alpha2, "φ": self.phi, "bound": self.bound}


def exact_numbers(graph: MaskGraph | ShardedGraph, k: int, edges: int, *, seed: int, meaning: str,
                  verdict: str) -> GraphNumbers:  # fmt: skip
    """Numbers of a graph as it stands: every band is round-off, or what the certificate leaves open."""
    found = graph.spectrum(k + 1, seed=seed)
    count = graph.n_components
    alpha, alpha2, phi = (_band(part) for part in
                          (graph.label_error(), graph.target_label_error(), graph.pair_label_error()))  # fmt: skip
    values = _squares(found)
    return GraphNumbers(
        graph.shape, edges, Band(count, count, count, True, ""), values, alpha, alpha2, phi,
        image_bound(phi, values[k], alpha), k, f"{found.reading}; a λ is the square of one", meaning, verdict,
    )  # fmt: skip


def token_numbers(sample: Sample, k: int, *, seed: int, meaning: str) -> GraphNumbers:
    """Numbers of the graph of all images, as far as a sample tells."""
    found = bands(sample, k, seed=seed)
    met = (f"{found.met_views:.0%} of the weight lies on views that another image shows too, {found.met_targets:.0%} "
           "on such targets")  # fmt: skip
    return GraphNumbers(
        sample.shape, int(sample.graph.joint.nnz), found.components, found.eigenvalues, found.alpha, found.alpha2,
        found.phi, found.sharp_bound, k, met, meaning, "DECIDED",
    )  # fmt: skip


def kernel_numbers(found: KernelAverage, meaning: str) -> GraphNumbers:
    """Means over masks of the numbers of kernel graphs."""
    n = found.n_images
    complete = sum(one.complete for one in found.each)
    width = sum(one.bandwidth for one in found.each) / len(found.each)
    said = f"complete under {complete} of {len(found.each)} masks; bandwidth {width:.3g} on average"
    bound = _band(found.sharp_bound)
    if math.isinf(bound.value):
        bound = Band(math.inf, math.inf, math.inf, False, f"λ_{found.k + 1} cannot be told from 1 under some mask")
    return GraphNumbers(
        (n, n), n * n, None, tuple(map(_band, found.values)), _band(found.view_label_error),
        _band(found.target_label_error), _band(found.pair_label_error), bound, found.k, said, meaning, "MEAN",
    )  # fmt: skip


def _squares(found: Spectrum) -> tuple[Band, ...]:
    bands_of = []
    for value, low, high in zip(found.values, found.lower, found.upper, strict=True):
        square = min(float(value) ** 2, 1.0)
        ends = min(float(low) ** 2, square), max(min(float(high) ** 2, 1.0), square)
        known = not found.missed and (found.complete or ends[1] - ends[0] <= ROUNDING)
        bands_of.append(Band(square, *ends, known, "" if known else found.reading))
    return tuple(bands_of)


def _band(estimate: Estimate) -> Band:
    return Band(estimate.value, max(estimate.low, 0.0), estimate.high, True, "")
