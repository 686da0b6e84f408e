"""From a model and images to features, and from features to metrics, accuracies and theorem checks.

Five wings: `features` (encode images, batch by batch); above it `collapse` (metrics with intervals and baselines),
`probes` (linear probes, k-NN, fine-tuning) and `bounds` (both sides of theorems on a trained model); above these,
`explanation` (what the leading directions of features hold). Beside them,
`masked_distances` compares images under masks within and between classes, and `rank_correlation` relates scores to
measured accuracies. Start with `encode`, then `collapse_report` and `linear_probe`.

Examples
--------
>>> from maetheory.data import load_images
>>> from maetheory.evaluation import encode, linear_probe
>>> digits = load_images("digits", limit=200)
>>> Z = encode(lambda pixels: pixels.flatten(1), digits)
>>> bool(linear_probe(Z, digits.labels, Z, digits.labels).accuracy > 0.9)
True
"""

from maetheory.core.renames import renamed
from maetheory.evaluation.bounds import EncodedGraph, check_bounds, encode_graph
from maetheory.evaluation.collapse import (
    CollapseMeasurements,
    assess_collapse,
    collapse_report,
    compact_table,
    long_table,
    measure_collapse,
    random_init_model,
)
from maetheory.evaluation.explanation import CollapseExplanation, explain_collapse
from maetheory.evaluation.features import encode, mask_pair_alignment, reconstruction_loss
from maetheory.evaluation.masked_distances import masked_distances
from maetheory.evaluation.probes import (
    FinetuneConfig,
    FinetuneResult,
    ProbeConfig,
    finetune,
    knn_probe,
    linear_probe,
    sgd_probe,
)
from maetheory.evaluation.rank_correlation import RankCorrelation, rank_correlations

__all__ = [
    "CollapseExplanation",
    "CollapseMeasurements",
    "EncodedGraph",
    "FinetuneConfig",
    "FinetuneResult",
    "ProbeConfig",
    "RankCorrelation",
    "assess_collapse",
    "check_bounds",
    "collapse_report",
    "compact_table",
    "encode",
    "encode_graph",
    "explain_collapse",
    "finetune",
    "knn_probe",
    "linear_probe",
    "long_table",
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
