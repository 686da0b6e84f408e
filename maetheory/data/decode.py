"""Decode image files to 8-bit gray or RGB, and crop them as MAE does for evaluation and training."""

from __future__ import annotations

import io
import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from maetheory.core import InputError
from maetheory.core.files import open_regular_file
from maetheory.data.pixel_range import DEFAULT_RANGES, PixelRanges

CROP_AREA_RANGE = (0.2, 1.0)
CROP_ASPECT_RANGE = (3 / 4, 4 / 3)
MAX_ASPECT_RATIO = 100  # the central square of a longer image shows less than a hundredth of it
MAX_RESIZED_ASPECT_RATIO = 8  # of a longer image only the middle is resized, so that the output bounds the memory
GRAY_MODES = ("1", "L", "LA", "I", "F")
logging.getLogger("PIL").addHandler(logging.NullHandler())  # it logs to standard error what it raises as well
_OTHER_BYTE_ORDER = {"RGB;16B": "RGB;16L", "RGB;16L": "RGB;16B", "RGBA;16B": "RGBA;16L", "RGBA;16L": "RGBA;16B"}


class UndecodableError(Exception):
    """Raised for a file that cannot be decoded as an image; the message says why."""


@dataclass(frozen=True)
class ImageHeader:
    """Size and pixel format of an image file.

    Attributes
    ----------
    height, width : int
    is_gray : bool
        Whether the pixels have one channel, apart from transparency.
    is_deep : bool
        Whether a channel has more than eight bits, all of which are read.
    is_truncated : bool
        Whether a channel has sixteen bits in a format of which Pillow gives the upper eight only.
    has_more_pages : bool
        Whether the file holds pages or frames after the first, which is the one that is read.
    """

    height: int
    width: int
    is_gray: bool
    is_deep: bool
    is_truncated: bool = False
    has_more_pages: bool = False


def read_rgb(path: str | os.PathLike[str]) -> Image.Image:
    """Return the image in a file as 8-bit RGB, as `read_image` does."""
    return read_image(path)


def read_image(
    path: str | os.PathLike[str] | bytes, channels: int = 3, pixel_ranges: PixelRanges = DEFAULT_RANGES
) -> Image.Image:
    """Return the image in a file as 8-bit gray (one channel) or RGB (three channels).

    Palette and CMYK images are converted, and an alpha channel is dropped. Gray has three equal channels in RGB;
    colours become gray by their luminance (ITU-R 601). The orientation tag of a camera is not applied, as is usual on
    ImageNet.

    Parameters
    ----------
    path : path, or bytes
        The file, or its content.
    channels : 1 or 3
    pixel_ranges : PixelRanges
        What is black and white among pixels of more than eight bits; by default 16-bit pixels keep their upper eight,
        floating-point ones lie in [0, 1], and files of other ranges are not decoded.

    Raises
    ------
    UndecodableError
        If it is not a regular file, cannot be read to its end as an image, or one side is more than 100 times as long
        as the other.
    """
    with _open_image(path) as (image, file):
        return eight_bit_image(image, _deep_pixels(image, file) if _is_deep(image) else None, channels, pixel_ranges)


def eight_bit_image(
    image: Image.Image, deep_pixels: np.ndarray | None, channels: int, pixel_ranges: PixelRanges
) -> Image.Image:
    """Return an open image as 8-bit gray or RGB; `deep_pixels` are its pixels if they have more than eight bits.

    Raises
    ------
    UndecodableError
        If no range was determined for deep pixels and some lie outside the full range.
    """
    if deep_pixels is not None:
        if pixel_ranges.default_clips(deep_pixels):
            raise UndecodableError(
                f"its pixels reach from {deep_pixels.min():.6g} to {deep_pixels.max():.6g}, where 0 to 65535 or [0, 1] "
                "is read"
            )
        image = Image.fromarray(pixel_ranges.to_bytes(deep_pixels))
    elif image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("L" if channels == 1 else "RGB")


def read_header(path: str | os.PathLike[str] | bytes) -> ImageHeader:
    """Return the size and pixel format of an image file without decoding its pixels.

    Raises
    ------
    UndecodableError
        As `read_image`, as far as the header shows it.
    """
    with _open_image(path) as (image, _):
        is_gray = image.mode.split(";")[0] in GRAY_MODES
        is_deep = _is_deep(image)
        is_truncated = not is_deep and _has_sixteen_bits(image)
        has_more_pages = bool(getattr(image, "is_animated", False))  # Pillow's word for TIFF, GIF, WebP and PNG
        return ImageHeader(image.height, image.width, is_gray, is_deep, is_truncated, has_more_pages)


def read_deep_extremes(path: str | os.PathLike[str] | bytes) -> tuple[np.generic, np.generic]:
    """Return the least and the largest pixel of a file of more than eight bits per channel, as they are stored.

    Raises
    ------
    UndecodableError
        As `read_image`.
    """
    with _open_image(path) as (image, file):
        pixels = _deep_pixels(image, file)
        return pixels.min(), pixels.max()


