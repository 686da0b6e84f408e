"""Both sides of theorems, measured on trained masked autoencoders and on unconstrained features.

Read in this order: `encoded_graph` (a masked autoencoder on every view and target of a mask graph, with
`graph_contents` for its inputs and `autoencoding` for h_g), `check_bounds` (theorems on the result), `callback` (the
same during training), `toy_training` (a small run on a finite world) and `unconstrained_features_training` (one free
vector per view, trained on the exact loss).

Examples
--------
>>> import torch
>>> from maetheory.data import worlds
>>> from maetheory.evaluation.bounds import check_bounds, encode_graph
>>> from maetheory.graph import MaskGraph
>>> from maetheory.masks import UniformMasks
>>> from maetheory.models import MAE, MAEConfig, ViTConfig
>>> model = MAE(MAEConfig(ViTConfig(2, 1, 1, width=8, depth=1, heads=1), 8, 1, 1))
>>> graph = MaskGraph.enumerate(worlds.mixture(4, 2, 2, 0.1), UniformMasks(4, 2))
>>> check_bounds(encode_graph(model, graph), ["alignment-split"])[0].verdict.value
'TIGHT'
"""

from maetheory.evaluation.bounds.callback import BoundsCallback
from maetheory.evaluation.bounds.check_bounds import check_bounds
from maetheory.evaluation.bounds.encoded_graph import EncodedGraph, encode_graph
from maetheory.evaluation.bounds.unconstrained_features_training import (
    UnconstrainedFeatures,
    train_unconstrained_features,
)

__all__ = [
    "BoundsCallback",
    "EncodedGraph",
    "UnconstrainedFeatures",
    "check_bounds",
    "encode_graph",
    "train_unconstrained_features",
]
