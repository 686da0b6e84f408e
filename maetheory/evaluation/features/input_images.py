"""Images resized, cropped and scaled to what an encoder takes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from maetheory.core import InputError


def resize_to_encoder(images: Tensor, side: int, channels: int) -> Tensor:
    """Return images with the side and channels of an encoder, float in [0, 1].

    The shorter side is resized to the encoder's, bicubically with antialiasing, in float and clipped to [0, 1]; of the
    longer side the middle is kept; a single grey channel is repeated. Images of the right size are not changed.

    Parameters
    ----------
    images : Tensor, shape (B, C, H, W)
        uint8 0..255 or float in [0, 1].
    side, channels : int

    Raises
    ------
    InputError
        If the images have neither one channel nor as many as the encoder takes.

    Examples
    --------
    >>> import torch
    >>> tuple(resize_to_encoder(torch.zeros(2, 1, 8, 12, dtype=torch.uint8), 4, 3).shape)
    (2, 3, 4, 4)
    """
    if images.ndim != 4 or images.shape[1] not in (1, channels):
        raise InputError(
            f"images must have shape (N, {channels}, H, W), or one channel, but theirs is {tuple(images.shape)}"
        )
    height, width = images.shape[2:]
    if (height, width) != (side, side):
        scale = side / min(height, width)
        size = (round(height * scale), round(width * scale))
        images = F.interpolate(
            to_unit_interval(images), size, mode="bicubic", align_corners=False, antialias=True
        ).clamp(0, 1)
        top, left = (size[0] - side) // 2, (size[1] - side) // 2
        images = images[:, :, top : top + side, left : left + side]
    return images.expand(-1, channels, -1, -1)


def to_unit_interval(images: Tensor) -> Tensor:
    """Return images, uint8 0..255 or float in [0, 1], as float in [0, 1]."""
    return images.float() / 255 if images.dtype == torch.uint8 else images.float()
