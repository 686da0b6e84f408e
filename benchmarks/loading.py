"""Compare the training loader of an image folder with bare decoding and with a plain DataLoader.

Run as ``python benchmarks/loading.py [FILES [ROUNDS]]``. The files are crops of scikit-learn's two photographs, 500 x
375, quality 90, about ImageNet's mean size. Two processes each, in turn within a round, so that only ratios compare:

- *decoding alone*: two processes decode the files and throw the pixels away;
- *decoding and view*: and take the random crop that training sees (224 x 224);
- *training loader*: `folder_batches`, as the training loop reads it: shuffled batches of 64 in the process that trains;
- *plain DataLoader*: `torch.utils.data.DataLoader` over the same two functions, as most code has it.

A ratio above 1 is faster; the processes are started, and their queues emptied, before the clock is.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch.utils.data import DataLoader, Dataset

from maetheory.data import FolderStream
from maetheory.data.decode import random_resized_crop_and_flip, read_rgb, to_chw
from maetheory.training.folder_dataset import folder_batches

WORKERS, BATCH, SIZE = 2, 64, 224
AHEAD = 6  # batches that either loader may have waiting
WIDTH, HEIGHT, QUALITY = 500, 375, 90


def write_photographs(folder: Path, files: int) -> list[Path]:
    """Write JPEGs cut from two photographs into two classes."""
    rng = np.random.default_rng(0)
    photos = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    written = []
    for number in range(files):
        photo = photos[number % 2]
        width = int(rng.integers(photo.width // 2, photo.width))
        height = width * HEIGHT // WIDTH
        left, top = int(rng.integers(photo.width - width + 1)), int(rng.integers(max(photo.height - height, 0) + 1))
        path = folder / "train" / f"class{number % 2}" / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        window = photo.crop((left, top, left + width, top + height)).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        window.save(path, quality=QUALITY)
        written.append(path)
    return written


def decode_all(paths: list[Path], viewed: bool) -> int:
    """Decode files and, if `viewed`, take a random crop; keep nothing."""
    rng = np.random.default_rng(0)
    for path in paths:
        image = read_rgb(path)
        if viewed:
            to_chw(random_resized_crop_and_flip(image, SIZE, rng))
    return len(paths)


class Views(Dataset[np.ndarray]):
    """The same decoding and random crop in a plain data set."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> np.ndarray:
        """Return one view, uint8 (3, 224, 224)."""
        return to_chw(random_resized_crop_and_flip(read_rgb(self.paths[i]), SIZE, np.random.default_rng(i)))


def seconds(job: Callable[[], object]) -> float:
    began = perf_counter()
    job()
    return perf_counter() - began


def decode_in_processes(pool: ProcessPoolExecutor, paths: list[Path], viewed: bool) -> None:
    chunks = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
    list(pool.map(partial(decode_all, viewed=viewed), chunks))


def seconds_for(batches: Iterator[Any], count: int) -> float:
    """Return the seconds of `count` batches in the middle of an epoch that does not end."""
    for _ in range(AHEAD):  # what was decoded while the others had their turn
        next(batches)
    began = perf_counter()
    for _ in range(count):
        next(batches)
    return perf_counter() - began


def endless_batches(files: int) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield (epoch, positions of a batch) of one shuffled epoch after another."""
    rng, epoch = np.random.default_rng(0), 0
    while True:
        order = torch.from_numpy(rng.permutation(files))
        yield from ((epoch, order[start : start + BATCH]) for start in range(0, files, BATCH))
        epoch += 1


def main() -> None:
    """Print the table."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    torch.set_num_threads(1)
    found: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photographs(Path(folder), files)
        size = np.mean([path.stat().st_size for path in paths]) / 1000
        stream = FolderStream(folder, size=SIZE, batch=BATCH, train=True, workers=WORKERS)
        positions = (position for _, batch in endless_batches(files) for position in batch.tolist())
        plain = iter(DataLoader(Views(paths), BATCH, sampler=positions, num_workers=WORKERS))
        ours, count = folder_batches(stream, endless_batches(files), 0, torch.device("cpu")), files // BATCH
        with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as pool, closing(ours):
            decode_in_processes(pool, paths[: 2 * BATCH], viewed=True)
            for _ in range(rounds):
                found["decoding alone"].append(seconds(lambda: decode_in_processes(pool, paths, viewed=False)))
                found["decoding and view"].append(seconds(lambda: decode_in_processes(pool, paths, viewed=True)))
                found["training loader"].append(seconds_for(ours, count))
                found["plain DataLoader"].append(seconds_for(plain, count))
    print(f"{files} files of {size:.0f} kB on average, {WORKERS} processes, {rounds} rounds")
    for name, times in found.items():
        for reference in ("decoding alone", "decoding and view"):
            ratio = np.array(found[reference]) / np.array(times)
            low, middle, high = np.percentile(ratio, [25, 50, 75])
            rate = f"{name:>18}: {files / np.median(times):5.0f} images/s"
            print(f"{rate}, {middle:.2f} ({low:.2f}-{high:.2f}) of {reference}")


if __name__ == "__main__":
    main()
