"""Fine-tune and test every model of an experiment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import nn

from maetheory.core import Progress, no_progress, provenance
from maetheory.core.packed_bits import pack_bits
from maetheory.data import FolderStream, ImageSet
from maetheory.evaluation import FinetuneConfig, FinetuneResult, finetune
from maetheory.experiments.experiment import Experiment
from maetheory.experiments.measure import LEDGER, experiment_ledger, is_measured, record_fields
from maetheory.experiments.models import load_cell_model, model_device_name, run_folder
from maetheory.experiments.options import TrainingOptions
from maetheory.experiments.parallel_runs import run_jobs_in_parallel
from maetheory.reports import append_records
from maetheory.reports.tables import TASK_METRICS
from maetheory.training import make_fabric
from maetheory.training.callback import Callback
from maetheory.training.checkpointing import run_precision

METRIC = TASK_METRICS["fine-tuning"]


def finetune_models(
    experiment: Experiment,
    images: ImageSet | FolderStream,
    test: ImageSet,
    *,
    out: Path,
    options: TrainingOptions,
    progress: Progress,
) -> None:
    """Fine-tune every model of an experiment and append its test accuracy to the ledger in `out`."""
    assert experiment.finetune is not None
    runs = experiment.runs()
    jobs = [
        FinetuneJob(
            f"{cell.name} seed {seed}",
            partial(load_cell_model, out, cell, recipe),
            replace(experiment.finetune, seed=seed),
            images,
            test,
            out / "finetuned" / run_folder(out, cell, seed).name,
            options.compiled,
            options.precision,
            options.device,
        )
        for cell, seed, recipe in runs
    ]
    run_jobs_in_parallel(jobs, workers=options.workers, device=options.device, progress=progress)
    for number, (job, (cell, seed, recipe)) in enumerate(zip(jobs, runs, strict=True)):
        progress(number, len(runs), f"testing {job.name}")
        fields = record_fields(experiment, cell, recipe, images, test)
        ledger = experiment_ledger(experiment, out)
        if is_measured(ledger[ledger.metric == METRIC], fields):
            continue
        result = job.finish()
        record = fields | {
            "readout": job.config.readout,
            "metric": METRIC,
            "value": result.accuracy.value,
            "error": result.accuracy.error,
            "correct": pack_bits(result.correct),
            "recipe": result.recipe.removesuffix(f", seed {seed}"),
            "precision": run_precision(job.out),
            "provenance": provenance(seed=seed, device=model_device_name(result.encoder)),
        }
        append_records(out / LEDGER, [record])


@dataclass(frozen=True, eq=False)
class FinetuneJob:
    """The fine-tuning of one model, a `ResumableJob`.

    Attributes
    ----------
    name, config, images, out
        As of every `ResumableJob`.
    load_model : callable
        Returns the model to fine-tune; it is called in the process that runs the job.
    test : ImageSet
    compiled : bool
        Whether the model is compiled first.
    precision, device : str
        As `make_fabric` takes them.
    """

    name: str
    load_model: Callable[[], nn.Module]
    config: FinetuneConfig
    images: ImageSet | FolderStream
    test: ImageSet
    out: Path
    compiled: bool = False
    precision: str = "32-true"
    device: str = "auto"

    def finish(self, callbacks: Sequence[Callback] = (), progress: Progress = no_progress) -> FinetuneResult:
        """Fine-tune to the last step and test."""
        return finetune(
            self.load_model(),  # type: ignore[arg-type]  # an MAE or SimMIM, which its loader types as a Module
            self.images,
            self.test,
            self.config,
            out=self.out,
            resume=True,
            callbacks=callbacks,
            progress=progress,
            compiled=self.compiled,
            fabric=make_fabric(self.device, precision=self.precision),
        )
