"""Images without content that keep the colours of a data set: noise, constant images, and shuffled patches."""

from __future__ import annotations

from math import gcd
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from maetheory.evaluation.features.backbone import vision_transformer
from maetheory.evaluation.features.input_images import resize_to_encoder, to_unit_interval

CONTENT_FREE_KINDS = ("constant", "shuffled", "noise")
PAIRED_KINDS = ("constant", "shuffled")
"""Kinds of which each image is made from one real image, so that their scores can be correlated."""
PATCHES_A_SIDE = 8  # of images that are shuffled for a model whose patch size is not known


class ChannelMoments(NamedTuple):
    """Mean and standard deviation of each channel over all pixels of a data set, shapes (C,), in units of white."""

    mean: Tensor
    std: Tensor


def encoder_pixels(encoder: Any, images: Tensor) -> Tensor:
    """Return images as the encoder sees them before it standardises them: its size, float in [0, 1].

    Parameters
    ----------
    encoder : any
        Of models of other libraries, which resize images themselves, the images keep their size.
    images : Tensor, shape (n, C, H, W)
    """
    vit = vision_transformer(encoder)
    if vit is None:
        return to_unit_interval(images)
    return to_unit_interval(resize_to_encoder(images, vit.config.image_size, vit.config.channels))


def patch_shape(encoder: Any, height: int, width: int) -> tuple[int, int]:
    """Return height and width of the patches to shuffle: the encoder's own, or about an eighth of a side.

    Examples
    --------
    >>> patch_shape(len, 32, 32), patch_shape(len, 20, 30), patch_shape(len, 7, 5)
    ((4, 4), (2, 2), (1, 1))
    """
    vit = vision_transformer(encoder)
    if vit is not None:
        patch = vit.config.patch
        return patch if isinstance(patch, tuple) else (patch, patch)
    common = gcd(height, width)
    largest = max(1, min(height, width) // PATCHES_A_SIDE)
    side = max(one for one in range(1, largest + 1) if common % one == 0)
    return side, side


def channel_moments(sums: Tensor, squares: Tensor, count: int) -> ChannelMoments:
    """Return the moments of `count` pixels from the sums over them of values and squares, shapes (C,)."""
    mean = sums / count
    return ChannelMoments(mean, (squares / count - mean.square()).clamp(min=0).sqrt())


def content_free_images(
    kind: str,
    pixels: Tensor,
    moments: ChannelMoments,
    patch: tuple[int, int],
    rng: np.random.Generator,
) -> Tensor:
    """Return one image without content for each real image.

    Parameters
    ----------
    kind : "constant", "shuffled" or "noise"
        constant: every pixel is the mean colour of the real image. shuffled: the patches of the real image in random
        order, another for each image. noise: each pixel and channel is drawn independently from the normal distribution
        with the moments of the data set's channel, clipped to [0, 1].
    pixels : Tensor, shape (n, C, H, W), float in [0, 1]
    moments : ChannelMoments
    patch : (int, int)
        Height and width of a patch; they divide those of the images.
    rng : numpy Generator

    Returns
    -------
    Tensor, shape (n, C, H, W), float32 in [0, 1]
    """
    n, channels, height, width = pixels.shape
    if kind == "constant":
        return pixels.mean((2, 3), keepdim=True).expand_as(pixels).float().contiguous()
    if kind == "noise":
        noise = torch.from_numpy(rng.standard_normal(pixels.shape, dtype=np.float32))
        mean, std = (one.float()[None, :, None, None] for one in moments)
        return (mean + std * noise).clamp(0, 1)
    rows, columns = height // patch[0], width // patch[1]
    cells = pixels.reshape(n, channels, rows, patch[0], columns, patch[1])  # (n, C, H, W) -> (n, C, r, ph, c, pw)
    cells = cells.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)  # -> (n, p, C, ph, pw)
    order = torch.from_numpy(rng.permuted(np.tile(np.arange(rows * columns), (n, 1)), axis=1))
    mixed = cells[torch.arange(n)[:, None], order].unflatten(1, (rows, columns))
    return mixed.permute(0, 3, 1, 4, 2, 5).reshape(pixels.shape).float()
