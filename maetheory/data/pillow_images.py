"""Images that are open already, such as a list of Pillow images, as one array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from maetheory.core import InputError
from maetheory.data.decode import (
    GRAY_MODES,
    UndecodableError,
    eight_bit_image,
    resize_and_center_crop,
    to_chw,
)
from maetheory.data.folder import DEFAULT_SIZE
from maetheory.data.pixel_range import PixelRanges


def stack_pictures(
    pictures: Sequence[Image.Image], *, channels: int | None = None, default_size: int | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return Pillow images as one array by the rules for image files, and notes on what was changed.

    Parameters
    ----------
    pictures : sequence of PIL.Image.Image
    channels : 1 or 3, optional
        Gray or RGB; by default gray if all pictures are gray, else RGB.
    default_size : int, optional
        Side of the squares that pictures of different sizes become (`resize_and_center_crop`); by default 224.
        Pictures that all have one size keep it.

    Returns
    -------
    ndarray of uint8, shape (N, C, H, W), and tuple of str
        Pixels of more than eight bits are scaled by one rule for all pictures, see `maetheory.data.pixel_range`.

    Raises
    ------
    InputError
        If there are no pictures, or one cannot be decoded.

    Examples
    --------
    >>> array, notes = stack_pictures([Image.new("L", (5, 4)), Image.new("L", (5, 4), 255)])
    >>> array.shape, array.max(axis=(1, 2, 3)).tolist(), notes
    ((2, 1, 4, 5), [0, 255], ())
    """
    if not pictures:
        raise InputError("there are no pictures")
    channels = channels or (1 if all(picture.mode.split(";")[0] in GRAY_MODES for picture in pictures) else 3)
    deep = [_deep_pixels(picture, index) for index, picture in enumerate(pictures)]
    ranges = PixelRanges.of_extremes((pixels.min(), pixels.max()) for pixels in deep if pixels is not None)
    sizes = {picture.size for picture in pictures}
    side = None if len(sizes) == 1 else default_size or DEFAULT_SIZE
    rows = []
    for index, (picture, pixels) in enumerate(zip(pictures, deep, strict=True)):
        try:
            image = eight_bit_image(picture, pixels, channels, ranges)
        except (UndecodableError, OSError, ValueError) as error:
            raise InputError(f"picture {index} cannot be decoded: {error}") from error
        rows.append(to_chw(image if side is None else resize_and_center_crop(image, side)))
    notes = []
    if side is not None:
        notes.append(f"pictures of {len(sizes)} sizes were resized and cropped to their central {side} x {side} pixels")
    if n_deep := sum(pixels is not None for pixels in deep):
        notes.append(f"{n_deep} of {len(pictures)} pictures have more than eight bits: {ranges}")
    return np.stack(rows), tuple(notes)


def _deep_pixels(picture: Image.Image, index: int) -> np.ndarray | None:
    """Return the pixels of a picture with more than eight bits, None for any other."""
    if picture.mode[0] not in "IF":
        return None
    pixels = np.asarray(picture)
    if not np.isfinite(pixels).all():
        raise InputError(f"picture {index} holds NaN or infinity; pixels are finite")
    return pixels
