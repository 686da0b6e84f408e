"""`LightningMonitor`: Lightning callback that feeds and logs a `CollapseMonitor`."""

from __future__ import annotations

from typing import Any

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError:  # the same library under its older name
    from pytorch_lightning import Callback, LightningModule, Trainer  # type: ignore[assignment]
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from maetheory.training.feature_window import FeatureWindow
from maetheory.training.running_moments import RunningMoments


class LightningMonitor(Callback):
    """Log collapse metrics of a Lightning run; made by `CollapseMonitor.lightning`.

    Training features are those of the last `window` global steps before each measurement, validation features those of
    the whole validation. The trainer's loggers log both, and both are among its ``callback_metrics``.
    """

    def __init__(self, window: FeatureWindow) -> None:
        self.window = window
        self.validation = RunningMoments()
        self._trainer: Trainer | None = None
        self._handle: RemovableHandle | None = None

    @property
    def state_key(self) -> str:
        """Key that distinguishes the monitors of one trainer in its checkpoints."""
        return self.window.name

    def state_dict(self) -> dict[str, Any]:
        """Return the monitor's state for Lightning's checkpoint."""
        return self.window.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the monitor's state from Lightning's checkpoint."""
        self.window.load_state_dict(state_dict)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Register the forward hook."""
        self._trainer = trainer
        if self.window.source.uses_hook and self._handle is None:
            self._handle = self.window.source.attach(pl_module, self._on_features)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Remove the forward hook."""
        if self._handle is not None:
            self._handle.remove()
        self._trainer = self._handle = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start at the trainer's step; a restored window is kept."""
        self.window.reset_if_new_run(trainer.global_step)
        self.window.step = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure and log when a measurement is due; a step is over only when its gradients are accumulated."""
        window, over = self.window, trainer.global_step > (self.window.step or 0)
        step = trainer.global_step if over else trainer.global_step + 1
        if not window.source.uses_hook and window.in_window(step):
            window.buffer(window.source.compute(outputs, batch), step)
        values = window.end_step(step) if over else None
        if values is None:
            return
        named = {f"train_{name}": float(value) for name, value in values.items()}
        pl_module.log_dict(named, logger=False, on_step=True, on_epoch=False)
        for logger in trainer.loggers:  # log_dict would wait for the trainer's own log_every_n_steps
            logger.log_metrics(named, step=trainer.global_step)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the moments of a new validation."""
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
        """Add the features of a validation batch, where a function computes them."""
        if not self.window.source.uses_hook:
            self.validation.update(self.window.source.compute(outputs, batch))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the metrics of the whole validation."""
        values = self.validation.all_reduce().compute(self.window.metrics)
        named = {f"val_{self.window.prefix}{name}": float(value) for name, value in values.items()}
        # Every process logs the same values, so their mean over processes is the value itself.
        pl_module.log_dict(named, on_step=False, on_epoch=True, sync_dist=True)

    def _on_features(self, z: Tensor) -> None:
        trainer = self._trainer
        if trainer is None:
            return
        if trainer.validating or trainer.sanity_checking:
            self.validation.update(z)
        elif trainer.training and self.window.in_window(trainer.global_step + 1):
            self.window.buffer(z, trainer.global_step + 1)
