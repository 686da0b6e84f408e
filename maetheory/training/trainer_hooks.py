"""Hooks by which the trainers of Fabric, Lightning and transformers drive a `CollapseMonitor`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from maetheory.training.feature_source import FeatureSource
    from maetheory.training.feature_window import FeatureWindow


class TrainerHooks(ABC):
    """Hooks of trainers of other libraries, by the names that they call.

    Neither Lightning nor transformers needs to be imported: both call hooks by name. Hooks that a monitor has no use
    for do nothing.
    """

    _window: FeatureWindow
    _fabric: Any
    _trainer_callback: Any

    @property
    def source(self) -> FeatureSource:
        """Where features come from."""
        return self._window.source

    @property
    def step(self) -> int | None:
        """The last step that is over."""
        return self._window.step

    @property
    def state_key(self) -> str:
        """Key that distinguishes the monitors of one trainer in Lightning's checkpoints."""
        return self._window.name

    @abstractmethod
    def attach(self, model: nn.Module | None = None, fabric: Any = None) -> Any:
        """Measure a model; `CollapseMonitor` says how."""

    @abstractmethod
    def detach(self) -> None:
        """Remove the hook from the model; `CollapseMonitor` says how."""

    @abstractmethod
    def lightning(self) -> Any:
        """Return a Lightning callback; `CollapseMonitor` says how."""

    def on_train_batch_end(self, *outputs: Any, **named: Any) -> None:
        """Serve ``fabric.call("on_train_batch_end", …)``, or Lightning's Trainer.

        Called by Fabric, each call is a step, whatever its arguments. The values are in `latest`, and in the logs of
        the Fabric that `attach` was given.
        """
        if self._trainer_callback is not None:
            self._trainer_callback.on_train_batch_end(*outputs, **named)
            return
        step = (self.step or 0) + 1
        if not self.source.uses_hook and self._window.in_window(step):
            self._window.buffer(self.source.compute(*outputs, **named), step)
        values = self._window.end_step(step)
        if values is not None and self._fabric is not None:
            self._fabric.log_dict(values, step)

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Begin to serve a Trainer of Lightning."""
        self._trainer_callback = self.lightning()
        self._trainer_callback.setup(trainer, pl_module, stage)

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """End to serve a Trainer of Lightning."""
        if self._trainer_callback is not None:
            self._trainer_callback.teardown(trainer, pl_module, stage)
        self._trainer_callback = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **named: Any) -> None:
        """Begin to serve a Trainer of transformers, whose log history holds the measurements before a resumption."""
        model = named.get("model")
        self._window.reset_if_new_run(state.global_step)
        self._window.replay_alarm(state.log_history)
        self._window.step, self._window.final_step = state.global_step, state.max_steps or None
        self.attach(model)

    def on_step_end(self, args: Any, state: Any, control: Any, **named: Any) -> None:
        """Measure when a measurement is due, and add the values to the log history of the Trainer."""
        values = self._window.end_step(state.global_step)
        if values is not None:
            state.log_history.append({**values, "step": state.global_step})

    def on_train_end(self, *arguments: Any, **named: Any) -> None:
        """Remove the hook from the model at the end of a run of transformers; Lightning calls `teardown`."""
        if self._trainer_callback is None:
            self.detach()

    def __getattr__(self, name: str) -> Any:
        """Return a hook of Lightning that its callback has, or one that does nothing."""
        if not name.startswith("on_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.__dict__.get("_trainer_callback"), name, _do_nothing)

    @property
    def _legacy_state_key(self) -> type:
        return type(self)


def _do_nothing(*arguments: Any, **named: Any) -> None:
    """Serve as any hook that needs nothing done."""
