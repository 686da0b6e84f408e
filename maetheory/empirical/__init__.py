"""Mask graphs of real images: what a sample shows of them, and how far it can be believed.

On real images no two views coincide unless something makes them. Patches become codes, views of different images meet
where their codes agree, and the graph is counted; or targets that are alike are taken for one another, by a Gaussian
kernel. A counted graph is optimistic: new views look alone, so label errors come out too small and singular values too
large. Every number of a counted graph therefore comes as a `Band`: where it lies, and whether the sample decides it.
"""

from maetheory.empirical.average import KernelAverage, average_over_masks
from maetheory.empirical.bands import Band, Bands, bands
from maetheory.empirical.codebook import Codebook, fit_codebook
from maetheory.empirical.gaussian import GaussianTable
from maetheory.empirical.kernel import KernelGraph, kernel_graph
from maetheory.empirical.neighbours import NeighbourGraph, neighbour_graph
from maetheory.empirical.sample import Sample, sample_of_codes
from maetheory.empirical.tokens import token_graph, token_sample

__all__ = [
    "Band",
    "Bands",
    "Codebook",
    "GaussianTable",
    "KernelAverage",
    "KernelGraph",
    "NeighbourGraph",
    "Sample",
    "average_over_masks",
    "bands",
    "fit_codebook",
    "kernel_graph",
    "neighbour_graph",
    "sample_of_codes",
    "token_graph",
    "token_sample",
]
