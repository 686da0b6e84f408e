"""Fine-tuning as a part of an experiment: every model of it starts a run, which lies beside that model's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from maetheory.core import Progress, silent
from maetheory.data import FolderStream, ImageSet
from maetheory.evaluation import FinetuneConfig, FinetuneResult, finetune
from maetheory.reports.tables import TASK_METRICS
from maetheory.training import make_fabric
from maetheory.training.loop import Callback

METRIC = TASK_METRICS["fine-tuning"]


@dataclass(frozen=True, eq=False)
class FinetuneJob:
    """The fine-tuning of one model, a `Run` of `run_jobs_in_parallel`.

    Attributes
    ----------
    name, images, out
        As of every run.
    start : callable
        Gives the model that is fine-tuned, where the run is: it is loaded there.
    config : FinetuneConfig
    test : ImageSet
    compiled : bool
    precision : str
        As `make_fabric` takes it.
    """

    name: str
    start: Callable[[], nn.Module]
    config: FinetuneConfig
    images: ImageSet | FolderStream
    test: ImageSet
    out: Path
    compiled: bool = False
    precision: str = "32-true"

    def finish(self, callbacks: Sequence[Callback] = (), progress: Progress = silent) -> FinetuneResult:
        """Do the steps that are left, and test the last."""
        return finetune(
            self.start(),  # type: ignore[arg-type]  # a trained MAE or SimMIM, which the loader types as a Module
            self.images,
            self.test,
            self.config,
            out=self.out,
            resume=True,
            callbacks=callbacks,
            progress=progress,
            compiled=self.compiled,
            fabric=make_fabric(precision=self.precision),
        )
