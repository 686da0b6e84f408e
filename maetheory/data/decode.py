"""Decode image files to RGB and crop them as MAE does for evaluation and training."""

from __future__ import annotations

import math
import os

import numpy as np
from PIL import Image

CROP_AREA_RANGE = (0.2, 1.0)
CROP_ASPECT_RANGE = (3 / 4, 4 / 3)


class UndecodableError(Exception):
    """Raised for a file that cannot be decoded as an image; the message says why."""


def read_rgb(path: str | os.PathLike[str]) -> Image.Image:
    """Return the image in a file as 8-bit RGB.

    Gray, palette and CMYK images are converted, 16-bit gray keeps its upper eight bits, and an alpha channel is
    dropped. The orientation tag of a camera is not applied, as is usual on ImageNet.

    Raises
    ------
    UndecodableError
        If the file cannot be read to its end as an image.
    """
    try:
        with Image.open(path) as image:
            return _to_rgb(image)
    except Exception as error:  # decoders raise errors of many types on a damaged file
        raise UndecodableError(f"{type(error).__name__}: {error}") from error


def size_from_header(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Return (H, W) from the header of an image file, or None if the header cannot be read."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except Exception:  # decoders raise errors of many types on a damaged file
        return None


def resize_and_center_crop(image: Image.Image, size: int) -> Image.Image:
    """Resize the shorter side to 8/7 of `size` (bicubic) and crop the central square, as for evaluation.

    An image of `size` x `size` pixels is returned unchanged, so that small data sets keep their original pixels.

    Notes
    -----
    He et al. 2022 (MAE): 256 for a crop of 224; rounding as in torchvision's Resize and CenterCrop.
    """
    if image.size == (size, size):
        return image
    shorter, (width, height) = size * 8 // 7, image.size
    if width <= height:
        width, height = shorter, int(shorter * height / width)
    else:
        width, height = int(shorter * width / height), shorter
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image.resize((width, height), Image.Resampling.BICUBIC).crop((left, top, left + size, top + size))


def random_resized_crop_and_flip(image: Image.Image, size: int, rng: np.random.Generator) -> Image.Image:
    """Crop a random window, resize it to `size` x `size` (bicubic) and mirror it with probability ½, as for training.

    Notes
    -----
    He et al. 2022 (MAE), RandomResizedCrop(0.2, 1) and horizontal flip.
    """
    left, top, width, height = random_crop_box(image.width, image.height, rng)
    window = image.crop((left, top, left + width, top + height)).resize((size, size), Image.Resampling.BICUBIC)
    return window.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else window


def random_crop_box(width: int, height: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw (left, top, width, height) of a random window inside a `width` x `height` image.

    The share of the area is uniform in 0.2..1 and the logarithm of the aspect ratio uniform in ±log(4/3). A window
    that does not fit is drawn again; after ten failures the largest central window of an allowed aspect is returned.

    Notes
    -----
    Szegedy et al. 2015, Going Deeper with Convolutions; the ten tries and the fallback are torchvision's.

    Examples
    --------
    >>> random_crop_box(300, 10, np.random.default_rng(0))
    (143, 0, 13, 10)
    """
    for _ in range(10):
        area = width * height * rng.uniform(*CROP_AREA_RANGE)
        aspect = math.exp(rng.uniform(math.log(CROP_ASPECT_RANGE[0]), math.log(CROP_ASPECT_RANGE[1])))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1)), w, h
    w = min(width, round(height * CROP_ASPECT_RANGE[1]))
    h = min(height, round(width / CROP_ASPECT_RANGE[0]))
    return (width - w) // 2, (height - h) // 2, w, h


def to_chw(image: Image.Image) -> np.ndarray:
    """Return the pixels as a uint8 array of shape (3, H, W)."""
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))  # (H, W, 3) -> (3, H, W)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point pixels have no stated range")
    if image.mode.startswith("I"):  # 16-bit gray: Pillow's own conversion would saturate
        levels = np.asarray(image).astype(np.int64).clip(0, 65535) >> 8
        image = Image.fromarray(levels.astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")
