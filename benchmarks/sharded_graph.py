"""Cost of a sharded mask graph: unique hashes, products and solving, on one process and on two.

Run as ``python benchmarks/sharded_graph.py [N]``. The graph is that of ``graph_scale.py`` with N images under ten
masks, drawn half by half: 32 clusters of views and targets, so that no two of the leading singular values are alike.
"One process" holds all images in a group of its own; it differs from ``graph_scale.py`` by the messages that it sends
to itself. Rates are edges, or hashes, per second of one process.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from time import perf_counter, process_time

import numpy as np
import torch.distributed as dist
from graph_scale import MASKS, K
from scaling import peak_gib, run_in_process_group

from maetheory.empirical import ProcessGroup, ShardedGraph
from maetheory.empirical.tokens.hashing import unique_inverse

LARGEST, ROUNDS = 160_000, 5


def local_hashes(n: int, process_group: ProcessGroup) -> tuple[np.ndarray, np.ndarray]:
    """128-bit hashes of views and targets of this process's half of the images, or of all, each (images, 10, 2)."""
    words = np.random.default_rng(n).integers(0, 2**64, size=(2, n, 2), dtype=np.uint64)
    halves = [half(n, which) for which in ((process_group.rank,) if process_group.world_size == 2 else (0, 1))]
    views, targets = (np.concatenate([one[side] for one in halves]) for side in (0, 1))
    return words[0][views], words[1][targets]


def half(n: int, which: int) -> tuple[np.ndarray, np.ndarray]:
    """Views and targets of half the images, each of shape (n / 2, 10)."""
    rng = np.random.default_rng((n, which))
    view = rng.integers(n, size=(n // 2, MASKS))
    leaves = rng.random(view.shape) < np.linspace(0.05, 0.35, K)[view % K]
    inside = rng.integers(n // K, size=view.shape) * K + view % K
    return view, np.where(leaves, rng.integers(n, size=view.shape), inside)


def rate(job: Callable[[], object], size: float) -> float:
    """Size over the least processor seconds of five rounds."""
    seconds = []
    for _ in range(ROUNDS):
        start = process_time()
        job()
        seconds.append(process_time() - start)
    return size / min(seconds)


def measure(n: int) -> dict[str, object]:
    """Measure this process of a group."""
    dist.init_process_group("gloo")
    process_group = ProcessGroup.from_torch()
    views, targets = local_hashes(n, process_group)
    labels = np.arange(len(views)) % 10
    before, start, busy = peak_gib(), perf_counter(), process_time()
    graph = ShardedGraph.from_hashes(views, targets, labels, np.full(MASKS, 1 / MASKS))
    block = graph.normalized_block
    build, build_busy = perf_counter() - start, process_time() - busy
    start, busy = perf_counter(), process_time()
    found = graph.spectrum(K)
    solve, solve_busy = perf_counter() - start, process_time() - busy
    peak = peak_gib()
    x, y, adjoint = np.ones(block.shape[1]), np.ones(block.shape[0]), block.T.tocsr()
    rows = views.reshape(-1, 2)
    measured = {
        "rank": process_group.rank,
        "shape": graph.shape,
        "edges": graph.n_edges,
        "local_edges": block.nnz,
        "components": graph.n_components,
        "build": build,
        "build_busy": build_busy,
        "solve": solve,
        "solve_busy": solve_busy,
        "before": before,
        "peak": peak,
        "values": found.values.tolist(),
        "summary": found.summary,
        "matvecs": found.matvecs,
        "forward": rate(lambda: block @ x, block.nnz),
        "backward": rate(lambda: adjoint @ y, block.nnz),
        "unique": rate(lambda: unique_inverse(rows), len(rows)),
        "bytes": (block.data.nbytes + block.indices.nbytes + block.indptr.nbytes) / block.nnz,
    }
    dist.destroy_process_group()
    return measured


def main(n: int = LARGEST) -> None:
    values = None
    for world_size in (1, 2):
        for one in run_in_process_group(__file__, world_size, "measure", n):
            print(
                f"{world_size} processes, rank {one['rank']}: {one['shape'][0]:,} x {one['shape'][1]:,}, "
                f"{one['local_edges']:,} of {one['edges']:,} edges, {one['components']} components; "
                f"build {one['build']:.1f} s ({one['build_busy']:.1f} busy), solve {one['solve']:.1f} s "
                f"({one['solve_busy']:.1f} busy), {one['matvecs']} products; {one['before']:.2f} GiB before, at most "
                f"{one['peak']:.2f}; {one['bytes']:.1f} bytes per edge, products {one['forward']:.3g} and "
                f"{one['backward']:.3g} edges/s, {one['unique']:.3g} hashes/s; {one['summary']}",
                flush=True,
            )
            if values is not None:
                print(f"largest difference from one process: {np.abs(np.subtract(one['values'], values)).max():.1e}")
        values = one["values"] if world_size == 1 else values


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(int(sys.argv[2]))), flush=True)
    else:
        main(*(int(word) for word in sys.argv[1:2]))
