"""Shift, flip, mixup and CutMix, with the random draws as arguments."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def shift_and_flip(images: Tensor, corners: Tensor, flipped: Tensor, crop: int) -> Tensor:
    """Return images shifted by up to `crop` pixels, padded with black, and flipped horizontally where `flipped`.

    Parameters
    ----------
    images : Tensor, shape (B, C, H, W)
    corners : Tensor of int, shape (B, 2)
        Row and column of the corner of the window in the padded image, 0 to 2 · crop; `crop` leaves the image in place.
    flipped : Tensor of bool, shape (B,)
    crop : int
        Width of the padding.
    """
    b, channels, height, width = images.shape
    device = images.device
    rows = corners[:, :1] + torch.arange(height, device=device)  # (B, 1) + (H,) -> (B, H)
    columns = torch.arange(width, device=device).expand(b, -1)
    columns = corners[:, 1:] + torch.where(flipped[:, None], columns.flip(1), columns)  # (B, 1) + (B, W) -> (B, W)
    image = torch.arange(b, device=device)[:, None, None, None]
    channel = torch.arange(channels, device=device)[None, :, None, None]
    return F.pad(images, (crop,) * 4)[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


def draw_mixing_map(rng: np.random.Generator, side: int, *, mixup: float, cutmix: float) -> np.ndarray:
    """Draw the weight of an image, pixel by pixel, in its mixture with another.

    Parameters
    ----------
    rng : Generator
    side : int
    mixup, cutmix : float
        Parameters of Beta(a, a); 0 switches the method off. With both, each is chosen with probability ½.

    Returns
    -------
    ndarray, shape (side, side)
        Mixup: λ everywhere (Zhang et al. 2018). CutMix: 0 in a box of area 1 - λ, clipped at the edge of the image, and
        1 outside (Yun et al. 2019). Without mixing: 1. The mean is the weight of the image's own label.
    """
    cut = cutmix > 0 and (mixup == 0 or rng.random() < 0.5)
    if not cut:
        return np.full((side, side), rng.beta(mixup, mixup) if mixup > 0 else 1.0, np.float32)
    box = int(side * np.sqrt(1 - rng.beta(cutmix, cutmix)))
    weights = np.ones((side, side), np.float32)
    top, left = rng.integers(side, size=2) - box // 2
    weights[max(top, 0) : max(top + box, 0), max(left, 0) : max(left + box, 0)] = 0
    return weights


def mixing_partners(n: int) -> Tensor:
    """Return the index of the image with which each is mixed, its neighbour in the batch; shape (n,).

    The last image of an odd batch is mixed with itself. Since a batch is in random order, neighbours are a random pair;
    and no pair is split between processes.
    """
    other = torch.arange(n) ^ 1
    return torch.where(other < n, other, torch.arange(n))


def mix_images(images: Tensor, maps: Tensor) -> Tensor:
    """Return float images (B, C, S, S), each mixed with its partner by its map of weights (B, S, S)."""
    other = images[mixing_partners(len(images)).to(images.device)]
    return other + maps[:, None] * (images - other)


def soft_targets(labels: Tensor, shares: Tensor, classes: int, smoothing: float) -> Tensor:
    """Return the labels of mixed images as probabilities (B, classes).

    Parameters
    ----------
    labels : Tensor of int, shape (B,)
    shares : Tensor, shape (B,)
        Weight of each image's own label; the rest is the weight of its partner's.
    classes : int
    smoothing : float
        Label smoothing: the part of a label that is spread uniformly over all classes (Szegedy et al. 2016).
    """
    targets = F.one_hot(labels, classes).to(shares.dtype)
    targets = targets * (1 - smoothing) + smoothing / classes
    return shares[:, None] * targets + (1 - shares[:, None]) * targets[mixing_partners(len(labels)).to(labels.device)]
