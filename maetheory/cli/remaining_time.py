"""How long a task still takes, from the mean time of its steps so far."""

from __future__ import annotations

import time
from collections.abc import Callable

MIN_SECONDS = 5.0
"""Time after the first step that must have passed before an estimate is given."""


class RemainingTime:
    """Estimate of the time that the steps of a task still take.

    Parameters
    ----------
    clock : callable, optional
        Returns seconds; by default `time.monotonic`.

    Examples
    --------
    >>> seconds = iter([0, 3, 6, 9])
    >>> left = RemainingTime(lambda: next(seconds))
    >>> [left.estimate(done, 10) for done in (0, 1, 2, 3)]
    [None, None, None, 21.0]
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = time.monotonic if clock is None else clock
        self._total = self._done = -1
        self._first: int | None = None
        self._began = self._changed = 0.0

    def estimate(self, done: int, total: int) -> float | None:
        """Return the seconds that are left, or None where nothing can be said yet.

        The steps are those after the first that is reported, which also starts processes, compiles, reads and
        allocates; what was done before an interruption does not count. Another total, or fewer steps than before,
        begins a new task. While a step takes longer than the mean of those before, the mean grows.

        Parameters
        ----------
        done, total : int
            Finished steps, and all steps.
        """
        now = self._clock()
        if total != self._total or done < self._done:
            self._total, self._done, self._first = total, done, None
        if done != self._done:
            self._done, self._changed = done, now
            if self._first is None:
                self._first, self._began = done, now
        if self._first is None or done == self._first or now - self._began < MIN_SECONDS:
            return None
        steps = done - self._first
        mean = max((self._changed - self._began) / steps, (now - self._began) / (steps + 1))
        return max(mean * (total - done) - (now - self._changed), 0.0)


def format_remaining_time(seconds: float | None) -> str:
    """Return an estimate with no more digits than it deserves; nothing where there is none.

    Examples
    --------
    >>> [format_remaining_time(one) for one in (None, 3, 48, 130, 5000)]
    ['', 'about 10 s left', 'about 50 s left', 'about 2 min left', 'about 1.4 h left']
    """
    if seconds is None:
        return ""
    if seconds < 55:
        return f"about {max(10, round(seconds, -1)):.0f} s left"
    return f"about {seconds / 60:.0f} min left" if seconds < 3570 else f"about {seconds / 3600:.1f} h left"
