"""Choose the arithmetic of a training run: bfloat16 products where they make a step of the very model shorter."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, cast

import torch
from lightning_fabric import Fabric

from maetheory.core import InputError
from maetheory.models.bfloat16 import has_bfloat16_products
from maetheory.training.checkpointing import list_checkpoints, run_precision
from maetheory.training.config import TrainConfig
from maetheory.training.fabric import make_fabric
from maetheory.training.masked_modelling import MaskedModellingTask
from maetheory.training.task import Task

FLOAT32, BFLOAT16 = "32-true", "bf16-mixed"
WORTHWHILE = 0.95
MIN_STEP_SECONDS = 0.1
MIN_ROUNDS = 3


@dataclass(frozen=True)
class PrecisionChoice:
    """Arithmetic chosen for a training run.

    Attributes
    ----------
    precision : str
        "bf16-mixed" or "32-true", as `make_fabric` takes it.
    ratio : float or None
        Seconds of a step in "bf16-mixed" over those in "32-true", medians; None where nothing was measured.
    n_images : int
        Number of images in each measured step, 0 where nothing was measured.
    reason : str
        Why nothing was measured, "" where it was.
    """

    precision: str
    ratio: float | None = None
    n_images: int = 0
    reason: str = ""

    def __str__(self) -> str:
        """Return the choice and its reason in one sentence."""
        if self.ratio is None:
            return f"precision {self.precision}: {self.reason}"
        return (
            f"precision {self.precision}: a step of {self.n_images} images takes {self.ratio:.2f} times as long in "
            f"{BFLOAT16} as in {FLOAT32} on this machine"
        )


def choose_precision(
    task: Task, shape: tuple[int, ...], accelerator: str = "auto", *, seconds: float = 1.0
) -> PrecisionChoice:
    """Measure steps of a task in float32 and with bfloat16 products, in turn, and return the faster arithmetic.

    Weights, gradients and the optimiser's moments are float32 either way. A step is measured on random images, with as
    few of them as make it last a tenth of a second. bfloat16 must save 5 % to be chosen. The choice depends on this
    machine and on its load, so that another one may make another: a checkpoint records what was chosen.

    Parameters
    ----------
    task : Task
    shape : tuple of int
        (C, H, W) of an image.
    accelerator : {"auto", "cpu", "cuda", "mps"}
    seconds : float
        How long to measure, after the first steps.

    Raises
    ------
    InputError
        If this machine lacks the accelerator.
    """
    fabric = make_fabric(accelerator, devices=1)
    if not has_bfloat16_products(fabric.device):
        return PrecisionChoice(FLOAT32, reason="this device has no bfloat16 products")
    with torch.random.fork_rng(), _quiet_fabric():
        trials = [_Trial(task, shape, make_fabric(accelerator, devices=1, precision=p)) for p in (FLOAT32, BFLOAT16)]
        n = trials[0].images_per_step(min(task.config.batch, 8), task.config.batch // task.config.accumulate)
        trials[1].step(n)
        times: list[tuple[float, ...]] = []
        began = time.perf_counter()
        while len(times) < MIN_ROUNDS or time.perf_counter() - began < seconds:
            times.append(tuple(trial.step(n) for trial in trials))
    exact, rounded = (median(column) for column in zip(*times, strict=True))
    ratio = rounded / exact
    return PrecisionChoice(BFLOAT16 if ratio <= WORTHWHILE else FLOAT32, ratio, n)


def choose_run_precision(
    config: TrainConfig,
    out: Path | None = None,
    accelerator: str = "auto",
    *,
    devices: int | None = None,
    nodes: int | None = None,
) -> PrecisionChoice:
    """Return the precision of the run in a folder that is to be resumed, else that of `choose_precision`.

    Parameters
    ----------
    config : TrainConfig
    out : path, optional
        Folder of the run that is to be resumed; None for a new one.
    accelerator, devices, nodes
        As for `make_fabric`.

    Raises
    ------
    InputError
        If there is more than one process, of which each might choose differently, or the machine lacks the accelerator.
    """
    n_processes = make_fabric(accelerator, devices, nodes).world_size
    if n_processes > 1:
        raise InputError(
            f"precision auto measures in one process, but there are {n_processes}: give 32-true or bf16-mixed by name"
        )
    if out is not None and list_checkpoints(out) and (recorded := run_precision(out)) is not None:
        return PrecisionChoice(recorded, reason=f"the run in {out} has it")
    vit = config.model.encoder
    return choose_precision(MaskedModellingTask(config), (vit.channels, vit.image_size, vit.image_size), accelerator)


@contextmanager
def _quiet_fabric() -> Iterator[None]:
    """Keep Fabric from naming each precision that is only tried."""
    logger = logging.getLogger("lightning_fabric")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Trial:
    """A model of a task in one arithmetic, and its steps."""

    def __init__(self, task: Task, shape: tuple[int, ...], fabric: Fabric) -> None:
        self.task, self.shape, self.fabric, self.steps = task, shape, fabric, count()
        model = task.build().to(fabric.device)
        self.model = fabric.setup_module(model).train()
        self.optimizer = cast(Any, fabric.setup_optimizers(task.optimizer(model)))

    def images_per_step(self, n: int, largest: int) -> int:
        """Return the least number of images, doubled from `n` on, whose step is long enough to be measured."""
        self.step(n)
        while 2 * n <= largest and self.step(n) < MIN_STEP_SECONDS:
            n *= 2
        return n

    def step(self, n: int) -> float:
        """Take one step on `n` random images, and return its seconds."""
        device, number = self.fabric.device, next(self.steps)
        images, labels = torch.rand(n, *self.shape, device=device), torch.zeros(n, dtype=torch.long, device=device)
        draws = self.task.random_draws(number, n, device)
        began = self._now()
        self.fabric.backward(self.task.losses(self.model, images, labels, draws, self.fabric)["loss"])
        self.optimizer.step()
        self.optimizer.zero_grad()
        return self._now() - began

    def _now(self) -> float:
        if self.fabric.device.type == "cuda":
            torch.cuda.synchronize(self.fabric.device)
        return time.perf_counter()
