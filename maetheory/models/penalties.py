"""Uniformity penalties: U-MAE's squared cosines, Wang and Isola's potential, the coding rate.

On unit vectors with cosines cᵢⱼ = ẑᵢᵀẑⱼ, the penalty of U-MAE is mean c². Minus the coding rate is
−log det(I + ẐᵀẐ/nμ) = −1/μ + mean c²/(2μ²) − …, so U-MAE's penalty is its second-order term, and at μ = 1 one weight
acts about half as strongly on it. The potential of Wang and Isola is ln mean exp(−2t(1 − c)) =
−2t + 2t mean c + 2t² var c + …, which also depends on the sign of the cosines.
"""

from __future__ import annotations

from math import log
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from maetheory.core import InputError
from maetheory.models.losses import PairConvention, check_pairs, uniformity_loss

UniformityForm = Literal["squares", "gaussian", "coding-rate"]
UNIFORMITY_FORMS: tuple[UniformityForm, ...] = ("squares", "gaussian", "coding-rate")


def uniformity_penalty(
    z: Tensor, *, form: UniformityForm = "squares", normalize: bool = True, convention: PairConvention = "off-diagonal"
) -> Tensor:
    """Uniformity penalty of a batch of features; lower is more uniform.

    A training run adds it, times its weight, to the reconstruction loss.

    Parameters
    ----------
    z : Tensor, shape (B, d)
        Features of B different images.
    form : "squares", "gaussian" or "coding-rate"
        `uniformity_loss` (U-MAE), `gaussian_potential` (Wang and Isola), or minus `coding_rate` (M-MAE).
    normalize : bool, default True
        Whether rows are L2-normalised; the last two forms always normalise, because without it they have no lower
        bound.
    convention : "off-diagonal" or "authors"
        Pairs to average over, as in `uniformity_loss`; a coding rate has no pairs and ignores it.

    Returns
    -------
    Tensor, scalar

    Raises
    ------
    InputError
        If there are fewer than two rows, or the form or the convention is unknown.
    """
    if form == "squares":
        return uniformity_loss(z, normalize=normalize, convention=convention)
    if form == "gaussian":
        return gaussian_potential(z, convention=convention)
    if form == "coding-rate":
        return -coding_rate(z)
    raise InputError(f"the form of uniformity must be one of {', '.join(UNIFORMITY_FORMS)}, but it is {form!r}")


def gaussian_potential(z: Tensor, *, t: float = 2.0, convention: PairConvention = "off-diagonal") -> Tensor:
    """Uniformity of Wang and Isola (2020), ln mean exp(−t‖ẑᵢ − ẑⱼ‖²) over pairs of L2-normalised rows.

    Parameters
    ----------
    z : Tensor, shape (B, d)
    t : float, default 2
        Inverse width of the potential.
    convention : "off-diagonal" or "authors"
        Mean over pairs i ≠ j, as in Wang and Isola, or over all B² pairs, as in the code of U-MAE.

    Returns
    -------
    Tensor, scalar
        In [−4t, 0], 0 = collapsed; `maetheory.metrics.uniformity` computes the same from NumPy arrays.

    Raises
    ------
    InputError
        If there are fewer than two rows or the convention is unknown.

    Examples
    --------
    >>> round(float(gaussian_potential(torch.eye(3))), 6)
    -4.0
    """
    check_pairs(z, convention)
    unit = F.normalize(z.float(), dim=-1)
    n = len(unit)
    exponents = 2 * t * (unit @ unit.T - 1)  # (B, d) @ (d, B) -> (B, B), −t times squared distances
    if convention == "authors":
        return exponents.flatten().logsumexp(0) - 2 * log(n)
    pairs = exponents.masked_fill(torch.eye(n, dtype=torch.bool, device=z.device), -torch.inf)
    return pairs.flatten().logsumexp(0) - log(n * (n - 1))


def coding_rate(z: Tensor, *, distortion: float = 1.0) -> Tensor:
    """Total coding rate log det(I + ẐᵀẐ/(Bμ)) of L2-normalised rows, as in M-MAE (arXiv 2309.17281).

    Parameters
    ----------
    z : Tensor, shape (B, d)
    distortion : float, default 1
        μ > 0. The code of M-MAE divides ẐᵀẐ by the width d and not by B, so its μ is d/B.

    Returns
    -------
    Tensor, scalar
        In nats, from log(1 + 1/μ) (collapsed) to m log(1 + 1/(mμ)), where m = min(B, d).

    Raises
    ------
    InputError
        If there are fewer than two rows.

    Examples
    --------
    >>> round(float(coding_rate(torch.ones(4, 2))), 6)  # ln 2
    0.693147
    """
    check_pairs(z)
    unit = F.normalize(z.float(), dim=-1)
    n, d = unit.shape
    gram = unit.T @ unit if d < n else unit @ unit.T  # the same non-zero eigenvalues, from the smaller side
    moment = torch.eye(len(gram), dtype=gram.dtype, device=gram.device) + gram / (n * distortion)
    return 2 * torch.linalg.cholesky(moment).diagonal().log().sum()
