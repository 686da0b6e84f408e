"""What a masked autoencoder minimises: pixels of hidden patches, and with U-MAE how alike two images look."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from maetheory.core import InputError

PairConvention = Literal["off-diagonal", "authors"]


def reconstruction_loss(prediction: Tensor, target: Tensor, valid: Tensor | None = None, *, power: int = 2) -> Tensor:
    """Mean error per value over the hidden patches of each image, then over images (He et al. 2022).

    Parameters
    ----------
    prediction, target : Tensor, shape (B, hidden, c)
    valid : Tensor of bool, shape (B, hidden), optional
        False where a row is padded.
    power : 1 or 2
        Absolute (SimMIM) or squared (MAE) error.

    Returns
    -------
    Tensor, scalar
        In squared (or absolute) standardised pixel units; lower is better.
    """
    error = (prediction - target).abs().pow(power).mean(-1)  # (B, hidden, c) -> (B, hidden)
    if valid is None:
        return error.mean()
    return ((error * valid).sum(1) / valid.sum(1)).mean()


def uniformity(z: Tensor, *, normalize: bool = True, convention: PairConvention = "off-diagonal") -> Tensor:
    """U-MAE's uniformity, the mean squared inner product of two images' features (Zhang et al. 2022, Eq. 11).

    Parameters
    ----------
    z : Tensor, shape (B, d)
        Features of B different images.
    normalize : bool, default True
        Whether rows are L2-normalised first; the theory's L_unif does not normalise.
    convention : "off-diagonal" or "authors"
        Mean over pairs i ≠ j, unbiased for the population; or over all B² pairs as the authors' code does,
        which adds 1/B for normalised rows.

    Returns
    -------
    Tensor, scalar
        In [0, 1] for normalised rows, 1 = collapsed; lower is more uniform.

    Raises
    ------
    InputError
        If there are fewer than two rows or the convention is unknown.

    Examples
    --------
    >>> float(uniformity(torch.eye(3)))
    0.0
    """
    if len(z) < 2:
        raise InputError(f"uniformity compares different images, so it needs at least 2 rows, but there is {len(z)}")
    z = z.float()
    if normalize:
        z = F.normalize(z, dim=-1)
    n, d = z.shape
    gram = z.T @ z if d < n else z @ z.T  # the same squared Frobenius norm, from the smaller side
    total = gram.square().sum()
    if convention == "authors":
        return total / n**2
    if convention != "off-diagonal":
        raise InputError(f"the uniformity convention must be 'off-diagonal' or 'authors', but it is {convention!r}")
    return (total - z.square().sum(-1).square().sum()) / (n * (n - 1))


def standardized_patches(patches: Tensor, eps: float = 1e-6) -> Tensor:
    """Standardise each patch by its own mean and variance: MAE's norm-pix target, shape (B, p, c)."""
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    return (patches - mean) / (variance + eps).sqrt()
