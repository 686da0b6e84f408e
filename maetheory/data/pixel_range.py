"""Scale pixels of more than eight bits to 0..255 by one rule for all images of a set.

- Whole numbers within 0..65535: white is the least 2^b - 1 with b in 8..16 that no pixel of the set exceeds, and black
  is 0. Twelve bits in a 16-bit file thus look as they do in an 8-bit file.
- Floating-point pixels within [0, 1]: black is 0 and white is 1.
- All other numbers, such as Hounsfield units: black is the least and white the largest pixel of the set.

One rule for the whole set keeps differences of brightness between images, which scaling each by itself would remove.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

MIN_BITS, MAX_BITS = 8, 16


@dataclass(frozen=True)
class PixelRange:
    """Black and white level of the pixels of a set, and its least and largest pixel.

    Attributes
    ----------
    black, white : float
        These become 0 and 255; what lies outside is clipped.
    low, high : float
        Least and largest pixel of the set.
    """

    black: float
    white: float
    low: float
    high: float


@dataclass(frozen=True)
class PixelRanges:
    """Range of the whole-number and of the floating-point pixels of a set of images.

    Attributes
    ----------
    integers, floats : PixelRange or None
        None stands for the full range: 0..65535 and [0, 1].
    """

    integers: PixelRange | None = None
    floats: PixelRange | None = None

    @classmethod
    def of_extremes(cls, extremes: Iterable[tuple[np.generic, np.generic]]) -> PixelRanges:
        """Return the ranges of a set whose images have these least and largest pixels.

        Examples
        --------
        >>> PixelRanges.of_extremes([(np.uint16(3), np.uint16(4000)), (np.uint16(0), np.uint16(900))]).integers
        PixelRange(black=0, white=4095, low=0, high=4000)
        """
        whole: list[tuple[int, int]] = []
        real: list[tuple[float, float]] = []
        for low, high in extremes:
            (real if np.issubdtype(low.dtype, np.floating) else whole).append((low.item(), high.item()))
        return cls(_find_integer_range(whole) if whole else None, _find_float_range(real) if real else None)

    def to_bytes(self, pixels: np.ndarray) -> np.ndarray:
        """Return the pixels as uint8; whole numbers keep their upper bits where white is 2^b - 1.

        Examples
        --------
        >>> DEFAULT_RANGES.to_bytes(np.array([0, 255, 256, 65535], np.uint16))
        array([  0,   0,   1, 255], dtype=uint8)
        >>> DEFAULT_RANGES.to_bytes(np.array([0.0, 0.5, 1.0]))
        array([  0, 128, 255], dtype=uint8)
        """
        if pixels.dtype.kind == "f":
            black, white = _black_and_white(self.floats, 0, 1)
            share = (pixels.astype(np.float64) - black) / max(white - black, np.finfo(float).tiny)
            return np.floor(share.clip(0, 1) * 255 + 0.5).astype(np.uint8)
        black, white = _black_and_white(self.integers, 0, 2**MAX_BITS - 1)
        levels = pixels.astype(np.float64).clip(black, white) - black
        return np.floor(levels * 256 / (white - black + 1)).astype(np.uint8)

    def default_clips(self, pixels: np.ndarray) -> bool:
        """Return whether no range was determined for such pixels and some lie outside the full range."""
        is_float = pixels.dtype.kind == "f"
        if (self.floats if is_float else self.integers) is not None:
            return False
        return bool(pixels.min() < 0 or pixels.max() > (1 if is_float else 2**MAX_BITS - 1))

    def __str__(self) -> str:
        """Return in a sentence per range what was found and how it was scaled, or the full ranges if none was set."""
        sentences = [
            f"{kind} pixels reach from {found.low:.6g} to {found.high:.6g}; {found.black:.6g} to {found.white:.6g} was "
            "scaled to 0 to 255"
            for kind, found in (("16-bit or wider", self.integers), ("floating-point", self.floats))
            if found is not None
        ]
        return "; ".join(sentences) or "whole numbers 0 to 65535 and floating-point 0 to 1 were scaled to 0 to 255"


DEFAULT_RANGES = PixelRanges()


def _black_and_white(found: PixelRange | None, black: float, white: float) -> tuple[float, float]:
    return (black, white) if found is None else (found.black, found.white)


def _find_integer_range(extremes: list[tuple[int, int]]) -> PixelRange:
    low, high = min(pair[0] for pair in extremes), max(pair[1] for pair in extremes)
    if low < 0 or high >= 2**MAX_BITS:
        return PixelRange(low, high, low, high)
    return PixelRange(0, 2 ** max(MIN_BITS, high.bit_length()) - 1, low, high)


def _find_float_range(extremes: list[tuple[float, float]]) -> PixelRange:
    low, high = min(pair[0] for pair in extremes), max(pair[1] for pair in extremes)
    return PixelRange(0, 1, low, high) if low >= 0 and high <= 1 else PixelRange(low, high, low, high)
