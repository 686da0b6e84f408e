"""What a step of training costs with the monitor, as a multiple of the same step without.

Run as ``python benchmarks/monitor.py [EVERY ...]``. One run of `maetheory.training.train` on the preset cifar10-small,
on one thread, is watched in every other period of `EVERY` steps, so that a watched period holds one look and all that
comes before it. Times are in seconds of this process, and a ratio is taken over four periods, watched, alone, alone,
watched, because on a shared machine seconds drift and are nobody's result; the share is that of the look alone, timed
by itself. The batch is small: a look costs the same, so its share is the larger.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from time import process_time

import numpy as np
import torch
from lightning_fabric import Fabric

from maetheory.data import ImageSet
from maetheory.models import PRESETS
from maetheory.training import CollapseMonitor, TrainConfig, TrainStep, train

STEPS = 400
BATCH = 16


class Turns:
    """Watch in the periods 0, 1, 4, 5, 8, 9, …, and time them all; the first is to warm up."""

    def __init__(self, every: int) -> None:
        self.every, self.monitor = every, CollapseMonitor(every=every)
        self.seconds: dict[bool, list[float]] = {False: [], True: []}
        self.looks: list[float] = []
        self.watched, self.begun = False, 0.0

    def __call__(self, seen: TrainStep) -> None:
        """Show the monitor a step of its periods."""
        start = process_time()
        if self.watched and self.monitor(seen) is not None:
            self.looks.append(process_time() - start)
        period, place = divmod(seen.step, self.every)
        if place:
            return
        if period > 1:
            self.seconds[self.watched].append(process_time() - self.begun)
        self.watched = period % 4 in (0, 1)
        self.monitor.detach()
        if self.watched:
            self.monitor.attach(seen.model, step=seen.step)
        self.begun = process_time()


def ratios(every: int) -> tuple[np.ndarray, float, float]:
    config, steps = PRESETS["cifar10-small"], (4 * max(STEPS // (4 * every), 4) + 1) * every
    vit = config.encoder
    images = torch.randint(
        0,
        256,
        (every * BATCH, vit.channels, vit.image_size, vit.image_size),
        dtype=torch.uint8,
        generator=torch.Generator().manual_seed(0),
    )
    noise = ImageSet(images.numpy(), np.zeros(len(images), np.int64), "noise")
    recipe = TrainConfig(config, uniformity_weight=0.01, epochs=steps // every, batch=BATCH, save_seconds=1e9)
    turns = Turns(every)
    with tempfile.TemporaryDirectory() as out:
        train(recipe, noise, out=out, callbacks=[turns], fabric=Fabric(accelerator="cpu", devices=1))
    assert turns.monitor.latest is not None
    assert turns.monitor.latest["n"] >= min(every, turns.monitor.window) * BATCH
    watched, alone = (np.reshape(turns.seconds[which], (-1, 2)).sum(1) for which in (True, False))
    return watched / alone, float(np.median(alone)) / (2 * every), float(np.median(turns.looks))


def main(*everies: str) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    heading = "| every | step alone, ms | a measurement, ms | its share | monitored / alone |"
    print(f"{heading}\n|---|---|---|---|---|", flush=True)
    for every in map(int, everies or ("2", "10", "100")):
        found, step, look = ratios(every)
        low, middle, high = np.quantile(found, (0.25, 0.5, 0.75))
        times = f"{1000 * step:.0f} | {1000 * look:.1f} | {look / (every * step):.2%}"
        print(f"| {every} | {times} | {middle:.3f} ({low:.3f}-{high:.3f}) |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