def resize_and_center_crop(image: Image.Image, size: int) -> Image.Image:
    """Resize the shorter side to 8/7 of `size` (bicubic) and crop the central square, as for evaluation.

    An image of `size` x `size` pixels is returned unchanged, so that small data sets keep their original pixels. Of an
    image more than 8 times as long as it is wide, only the middle is resized: the output bounds the memory.

    Notes
    -----
    He et al. 2022 (MAE): 256 for a crop of 224; rounding as in torchvision's Resize and CenterCrop.
    """
    if image.size == (size, size):
        return image
    image = _middle_of_long_image(image)
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
    """Return the pixels of an RGB or gray image as a uint8 array of shape (3, H, W) or (1, H, W)."""
    pixels = np.atleast_3d(np.asarray(image))  # (H, W, C)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))  # (H, W, C) -> (C, H, W)


@contextmanager
def _open_image(path: str | os.PathLike[str] | bytes | IO[bytes]) -> Iterator[tuple[Image.Image, IO[bytes]]]:
    """Open a regular file, or its content, as an image and as bytes; each error is an `UndecodableError`."""
    try:
        if isinstance(path, bytes):
            path = io.BytesIO(path)
        with (
            _open_regular_file(path) if isinstance(path, str | os.PathLike) else path as file,
            Image.open(file) as image,
        ):
            if max(image.size) > MAX_ASPECT_RATIO * min(image.size):
                raise UndecodableError(
                    f"its {image.height} x {image.width} pixels are too long a strip: one side may be at most "
                    f"{MAX_ASPECT_RATIO} times as long as the other"
                )
            yield image, file
    except UndecodableError:
        raise
    except UnidentifiedImageError as error:
        raise UndecodableError(_unidentified(path)) from error
    except Exception as error:  # decoders raise errors of many types on a damaged file
        raise UndecodableError(f"{type(error).__name__}: {error}") from error


def _unidentified(path: object) -> str:
    """Return the sentence for a file of which Pillow does not know the format."""
    if isinstance(path, str | os.PathLike) and str(os.fspath(path)).lower().endswith((".tif", ".tiff")):
        return (
            "it is no TIFF that Pillow decodes; those of more than four bands have to be saved as one .npy array, "
            "(N, C, H, W)"
        )
    return "cannot identify the format of the image"


def _open_regular_file(path: str | os.PathLike[str]) -> IO[bytes]:
    try:
        return open_regular_file(path)
    except InputError as error:
        raise UndecodableError("it is not a regular file") from error


def _is_deep(image: Image.Image) -> bool:
    return image.mode[0] in "IF" or _raw_mode(image) in _OTHER_BYTE_ORDER


def _raw_mode(image: Image.Image) -> str:
    """Return Pillow's name of the pixel format in the file, such as "RGB;16B"; empty if there is none."""
    tiles: Any = getattr(image, "tile", None)
    arguments = tiles[0].args if tiles else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _has_sixteen_bits(image: Image.Image) -> bool:
    tiles: Any = getattr(image, "tile", None)
    return bool(tiles) and ";16" in str(tiles[0].args)


def _deep_pixels(image: Image.Image, file: IO[bytes]) -> np.ndarray:
    """Return the pixels as they are stored, (H, W) or (H, W, 3)."""
    if image.mode[0] not in "IF":
        return _sixteen_bit_colours(image, file)
    pixels = np.asarray(image)
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise UndecodableError("its floating-point pixels hold NaN or infinity")
    return pixels


def _sixteen_bit_colours(image: Image.Image, file: IO[bytes]) -> np.ndarray:
    """Return 16-bit colours (H, W, 3) from two passes: Pillow keeps one byte of each, which the byte order selects."""
    upper = np.asarray(image)[..., :3].astype(np.uint16)
    file.seek(0)
    again: Any
    with Image.open(file) as again:
        swapped = _OTHER_BYTE_ORDER[_raw_mode(again)]
        again.tile = [
            tile._replace(args=swapped if isinstance(tile.args, str) else (swapped, *tile.args[1:]))
            for tile in again.tile
        ]
        lower = np.asarray(again)[..., :3]
    return upper << 8 | lower  # (H, W, 3)


def _middle_of_long_image(image: Image.Image) -> Image.Image:
    """Return the image, or its middle if it is more than 8 times as long as it is wide."""
    shorter = min(image.size)
    width, height = (_middle_length(side, MAX_RESIZED_ASPECT_RATIO * shorter) for side in image.size)
    if (width, height) == image.size:
        return image
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _middle_length(length: int, longest: int) -> int:
    """Return the length of the middle part, of the same parity as the whole so that it has the same centre."""
    return length if length <= longest else longest + (length - longest) % 2
