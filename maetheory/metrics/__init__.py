"""Metrics of representation collapse, computed from features or from mergeable moments.

Features are an array ``Z`` (N, D), one row per image. A metric of second moments takes either the features, which are
decomposed by SVD, or `Moments`, which merge over batches and processes; from moments it returns an `Estimate` whose
error bounds the loss of digits by squaring the spectrum. Where papers and libraries compute a metric differently,
`CONVENTIONS` names each way, and the default is that of the publication.

Read `moments` and `conventions` first. Most of the room is a flat list of one file per metric or family of metrics:
`effective_rank`, `ranks`, `cosines`, `coherence`, `uniformity`, `alignment`, `matrix_entropy`, `alpha_req`, `twonn`,
`cka`, `lidar`, `augmentation_confusion`, `gaussianity`, `class_distances` and `token_class_similarity`. `validation`
checks the input, `spectrum` computes singular values, `squaring_error` bounds the errors of metrics of moments,
`nearest_neighbour_search` serves two, `uncertainty` gives jackknife and bootstrap intervals, and `baselines` gives the
values that features without structure would have. `centred_moments` and `tile_buffers` are parts of `moments`, and
`moment_metrics` lists the metrics that it suffices for.

>>> import numpy as np
>>> from maetheory.metrics import Moments, effective_rank
>>> Z = np.random.default_rng(0).normal(size=(1000, 8))
>>> round(effective_rank(Z), 2), effective_rank(Moments(8).update(Z)).error < 1e-9
(7.99, True)
"""

from maetheory.core.renames import renamed
from maetheory.metrics.alignment import alignment, graph_alignment, mask_alignment
from maetheory.metrics.alpha_req import PowerLawFit, alpha_req
from maetheory.metrics.augmentation_confusion import acr, arc
from maetheory.metrics.baselines import marchenko_pastur, shuffled_columns
from maetheory.metrics.cka import linear_cka
from maetheory.metrics.class_distances import ClassDistances, class_distances
from maetheory.metrics.coherence import coherence
from maetheory.metrics.conventions import CONVENTIONS, Convention
from maetheory.metrics.cosines import direction_std, mean_cosine, self_cluster, umae_uniformity
from maetheory.metrics.effective_rank import effective_rank, rankme
from maetheory.metrics.gaussianity import Gaussianity, gaussianity
from maetheory.metrics.lidar import lidar
from maetheory.metrics.matrix_entropy import kernel_entropy, matrix_entropy, vendi
from maetheory.metrics.moment_metrics import MOMENT_METRICS
from maetheory.metrics.moments import Moments
from maetheory.metrics.ranks import condition_number, iso_score, nesum, participation_ratio, stable_rank
from maetheory.metrics.spectrum import covariance_eigenvalues, singular_values
from maetheory.metrics.token_class_similarity import token_class_similarity
from maetheory.metrics.twonn import twonn
from maetheory.metrics.uncertainty import bootstrap, jackknife, metric_by_sample_size
from maetheory.metrics.uniformity import uniformity

__all__ = [
    "CONVENTIONS",
    "MOMENT_METRICS",
    "ClassDistances",
    "Convention",
    "Gaussianity",
    "Moments",
    "PowerLawFit",
    "acr",
    "alignment",
    "alpha_req",
    "arc",
    "bootstrap",
    "class_distances",
    "coherence",
    "condition_number",
    "covariance_eigenvalues",
    "direction_std",
    "effective_rank",
    "gaussianity",
    "graph_alignment",
    "iso_score",
    "jackknife",
    "kernel_entropy",
    "lidar",
    "linear_cka",
    "marchenko_pastur",
    "mask_alignment",
    "matrix_entropy",
    "mean_cosine",
    "metric_by_sample_size",
    "nesum",
    "participation_ratio",
    "rankme",
    "self_cluster",
    "shuffled_columns",
    "singular_values",
    "stable_rank",
    "token_class_similarity",
    "twonn",
    "umae_uniformity",
    "uniformity",
    "vendi",
]

__getattr__ = renamed(
    __name__,
    {
        "OF_MOMENTS": "MOMENT_METRICS",
        "growth": "metric_by_sample_size",
    },
)
