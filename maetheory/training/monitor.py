"""`CollapseMonitor`: collapse metrics of the features of the batches that a model is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from maetheory.core import InputError
from maetheory.metrics import MOMENT_METRICS
from maetheory.training.callback import TrainStep
from maetheory.training.feature_source import Features, FeatureSource, Readout
from maetheory.training.feature_window import FeatureWindow
from maetheory.training.metric_sinks import metric_sink
from maetheory.training.trainer_hooks import TrainerHooks

if TYPE_CHECKING:
    from lightning.pytorch import Callback
    from lightning_fabric import Fabric


class CollapseMonitor(TrainerHooks):
    """Compute collapse metrics of the training features every so many steps.

    The features are those of the batches the model trains on, under the masks and the dropout of training, of the last
    `window` steps before each measurement, during which the weights moved a little. To compare checkpoints or runs,
    measure a fixed test set instead, as `collapse_report` does. Measuring does not change training: no random number
    is drawn, no gradient added, no mode or number format touched. The moments are summed over the processes, so that
    every process gets the metrics of the global batches, and every process must call the monitor.

    Parameters
    ----------
    every : int, default 100
        A measurement is made at each step that this number divides.
    metrics : sequence of str
        Names of metrics that are functions of moments, each in its default convention.
    window : int, default 8
        How many steps' batches are measured together. Ranks of n rows in D dimensions are settled only when n is
        several times D; the result contains both.
    features : str, nn.Module or callable, optional
        For use as a callback: the dotted name of the module whose output is measured, the module, or a function from
        what the callback is given (a `TrainStep`; ``outputs, batch`` of Fabric and Lightning) to features (B, d).
        Modules inside activation checkpointing run twice and their rows would count twice. A compiled model runs no
        hooks, so it needs a function. By default the encoder's final norm of our models, or in other models a final
        norm, an encoder or backbone, or the input of the head (`find_feature_module`).
    readout : "cls", "mean" or "pooled"
        Which vector is an image's: the first token, the mean of the others, or the output when it is one vector. The
        mean includes the padding where the rows of a mask show different numbers of patches.
    prefix : str, default ""
        Put before every name in the result.
    log : optional
        Where each measurement is written too: a ``.csv`` file, a folder of TensorBoard, a SummaryWriter, a logger or
        run with ``log_metrics``, ``log_dict`` or ``log``, or a function of (values, step); see `metric_sink`.

    Raises
    ------
    InputError
        If a number is below 1, a metric or readout is unknown, or nothing can be written to `log`.

    Notes
    -----
    With effective_rank among the metrics, the result holds ``effective_rank_drawdown``, 1 - rank / largest rank so far,
    and ``collapse_alarm``, which is 1 while the drawdown is 0.6 or more, or the rank 1.05 or less, in two measurements
    in a row (`CollapseAlarm`). Both serve early stopping.

    ``python benchmarks/collapse_alarm.py --seeds 3 --steps 600``, a measurement at every 20th step: no false alarm in
    7200 steps of 12 healthy runs (MAE, U-MAE, SimMIM, a classifier), so fewer than 0.42 per 1000 steps with 95 %
    confidence; an alarm in all of 9 planted collapses, 40 to 80 steps after them in the median.

    A monitor is a callback as it is: of `maetheory.training.train`, of Fabric (`attach`), of Lightning's Trainer, which
    logs ``train_…`` and ``val_…``, and of transformers' Trainer, in whose log history the values are. In a loop of your
    own `update` adds the features of a step; `compute` and `reset` are as in torchmetrics.

    Examples
    --------
    >>> import torch
    >>> monitor = CollapseMonitor(every=2, metrics=("effective_rank",))
    >>> features = torch.eye(4)
    >>> monitor.update(features, step=1) is None
    True
    >>> values = monitor.update(features, step=2)
    >>> round(values["effective_rank"], 6), values["n"], values["d"]
    (4.0, 8, 4)
    """

    def __init__(
        self,
        every: int = 100,
        metrics: Sequence[str] = ("effective_rank", "participation_ratio", "mean_cosine", "umae_uniformity"),
        *,
        window: int = 8,
        features: Features = None,
        readout: Readout = "cls",
        prefix: str = "",
        log: Any = None,
    ) -> None:
        for name, number in (("every", every), ("window", window)):
            if number < 1:
                raise InputError(f"{name} must be at least 1, but it is {number}")
        unknown = [name for name in metrics if name not in MOMENT_METRICS]
        if unknown:
            raise InputError(f"metrics must be among {', '.join(MOMENT_METRICS)}, but {unknown[0]!r} was given")
        self.every, self.metrics, self.window, self.prefix = every, tuple(metrics), window, prefix
        self._window = FeatureWindow(every, self.metrics, window, FeatureSource(features, readout), prefix)
        self._window.sink = None if log is None else metric_sink(log)
        self._trainer_callback: Any = None
        self._handle: RemovableHandle | None = None
        self._model: nn.Module | None = None
        self._fabric: Fabric | None = None

    @property
    def latest(self) -> dict[str, float] | None:
        """The values of the last measurement."""
        return self._window.latest

    def update(self, z: Tensor, step: int | None = None) -> dict[str, float] | None:
        """Add the features of one step.

        Parameters
        ----------
        z : Tensor, shape (B, d)
            Features of this process's batch, on any device, in any float format.
        step : int, optional
            The number of the step, by default the next one; with one below the last a new run begins.

        Returns
        -------
        dict or None
            When a measurement is due: each metric, ``n`` rows and ``d`` dimensions that were measured, and
            ``not_finite``, how many rows held NaN or infinity. With any such row the metrics are NaN, and so is each
            metric that is undefined, as a cosine is for a zero row.

        Raises
        ------
        InputError
            If `z` is not a matrix with the same d in the whole window.
        """
        step = (self.step or 0) + 1 if step is None else step
        self._window.reset_if_new_run(step)
        if self._window.in_window(step):
            self._window.buffer(z, step)
        return self._window.end_step(step)

    def compute(self) -> dict[str, float]:
        """Return the metrics of the steps of the window that are kept now, without drawdown and alarm."""
        return self._window.compute()

    def reset(self) -> None:
        """Forget all features, steps and values, for a new run."""
        self._window.reset()

    def attach(self, model: nn.Module | None = None, fabric: Fabric | None = None, *, step: int | None = None) -> Self:
        """Measure `model` from now on; with a `fabric` log the values by its loggers; return self.

        Parameters
        ----------
        model : nn.Module, optional
        fabric : lightning_fabric.Fabric, optional
        step : int, optional
            The last step that is over, where the monitor joins a run that has begun.

        Raises
        ------
        InputError
            If the model has no module of that name.
        """
        self.detach()
        module = self.source.features
        self._model = module if model is None and isinstance(module, nn.Module) else model
        self._fabric = fabric
        if self.source.uses_hook:
            self._handle = self.source.attach(model, self._on_features)
        if step is not None:
            self._window.reset_if_new_run(step)
            self._window.step = step
        return self

    def detach(self) -> None:
        """Remove the hook from the model."""
        if self._handle is not None:
            self._handle.remove()
        self._handle = None

    def __call__(self, train_step: TrainStep) -> dict[str, float] | None:
        """Serve as a callback of `maetheory.training.train`; measures the last step too, but never the first."""
        window, step = self._window, train_step.step
        window.final_step = train_step.total
        if self.source.uses_hook and self._model is not train_step.model:
            self.attach(train_step.model, step=step)
            return None
        if not self.source.uses_hook and window.in_window(step):
            window.buffer(self.source.compute(train_step), step)
        values = window.end_step(step)
        if step == train_step.total:
            self.detach()
        return values

    def lightning(self, features: Features | None = None, *, readout: Readout | None = None) -> Callback:
        """Return this monitor as a Lightning callback; needs the lightning package.

        It logs ``train_…`` every so many global steps and ``val_…`` after each validation, ``trainer.validate``
        alone included, and its state is part of Lightning's checkpoints.

        Parameters
        ----------
        features : str, nn.Module or callable, optional
            In place of the monitor's own; a name is looked up in the LightningModule, a function is given
            ``outputs, batch``.
        readout : "cls", "mean" or "pooled", optional

        Raises
        ------
        InputError
            If lightning is not installed.
        """
        self._window.source = FeatureSource(
            self.source.features if features is None else features, readout or self.source.readout
        )
        try:
            from maetheory.training.lightning_monitor import LightningMonitor
        except ImportError as error:
            raise InputError(
                "the Lightning callback needs the lightning package: pip install lightning, or 'maetheory[lightning]'"
            ) from error
        return LightningMonitor(self._window)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold for the next measurement to be the same; features stay tensors."""
        return self._window.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`; with several processes the window starts empty, because each has other features."""
        self._window.load_state_dict(state)

    def _on_features(self, z: Tensor) -> None:
        """Take features from the hook while the model trains: a model that is being evaluated is in eval mode."""
        step = (self.step or 0) + 1
        if self._model is not None and self._model.training and self._window.in_window(step):
            self._window.buffer(z, step)
