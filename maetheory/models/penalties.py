"""Three penalties keep the features of images from looking alike.

On unit vectors with cosines cᵢⱼ = ẑᵢᵀẑⱼ: U-MAE's is mean c². Minus the coding rate is −log det(I + ẐᵀẐ/nμ) =
−1/μ + mean c²/(2μ²) − …, so U-MAE's is its second order, and at μ = 1 a weight counts about half as much. Wang and
Isola's is ln mean exp(−2t(1 − c)) = −2t + 2t mean c + 2t² var c + …: it also sees the sign of a cosine.
"""

from __future__ import annotations

from math import log
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from maetheory.core import InputError
from maetheory.models.losses import PairConvention, uniformity

UniformityForm = Literal["squares", "gaussian", "coding-rate"]
UNIFORMITY_FORMS: tuple[UniformityForm, ...] = ("squares", "gaussian", "coding-rate")


def uniformity_penalty(
    z: Tensor, *, form: UniformityForm = "squares", normalize: bool = True, convention: PairConvention = "off-diagonal"
) -> Tensor:
    """What a training run adds, times its weight, to the reconstruction loss; lower is more uniform.

    Parameters
    ----------
    z : Tensor, shape (B, d)
        Features of B different images.
    form : "squares", "gaussian" or "coding-rate"
        `uniformity` (U-MAE), `gaussian_potential` (Wang and Isola), or minus `coding_rate` (M-MAE).
    normalize : bool, default True
        Whether rows are L2-normalised; the last two forms always do, for without it they fall without bound.
    convention : "off-diagonal" or "authors"
        Which pairs count; a coding rate knows no pairs and does not read it.

    Returns
    -------
    Tensor, scalar

    Raises
    ------
    InputError
        If there are fewer than two rows, or the form or the convention is unknown.
    """
    if form == "squares":
        return uniformity(z, normalize=normalize, convention=convention)
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
        Over pairs i ≠ j, as its authors do, or over all B² pairs, as U-MAE's authors do with theirs.

    Returns
    -------
    Tensor, scalar
        In [−4t, 0], 0 = collapsed; `maetheory.metrics.uniformity` is the same number of NumPy arrays.

    Raises
    ------
    InputError
        If there are fewer than two rows or the convention is unknown.

    Examples
    --------
    >>> round(float(gaussian_potential(torch.eye(3))), 6)
    -4.0
    """
    unit = _unit_rows(z)
    n = len(unit)
    exponents = 2 * t * (unit @ unit.T - 1)  # (B, d) @ (d, B) -> (B, B), −t times squared distances
    if convention == "authors":
        return exponents.flatten().logsumexp(0) - 2 * log(n)
    if convention != "off-diagonal":
        raise InputError(f"the uniformity convention must be 'off-diagonal' or 'authors', but it is {convention!r}")
    pairs = exponents.masked_fill(torch.eye(n, dtype=torch.bool, device=z.device), -torch.inf)
    return pairs.flatten().logsumexp(0) - log(n * (n - 1))


def coding_rate(z: Tensor, *, distortion: float = 1.0) -> Tensor:
    """Total coding rate log det(I + ẐᵀẐ/(Bμ)) of L2-normalised rows, M-MAE's measure of spread (2309.17281).

    Parameters
    ----------
    z : Tensor, shape (B, d)
    distortion : float, default 1
        μ > 0. M-MAE's code divides ẐᵀẐ by the width d where this divides by B, so its μ is d/B.

    Returns
    -------
    Tensor, scalar
        In nats, between log(1 + 1/μ), collapsed, and m log(1 + 1/(mμ)) with m the smaller of B and d.

    Raises
    ------
    InputError
        If there are fewer than two rows.

    Examples
    --------
    >>> round(float(coding_rate(torch.ones(4, 2))), 6)  # ln 2
    0.693147
    """
    unit = _unit_rows(z)
    n, d = unit.shape
    gram = unit.T @ unit if d < n else unit @ unit.T  # the same non-zero eigenvalues, from the smaller side
    moment = torch.eye(len(gram), dtype=gram.dtype, device=gram.device) + gram / (n * distortion)
    return 2 * torch.linalg.cholesky(moment).diagonal().log().sum()


def _unit_rows(z: Tensor) -> Tensor:
    if len(z) < 2:
        raise InputError(f"uniformity compares different images, so it needs at least 2 rows, but there is {len(z)}")
    return F.normalize(z.float(), dim=-1)
