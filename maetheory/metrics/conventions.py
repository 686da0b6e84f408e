"""One matrix gets many "RankMe"s, so every convention has a name and the default is the publication's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from maetheory.core import InputError


@dataclass(frozen=True)
class Convention:
    """How a number is computed where papers and libraries differ.

    Attributes
    ----------
    name : str
        What to pass as ``convention=``.
    source : str
        Who computes it this way.
    centred : bool
        Whether the column means are subtracted first.
    squared : bool
        Whether eigenvalues (squared singular values) take the place of singular values.
    epsilon : float
        What is added to each share of the spectrum.
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
            Convention("centred", "the same after subtracting the mean", centred=True, epsilon=1e-7),
            Convention("eigenvalues", "eigenvalues of the second moment", squared=True, epsilon=1e-7),
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
        "mean_cosine": (
            Convention("off-diagonal", "pairs of different rows"),
            Convention("with-diagonal", "all pairs, each row with itself too"),
        ),
        "umae_uniformity": (Convention("zhang-2022", "Zhang, Wang and Wang 2022, Eq. 11"),),
        "uniformity": (
            Convention("wang-isola-2020", "Wang and Isola 2020, pairs i < j of rows brought to unit length"),
            Convention("with-diagonal", "all pairs, each row with itself too"),
        ),
        "alignment": (Convention("wang-isola-2020", "Wang and Isola 2020, rows brought to unit length"),),
    }
)
"""For each metric its conventions, the default first."""


def choose(metric: str, name: str | None) -> Convention:
    """Return the convention of `metric` called `name`, or its default when `name` is None.

    Raises
    ------
    InputError
        If `metric` has no convention of that name.

    Examples
    --------
    >>> choose("rankme", None).epsilon
    1e-07
    """
    known = CONVENTIONS[metric]
    for convention in known:
        if name is None or convention.name == name:
            return convention
    names = ", ".join(repr(convention.name) for convention in known)
    raise InputError(f"convention must be one of {names} for {metric}, but {name!r} was given")
