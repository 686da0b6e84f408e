"""`FeatureWindow`: the features of the last training steps, kept until their collapse metrics are computed."""

from __future__ import annotations

import warnings
from typing import Any

from torch import Tensor

from maetheory.training.feature_source import FeatureSource
from maetheory.training.running_moments import RunningMoments, at_least_float32, has_several_processes


class FeatureWindow:
    """The steps, buffered features and metrics of a `CollapseMonitor`; its parameters are explained there.

    Attributes
    ----------
    latest : dict or None
        The values of the last measurement.
    step : int or None
        The last step that is over.
    final_step : int or None
        The last step of the run, where it is known; it is measured too.
    """

    def __init__(self, every: int, metrics: tuple[str, ...], window: int, source: FeatureSource, prefix: str) -> None:
        self.every, self.metrics, self.window, self.source, self.prefix = every, metrics, window, source, prefix
        self.latest: dict[str, float] | None = None
        self.step: int | None = None
        self.final_step: int | None = None
        self._buffered: list[tuple[int, Tensor]] = []

    def reset_if_new_run(self, step: int) -> None:
        """Empty the window if `step` is below the last one: it belongs to a new run."""
        if self.step is not None and step < self.step:
            self.step, self._buffered = None, []

    def in_window(self, step: int) -> bool:
        """Return whether `step` lies in the window before the next measurement."""
        left = -step % self.every
        return min(left, left if self.final_step is None else self.final_step - step) < self.window

    def buffer(self, z: Tensor, step: int) -> None:
        """Keep the features (B, d) of a step, on their device, for the next measurement."""
        self._drop_until(step - self.window)
        self._buffered.append((step, at_least_float32(z).clone()))

    def end_step(self, step: int) -> dict[str, float] | None:
        """End a step; return the metrics if a measurement is due, else None."""
        skipped = self.step is not None and self.step // self.every < step // self.every
        self.step = step
        if not (skipped or step % self.every == 0 or step == self.final_step):
            return None
        self._drop_until(step - self.window)
        moments = RunningMoments()
        for _, z in self._buffered:
            moments.update(z)
        values = moments.all_reduce().compute(self.metrics)
        if not values["n"]:
            warnings.warn(
                f"CollapseMonitor received no features up to step {step}: {self.source.features!r} did not run in "
                "training, or is part of a compiled model, which runs no hooks",
                stacklevel=3,
            )
        self._drop_until(step + 1 - self.window)
        self.latest = {self.prefix + name: value for name, value in values.items()}
        return self.latest

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold for the next measurement to be the same; features stay tensors."""
        return {"step": self.step, "latest": self.latest, "batches": [(step, z.cpu()) for step, z in self._buffered]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`; with several processes the window starts empty, because each has other features."""
        self.step, self.latest = state["step"], state["latest"]
        self._buffered = [] if has_several_processes() else [(step, z) for step, z in state["batches"]]

    def _drop_until(self, last_step: int) -> None:
        self._buffered = [(step, z) for step, z in self._buffered if step > last_step]
