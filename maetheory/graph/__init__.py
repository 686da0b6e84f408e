"""Exact mask graphs of finite worlds: joint law, spectrum, components, label errors, losses.

A `MaskGraph` is the joint law (distribution) of the visible part and the hidden part of an image, over every image of
a finite world and every mask: exact, sparse, in float64. Read `mask_graph` first; `enumerate` computes the joint law,
`joint_law` checks one, `node_contents` holds the patches of each node and `labels` the label errors. `functionals` are
the exact losses of a feature map, and `embedding` is the spectral embedding of the views as a scikit-learn transformer.

>>> from maetheory.data import worlds
>>> from maetheory.graph import MaskGraph
>>> from maetheory.masks import UniformMasks
>>> graph = MaskGraph.enumerate(worlds.mixture(4, 2, 2, noise=0.1), UniformMasks(4, 2))
>>> graph.shape, graph.n_components, graph.label_error()
((24, 24), 6, 0.0819 ± 1.75e-15)
"""

from typing import TYPE_CHECKING, Any

from maetheory.core.renames import renamed
from maetheory.graph.functionals import (
    alignment_loss,
    asymmetric_alignment,
    best_prediction,
    conditional_mean,
    irreducible_loss,
    mean_square,
    positive_pair_distance,
    reconstruction_loss,
    spectral_loss,
    target_variance,
    target_variance_given_mask,
    uniformity_loss,
)
from maetheory.graph.mask_graph import MaskGraph
from maetheory.graph.node_contents import NodeContents

if TYPE_CHECKING:
    from maetheory.graph.embedding import MaskGraphEmbedding

__all__ = [
    "MaskGraph",
    "MaskGraphEmbedding",
    "NodeContents",
    "alignment_loss",
    "asymmetric_alignment",
    "best_prediction",
    "conditional_mean",
    "irreducible_loss",
    "mean_square",
    "positive_pair_distance",
    "reconstruction_loss",
    "spectral_loss",
    "target_variance",
    "target_variance_given_mask",
    "uniformity_loss",
]


_renamed = renamed(__name__, {"Contents": "NodeContents"})


def __getattr__(name: str) -> Any:
    if name == "MaskGraphEmbedding":  # lazy, because scikit-learn takes a second to import
        from maetheory.graph.embedding import MaskGraphEmbedding

        return MaskGraphEmbedding
    return _renamed(name)
