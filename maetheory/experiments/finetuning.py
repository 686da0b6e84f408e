"""Fine-tuning as a part of an experiment: every model of it starts a run, which lies beside that model's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from maetheory.core import Progress, silent
from maetheory.data import FolderStream, ImageSet
from maetheory.evaluation import FinetuneConfig, Finetuned, finetune
from maetheory.reports.tables import METRICS
from maetheory.training import fabric_of
from maetheory.training.loop import Callback

METRIC = METRICS["fine-tuning"]


@dataclass(frozen=True, eq=False)
class FinetuneJob:
    """The fine-tuning of one model, a `Run` of `train_side_by_side`.

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
        As `fabric_of` takes it.
    """

    name: str
    start: Callable[[], nn.Module]
    config: FinetuneConfig
    images: ImageSet | FolderStream
    test: ImageSet
    out: Path
    compiled: bool = False
    precision: str = "32-true"

    def finish(self, callbacks: Sequence[Callback] = (), progress: Progress = silent) -> Finetuned:
        """Do the steps that are left, and test the last."""
        return finetune(self.start(), self.images, self.test, self.config, out=self.out,  # type: ignore[arg-type]
                        resume=True, callbacks=callbacks, progress=progress, compiled=self.compiled,
                        fabric=fabric_of(precision=self.precision))  # fmt: skip
