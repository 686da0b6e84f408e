"""From a model and images to features, and from features to numbers one can quote."""

from maetheory.core.renames import renamed
from maetheory.evaluation.bounds.check_bounds import bounds
from maetheory.evaluation.bounds.encoded_graph import EncodedGraph, encode_graph
from maetheory.evaluation.collapse.random_initialisation import random_init_model
from maetheory.evaluation.collapse.report import CollapseMeasurements, collapse_report, measure_collapse
from maetheory.evaluation.features.encode import encode
from maetheory.evaluation.features.masked_views import mask_pair_alignment
from maetheory.evaluation.features.reconstruction import reconstruction_loss
from maetheory.evaluation.masked_distances import masked_distances
from maetheory.evaluation.probes.finetune import FinetuneResult, finetune
from maetheory.evaluation.probes.finetune_config import FinetuneConfig
from maetheory.evaluation.probes.linear_and_knn import knn_probe, linear_probe
from maetheory.evaluation.probes.probe_config import ProbeConfig
from maetheory.evaluation.probes.sgd_probe import sgd_probe
from maetheory.evaluation.rank_correlation import RankCorrelation, rank_correlations

__all__ = [
    "CollapseMeasurements",
    "EncodedGraph",
    "FinetuneConfig",
    "FinetuneResult",
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
    "random_init_model",
    "rank_correlations",
    "reconstruction_loss",
    "sgd_probe",
]

__getattr__ = renamed(
    __name__,
    {
        "Collapse": "CollapseMeasurements",
        "Finetuned": "FinetuneResult",
        "random_twin": "random_init_model",
        "stepwise_probe": "sgd_probe",
    },
)
