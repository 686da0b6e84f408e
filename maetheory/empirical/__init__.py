"""Mask graphs of real images: what a sample shows of them, and how far it can be believed.

On real images no two views coincide unless something makes them. Patches become codes, views of different images meet
where their codes agree, and the graph is counted; or targets that are alike are taken for one another, by a Gaussian
kernel. A counted graph is optimistic: new views look alone, so label errors come out too small and singular values too
large. Every number of a counted graph therefore comes as a `Band`: where it lies, and whether the sample decides it.

A graph too large for one machine is shared among the processes of a torch.distributed group: `sharded_token_graph`, and
`kernel_graph` with `ranks`.
"""

from maetheory.empirical.average import KernelAverage, average_over_masks
from maetheory.empirical.bands import Band, Bands, bands
from maetheory.empirical.codebook import Codebook, fit_codebook
from maetheory.empirical.design import SCORES, LawScores, Score, score_law, score_table
from maetheory.empirical.gaussian import GaussianTable
from maetheory.empirical.graph_scores import GraphScores
from maetheory.empirical.kernel import KernelGraph, kernel_graph
from maetheory.empirical.mask_by_mask import MeanBands, bands_by_mask
from maetheory.empirical.neighbours import NeighbourGraph, neighbour_graph
from maetheory.empirical.ranks import Ranks
from maetheory.empirical.regions import region_sample
from maetheory.empirical.sample import Sample, sample_of_codes
from maetheory.empirical.sharded import ShardedGraph
from maetheory.empirical.sharded_tokens import sharded_token_graph
from maetheory.empirical.tokens import token_graph, token_sample

__all__ = [
    "SCORES",
    "Band",
    "Bands",
    "Codebook",
    "GaussianTable",
    "GraphScores",
    "KernelAverage",
    "KernelGraph",
    "LawScores",
    "MeanBands",
    "NeighbourGraph",
    "Ranks",
    "Sample",
    "Score",
    "ShardedGraph",
    "average_over_masks",
    "bands",
    "bands_by_mask",
    "fit_codebook",
    "kernel_graph",
    "neighbour_graph",
    "region_sample",
    "sample_of_codes",
    "score_law",
    "score_table",
    "sharded_token_graph",
    "token_graph",
    "token_sample",
]
