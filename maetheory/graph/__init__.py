"""Views and targets are the two sides of a graph, and what a masked autoencoder can learn is written in its spectrum.

A `MaskGraph` is the joint law of what is seen and what is hidden, over every image of a finite world and every mask:
exact, sparse, in float64. From it come the degrees, the normalised bipartite graph and its singular values, the
components, and how often labels disagree. `MaskGraphEmbedding` lays the views out as a scikit-learn transformer.
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
    if name == "MaskGraphEmbedding":  # scikit-learn takes a second to import, and few need it
        from maetheory.graph.embedding import MaskGraphEmbedding

        return MaskGraphEmbedding
    return _renamed(name)
