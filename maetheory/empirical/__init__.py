"""Mask graphs of real images: what a sample shows of them, and how far it can be believed.

On real images no two views coincide unless something makes them. Patches become codes, views of different images meet
where their codes agree, and the graph is counted; or targets that are alike are taken for one another, by a Gaussian
kernel. A counted graph is optimistic: new views look alone, so label errors come out too small and singular values too
large. Every number of a counted graph therefore comes as a `IntervalEstimate`: where it lies, and whether the sample decides it.

A graph too large for one machine is shared among the processes of a torch.distributed group: `sharded_token_graph`, and
`kernel_graph` with `ranks`.
"""

from maetheory.core.renames import renamed
from maetheory.empirical.design import HYPOTHESES, LawScores, Score, score_law, score_table
from maetheory.empirical.graph_scores import GraphScores
from maetheory.empirical.kernel.gaussian_matrix import GaussianKernelMatrix
from maetheory.empirical.kernel.graph import KernelGraph, kernel_graph
from maetheory.empirical.kernel.mask_average import KernelAverage, average_over_masks
from maetheory.empirical.kernel.neighbour_graph import NeighbourGraph, neighbour_graph
from maetheory.empirical.parallel.process_group import ProcessGroup
from maetheory.empirical.tokens.codebook import Codebook, fit_codebook
from maetheory.empirical.tokens.graph import token_graph, token_sample
from maetheory.empirical.tokens.graph_intervals import GraphIntervals, IntervalEstimate, bands
from maetheory.empirical.tokens.mean_graph_intervals import MeanGraphIntervals, mean_graph_intervals
from maetheory.empirical.tokens.regions import region_sample
from maetheory.empirical.tokens.sample import Sample, sample_from_codes
from maetheory.empirical.tokens.sharded import sharded_token_graph
from maetheory.empirical.tokens.sharded_graph import ShardedGraph

__all__ = [
    "HYPOTHESES",
    "Codebook",
    "GaussianKernelMatrix",
    "GraphIntervals",
    "GraphScores",
    "IntervalEstimate",
    "KernelAverage",
    "KernelGraph",
    "LawScores",
    "MeanGraphIntervals",
    "NeighbourGraph",
    "ProcessGroup",
    "Sample",
    "Score",
    "ShardedGraph",
    "average_over_masks",
    "bands",
    "fit_codebook",
    "kernel_graph",
    "mean_graph_intervals",
    "neighbour_graph",
    "region_sample",
    "sample_from_codes",
    "score_law",
    "score_table",
    "sharded_token_graph",
    "token_graph",
    "token_sample",
]

__getattr__ = renamed(
    __name__,
    {
        "Band": "IntervalEstimate",
        "Bands": "GraphIntervals",
        "GaussianTable": "GaussianKernelMatrix",
        "MeanBands": "MeanGraphIntervals",
        "Ranks": "ProcessGroup",
        "SCORES": "HYPOTHESES",
        "bands_by_mask": "mean_graph_intervals",
        "sample_of_codes": "sample_from_codes",
    },
)
