"""Reconstruction loss and the uniformity loss of U-MAE."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from maetheory.core import InputError

PairConvention = Literal["off-diagonal", "authors"]


def reconstruction_loss(prediction: Tensor, target: Tensor, valid: Tensor | None = None, *, power: int = 2) -> Tensor:
    """Mean error per value over the hidden patches of each image, averaged over images (He et al. 2022).

    Parameters
    ----------
    prediction, target : Tensor, shape (B, hidden, c)
    valid : Tensor of bool, shape (B, hidden), optional
        False where a row is padded.
    power : 1 or 2
        1: absolute error (SimMIM); 2: squared error (MAE).

    Returns
    -------
    Tensor, scalar
        In squared (or absolute) standardised pixel units; lower is better.
    """
    error = (prediction - target).abs().pow(power).mean(-1)  # (B, hidden, c) -> (B, hidden)
    if valid is None:
        return error.mean()
    return ((error * valid).sum(1) / valid.sum(1)).mean()


def uniformity_loss(z: Tensor, *, normalize: bool = True, convention: PairConvention = "off-diagonal") -> Tensor:
    """Mean squared inner product of the features of two images, as in U-MAE (Zhang et al. 2022, Eq. 11).

    Parameters
    ----------
    z : Tensor, shape (B, d)
        Features of B different images.
    normalize : bool, default True
        Whether rows are L2-normalised first; L_unif of the theory does not normalise.
    convention : "off-diagonal" or "authors"
        "off-diagonal": mean over pairs i ≠ j, unbiased for the population. "authors": mean over all B² pairs, as in
        the code of the authors, which adds 1/B for normalised rows.

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
    >>> float(uniformity_loss(torch.eye(3)))
    0.0
    """
    check_pairs(z, convention)
    z = z.float()
    if normalize:
        z = F.normalize(z, dim=-1)
    n, d = z.shape
    gram = z.T @ z if d < n else z @ z.T  # the same squared Frobenius norm, from the smaller side
    total = gram.square().sum()
    if convention == "authors":
        return total / n**2
    return (total - z.square().sum(-1).square().sum()) / (n * (n - 1))


def standardized_patches(patches: Tensor, eps: float = 1e-6) -> Tensor:
    """Standardise each patch (B, p, c) by its own mean and variance, the norm-pix target of MAE."""
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    return (patches - mean) / (variance + eps).sqrt()


def check_pairs(z: Tensor, convention: PairConvention = "off-diagonal") -> None:
    """Raise InputError if there are fewer than two rows, or the pair convention is unknown."""
    if len(z) < 2:
        raise InputError(f"uniformity compares different images, so it needs at least 2 rows, but there is {len(z)}")
    if convention not in get_args(PairConvention):
        raise InputError(f"the uniformity convention must be 'off-diagonal' or 'authors', but it is {convention!r}")
