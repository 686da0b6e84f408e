"""From a model and images to features, and from features to numbers one can quote."""

from maetheory.evaluation.collapse import collapse_report, mask_pair_alignment
from maetheory.evaluation.encode import encode
from maetheory.evaluation.probing import knn_probe, linear_probe

__all__ = ["collapse_report", "encode", "knn_probe", "linear_probe", "mask_pair_alignment"]
