"""What a mask graph costs in shares: numbering, products and solving, on one process and on two.

Run as ``python benchmarks/sharded_graph.py [N]``. The graph is that of ``graph_scale.py`` with N images under ten
masks, drawn share by share: 32 clusters of views and targets, so that no two of the leading singular values are alike.
"One process" holds everything and is a group of its own; it differs from ``graph_scale.py`` by the messages that it
sends itself. Rates are edges, or identities, per second of one process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from time import perf_counter, process_time

import numpy as np
import torch.distributed as dist
from graph_scale import MASKS, K, peak

from maetheory.empirical import ShardedGraph
from maetheory.empirical.parallel.process_group import ProcessGroup
from maetheory.empirical.tokens.hashing import unique_inverse

LARGEST, ROUNDS = 160_000, 5


def share(n: int, number: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """128-bit identities of views and targets of this process's half of the images, or all, each (n / count, 10, 2)."""
    words = np.random.default_rng(n).integers(0, 2**64, size=(2, n, 2), dtype=np.uint64)
    halves = [half(n, which) for which in ((number,) if count == 2 else (0, 1))]
    return tuple(words[side][np.concatenate([one[side] for one in halves])] for side in (0, 1))  # type: ignore


def half(n: int, which: int) -> tuple[np.ndarray, np.ndarray]:
    """Views and targets of half the images, each of shape (n / 2, 10)."""
    rng = np.random.default_rng((n, which))
    view = rng.integers(n, size=(n // 2, MASKS))
    leaves = rng.random(view.shape) < np.linspace(0.05, 0.35, K)[view % K]
    inside = rng.integers(n // K, size=view.shape) * K + view % K
    return view, np.where(leaves, rng.integers(n, size=view.shape), inside)


def rate(job: object, size: float) -> float:
    """Size over the least processor seconds of five rounds."""
    seconds = []
    for _ in range(ROUNDS):
        start = process_time()
        job()  # type: ignore[operator]
        seconds.append(process_time() - start)
    return size / min(seconds)


def measured(n: int) -> dict[str, object]:
    """What this process of a group measures."""
    dist.init_process_group("gloo")
    process_group = ProcessGroup.from_torch()
    views, targets = share(n, process_group.rank, process_group.world_size)
    labels = np.arange(len(views)) % 10
    before, start, busy = peak(), perf_counter(), process_time()
    graph = ShardedGraph.from_hashes(views, targets, labels, np.full(MASKS, 1 / MASKS))
    block = graph.normalized_block
    build, built = perf_counter() - start, process_time() - busy
    start, busy = perf_counter(), process_time()
    found = graph.spectrum(K)
    solve, solved = perf_counter() - start, process_time() - busy
    most = peak()
    x, y, adjoint = np.ones(block.shape[1]), np.ones(block.shape[0]), block.T.tocsr()
    rows = views.reshape(-1, 2)
    answer = {
        "shape": graph.shape,
        "edges": graph.n_edges,
        "own": block.nnz,
        "components": graph.n_components,
        "build": build,
        "build busy": built,
        "solve": solve,
        "solve busy": solved,
        "before": before,
        "peak": most,
        "values": found.values.tolist(),
        "reading": found.summary,
        "matvecs": found.matvecs,
        "forward": rate(lambda: block @ x, block.nnz),
        "backward": rate(lambda: adjoint @ y, block.nnz),
        "numbering": rate(lambda: unique_inverse(rows), len(rows)),
        "bytes": (block.data.nbytes + block.indices.nbytes + block.indptr.nbytes) / block.nnz,
    }
    dist.destroy_process_group()
    return answer | {"number": process_group.rank}


def in_processes(count: int, n: int) -> list[dict]:
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={count}", __file__]
    done = subprocess.run([*words, "measure", str(n)], stdout=subprocess.PIPE, check=True, text=True)
    return sorted(map(json.loads, done.stdout.splitlines()), key=lambda one: one["number"])


def main(n: int = LARGEST) -> None:
    values = None
    for count in (1, 2):
        for one in in_processes(count, n):
            print(
                f"{count} processes, number {one['number']}: {one['shape'][0]:,} x {one['shape'][1]:,}, "
                f"{one['own']:,} of {one['edges']:,} edges, {one['components']} components; "
                f"build {one['build']:.1f} s ({one['build busy']:.1f} busy), solve {one['solve']:.1f} s "
                f"({one['solve busy']:.1f} busy), {one['matvecs']} products; {one['before']:.2f} GiB before, at most "
                f"{one['peak']:.2f}; {one['bytes']:.1f} bytes per edge, products {one['forward']:.3g} and "
                f"{one['backward']:.3g} edges/s, numbering {one['numbering']:.3g}/s; {one['reading']}",
                flush=True,
            )
            if values is not None:
                print(f"largest difference from one process: {np.abs(np.subtract(one['values'], values)).max():.1e}")
        values = one["values"] if count == 1 else values


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measured(int(sys.argv[2]))), flush=True)
    else:
        main(*(int(word) for word in sys.argv[1:2]))
