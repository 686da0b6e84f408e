"""Mask graphs of real images, estimated from samples of images and masks.

Views of different real images never coincide, so a mask graph needs an approximation under which they do. Two wings
give one each: `tokens` quantises patches and counts coincidences of codes; `kernel` blurs targets by a Gaussian kernel.
A token graph of a sample is optimistic (label errors too small, singular values too large), so its quantities come as
`IntervalEstimate`: value, confidence interval, and whether the sample decides it.

Read `tokens` first (`sample`, `graph`, `interval_estimation`), then `kernel` (`gaussian_matrix`, `graph`,
`mask_average`), then `law_scores`, which scores mask laws from both by `graph_scores` and `hypotheses`; `linear_mae`
scores mask laws and patch sizes from second moments alone, without a graph. `population_bound` bounds downstream error
over all images, with exact confidence, and `advice` ranks mask laws for given images. Both wings of
graphs distribute large ones over a torch.distributed group with `parallel`: `sharded_token_graph`, and `kernel_graph`
with `process_group`.

>>> from maetheory.data import load_images
>>> from maetheory.masks import UniformMasks
>>> images = load_images("digits", limit=100)
>>> sample = token_sample(images, UniformMasks(16, 8), codebook=fit_codebook(images, 2, 4), n_masks=2)
>>> graph_intervals(sample, k=1).phi.decided
False
"""

from maetheory.core.renames import renamed
from maetheory.empirical.advice.advise_images import Advice, advise
from maetheory.empirical.graph_scores import GraphScores
from maetheory.empirical.hypotheses import HYPOTHESES, Hypothesis
from maetheory.empirical.kernel.build_graph import kernel_graph
from maetheory.empirical.kernel.gaussian_matrix import GaussianKernelMatrix
from maetheory.empirical.kernel.graph import KernelGraph
from maetheory.empirical.kernel.mask_average import KernelAverage, average_over_masks
from maetheory.empirical.kernel.nearest_neighbour_graph import NeighbourGraph, neighbour_graph
from maetheory.empirical.law_scores import LawScores, score_law, score_table
from maetheory.empirical.linear_mae import linear_mae_kept_share, linear_mae_loss_share
from maetheory.empirical.parallel.process_group import ProcessGroup
from maetheory.empirical.tokens.build_sharded_graph import sharded_token_graph
from maetheory.empirical.tokens.codebook import Codebook, fit_codebook
from maetheory.empirical.tokens.graph import token_graph, token_sample
from maetheory.empirical.tokens.interval_estimate import IntervalEstimate
from maetheory.empirical.tokens.interval_estimation import GraphIntervals, graph_intervals
from maetheory.empirical.tokens.mask_averaged_intervals import MeanGraphIntervals, mean_graph_intervals
from maetheory.empirical.tokens.region_tokens import region_sample
from maetheory.empirical.tokens.sample import TokenSample, sample_from_codes
from maetheory.empirical.tokens.sharded_graph import ShardedGraph

__all__ = [
    "HYPOTHESES",
    "Advice",
    "Codebook",
    "GaussianKernelMatrix",
    "GraphIntervals",
    "GraphScores",
    "Hypothesis",
    "IntervalEstimate",
    "KernelAverage",
    "KernelGraph",
    "LawScores",
    "MeanGraphIntervals",
    "NeighbourGraph",
    "ProcessGroup",
    "ShardedGraph",
    "TokenSample",
    "advise",
    "average_over_masks",
    "fit_codebook",
    "graph_intervals",
    "kernel_graph",
    "linear_mae_kept_share",
    "linear_mae_loss_share",
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
        "Sample": "TokenSample",
        "Score": "Hypothesis",
        "bands": "graph_intervals",
        "bands_by_mask": "mean_graph_intervals",
        "sample_of_codes": "sample_from_codes",
    },
)
