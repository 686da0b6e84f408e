"""Images resized, cropped and scaled to what an encoder takes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from maetheory.core import InputError
from maetheory.data.images import check_pixels

MAX_RESIZED_ASPECT_RATIO = 8  # of a longer image only the middle is resized, so that the output bounds the memory


def resize_to_encoder(images: Tensor, side: int, channels: int) -> Tensor:
    """Return images with the side and channels of an encoder, float in [0, 1].

    The shorter side is resized to the encoder's, bicubically with antialiasing, in float and clipped to [0, 1]; of the
    longer side the middle is kept, and it alone is resized where the image is a long strip. A single grey channel is
    repeated; three equal channels become one. Images of the right size are not changed.

    Parameters
    ----------
    images : Tensor, shape (B, C, H, W)
        uint8 0..255 or float in [0, 1].
    side, channels : int

    Raises
    ------
    InputError
        If the images have neither one channel nor as many as the encoder takes, or the encoder takes one and the images
        have colours.

    Examples
    --------
    >>> import torch
    >>> tuple(resize_to_encoder(torch.zeros(2, 1, 8, 12, dtype=torch.uint8), 4, 3).shape)
    (2, 3, 4, 4)
    """
    if channels == 1:
        images = _gray(images)
    if images.ndim != 4 or images.shape[1] not in (1, channels):
        raise InputError(
            f"images must have shape (N, {channels}, H, W), or one channel, but theirs is {tuple(images.shape)}"
        )
    height, width = images.shape[2:]
    if (height, width) != (side, side):
        images = _middle_of_strips(images)
        height, width = images.shape[2:]
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


def check_tensor_pixels(images: Tensor) -> None:
    """Check images as an `ImageSet` does.

    Raises
    ------
    InputError
        If shape, type or range is another, see `maetheory.data.images.check_pixels`.
    """
    pixels = images.detach().cpu()
    check_pixels((pixels.float() if pixels.dtype == torch.bfloat16 else pixels).numpy())


def _gray(images: Tensor) -> Tensor:
    """Return images of three equal channels with one, and others unchanged."""
    if images.ndim != 4 or images.shape[1] != 3:
        return images
    if not torch.equal(images, images[:, :1].expand_as(images)):
        raise InputError("this encoder takes gray images, but these have colours; convert them to gray")
    return images[:, :1]


def _middle_of_strips(images: Tensor) -> Tensor:
    """Return the images, or their middle if they are more than 8 times as long as they are wide."""
    height, width = images.shape[2:]
    longest = MAX_RESIZED_ASPECT_RATIO * min(height, width)
    for axis, length in ((2, height), (3, width)):
        if length > longest:
            kept = longest + (length - longest) % 2  # the parity of the whole, and so the same centre
            images = images.narrow(axis, (length - kept) // 2, kept)
    return images
