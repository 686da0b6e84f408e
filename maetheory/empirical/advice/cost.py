"""Time and memory that advice takes, estimated before the work."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from maetheory.empirical.advice.candidate_scores import DISTANCE_IMAGES, N_BOOTSTRAP, N_SHUFFLES, STUDIED_VALUES
from maetheory.empirical.advice.candidates import Candidate
from maetheory.empirical.pixel_averages import averaging_factor
from maetheory.empirical.tokens.region_tokens import REGION_CODES

KMEANS_PASSES = 75  # over the rows of a region, measured: three starts of about ten steps, and two assignments each
_GRAPH_SECONDS = 5e-8  # of a resample, for each image
_MASK_SECONDS = 0.08  # of a mask, whatever the size of the images


@final
@dataclass(frozen=True)
class AdviceCost:
    """Estimated seconds on this machine, and bytes of memory beside the images."""

    seconds: float
    bytes: float

    def __str__(self) -> str:
        return f"about {max(self.seconds, 1):.0f} s and {max(self.bytes / 1e9, 0.1):.1f} GB beside the images"


def estimate_cost(
    shape: tuple[int, int, int, int], candidates: Sequence[Candidate], *, n_masks: int, has_labels: bool
) -> AdviceCost:
    """Return the estimated cost of scoring candidates on images of shape (N, C, H, W).

    Products of matrices are counted, and the speed of this machine is measured on a small one; the result is right
    within a factor of about three on a machine that does nothing else.
    """
    n, channels, height, width = shape
    whole = channels * height * width
    values = [whole // averaging_factor(shape, one.patch) ** 2 for one in candidates]
    flops, seconds = 0.0, 0.0
    for d in values:
        of_graph = whole if whole <= STUDIED_VALUES else d
        flops += 2 * (6 * n * d**2 + 8 * d**3)  # the linear autoencoder, and that of shuffled patches
        if has_labels:
            flops += n_masks * KMEANS_PASSES * 2 * n * of_graph * REGION_CODES
            flops += n_masks * 2 * min(n, DISTANCE_IMAGES) ** 2 * d
            seconds += n_masks * ((N_BOOTSTRAP + 3 * N_SHUFFLES) * n * _GRAPH_SECONDS + _MASK_SECONDS)
    largest = max(values)
    needed = 8.0 * (
        6 * n * channels * height * width
        + 5 * n * max(largest, min(whole, STUDIED_VALUES))
        + 10 * largest**2
        + N_BOOTSTRAP * n
    )
    return AdviceCost(seconds + flops / _measured_speed(), needed)


def _measured_speed() -> float:
    """Floating-point operations per second of a product as k-means makes them, the best of three."""
    rows, centres = np.ones((2000, 500)), np.ones((500, REGION_CODES))
    times = []
    for _ in range(3):
        start = time.perf_counter()
        rows @ centres
        times.append(time.perf_counter() - start)
    return 2 * rows.size * REGION_CODES / max(min(times), 1e-6)
