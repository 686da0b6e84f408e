"""Images resized, cropped and scaled to what an encoder takes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from maetheory.core import InputError
from maetheory.data.images import check_pixels

MAX_OF_TWICE_DIVIDED = 1.0001 / 255
MAX_RESIZED_ASPECT_RATIO = 8  # of a longer image only the middle is resized, so that the output bounds the memory


def resize_to_encoder(images: Tensor, side: int | tuple[int, int], channels: int) -> Tensor:
    """Return images with the size and channels of an encoder, float in [0, 1].

    Images are resized until they cover the encoder's size, bicubically with antialiasing, in float and clipped to
    [0, 1]; of the side that is then longer the middle is kept, and it alone is resized where the image is a long strip.
    A single grey channel is repeated; three equal channels become one. Images of the right size are not changed.

    Parameters
    ----------
    images : Tensor, shape (B, C, H, W)
        uint8 0..255 or float in [0, 1].
    side : int or (int, int)
        Side of a square, or height and width.
    channels : int

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
    target = (side, side) if isinstance(side, int) else side
    if (height, width) != target:
        images = _middle_of_strips(images, max(target) // min(target))
        height, width = images.shape[2:]
        scale = max(target[0] / height, target[1] / width)
        size = (round(height * scale), round(width * scale))
        images = F.interpolate(
            to_unit_interval(images), size, mode="bicubic", align_corners=False, antialias=True
        ).clamp(0, 1)
        top, left = (size[0] - target[0]) // 2, (size[1] - target[1]) // 2
        images = images[:, :, top : top + target[0], left : left + target[1]]
    return images.expand(-1, channels, -1, -1)


def to_unit_interval(images: Tensor) -> Tensor:
    """Return images, uint8 0..255 or float in [0, 1], as float in [0, 1]."""
    return images.float() / 255 if images.dtype == torch.uint8 else images.float()


def as_image_tensor(images: Any) -> Tensor:
    """Return an array or tensor of images as a tensor.

    Raises
    ------
    InputError
        If it is no array of numbers, or of whole numbers that are not uint8, whose scale is not known.
    """
    try:
        pixels = torch.as_tensor(images)
    except (TypeError, ValueError, RuntimeError) as error:
        kind = getattr(images, "dtype", type(images).__name__)
        raise InputError(f"images must be uint8 (0..255) or floating point in [0, 1], but they are {kind}") from error
    if not pixels.is_floating_point() and pixels.dtype != torch.uint8:
        reach = ""
        if pixels.numel() and not pixels.is_complex() and pixels.dtype != torch.bool:
            whole = pixels.long()
            reach = f", from {whole.min().item()} to {whole.max().item()}"
        kind = str(pixels.dtype).removeprefix("torch.")
        raise InputError(
            f"images must be uint8 (0..255) or floating point in [0, 1], but they are {kind}{reach}: divide them by "
            "their white level, such as 4095 for twelve bits"
        )
    return pixels


def check_tensor_pixels(images: Tensor) -> None:
    """Check images as an `ImageSet` does, and that their scale and the order of their axes are plausible.

    Raises
    ------
    InputError
        If shape, type or range is another, see `maetheory.data.images.check_pixels`; if the channels come last; or if
        pixels reach so little that they were scaled twice or not at all.

    Examples
    --------
    >>> check_tensor_pixels(torch.zeros(2, 32, 32, 3))
    Traceback (most recent call last):
    maetheory.core.errors.InputError: images must have shape (N, C, H, W), but (2, 32, 32, 3) has its channels last:
    give images.transpose(0, 3, 1, 2), or images.permute(0, 3, 1, 2) of a tensor
    """
    if images.ndim == 4 and images.shape[3] in (1, 3, 4) and images.shape[1] > 4 and images.shape[2] > 4:
        raise InputError(
            f"images must have shape (N, C, H, W), but {tuple(images.shape)} has its channels last: give "
            "images.transpose(0, 3, 1, 2), or images.permute(0, 3, 1, 2) of a tensor"
        )
    pixels = images.detach().cpu()
    check_pixels((pixels.float() if pixels.dtype == torch.bfloat16 else pixels).numpy())
    highest = float(pixels.max())
    if images.dtype == torch.uint8 and highest == 1:
        raise InputError("uint8 images lie in 0..255, but these reach from 0 to 1: multiply them by 255")
    if images.dtype != torch.uint8 and 0 < highest <= MAX_OF_TWICE_DIVIDED:
        raise InputError(
            f"floating-point images lie in [0, 1], but these reach to {highest:.3g} only, as if they had been divided "
            "by 255 twice"
        )


def _gray(images: Tensor) -> Tensor:
    """Return images of three equal channels with one, and others unchanged."""
    if images.ndim != 4 or images.shape[1] != 3:
        return images
    if not torch.equal(images, images[:, :1].expand_as(images)):
        raise InputError("this encoder takes gray images, but these have colours; convert them to gray")
    return images[:, :1]


def _middle_of_strips(images: Tensor, aspect_ratio: int) -> Tensor:
    """Return the images, or their middle if they are more than 8 times longer than the encoder's, relative to width."""
    height, width = images.shape[2:]
    longest = MAX_RESIZED_ASPECT_RATIO * aspect_ratio * min(height, width)
    for axis, length in ((2, height), (3, width)):
        if length > longest:
            kept = longest + (length - longest) % 2  # the parity of the whole, and so the same centre
            images = images.narrow(axis, (length - kept) // 2, kept)
    return images
