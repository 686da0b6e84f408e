"""What a step of training costs with the monitor, as a multiple of the same step without.

Run as ``python benchmarks/monitor.py [EVERY ...]``. Two runs of `maetheory.training.train` on the preset cifar10-small
take turns, one whole period of `EVERY` steps after the other, in one process on one thread; the monitored period holds
exactly one look. A ratio is taken inside its round, because on a shared machine seconds are nobody's result.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import warnings
from time import perf_counter

import numpy as np
import torch
from lightning_fabric import Fabric

from maetheory.data import ImageSet
from maetheory.models import PRESETS
from maetheory.training import CollapseMonitor, TrainConfig, TrainStep, train

ROUNDS = 7
BATCH = 16


class Turns:
    """A callback that hands over to the other run after each period, and times its own periods."""

    def __init__(self, every: int, mine: threading.Semaphore, theirs: threading.Semaphore) -> None:
        self.every, self.mine, self.theirs = every, mine, theirs
        self.periods: list[float] = []
        self.begun = 0.0

    def __call__(self, seen: TrainStep) -> None:
        """End a period with the step that a look is due at."""
        if seen.step % self.every:
            return
        if self.begun:
            self.periods.append(perf_counter() - self.begun)
        self.theirs.release()
        if seen.step < seen.total:
            self.mine.acquire()
        self.begun = perf_counter()


def run(every: int, callbacks: list) -> None:
    config = PRESETS["cifar10-small"]
    vit = config.encoder
    count = (ROUNDS + 1) * every
    noise = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (64 * BATCH, vit.channels, vit.image_size, vit.image_size), dtype=torch.uint8,
                           generator=noise)  # fmt: skip
    few = ImageSet(images.numpy(), np.zeros(len(images), np.int64), "noise")
    recipe = TrainConfig(config, uniformity_weight=0.01, epochs=-(-count // 64), batch=BATCH, save_seconds=1e9,
                         log_every=every)  # fmt: skip
    with tempfile.TemporaryDirectory() as out:
        train(recipe, few, out=out, callbacks=callbacks, fabric=Fabric(accelerator="cpu", devices=1))


def ratios(every: int) -> tuple[np.ndarray, float]:
    first, second = threading.Semaphore(1), threading.Semaphore(0)
    plain, watched = Turns(every, first, second), Turns(every, second, first)
    monitor = CollapseMonitor(every=every)

    def other() -> None:
        second.acquire()
        run(every, [monitor, watched])

    first.acquire()
    thread = threading.Thread(target=other)
    thread.start()
    run(every, [plain])
    thread.join()
    pairs = min(len(plain.periods), len(watched.periods))
    alone = np.array(plain.periods[:pairs])
    return np.array(watched.periods[:pairs]) / alone, float(np.median(alone)) / every


def main(*everies: str) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print("| every | step alone, ms | monitored / alone |\n|---|---|---|")
    for every in map(int, everies or ("100", "10")):
        found, step = ratios(every)
        low, middle, high = np.quantile(found, (0.25, 0.5, 0.75))
        print(f"| {every} | {1000 * step:.0f} | {middle:.3f} ({low:.3f}-{high:.3f}) |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
