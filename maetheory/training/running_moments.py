"""Running moments of features over batches and processes."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np
import torch
from torch import Tensor, distributed

from maetheory.core import InputError
from maetheory.metrics import MOMENT_METRICS, Moments


class RunningMoments:
    """Moments of the finite rows of all batches so far, and the number of rows that were not finite."""

    def __init__(self) -> None:
        self.moments: Moments | None = None
        self.not_finite = 0

    def update(self, z: Tensor) -> None:
        """Add the rows of features (B, d); narrower floats than float32 are widened to it.

        Raises
        ------
        InputError
            If `z` is not (B, d), or has another d than the rows before.
        """
        if z.ndim != 2 or z.shape[1] == 0:
            raise InputError(f"features must be one row per image, (B, d), but their shape is {tuple(z.shape)}")
        rows = at_least_float32(z).cpu().numpy()
        finite = np.isfinite(rows).all(axis=1)
        if self.moments is None:
            self.moments = Moments(rows.shape[1])
        self.moments.update(rows[finite])
        self.not_finite += int(len(rows) - finite.sum())

    def all_reduce(self) -> RunningMoments:
        """Return the moments summed over all processes (itself with one process); every process must call it."""
        if not has_several_processes():
            return self
        d = int(_all_reduce(np.array([self.moments.d if self.moments else 0]), distributed.ReduceOp.MAX)[0])
        if not d:
            return self
        local = self.moments or Moments(d)
        # Sums about the common mean lose no digits where the mean is far larger than the spread.
        sums = _all_reduce(np.append(local.sum, local.count), distributed.ReduceOp.SUM)
        mean = sums[:-1] / max(sums[-1], 1)
        sums = _all_reduce(np.append(local.pack(mean), self.not_finite), distributed.ReduceOp.SUM)
        total = RunningMoments()
        total.moments, total.not_finite = Moments.unpack(sums[:-1], centre=mean), int(sums[-1])
        return total

    def compute(self, names: Sequence[str]) -> dict[str, float]:
        """Return the named metrics (NaN where undefined), the number of rows n, the dimension d and not_finite."""
        values = {name: self._metric(name) for name in names}
        n = self.moments.count if self.moments else 0
        d = self.moments.d if self.moments else 0
        return values | {"n": n + self.not_finite, "d": d, "not_finite": self.not_finite}

    def _metric(self, name: str) -> float:
        if self.moments is None or self.not_finite:
            return nan
        try:
            return float(MOMENT_METRICS[name](self.moments))
        except InputError:  # a row without direction, or a single row
            return nan


def at_least_float32(z: Tensor) -> Tensor:
    """Return features detached from their graph, in float64 if they are in it, else in float32."""
    z = z.detach()
    return z if z.dtype == torch.float64 else z.float()


def has_several_processes() -> bool:
    """Return whether torch.distributed runs with more than one process."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def is_first_process() -> bool:
    """Return whether this is the only process of torch.distributed, or the one of rank 0."""
    return not has_several_processes() or distributed.get_rank() == 0


def _all_reduce(values: np.ndarray, operation: distributed.ReduceOp.RedOpType) -> np.ndarray:
    device = torch.device("cuda", torch.cuda.current_device()) if "nccl" in distributed.get_backend() else "cpu"
    sums = torch.from_numpy(values.astype(np.float64)).to(device)
    distributed.all_reduce(sums, op=operation)
    return sums.cpu().numpy()
