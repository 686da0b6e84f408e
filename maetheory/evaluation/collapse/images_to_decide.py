"""How many images a comparison with untrained networks needs, where it is undecided because of few images.

Errors over images shrink as ``1/√n``; the spread between untrained networks does not. Ranks of both sides grow with n,
and their ratio is taken to stay as it is, so the number is an estimate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def images_to_separate(record: Mapping[Any, Any]) -> float:
    """Return about how many images would separate a rank from the interval of untrained networks.

    With x and c the logarithms of the rank and of the middle of that interval, e and E their relative errors over
    images, and W the part of the interval's half-width that is spread between networks, the number of images m is the
    least with ``e r + √(W² + E² r²) < |x − c|`` for ``r = √(n / m)``.

    Parameters
    ----------
    record : mapping
        A row of `collapse_report` for effective_rank.

    Returns
    -------
    float
        Rounded up to two digits, more than the comparison has; infinite if no number of images would, because untrained
        networks differ by more than that, and NaN without finite errors of both.

    Examples
    --------
    >>> row = {"same_images": 10.0, "same_images_error": 1.0, "random_images": 100}
    >>> row |= {"random_init": 11.0, "random_init_low": 10.0, "random_init_high": 12.1, "random_init_error": 0.9}
    >>> images_to_separate(row), images_to_separate(row | {"random_init_error": 0.0})
    (710.0, inf)
    """
    names = ("same_images", "same_images_error", "random_init", "random_init_low", "random_init_high")
    values = [float(record.get(name, np.nan)) for name in (*names, "random_init_error")]
    if not np.isfinite(values).all() or min(values[0], *values[2:5]) <= 0:
        return np.nan
    value, error, middle, low, high, middle_error = values
    relative, other = error / value, middle_error / middle
    gap = abs(np.log(value) - (np.log(low) + np.log(high)) / 2)
    spread = np.sqrt(max((np.log(high / low) / 2) ** 2 - other**2, 0.0))
    if gap <= spread:
        return np.inf
    room = gap**2 - spread**2
    ratio = room / (gap * relative + np.sqrt((gap * relative) ** 2 - (relative**2 - other**2) * room))
    return _round_up(max(record["random_images"] / ratio**2, record["random_images"] + 1))


def images_sentence(record: Mapping[Any, Any]) -> str:
    """Return what would decide an undecided comparison: more images, or none; empty where no error is known.

    Parameters
    ----------
    record : mapping
        As for `images_to_separate`.
    """
    needed = images_to_separate(record)
    if np.isnan(needed):
        return ""
    if np.isinf(needed):
        return "; more images would not decide it, because untrained networks differ by more than that"
    enough = needed <= record["images"]
    options = f"--full compares all {record['images']}" if enough else f"--full --limit {needed:.0f}"
    return f"; about {needed:.0f} compared images would decide it if the ratio stays as it is ({options})"


def _round_up(number: float) -> float:
    """Return a number rounded up to two significant digits.

    Examples
    --------
    >>> _round_up(381.2), _round_up(12), _round_up(7.3)
    (390.0, 12.0, 8.0)
    """
    step = 10 ** max(int(np.floor(np.log10(number))) - 1, 0)
    return float(np.ceil(number / step)) * step
