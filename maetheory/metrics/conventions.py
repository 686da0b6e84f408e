"""Named conventions under which each metric is computed in the literature; the default is the publication's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from maetheory.core import InputError


@dataclass(frozen=True)
class Convention:
    """One of the ways in which papers and libraries compute a metric.

    Attributes
    ----------
    name : str
        Value to pass as ``convention=``.
    source : str
        Publication or library that computes it this way.
    centred : bool
        Whether the column means are subtracted first.
    squared : bool
        Whether eigenvalues (squared singular values) replace singular values.
    epsilon : float
        Constant added to each share of the spectrum.
    """

    name: str
    source: str
    centred: bool = False
    squared: bool = False
    epsilon: float = 0.0


CONVENTIONS: Mapping[str, tuple[Convention, ...]] = MappingProxyType(
    {
        "effective_rank": (
            Convention("roy-vetterli-2007", "Roy and Vetterli 2007, Eq. 4"),
            Convention("centred", "the same after subtracting the mean", centred=True),
            Convention("eigenvalues", "squared singular values in their place", squared=True),
        ),
        "rankme": (
            Convention("garrido-2023", "Garrido et al. 2023, Eq. 1", epsilon=1e-7),
            Convention("stable-pretraining", "the callback of stable-pretraining", epsilon=1e-5),
            Convention("reptrix", "reptrix: explained variance ratios", centred=True, squared=True, epsilon=1e-7),
            Convention("centred", "the publication's after subtracting the mean", centred=True, epsilon=1e-7),
            Convention("eigenvalues", "squared singular values, not centred", squared=True, epsilon=1e-7),
        ),
        "stable_rank": (
            Convention("uncentred", "Rudelson and Vershynin 2007"),
            Convention("centred", "the same after subtracting the mean", centred=True),
        ),
        "participation_ratio": (
            Convention("plug-in", "eigenvalues of the centred sample covariance", centred=True),
            Convention("corrected", "the Gaussian bias of order 1/n removed", centred=True),
            Convention("uncentred", "eigenvalues of the second moment"),
        ),
        "nesum": (Convention("he-ozay-2022", "He and Ozay 2022", centred=True),),
        "condition_number": (
            Convention("uncentred", "singular values of the features"),
            Convention("centred", "the same after subtracting the mean", centred=True),
        ),
        "iso_score": (Convention("rudman-2022", "Rudman et al. 2022", centred=True),),
        "matrix_entropy": (
            Convention("skean-2025", "Skean et al. 2025, linear kernel, natural logarithm", squared=True),
            Convention("giraldo-2014", "Giraldo et al. 2014, rows at unit length, binary logarithm", squared=True),
            Convention("centred", "linear kernel after subtracting the mean", centred=True, squared=True),
        ),
        "mean_cosine": (
            Convention("off-diagonal", "pairs of different rows"),
            Convention("with-diagonal", "all pairs, each row with itself too"),
        ),
        "self_cluster": (Convention("tsitsulin-2023", "Tsitsulin et al. 2023"),),
        "direction_std": (Convention("chen-he-2021", "Chen and He 2021, denominator N − 1"),),
        "umae_uniformity": (Convention("zhang-2022", "Zhang, Wang and Wang 2022, Eq. 11"),),
        "uniformity": (
            Convention("wang-isola-2020", "Wang and Isola 2020, pairs i < j of rows brought to unit length"),
            Convention("with-diagonal", "all pairs, each row with itself too"),
        ),
        "alignment": (Convention("wang-isola-2020", "Wang and Isola 2020, rows brought to unit length"),),
        "coherence": (
            Convention("tsitsulin-2023", "Tsitsulin et al. 2023, divided by the numerical rank"),
            Convention("full-rank", "divided by min(N, D) whatever the rank"),
        ),
        "twonn": (
            Convention("facco-2017", "Facco et al. 2017, F_i = i/N, the top tenth dropped"),
            Convention("scikit-dimension", "scikit-dimension, F_i = (i − 1)/N"),
        ),
        "linear_cka": (
            Convention("kornblith-2019", "Kornblith et al. 2019, centred", centred=True),
            Convention("debiased", "Nguyen et al. 2021, the unbiased estimate of Song et al. 2012", centred=True),
        ),
        "lidar": (
            Convention("thilak-2024", "Thilak et al. 2024, shares l/Σl + ε", epsilon=1e-8),
            Convention("stable-pretraining", "its callback, shares (l + ε)/Σ(l + ε)", epsilon=1e-8),
        ),
        "alpha_req": (
            Convention("ranks-10-99", "weights 1/rank, ranks 10 to 99", centred=True),
            Convention("reptrix", "reptrix at its first call: eigenvalue ranks 6 to 100", centred=True),
        ),
    }
)
"""Conventions of each metric, the default first."""


def get_convention(metric: str, name: str | None) -> Convention:
    """Return the convention of `metric` called `name`, or its default when `name` is None.

    Raises
    ------
    InputError
        If `metric` has no convention of that name.

    Examples
    --------
    >>> get_convention("rankme", None).epsilon
    1e-07
    """
    known = CONVENTIONS[metric]
    for convention in known:
        if name is None or convention.name == name:
            return convention
    names = ", ".join(repr(convention.name) for convention in known)
    raise InputError(f"convention must be one of {names} for {metric}, but {name!r} was given")
