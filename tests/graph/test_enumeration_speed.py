"""Enumerating twelve binary patches with three visible takes little memory and less time than a plain loop."""

from __future__ import annotations

import tracemalloc
from collections import defaultdict
from time import perf_counter

import numpy as np
import pytest

from maetheory.data import worlds
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks

WORLD, LAW = worlds.mixture(12, 2, 2, 0.1), UniformMasks(12, 3)


def test_memory_stays_small() -> None:
    tracemalloc.start()
    graph = MaskGraph.enumerate(WORLD, LAW)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert graph.shape == (220 * 2**3, 220 * 2**9)
    assert graph.joint.nnz == 220 * 2**12
    assert graph.n_components == 220
    assert peak <= 250 * 1024**2


@pytest.mark.slow
def test_a_plain_loop_takes_several_times_as_long() -> None:
    start = perf_counter()
    MaskGraph.enumerate(WORLD, LAW)
    whole = perf_counter() - start
    masks, q = LAW.support()
    joint: dict = defaultdict(float)
    start = perf_counter()
    part = WORLD.states[:128].tolist()
    for state, p in zip(part, WORLD.probability[:128].tolist(), strict=True):
        for j, mask in enumerate(masks.tolist()):
            view = tuple(s for s, seen in zip(state, mask, strict=True) if seen)
            target = tuple(s for s, seen in zip(state, mask, strict=True) if not seen)
            joint[(j, view), (j, target)] += p * q[j]
    loop = (perf_counter() - start) * len(WORLD.states) / len(part)
    assert np.isclose(sum(joint.values()), WORLD.probability[:128].sum())
    assert whole < loop / 3
