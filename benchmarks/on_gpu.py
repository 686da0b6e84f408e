"""Everything that is worth a GPU, in order of value and inside a time limit: one command, one folder of results.

Run as ``python benchmarks/on_gpu.py --minutes 12 --out DIR [--checkpoint FILE ...]`` where ``MAETHEORY_DATA`` holds
CIFAR-10 (``maetheory data fetch cifar10`` fetches it). The parts are

1. ``training_step``: a step of ours against Hugging Face's and timm's, and against the floor that arithmetic and memory
   traffic set (`train_step.py`, `roofline.py`; bfloat16, compiled);
2. ``kernel_graph``: the kernel graph of 50 000 images, pixels to certified singular values (`kernel_scale.py`);
3. ``table1``: MAE and U-MAE of Table 1's CIFAR-10 row, ViT-Tiny, side by side, for as many epochs as fit, with the
   linear probe and fine-tuning; the number of epochs follows from the speed of the first two;
4. ``collapse``: the verdict on each checkpoint that is given.

Each part writes its log as it runs and its row of ``summary.md`` when it ends; a part that fails or runs out of time is
said to have done so, and the next one begins. The ledger has the published format: ``maetheory table --add DIR``.
``--dry-run`` runs every part with tiny sizes on the CPU, which is what its test does; its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic

import torch

from maetheory.core import InputError, atomic_write, provenance
from maetheory.data import ImageSet
from maetheory.experiments import EXPERIMENTS, Experiment
from maetheory.experiments.images import load_experiment_images
from maetheory.experiments.options import TrainingOptions
from maetheory.experiments.run import hold_experiment_folder, train_and_measure
from maetheory.reports import publish_ledger
from maetheory.training import make_fabric, train

HERE = Path(__file__).parent
PRESET = "table1-cifar10-tiny"
COLLAPSE_SECONDS = 60.0
"""Left by the long training for the verdicts after it."""
FINETUNE_EPOCHS_PER_EPOCH = 0.05
"""Epochs of fine-tuning, as in the paper: 100 beside 2000 of training."""
MEASURING_SHARE = 0.35
"""Share of the time of `table1` set aside for probes, fine-tuning and measuring; a guess, as no GPU has run it."""


class OutOfTime(Exception):
    """A part would need more time than is left."""


class Session:
    """Time left, folder of the results, and the summary, which is written anew after each part."""

    def __init__(self, out: Path, minutes: float, *, dry_run: bool) -> None:
        self.out, self.dry_run = out, dry_run
        self._end = monotonic() + 60 * minutes
        self._rows: list[tuple[str, str, float]] = []
        out.mkdir(parents=True, exist_ok=True)

    def left(self) -> float:
        """Return the seconds that are left."""
        return self._end - monotonic()

    def run_part(self, name: str, part: Callable[[], str]) -> None:
        """Run one part and add its row to the summary, whatever becomes of it."""
        began = monotonic()
        try:
            if self.left() <= 0:
                raise OutOfTime("no time was left")
            found = part()
        except (OutOfTime, subprocess.TimeoutExpired) as error:
            found = f"out of time: {error}"
        except (InputError, OSError, RuntimeError, subprocess.CalledProcessError) as error:
            found = f"failed: {error}"
        self._rows.append((name, found, monotonic() - began))
        self._write_summary()
        print(f"{name}: {found}", flush=True)

    def run_script(self, log: str, *command: str, data: bool = False) -> str:
        """Run a Python script or module, with its output in a log; return the output.

        Raises
        ------
        RuntimeError
            If it fails; the message is its last line.
        """
        with (self.out / f"{log}.log").open("w+") as file:
            done = subprocess.run(
                [sys.executable, "-W", "ignore", *command],
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=max(1.0, self.left()),
                cwd=HERE.parent,
                env=os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent), *sys.path])},
                check=False,
            )
            file.seek(0)
            text = file.read()
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {text.strip().splitlines()[-1:]}")
        return text

    def _write_summary(self) -> None:
        kind = "a dry run, whose numbers mean nothing" if self.dry_run else "run"
        lines = [f"# Results on {device_name()}: {kind}", "", "| part | result | seconds |", "|---|---|---|"]
        lines += [f"| {name} | {found} | {seconds:.0f} |" for name, found, seconds in self._rows]
        with atomic_write(self.out / "summary.md") as part:
            part.write_text("\n".join(lines) + "\n", encoding="utf-8")
        with atomic_write(self.out / "provenance.json") as part:
            part.write_text(json.dumps(provenance(seed=0, device=device_name()), indent=1) + "\n", encoding="utf-8")


def device_name() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "the CPU"


def training_step(session: Session) -> str:
    models = ("digits",) if session.dry_run else ("cifar10", "vit-b16")
    quick = ("--rounds", "1", "--eager") if session.dry_run else ()
    session.run_script("train_step", str(HERE / "train_step.py"), *models[:1], *quick)
    session.run_script("roofline", str(HERE / "roofline.py"), *models)
    return "train_step.log, roofline.log"


def kernel_graph(session: Session) -> str:
    text = session.run_script("kernel_graph", str(HERE / "kernel_scale.py"), "4096" if session.dry_run else "50000")
    return text.strip().splitlines()[-1]


def table1(session: Session) -> str:
    """Train MAE and U-MAE of Table 1 for as many epochs as fit, and measure and fine-tune them."""
    experiment, tiny = EXPERIMENTS["digits" if session.dry_run else PRESET], session.dry_run
    cells = tuple(cell for cell in experiment.cells if cell.name in ("MAE", "U-MAE"))
    experiment = replace(experiment, cells=cells, seeds=(0,))
    images, test = load_experiment_images(experiment, None)
    if not isinstance(images, ImageSet):
        raise InputError(f"the preset {experiment.name} must hold its images in memory")
    if tiny:
        images, test = images.limit(256), test.limit(64)
    precision, compiled = ("32-true", False) if tiny else ("bf16-mixed", True)
    seconds = seconds_per_epoch(experiment, images, precision, compiled)
    budget = (session.left() - COLLAPSE_SECONDS) * (1 - MEASURING_SHARE)
    epochs = 2 if tiny else min(cells[0].recipe.epochs, int(budget / (len(cells) * seconds)))
    if epochs < 2:
        raise OutOfTime(f"an epoch takes {seconds:.1f} s, so that not even two fit into {session.left():.0f} s")
    experiment = with_fine_tuning_epochs(experiment.with_epochs(epochs), epochs)
    runs = Path(tempfile.mkdtemp())  # models stay outside the folder of results, which holds few and small files
    try:
        with hold_experiment_folder(runs):
            options = TrainingOptions(compiled, 1 if tiny else 2, experiment.finetune is not None, precision)
            train_and_measure(experiment, images, test, out=runs, options=options, progress=print_progress)
    finally:
        if (runs / "ledger.jsonl").exists():
            publish_ledger(runs, runs / "published")
            shutil.copyfile(next(runs.glob("published/*/ledger.jsonl")), session.out / "ledger.jsonl")
        shutil.rmtree(runs)
    return f"{epochs} of {cells[0].recipe.epochs} epochs, {seconds:.2f} s an epoch and model; ledger.jsonl"


def with_fine_tuning_epochs(experiment: Experiment, epochs: int) -> Experiment:
    """Return the experiment with as few epochs of fine-tuning as fit beside this many of training."""
    if experiment.finetune is None:
        return experiment
    few = max(1, round(FINETUNE_EPOCHS_PER_EPOCH * epochs))
    return replace(experiment, finetune=replace(experiment.finetune, epochs=few, warmup_epochs=few / 10))


def seconds_per_epoch(experiment: Experiment, images: ImageSet, precision: str, compiled: bool) -> float:
    """Return the wall time of the second of two epochs of the first cell."""
    config = experiment.with_epochs(2).cells[0].recipe
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as out:
        train(
            config,
            images,
            out=out,
            compiled=compiled,
            fabric=make_fabric(precision=precision),
            callbacks=[lambda state: ends.append(monotonic()) if state.step % (state.total // 2) == 0 else None],
        )
    return ends[-1] - ends[-2]


def print_progress(done: int, total: int, message: str) -> None:
    if message.startswith(("measuring", "testing")):
        print(f"{done}/{total} {message}", flush=True)


def collapse(session: Session, checkpoints: list[Path]) -> str:
    if not checkpoints:
        return "no checkpoint was given"
    data = ("--data", "digits") if session.dry_run else ("--data", "cifar10")
    limit = ("--limit", "64") if session.dry_run else ()
    command = ("-m", "maetheory", "collapse", *map(str, checkpoints), *data, *limit, "--json")
    session.run_script("collapse", *command)
    return "collapse.log, a JSON document"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=12.0, help="Time for everything.")
    parser.add_argument("--out", type=Path, required=True, help="Folder of the results.")
    parser.add_argument("--checkpoint", type=Path, action="append", default=[], help="A file to judge; repeatable.")
    parser.add_argument("--dry-run", action="store_true", help="Tiny sizes, on any device.")
    chosen = parser.parse_args()
    if not chosen.dry_run and not torch.cuda.is_available():
        sys.exit("on_gpu: there is no GPU here; --dry-run tries every part with tiny sizes")
    session = Session(chosen.out, chosen.minutes, dry_run=chosen.dry_run)
    session.run_part("training_step", lambda: training_step(session))
    session.run_part("kernel_graph", lambda: kernel_graph(session))
    session.run_part("table1", lambda: table1(session))
    session.run_part("collapse", lambda: collapse(session, chosen.checkpoint))


if __name__ == "__main__":
    main()
