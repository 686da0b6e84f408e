"""A Lightning trainer tells its callbacks when a step or a validation is over; that is all a monitor needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from maetheory.training.running_moments import RunningMoments

if TYPE_CHECKING:
    from maetheory.training.monitor import CollapseMonitor


class LightningMonitor(Callback):
    """A `CollapseMonitor` in Lightning's words; made by `CollapseMonitor.lightning`.

    Training features are those of the last `window` global steps before each look, validation features those of the
    whole validation. Both are logged by the trainer's loggers and are among its ``callback_metrics``.
    """

    def __init__(self, monitor: CollapseMonitor) -> None:
        self.monitor = monitor
        self.validation = RunningMoments()
        self._trainer: Trainer | None = None
        self._handle: RemovableHandle | None = None

    @property
    def state_key(self) -> str:
        """What tells two monitors of one trainer apart in its checkpoints."""
        features = self.monitor.source.features
        where = features if isinstance(features, str) else type(features).__name__
        return f"CollapseMonitor[{self.monitor.prefix}{where}, {self.monitor.source.readout}]"

    def state_dict(self) -> dict[str, Any]:
        """Return the monitor's state for Lightning's checkpoint."""
        return self.monitor.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the monitor's state from Lightning's checkpoint."""
        self.monitor.load_state_dict(state_dict)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Begin to look."""
        self._trainer = trainer
        if self.monitor.source.uses_hook and self._handle is None:
            self._handle = self.monitor.source.attach(pl_module, self._on_features)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take the hook away."""
        if self._handle is not None:
            self._handle.remove()
        self._trainer = self._handle = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin at the step the trainer is at; a restored window stays."""
        self.monitor.reset_if_new_run(trainer.global_step)
        self.monitor.step = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure when a look is due; while gradients accumulate no step is over."""
        monitor, over = self.monitor, trainer.global_step > (self.monitor.step or 0)
        step = trainer.global_step if over else trainer.global_step + 1
        if not monitor.source.uses_hook and monitor.in_window(step):
            monitor.buffer(monitor.source.call(outputs, batch), step)
        numbers = monitor.end_step(step) if over else None
        if numbers is None:
            return
        named = {f"train_{name}": float(number) for name, number in numbers.items()}
        pl_module.log_dict(named, logger=False, on_step=True, on_epoch=False)
        for logger in trainer.loggers:  # log_dict would wait for the trainer's own log_every_n_steps
            logger.log_metrics(named, step=trainer.global_step)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the last validation."""
        self.validation = RunningMoments()

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Add the features of a validation batch, where a function gives them."""
        if not self.monitor.source.uses_hook:
            self.validation.update(self.monitor.source.call(outputs, batch))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure the whole validation."""
        monitor = self.monitor
        numbers = self.validation.all_reduce().numbers(monitor.metrics)
        named = {f"val_{monitor.prefix}{name}": float(number) for name, number in numbers.items()}
        pl_module.log_dict(named, on_step=False, on_epoch=True, sync_dist=True)  # equal everywhere: their mean is they

    def _on_features(self, z: Tensor) -> None:
        trainer, monitor = self._trainer, self.monitor
        if trainer is None:
            return
        if trainer.validating or trainer.sanity_checking:
            self.validation.update(z)
        elif trainer.training and monitor.in_window(trainer.global_step + 1):
            monitor.buffer(z, trainer.global_step + 1)
