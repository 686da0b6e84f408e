"""Estimates of the time and memory of a graph, made by a short measurement before the work begins."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import torch

from maetheory.core.memory import available_memory

BASIS_BYTES = 8 * 4  # per image and basis vector: bases of views and of targets, each copied as it grows
MAX_BASIS_VECTORS = 512
CACHED_BYTES_PER_PAIR = 2  # half of a symmetric matrix of float32
PRODUCT_COLUMNS = 3000  # vectors multiplied for one graph; 1400 to 5200 as measured, more where eigenvalues crowd
SHORT_SECONDS = 2.0  # no plan is announced for less
SHORT_PAIR_SECONDS = 10.0  # for exact and token graphs, which take two seconds as it is
EXACT_SORTS_PER_PAIR = 8  # of state and mask, in seconds to sort one number; 1 to 8 as measured
SORTS_PER_PAIR_AND_VALUE = 70  # of image and mask of a token graph and singular value; 65 to 80 as measured
_PILOT_ROWS = 512
_PILOT_NUMBERS = 2**16


def basis_bytes(n_images: int) -> int:
    """Return the bytes of the singular vectors of a kernel graph."""
    return BASIS_BYTES * n_images * min(n_images, MAX_BASIS_VECTORS)


def announce_kernel_plan(
    announce: Callable[[str], None], *, n_images: int, values_per_target: int, masks: int, device: str, processes: int
) -> None:
    """Announce how much work a kernel graph is, and about how long it takes, unless that is under two seconds.

    Parameters
    ----------
    announce : callable
        Receives one sentence.
    n_images : int
    values_per_target : int
        Numbers in the hidden patches of an image.
    masks : int
    device : str
    processes : int
        How many processes share each graph.
    """
    pairs = n_images**2 / 2 / processes
    entry_seconds, product_seconds = _measure_seconds_per_entry(values_per_target, torch.device(device))
    matrix_bytes = CACHED_BYTES_PER_PAIR * n_images**2 / processes
    cached = matrix_bytes <= available_memory() / 2 or torch.device(device).type != "cpu"
    passes = 3 if cached else PRODUCT_COLUMNS / 16  # a matrix that is not cached is computed again for every product
    seconds = masks * pairs * (passes * entry_seconds + PRODUCT_COLUMNS * product_seconds)
    if seconds < SHORT_SECONDS:
        return
    memory = basis_bytes(n_images) + (matrix_bytes if cached else 0)
    how = "held in memory" if cached else "computed again for each product, because half of the free memory is less"
    announce(
        f"plan: {masks} masks, each with a kernel matrix of {n_images:,} x {n_images:,} images, {how}; about "
        f"{memory / 1e9:.2g} GB of memory and {_format_duration(seconds)}, to a factor of 3, by the speed of this "
        "machine now; fewer images (--limit) take a quarter of it for half as many"
    )


def announce_pair_plan(
    announce: Callable[[str], None], *, subject: str, pairs: float, bytes_per_pair: float, sorts_per_pair: float
) -> None:
    """Announce how much memory and time an exact or token graph takes, unless that is under ten seconds.

    Parameters
    ----------
    announce : callable
        Receives one sentence.
    subject : str
        What the pairs are of, for example "1,797 images under 16 masks".
    pairs : float
        Number of pairs of image (or state) and mask that one process sees.
    bytes_per_pair, sorts_per_pair : float
        Cost of a pair: bytes, and time in units of the time to sort one number.
    """
    seconds = pairs * sorts_per_pair * _measure_seconds_per_sorted_number()
    if seconds < SHORT_PAIR_SECONDS:
        return
    announce(
        f"plan: {subject}; at most {pairs * bytes_per_pair / 1e9:.2g} GB of memory and about "
        f"{_format_duration(seconds)}, to a factor of 3, by the speed of this machine now; half the images (--limit) "
        "or masks take half of it"
    )


def _measure_seconds_per_sorted_number() -> float:
    numbers = np.random.default_rng(0).integers(0, 2**62, _PILOT_NUMBERS)
    return _fastest_seconds(lambda: np.unique(numbers, return_inverse=True), torch.device("cpu")) / _PILOT_NUMBERS


def _measure_seconds_per_entry(values: int, device: torch.device) -> tuple[float, float]:
    """Return the seconds per entry computed, and per entry multiplied with one vector."""
    points = torch.rand(_PILOT_ROWS, values, device=device)
    vectors = torch.rand(16, _PILOT_ROWS, dtype=torch.float64, device=device)

    def entries() -> torch.Tensor:
        return torch.cdist(points, points).square_().mul_(-0.5).exp_()

    tile = entries()
    computing = _fastest_seconds(entries, device)
    multiplying = _fastest_seconds(lambda: vectors @ tile.to(torch.float64), device)
    return computing / _PILOT_ROWS**2, 2 * multiplying / (_PILOT_ROWS**2 * len(vectors))  # the mirror image too


def _fastest_seconds(job: Callable[[], object], device: torch.device) -> float:
    seconds = []
    for _ in range(20):  # the least of many, because other programs delay some
        start = time.perf_counter()
        job()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _format_duration(seconds: float) -> str:
    """Return a duration to its leading digits: "40 seconds", "12 minutes", "3 hours", "5 days"."""
    for unit, length in (("seconds", 1), ("minutes", 60), ("hours", 3600)):
        if seconds < 90 * length:
            return f"{max(1, round(seconds / length))} {unit}"
    days = timedelta(seconds=min(seconds, 1e9)).days
    return f"{max(1, days):,} days"
