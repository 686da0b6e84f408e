"""Images moved, mirrored and mixed, with labels mixed alike; what is drawn is an argument."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def shift_and_flip(images: Tensor, corners: Tensor, flipped: Tensor, crop: int) -> Tensor:
    """Return each image's window of its own size in itself with a black rim, mirrored or not.

    Parameters
    ----------
    images : Tensor, shape (B, C, H, W)
    corners : Tensor of int, shape (B, 2)
        Row and column of the window's corner, 0 to 2 · crop; crop leaves the image in place.
    flipped : Tensor of bool, shape (B,)
    crop : int
        Width of the rim.
    """
    b, channels, height, width = images.shape
    here = images.device
    rows = corners[:, :1] + torch.arange(height, device=here)  # (B, 1) + (H,) -> (B, H)
    columns = torch.arange(width, device=here).expand(b, -1)
    columns = corners[:, 1:] + torch.where(flipped[:, None], columns.flip(1), columns)  # (B, 1) + (B, W) -> (B, W)
    which = torch.arange(b, device=here)[:, None, None, None]
    depth = torch.arange(channels, device=here)[None, :, None, None]
    return F.pad(images, (crop,) * 4)[which, depth, rows[:, None, :, None], columns[:, None, None, :]]


def draw_mixing_map(rng: np.random.Generator, side: int, *, mixup: float, cutmix: float) -> np.ndarray:
    """Draw how much of an image, pixel by pixel, stays in its mixture with another.

    Parameters
    ----------
    rng : Generator
    side : int
    mixup, cutmix : float
        Parameters of Beta(a, a); 0 does not mix so. With both, a coin decides between them.

    Returns
    -------
    ndarray, shape (side, side)
        λ everywhere (Zhang et al. 2018), or 0 in a box of a share 1 - λ of the image, cut at its edge, and 1 outside
        (Yun et al. 2019); 1 where nothing is mixed. Its mean is the share of the image's own label.
    """
    cut = cutmix > 0 and (mixup == 0 or rng.random() < 0.5)
    if not cut:
        return np.full((side, side), rng.beta(mixup, mixup) if mixup > 0 else 1.0, np.float32)
    box = int(side * np.sqrt(1 - rng.beta(cutmix, cutmix)))
    whole = np.ones((side, side), np.float32)
    top, left = rng.integers(side, size=2) - box // 2
    whole[max(top, 0) : max(top + box, 0), max(left, 0) : max(left + box, 0)] = 0
    return whole


def mixing_partners(n: int) -> Tensor:
    """Return with which image each is mixed: its neighbour in the batch, itself where there is none; shape (n,).

    A batch is in random order, so neighbours are as random a pair as any, and no pair is torn between processes.
    """
    other = torch.arange(n) ^ 1
    return torch.where(other < n, other, torch.arange(n))


def mix_images(images: Tensor, maps: Tensor) -> Tensor:
    """Return images (B, C, S, S), in floating point, each mixed with its partner by its map (B, S, S)."""
    other = images[mixing_partners(len(images)).to(images.device)]
    return other + maps[:, None] * (images - other)


def soft_targets(labels: Tensor, shares: Tensor, classes: int, smoothing: float) -> Tensor:
    """Return the mixtures' labels as probabilities (B, classes).

    Parameters
    ----------
    labels : Tensor of int, shape (B,)
    shares : Tensor, shape (B,)
        What of each image's own label stays; the rest is its partner's.
    classes : int
    smoothing : float
        How much of a label is spread evenly over all classes (Szegedy et al. 2016).
    """
    sure = F.one_hot(labels, classes).to(shares.dtype)
    sure = sure * (1 - smoothing) + smoothing / classes
    return shares[:, None] * sure + (1 - shares[:, None]) * sure[mixing_partners(len(labels)).to(labels.device)]
