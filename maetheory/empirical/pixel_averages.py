"""Images averaged over squares of pixels within their patches, so that a score of large images takes seconds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from maetheory.core import InputError
from maetheory.data.images import ImageSet
from maetheory.empirical.tokens.codebook import pixels_as_float64

MAX_VALUES = 2500  # values of an image above which neighbouring pixels are averaged


def averaging_factor(shape: tuple[int, ...], patch: int) -> int:
    """Return the side of the squares of pixels to average; 1 for images of at most 2500 values.

    It is the smallest divisor of the patch size that leaves at most 2500 values, or the patch size itself.

    Raises
    ------
    InputError
        If the shape is not (N, C, H, W), or the patch size does not divide H and W.

    Examples
    --------
    >>> averaging_factor((100, 3, 32, 32), 4), averaging_factor((100, 1, 8, 8), 2)
    (2, 1)
    """
    if len(shape) != 4:
        raise InputError(f"images must be of shape (N, C, H, W), but their shape is {shape}")
    _, channels, height, width = shape
    if patch < 1 or height % patch or width % patch:
        raise InputError(f"the patch size must divide the image sides, but {patch} does not divide {height}x{width}")
    sides = (side for side in range(1, patch + 1) if patch % side == 0)
    return next((side for side in sides if channels * height * width <= MAX_VALUES * side**2), patch)


def average_squares(images: np.ndarray, side: int) -> np.ndarray:
    """Means (N, C, H/side, W/side) of squares of pixels; the images themselves if the side is 1."""
    if side == 1:
        return images
    n, channels, height, width = images.shape
    squares = images.reshape(n, channels, height // side, side, width // side, side)
    return np.asarray(squares.mean((3, 5), dtype=np.float64))


def averaged_images(images: ImageSet, patch: int) -> tuple[ImageSet, int]:
    """Return averaged images, their pixels from 0 to 1, and the patch size in their pixels.

    Images of at most 2500 values are returned as they are. Arguments and errors as for `averaging_factor`.

    Examples
    --------
    >>> images = ImageSet(np.zeros((2, 3, 32, 32), np.uint8), np.array([0, 1]), "black")
    >>> averaged_images(images, 4)
    (ImageSet('black', 2 images of 3x16x16 float64, 2 classes), 2)
    """
    side = averaging_factor(images.shape, patch)
    if side == 1:
        return images, patch
    pixels = np.clip(average_squares(pixels_as_float64(images.images), side), 0.0, 1.0)
    return replace(images, images=pixels), patch // side
