"""`FeatureWindow`: the features of the last training steps, kept until their collapse metrics are computed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from maetheory.training.collapse_alarm import RANK, CollapseAlarm
from maetheory.training.feature_modules import FINAL_NORM
from maetheory.training.feature_source import FeatureSource
from maetheory.training.metric_sinks import Sink
from maetheory.training.running_moments import (
    RunningMoments,
    at_least_float32,
    has_several_processes,
    is_first_process,
)


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
    alarm : CollapseAlarm
        Drawdown of the effective rank, where that is measured.
    sink : callable or None
        Writes the values of each measurement, in the first process.
    """

    def __init__(self, every: int, metrics: tuple[str, ...], window: int, source: FeatureSource, prefix: str) -> None:
        self.every, self.metrics, self.window, self.source, self.prefix = every, metrics, window, source, prefix
        self.latest: dict[str, float] | None = None
        self.step: int | None = None
        self.final_step: int | None = None
        self.alarm = CollapseAlarm()
        self.sink: Sink | None = None
        self._buffered: list[tuple[int, Tensor]] = []

    @property
    def name(self) -> str:
        """Name that distinguishes the monitors of one trainer in its checkpoints."""
        features = FINAL_NORM if self.source.features is None else self.source.features
        name = features if isinstance(features, str) else type(features).__name__
        return f"CollapseMonitor[{self.prefix}{name}, {self.source.readout}]"

    def reset(self) -> None:
        """Forget all features, steps and values."""
        self.latest, self.step, self.final_step, self._buffered = None, None, None, []
        self.alarm.reset()

    def compute(self) -> dict[str, float]:
        """Return the metrics of the features that are kept now."""
        moments = RunningMoments()
        for _, z in self._buffered:
            moments.update(z)
        return {self.prefix + name: value for name, value in moments.all_reduce().compute(self.metrics).items()}

    def reset_if_new_run(self, step: int) -> None:
        """Empty the window if `step` is below the last one: it belongs to a new run."""
        if self.step is not None and step < self.step:
            self.step, self._buffered = None, []
            self.alarm.reset()

    def replay_alarm(self, log_history: Iterable[Mapping[str, Any]]) -> None:
        """Set the alarm to what the measurements in a log history make of it, so that a resumed run keeps its peak."""
        self.alarm.reset()
        for values in log_history:
            if self.prefix + RANK in values:
                self.alarm.update(float(values[self.prefix + RANK]))

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
        values = self.compute()
        if not values[f"{self.prefix}n"]:
            warnings.warn(
                f"CollapseMonitor received no features up to step {step}: {self.source.features!r} did not run in "
                "training, or is part of a compiled model, which runs no hooks",
                stacklevel=3,
            )
        self._drop_until(step + 1 - self.window)
        if RANK in self.metrics:
            drawdown = self.alarm.update(values[self.prefix + RANK])
            values |= {self.prefix + name: value for name, value in drawdown.items()}
        self.latest = values
        if self.sink is not None and is_first_process():
            self.sink(values, step)
        return self.latest

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold for the next measurement to be the same; features stay tensors."""
        return {
            "step": self.step,
            "latest": self.latest,
            "batches": [(step, z.cpu()) for step, z in self._buffered],
            "alarm": self.alarm.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`; with several processes the window starts empty, because each has other features."""
        self.step, self.latest = state["step"], state["latest"]
        if "alarm" in state:  # states of earlier versions have none
            self.alarm.load_state_dict(state["alarm"])
        self._buffered = [] if has_several_processes() else [(step, z) for step, z in state["batches"]]

    def _drop_until(self, last_step: int) -> None:
        self._buffered = [(step, z) for step, z in self._buffered if step > last_step]
