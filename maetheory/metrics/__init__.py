"""What features say about collapse: every number with its convention, every spectral one from mergeable moments."""

from maetheory.metrics.alignment import alignment
from maetheory.metrics.conventions import CONVENTIONS, Convention
from maetheory.metrics.cosines import mean_cosine, umae_uniformity
from maetheory.metrics.effective_rank import effective_rank, rankme
from maetheory.metrics.moments import Moments
from maetheory.metrics.ranks import participation_ratio, stable_rank
from maetheory.metrics.spectrum import covariance_eigenvalues, singular_values
from maetheory.metrics.uniformity import uniformity

__all__ = [
    "CONVENTIONS",
    "Convention",
    "Moments",
    "alignment",
    "covariance_eigenvalues",
    "effective_rank",
    "mean_cosine",
    "participation_ratio",
    "rankme",
    "singular_values",
    "stable_rank",
    "umae_uniformity",
    "uniformity",
]
