"""The effective rank is the exponential of the entropy of the singular values."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import entr

from maetheory.metrics.conventions import Convention, choose
from maetheory.metrics.spectrum import singular_values
from maetheory.metrics.squaring import delta, entropy_slack, root_slack, square_slack, stated


def effective_rank(Z: Any, *, convention: str | None = None) -> float:
    """Return the effective rank ``exp H(s / Σs)`` of features; higher is less collapsed.

    Between 1 and the rank; 0 when every entry is zero. Unlike RankMe there is no ε, unlike the participation ratio
    the spectrum is neither centred nor squared. Scale-free, and unchanged by rotations.

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
    return _exponential_entropy(Z, choose("effective_rank", convention))


def rankme(Z: Any, *, convention: str | None = None) -> float:
    """Return RankMe ``exp(−Σ p ln p)`` with ``p = s / Σs + ε``; higher is less collapsed.

    The ε of the paper makes the shares sum to ``1 + Kε``, so RankMe may pass the rank. It grows with N: compare runs
    of one method at equal N (the paper takes 25 600 rows).

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
    return _exponential_entropy(Z, choose("rankme", convention))


def _exponential_entropy(Z: Any, convention: Convention) -> float:
    values = singular_values(Z, centred=convention.centred)
    if not values.any():
        return 0.0
    scaled, error = values / values[0], delta(Z, top=values[0])
    weights = scaled**2 if convention.squared else scaled
    shares = weights / weights.sum() + convention.epsilon
    rank = float(np.exp(entr(shares).sum()))  # entr(0) = 0: a zero tail is silent
    slack = square_slack(scaled, error) if convention.squared else root_slack(scaled, error)
    off = entropy_slack(len(shares), slack, float(weights.sum()))
    return stated(Z, rank, min(rank * np.expm1(off), float(len(shares))))
