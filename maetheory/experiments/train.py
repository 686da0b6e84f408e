"""Train every model of an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from maetheory.core import Progress
from maetheory.data import FolderStream, ImageSet
from maetheory.evaluation import encode
from maetheory.experiments.experiment import Experiment
from maetheory.experiments.models import run_folder
from maetheory.experiments.options import TrainingOptions
from maetheory.experiments.parallel_runs import run_jobs_in_parallel
from maetheory.metrics import effective_rank
from maetheory.training import TrainConfig, TrainStep, make_fabric, train
from maetheory.training.callback import Callback

MAX_MONITOR_IMAGES = 1000


def train_models(
    experiment: Experiment,
    images: ImageSet | FolderStream,
    test: ImageSet,
    *,
    out: Path,
    options: TrainingOptions,
    progress: Progress,
) -> None:
    """Train every cell of an experiment with every seed; finished runs in `out` are left as they are."""
    monitor_images = test.limit(min(MAX_MONITOR_IMAGES, len(test)))
    jobs = [
        TrainingJob(
            f"{cell.name} seed {seed}",
            recipe,
            images,
            monitor_images,
            run_folder(out, cell, seed),
            experiment.monitor_epochs,
            options.compiled,
            options.precision,
            options.device,
        )
        for cell, seed, recipe in experiment.runs()
        if cell.trained
    ]
    run_jobs_in_parallel(jobs, workers=options.workers, device=options.device, progress=progress)


@dataclass(frozen=True, eq=False)
class TrainingJob:
    """The training of one model, a `ResumableJob`.

    Attributes
    ----------
    name, config, images, out
        As of every `ResumableJob`.
    monitor_images : ImageSet
        Images whose effective rank is logged during training.
    monitor_epochs : int
        Epochs between two measurements of the effective rank.
    compiled : bool
        Whether the model is compiled first.
    precision, device : str
        As `make_fabric` takes them.
    """

    name: str
    config: TrainConfig
    images: ImageSet | FolderStream
    monitor_images: ImageSet
    out: Path
    monitor_epochs: int
    compiled: bool = False
    precision: str = "32-true"
    device: str = "auto"

    def finish(self, callbacks: Sequence[Callback], progress: Progress) -> None:
        """Train to the last step, measuring the effective rank every `monitor_epochs` epochs."""
        train(
            self.config,
            self.images,
            out=self.out,
            resume=True,
            callbacks=[self._log_effective_rank, *callbacks],
            progress=progress,
            compiled=self.compiled,
            fabric=make_fabric(self.device, precision=self.precision),
        )

    def _log_effective_rank(self, state: TrainStep) -> dict[str, float] | None:
        """Return the effective rank of the cls features of the monitor images, unmasked.

        A `CollapseMonitor` would measure masked training batches, which differ from run to run.
        """
        every = self.monitor_epochs * (state.total // self.config.epochs)
        if state.step % every and state.step not in (1, state.total):
            return None
        features = encode(state.full_model(), self.monitor_images)
        return {"effective_rank": float(effective_rank(features.double().numpy()))}
