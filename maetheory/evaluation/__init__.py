"""From a model and images to features, and from features to numbers one can quote."""

from maetheory.evaluation.baselines import random_twin
from maetheory.evaluation.bounds import bounds
from maetheory.evaluation.collapse import Collapse, collapse_report, measure_collapse
from maetheory.evaluation.encode import encode
from maetheory.evaluation.encoded_graph import EncodedGraph, encode_graph
from maetheory.evaluation.mask_views import mask_pair_alignment
from maetheory.evaluation.masked_distances import masked_distances
from maetheory.evaluation.probing import knn_probe, linear_probe
from maetheory.evaluation.rank_correlation import RankCorrelation, rank_correlations
from maetheory.evaluation.reconstruction import reconstruction_loss

__all__ = [
    "Collapse",
    "EncodedGraph",
    "RankCorrelation",
    "bounds",
    "collapse_report",
    "encode",
    "encode_graph",
    "knn_probe",
    "linear_probe",
    "mask_pair_alignment",
    "masked_distances",
    "measure_collapse",
    "random_twin",
    "rank_correlations",
    "reconstruction_loss",
]
