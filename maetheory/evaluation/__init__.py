"""From a model and images to features, and from features to numbers one can quote."""

from maetheory.evaluation.baselines import random_twin
from maetheory.evaluation.bounds import bounds
from maetheory.evaluation.collapse import Collapse, collapse_report, measure_collapse
from maetheory.evaluation.encode import encode
from maetheory.evaluation.encoded_graph import EncodedGraph, encode_graph
from maetheory.evaluation.finetune import Finetuned, finetune
from maetheory.evaluation.finetune_recipe import FinetuneConfig
from maetheory.evaluation.mask_views import mask_pair_alignment
from maetheory.evaluation.masked_distances import masked_distances
from maetheory.evaluation.probe_recipe import ProbeConfig
from maetheory.evaluation.probing import knn_probe, linear_probe
from maetheory.evaluation.rank_correlation import RankCorrelation, rank_correlations
from maetheory.evaluation.reconstruction import reconstruction_loss
from maetheory.evaluation.stepwise_probe import stepwise_probe

__all__ = [
    "Collapse",
    "EncodedGraph",
    "FinetuneConfig",
    "Finetuned",
    "ProbeConfig",
    "RankCorrelation",
    "bounds",
    "collapse_report",
    "encode",
    "encode_graph",
    "finetune",
    "knn_probe",
    "linear_probe",
    "mask_pair_alignment",
    "masked_distances",
    "measure_collapse",
    "random_twin",
    "rank_correlations",
    "reconstruction_loss",
    "stepwise_probe",
]
