"""Effective rank and RankMe: exponential entropy of the singular values."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import entr

from maetheory.metrics.conventions import Convention, get_convention
from maetheory.metrics.spectrum import singular_values
from maetheory.metrics.squaring_error import (
    entropy_error,
    relative_squaring_error,
    sum_error,
    sum_of_squares_error,
    with_squaring_error,
    without_spectrum,
)


def effective_rank(Z: Any, *, convention: str | None = None) -> float:
    """Return the effective rank ``exp H(s / Σs)`` of features; higher is less collapsed.

    Between 1 and the rank; 0 when every entry is zero. Unlike RankMe it has no ε; unlike the participation ratio
    it neither centres nor squares the spectrum. Invariant under scaling and rotations.

    Parameters
    ----------
    Z : array or tensor (N, D), or Moments
        The features.
    convention : str, optional
        ``"roy-vetterli-2007"`` (default), ``"centred"`` or ``"eigenvalues"``.

    Raises
    ------
    InputError
        If there are fewer than two rows, NaN or infinity among them, or the convention is unknown.

    References
    ----------
    Roy and Vetterli 2007, The Effective Rank.

    Examples
    --------
    >>> import numpy as np
    >>> round(effective_rank(np.eye(5)), 9)
    5.0
    >>> effective_rank(np.ones((4, 3)))
    1.0
    """
    return _exponential_entropy(Z, get_convention("effective_rank", convention))


def rankme(Z: Any, *, convention: str | None = None) -> float:
    """Return RankMe ``exp(−Σ p ln p)`` with ``p = s / Σs + ε``; higher is less collapsed.

    The ε of the paper makes the shares sum to ``1 + Kε``, so RankMe can exceed the rank. It grows with N: compare runs
    of one method at equal N (the paper uses 25 600 rows).

    Parameters
    ----------
    Z : array or tensor (N, D), or Moments
        The features, not centred.
    convention : str, optional
        ``"garrido-2023"`` (default, ε = 1e-7), ``"centred"`` or ``"eigenvalues"``; see `maetheory.metrics.CONVENTIONS`.

    Raises
    ------
    InputError
        If there are fewer than two rows, NaN or infinity among them, or the convention is unknown.

    References
    ----------
    Garrido et al. 2023, RankMe: Assessing the Downstream Performance of Pretrained Self-Supervised Representations by
    Their Rank, Eq. 1.

    Examples
    --------
    >>> import numpy as np
    >>> round(rankme(np.eye(5)), 4)
    5.0
    """
    return _exponential_entropy(Z, get_convention("rankme", convention))


def _exponential_entropy(Z: Any, convention: Convention) -> float:
    values = singular_values(Z, centred=convention.centred)
    if not values.any():
        return without_spectrum(Z, float(len(values)), centred=convention.centred)
    scaled = values / values[0]
    error = relative_squaring_error(Z, centred=convention.centred, top=values[0])
    weights = scaled**2 if convention.squared else scaled
    shares = weights / weights.sum() + convention.epsilon
    rank = float(np.exp(entr(shares).sum()))  # entr(0) = 0: zero values add nothing
    weight_error = sum_of_squares_error(scaled, error) if convention.squared else sum_error(scaled, error)
    error_bound = entropy_error(len(shares), weight_error, float(weights.sum()))
    return with_squaring_error(Z, rank, min(rank * np.expm1(error_bound), float(len(shares))))
