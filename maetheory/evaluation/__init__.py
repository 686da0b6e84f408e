"""From a model and images to features, and from features to numbers one can quote."""

from maetheory.evaluation.baselines import random_twin
from maetheory.evaluation.collapse import Collapse, collapse_report, measure_collapse
from maetheory.evaluation.encode import encode
from maetheory.evaluation.finetune import Finetuned, finetune
from maetheory.evaluation.finetune_recipe import FinetuneConfig
from maetheory.evaluation.mask_views import mask_pair_alignment
from maetheory.evaluation.probe_recipe import ProbeConfig
from maetheory.evaluation.probing import knn_probe, linear_probe
from maetheory.evaluation.reconstruction import reconstruction_loss
from maetheory.evaluation.stepwise_probe import stepwise_probe

__all__ = [
    "Collapse",
    "FinetuneConfig",
    "Finetuned",
    "ProbeConfig",
    "collapse_report",
    "encode",
    "finetune",
    "knn_probe",
    "linear_probe",
    "mask_pair_alignment",
    "measure_collapse",
    "random_twin",
    "reconstruction_loss",
    "stepwise_probe",
]
