"""Drawdown of the effective rank during training, and an alarm when it stays deep."""

from __future__ import annotations

import math
from typing import Any

from maetheory.core import InputError

RANK = "effective_rank"
DRAWDOWN = "effective_rank_drawdown"
ALARM = "collapse_alarm"
MAX_DRAWDOWN = 0.6
PATIENCE = 2
FLOOR = 1.05


class CollapseAlarm:
    """How far the effective rank has fallen below its peak, and whether that is a collapse.

    The drawdown is 1 - rank / (largest rank so far), as for the value of a fund. The alarm rings when, in `patience`
    measurements in a row, the drawdown is at least `max_drawdown` or the rank is at most `floor`; it rings until the
    rank has recovered.

    Parameters
    ----------
    max_drawdown : float, default 0.6
        Between 0 and 1. The rank of a healthy masked autoencoder may fall below half of that of its initialisation.
    patience : int, default 2
    floor : float, default 1.05
        A rank at which the features span a single direction, even if it was never higher.

    Notes
    -----
    ``benchmarks/collapse_alarm.py`` measures false alarms in healthy runs and the delay after planted collapses; its
    numbers stand in `CollapseMonitor`.

    Examples
    --------
    >>> alarm = CollapseAlarm()
    >>> [alarm.update(rank)["collapse_alarm"] for rank in (10, 20, 7, 6, 15)]
    [0.0, 0.0, 0.0, 1.0, 0.0]
    >>> round(alarm.update(5.0)["effective_rank_drawdown"], 12)
    0.75
    """

    def __init__(self, max_drawdown: float = MAX_DRAWDOWN, patience: int = PATIENCE, floor: float = FLOOR) -> None:
        if not 0 < max_drawdown < 1 or patience < 1 or not floor >= 0:
            raise InputError(
                "an alarm needs a drawdown between 0 and 1, a patience of at least 1 and a floor of at least 0, but "
                f"they are {max_drawdown}, {patience} and {floor}"
            )
        self.max_drawdown, self.patience, self.floor = max_drawdown, patience, floor
        self.peak, self.low_in_a_row = 0.0, 0

    def update(self, rank: float) -> dict[str, float]:
        """Add a measured rank; return the drawdown (NaN if the rank is) and the alarm, 0 or 1."""
        if math.isnan(rank):
            return {DRAWDOWN: math.nan, ALARM: float(self.low_in_a_row >= self.patience)}
        self.peak = max(self.peak, rank)
        drawdown = 1 - rank / self.peak if self.peak > 0 else 0.0
        low = drawdown >= self.max_drawdown or rank <= self.floor
        self.low_in_a_row = self.low_in_a_row + 1 if low else 0
        return {DRAWDOWN: drawdown, ALARM: float(self.low_in_a_row >= self.patience)}

    def reset(self) -> None:
        """Forget the peak, for a new run."""
        self.peak, self.low_in_a_row = 0.0, 0

    def state_dict(self) -> dict[str, Any]:
        """Return the peak and the number of low ranks in a row."""
        return {"peak": self.peak, "low_in_a_row": self.low_in_a_row}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`."""
        self.peak, self.low_in_a_row = float(state["peak"]), int(state["low_in_a_row"])
