"""Collapse is watched while it happens, in the batches that are trained on anyway."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from torch import Tensor, distributed, nn
from torch.utils.hooks import RemovableHandle

from maetheory.core import InputError
from maetheory.metrics import MOMENT_METRICS
from maetheory.training.feature_source import Features, FeatureSource, Readout
from maetheory.training.running_moments import RunningMoments, at_least_float32

if TYPE_CHECKING:
    from lightning.pytorch import Callback
    from lightning_fabric import Fabric

    from maetheory.training.loop import TrainStep


class CollapseMonitor:
    """Collapse metrics of the training features, every so many steps.

    The features are those of the batches the model trains on, under the masks and the dropout of training, of the last
    `window` steps before each look, during which the weights moved a little. To compare checkpoints or runs measure a
    fixed test set instead, as `collapse_report` does. Training is not changed by looking: no random number is drawn, no
    gradient added, no mode or number format touched. Across processes the moments are summed, so that every process
    gets the numbers of the global batches, and every process must call the monitor.

    Parameters
    ----------
    every : int, default 100
        Steps between two looks: those whose number it divides.
    metrics : sequence of str
        Names of metrics that are functions of moments, each in its default convention.
    window : int, default 8
        How many steps' batches are measured together. Ranks of n rows in D dimensions are settled only when n is
        several times D; the numbers say both.
    features : str, nn.Module or callable, optional
        For use as a callback: the dotted name of the module whose output is looked at, the module, or a function from
        what the hook is given (a `TrainStep`; ``outputs, batch`` of Fabric and Lightning) to features (B, d). Modules
        inside activation checkpointing run twice and their rows would count twice. A compiled model runs no
        hooks, so it needs a function. By default the encoder's final norm of our models.
    readout : "cls", "mean" or "pooled"
        Which vector is an image's: the first token, the mean of the others, or the output when it is one vector. The
        mean includes the padding where the rows of a mask show different numbers of patches.
    prefix : str, default ""
        Put before every name in the numbers.

    Attributes
    ----------
    latest : dict or None
        The numbers of the last look.
    step : int or None
        The last step that is over.

    Raises
    ------
    InputError
        If a number is below 1, or a metric or readout is unknown.

    Examples
    --------
    >>> import torch
    >>> monitor = CollapseMonitor(every=2, metrics=("effective_rank",))
    >>> features = torch.eye(4)
    >>> monitor.update(features, step=1) is None
    True
    >>> numbers = monitor.update(features, step=2)
    >>> round(numbers["effective_rank"], 6), numbers["n"], numbers["d"]
    (4.0, 8, 4)
    """

    def __init__(
        self,
        every: int = 100,
        metrics: Sequence[str] = ("effective_rank", "participation_ratio", "mean_cosine", "umae_uniformity"),
        *,
        window: int = 8,
        features: Features = "encoder.norm",
        readout: Readout = "cls",
        prefix: str = "",
    ) -> None:
        for name, number in (("every", every), ("window", window)):
            if number < 1:
                raise InputError(f"{name} must be at least 1, but it is {number}")
        unknown = [name for name in metrics if name not in MOMENT_METRICS]
        if unknown:
            raise InputError(f"metrics must be among {', '.join(MOMENT_METRICS)}, but {unknown[0]!r} was given")
        self.every, self.metrics, self.window, self.prefix = every, tuple(metrics), window, prefix
        self.source = FeatureSource(features, readout)
        self.latest: dict[str, float] | None = None
        self.step: int | None = None
        self._final_step: int | None = None  # the run's last step, where it is known
        self._buffered: list[tuple[int, Tensor]] = []
        self._handle: RemovableHandle | None = None
        self._model: nn.Module | None = None
        self._fabric: Fabric | None = None

    def update(self, z: Tensor, step: int) -> dict[str, float] | None:
        """Show the monitor the features of one step.

        Parameters
        ----------
        z : Tensor, shape (B, d)
            Features of this process's batch, on any device, in any float format.
        step : int
            The number of the step; with one below the last a new run begins.

        Returns
        -------
        dict or None
            When a look is due: each metric, ``n`` rows and ``d`` dimensions that were measured, and ``not_finite``,
            how many rows held NaN or infinity. With any such row the metrics are NaN, and so is each metric that is
            undefined, as a cosine is for a zero row.

        Raises
        ------
        InputError
            If `z` is not a matrix with the same d in the whole window.
        """
        self.reset_if_new_run(step)
        if self.in_window(step):
            self.buffer(z, step)
        return self.end_step(step)

    def attach(self, model: nn.Module | None = None, fabric: Fabric | None = None) -> Self:
        """Look at `model` from now on; with a `fabric` log the numbers by its loggers; return self.

        Raises
        ------
        InputError
            If the model has no module of that name.
        """
        self.detach()
        looked_at = self.source.features
        self._model = looked_at if model is None and isinstance(looked_at, nn.Module) else model
        self._fabric = fabric
        if self.source.uses_hook:
            self._handle = self.source.attach(model, self._on_features)
        return self

    def detach(self) -> None:
        """Take the hook away; the model is as if it had never been looked at."""
        if self._handle is not None:
            self._handle.remove()
        self._handle = None

    def __call__(self, train_step: TrainStep) -> dict[str, float] | None:
        """Serve as a callback of `maetheory.training.train`; looks at the last step too, but never at the first."""
        self._final_step = train_step.total
        if self.source.uses_hook and self._model is not train_step.model:
            self.reset_if_new_run(train_step.step)
            self.attach(train_step.model)
            self.step = train_step.step
            return None
        if not self.source.uses_hook and self.in_window(train_step.step):
            self.buffer(self.source.call(train_step), train_step.step)
        numbers = self.end_step(train_step.step)
        if train_step.step == train_step.total:
            self.detach()
        return numbers

    def on_train_batch_end(self, *outputs: Any, **named: Any) -> None:
        """Serve ``fabric.call("on_train_batch_end", …)``; each call is a step, whatever it is given.

        The numbers are in `latest`, and in the logs of the Fabric that `attach` was given.
        """
        step = (self.step or 0) + 1
        if not self.source.uses_hook and self.in_window(step):
            self.buffer(self.source.call(*outputs, **named), step)
        numbers = self.end_step(step)
        if numbers is not None and self._fabric is not None:
            self._fabric.log_dict(numbers, step)

    def lightning(self, features: Features | None = None, *, readout: Readout | None = None) -> Callback:
        """Return this monitor as a Lightning callback; needs the lightning package.

        It logs ``train_…`` every so many global steps and ``val_…`` after each validation, ``trainer.validate``
        alone included, and its state is part of Lightning's checkpoints.

        Parameters
        ----------
        features : str, nn.Module or callable, optional
            In place of the monitor's own; a name is looked for in the LightningModule, a function is given
            ``outputs, batch``.
        readout : "cls", "mean" or "pooled", optional

        Raises
        ------
        InputError
            If lightning is not installed.
        """
        self.source = FeatureSource(
            self.source.features if features is None else features, readout or self.source.readout
        )
        try:
            from maetheory.training.lightning_monitor import LightningMonitor
        except ImportError as error:
            raise InputError("the Lightning callback needs the lightning package: pip install lightning") from error
        return LightningMonitor(self)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold for the next look to be the same; features are kept as tensors."""
        return {"step": self.step, "latest": self.latest, "batches": [(step, z.cpu()) for step, z in self._buffered]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Undo `state_dict`; where there are several processes the window begins anew, being another for each."""
        self.step, self.latest = state["step"], state["latest"]
        several = distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
        self._buffered = [] if several else [(step, z) for step, z in state["batches"]]

    def reset_if_new_run(self, step: int) -> None:
        """Forget another run, if `step` is not one that can follow."""
        if self.step is not None and step < self.step:
            self.step, self._buffered = None, []

    def in_window(self, step: int) -> bool:
        """Whether the next look is less than a window away."""
        left = -step % self.every
        return min(left, left if self._final_step is None else self._final_step - step) < self.window

    def buffer(self, z: Tensor, step: int) -> None:
        """Put the features (B, d) of a step aside for the next look, where they are."""
        self._drop_before(step - self.window)
        self._buffered.append((step, at_least_float32(z).clone()))

    def end_step(self, step: int) -> dict[str, float] | None:
        """End a step, and return the numbers if a look is due."""
        skipped = self.step is not None and self.step // self.every < step // self.every
        self.step = step
        if not (skipped or step % self.every == 0 or step == self._final_step):
            return None
        self._drop_before(step - self.window)
        tally = RunningMoments()
        for _, z in self._buffered:
            tally.update(z)
        numbers = tally.all_reduce().numbers(self.metrics)
        if not numbers["n"]:
            warnings.warn(
                f"the monitor saw no features up to step {step}: {self.source.features!r} did not run in "
                "training, or is part of a compiled model, which runs no hooks",
                stacklevel=2,
            )
        self._drop_before(step + 1 - self.window)
        self.latest = {self.prefix + name: number for name, number in numbers.items()}
        return self.latest

    def _drop_before(self, until: int) -> None:
        self._buffered = [(step, z) for step, z in self._buffered if step > until]

    def _on_features(self, z: Tensor) -> None:
        """Take features from the hook, those of training alone: a model that is being evaluated is in eval mode."""
        step = (self.step or 0) + 1
        if self._model is not None and self._model.training and self.in_window(step):
            self.buffer(z, step)
