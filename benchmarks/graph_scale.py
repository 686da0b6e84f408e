"""Scaling of a sampled mask graph: hashes to graph to the top 32 singular values, at four sizes.

Run as ``python benchmarks/graph_scale.py [LARGEST]``; the sizes are LARGEST, a quarter of it, a sixteenth and a
sixty-fourth. A graph of N images under ten masks has N views, N targets and 10 N edges: 32 clusters of views and
targets, an edge of cluster c leaving it with a probability of its own from 0.05 to 0.35, so that no two of the 32
leading singular values are alike, and the other values form a bulk. Each size, and scipy's ``svds`` on the same matrix,
runs in a process of its own, because peak memory is that of a whole process, imports included.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter

import numpy as np
from scaling import exponent, peak_gib, run_in_process, sizes_up_to
from scipy.sparse.linalg import svds

from maetheory.empirical.tokens.hashing import unique_inverse
from maetheory.empirical.tokens.sample import TokenSample

K, MASKS, LARGEST = 32, 10, 160_000


def hashes(n: int) -> tuple[np.ndarray, np.ndarray]:
    """128-bit hashes of the views and targets of n images under ten masks, each of shape (10 n, 2)."""
    rng = np.random.default_rng(n)
    view = rng.permutation(np.repeat(np.arange(n), MASKS))
    cluster = view % K
    leaves = rng.random(len(view)) < np.linspace(0.05, 0.35, K)[cluster]
    inside = rng.integers(n // K, size=len(view)) * K + cluster
    target = np.where(leaves, rng.integers(n, size=len(view)), inside)
    words = rng.integers(0, 2**64, size=(n, 2), dtype=np.uint64)
    return words[view], words[target]


def make_sample(n: int, node_hashes: tuple[np.ndarray, np.ndarray]) -> TokenSample:
    view, target = (unique_inverse(nodes).reshape(n, MASKS) for nodes in node_hashes)
    labels = np.arange(n) % 10
    return TokenSample(view, target, labels, np.full(MASKS, 1 / MASKS), True, "dropped")


def measure_ours(n: int) -> dict[str, object]:
    node_hashes = hashes(n)
    start = perf_counter()
    graph = make_sample(n, node_hashes).graph
    matrix = graph.normalized_matrix
    build = perf_counter() - start
    del node_hashes
    start = perf_counter()
    found = graph.spectrum(K)
    return {
        "shape": matrix.shape,
        "edges": matrix.nnz,
        "build": build,
        "solve": perf_counter() - start,
        "summary": found.summary,
        "enclosure": found.enclosure_radius,
        "peak": peak_gib(),
        "values": found.values.tolist(),
        "matvecs": found.matvecs,
    }


def measure_svds(n: int) -> dict[str, object]:
    matrix = make_sample(n, hashes(n)).graph.normalized_matrix
    start = perf_counter()
    values = svds(matrix, K, rng=0)[1]
    return {"solve": perf_counter() - start, "peak": peak_gib(), "values": np.sort(values)[::-1].tolist()}


def main(largest: int = LARGEST) -> None:
    sizes, costs = sizes_up_to(largest), []
    print(
        "    views    targets      edges  build s  solve s  products  peak GiB    svds s  its GiB  largest difference"
    )
    for n in sizes:
        ours, theirs = run_in_process(__file__, "ours", n), run_in_process(__file__, "svds", n)
        costs.append((ours["build"], ours["solve"]))
        difference = np.abs(np.subtract(ours["values"], theirs["values"])).max()
        print(
            f"{ours['shape'][0]:9,d}  {ours['shape'][1]:9,d}  {ours['edges']:9,d}  {ours['build']:7.1f}  "
            f"{ours['solve']:7.1f}  {ours['matvecs']:8,d}  {ours['peak']:8.2f}  {theirs['solve']:8.1f}  "
            f"{theirs['peak']:7.2f}  {difference:9.1e}   enclosure {ours['enclosure']:.1e}, {ours['summary']}",
            flush=True,
        )
    for name, column in zip(("build", "solve"), zip(*costs)):
        print(f"{name} time grows like N^{exponent(sizes, list(column)):.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] in (["ours"], ["svds"]):
        print(json.dumps({"ours": measure_ours, "svds": measure_svds}[sys.argv[1]](int(sys.argv[2]))))
    else:
        main(*(int(word) for word in sys.argv[1:2]))
