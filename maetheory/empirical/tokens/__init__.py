"""Mask graphs of images whose patches or regions are quantised, and interval estimates of the graph behind a sample.

Read `codebook` (k-means codes of patches), `hashing` (128-bit identities of views), `sample`, `node_identities` and
`graph` (views and targets of every image under every mask, and their graph). `region_tokens` quantises whole regions
instead of patches. `interval_estimate`, `label_error_brackets`, `singular_functions`, `spectrum_brackets` and
`interval_estimation` estimate the graph of all images from that of a sample, `mask_averaged_intervals` mask by mask.
`distributed_unique`, `sharded_graph`, `sharded_spectrum` and `build_sharded_graph` distribute the graph over a process
group.

>>> import numpy as np
>>> from maetheory.masks import UniformMasks
>>> sample = sample_from_codes(np.array([[0, 1], [0, 0]]), np.array([0, 1]), UniformMasks(2, 1))
>>> sample.graph.n_components
2
"""

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
    "Codebook",
    "GraphIntervals",
    "IntervalEstimate",
    "MeanGraphIntervals",
    "ShardedGraph",
    "TokenSample",
    "fit_codebook",
    "graph_intervals",
    "mean_graph_intervals",
    "region_sample",
    "sample_from_codes",
    "sharded_token_graph",
    "token_graph",
    "token_sample",
]
