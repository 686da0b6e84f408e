"""Learning-rate schedule: linear warm-up, then cosine decay."""

from __future__ import annotations

from math import cos, pi


def learning_rate(step: int, total: int, warmup: int, peak: float) -> float:
    """Learning rate of a step: linear warm-up, then half a cosine to zero.

    Parameters
    ----------
    step : int
        From 0 to total - 1.
    total, warmup : int
        Steps in all, and steps of warm-up.
    peak : float

    Returns
    -------
    float
        Positive at every step; `peak` at the first step after the warm-up.

    Examples
    --------
    >>> [round(learning_rate(s, 6, 2, 1.0), 3) for s in range(6)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146]
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1.0 + cos(pi * (step - warmup) / max(1, total - warmup)))
