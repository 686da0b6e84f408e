"""`TrainingOptions`: how an experiment is trained on this machine, whatever its recipes are."""

from __future__ import annotations

from dataclasses import dataclass

from maetheory.core import InputError
from maetheory.experiments.experiment import Experiment
from maetheory.experiments.parallel_runs import check_workers


@dataclass(frozen=True)
class TrainingOptions:
    """Choices of a call that do not belong to the experiment.

    Attributes
    ----------
    compiled : bool
        Whether models are compiled before training.
    workers : int or None
        Number of runs that train at once, as for `run_jobs_in_parallel`.
    finetuned : bool
        Whether every model, the untrained ones too, is also fine-tuned and tested.
    precision : str
        Precision of the training, as `make_fabric` takes it; models are measured in float32. `run` and `reproduce` take
        "auto" too: that of the models in the folder, else the faster of "32-true" and "bf16-mixed".
    device : str
        Where models are trained and measured: "auto" (a GPU if there is one), "cpu", "cuda" or "mps".
    """

    compiled: bool = False
    workers: int | None = None
    finetuned: bool = False
    precision: str = "32-true"
    device: str = "auto"

    def check(self, experiment: Experiment) -> None:
        """Raise InputError if an experiment cannot be run with these options, or not on this machine."""
        check_workers(self.workers)
        if self.finetuned and experiment.finetune is None:
            raise InputError(
                f"the preset {experiment.name} has no recipe for fine-tuning; leave --finetune out, or give "
                "one of its checkpoints to `maetheory probe --mode finetune`"
            )
