"""Error of a mean over images, from the spread over groups of images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def standard_error_over_groups(values: Sequence[float] | np.ndarray) -> float:
    """Return two standard errors of the mean of values, one per group of images; infinity for a single group.

    Examples
    --------
    >>> standard_error_over_groups([1.0, 3.0]), standard_error_over_groups([1.0])
    (2.0, inf)
    """
    if len(values) < 2:
        return float("inf")
    return float(2 * float(np.std(values, ddof=1)) / np.sqrt(len(values)))
