"""How large a sampled mask graph may be: hashes to graph to the top 32 singular values, at four sizes.

Run as ``python benchmarks/graph_scale.py [LARGEST]``; the sizes are LARGEST, a quarter of it, a sixteenth and a
sixty-fourth. A graph of N images under ten masks has N views, N targets and 10 N edges: 32 clusters of views and
targets, an edge of cluster c leaving it with a probability of its own from 0.05 to 0.35, so that no two of the 32
leading singular values are alike, and all else is bulk. Each size has a process to itself, and so has scipy's ``svds``
on the same matrix, because peak memory is that of a whole process, imports included.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from time import perf_counter

import numpy as np
from scipy.sparse.linalg import svds

from maetheory.empirical.tokens.hashing import unique_inverse
from maetheory.empirical.tokens.sample import TokenSample

K, MASKS, LARGEST = 32, 10, 160_000


def hashes(n: int) -> tuple[np.ndarray, np.ndarray]:
    """128-bit identities of the views and targets of n images under ten masks, each of shape (10 n, 2)."""
    rng = np.random.default_rng(n)
    view = rng.permutation(np.repeat(np.arange(n), MASKS))
    cluster = view % K
    leaves = rng.random(len(view)) < np.linspace(0.05, 0.35, K)[cluster]
    inside = rng.integers(n // K, size=len(view)) * K + cluster
    target = np.where(leaves, rng.integers(n, size=len(view)), inside)
    words = rng.integers(0, 2**64, size=(n, 2), dtype=np.uint64)
    return words[view], words[target]


def built(n: int, sides: tuple[np.ndarray, np.ndarray]) -> TokenSample:
    view, target = (unique_inverse(side).reshape(n, MASKS) for side in sides)
    labels = np.arange(n) % 10
    return TokenSample(view, target, labels, np.full(MASKS, 1 / MASKS), True, "dropped")


def ours(n: int) -> dict[str, object]:
    sides = hashes(n)
    start = perf_counter()
    graph = built(n, sides).graph
    matrix = graph.normalized_matrix
    build = perf_counter() - start
    del sides
    start = perf_counter()
    found = graph.spectrum(K)
    return {
        "shape": matrix.shape,
        "edges": matrix.nnz,
        "build": build,
        "solve": perf_counter() - start,
        "reading": found.summary,
        "enclosure": found.enclosure,
        "peak": peak(),
        "values": found.values.tolist(),
        "matvecs": found.matvecs,
    }


def scipys(n: int) -> dict[str, object]:
    matrix = built(n, hashes(n)).graph.normalized_matrix
    start = perf_counter()
    values = svds(matrix, K, rng=0)[1]
    return {"solve": perf_counter() - start, "peak": peak(), "values": np.sort(values)[::-1].tolist()}


def peak() -> float:
    """Largest memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def in_a_process(who: str, n: int) -> dict:
    done = subprocess.run([sys.executable, __file__, who, str(n)], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def exponent(sizes: list[int], costs: list[float]) -> float:
    """Slope of cost against size on logarithmic axes."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def main(largest: int = LARGEST) -> None:
    sizes, rows = [largest // 4**j for j in (3, 2, 1, 0)], []
    print(
        "    views    targets      edges  build s  solve s  products  peak GiB    svds s  its GiB  largest difference"
    )
    for n in sizes:
        mine, theirs = in_a_process("ours", n), in_a_process("scipys", n)
        rows.append((mine["build"], mine["solve"], mine["peak"]))
        off = np.abs(np.subtract(mine["values"], theirs["values"])).max()
        print(
            f"{mine['shape'][0]:9,d}  {mine['shape'][1]:9,d}  {mine['edges']:9,d}  {mine['build']:7.1f}  "
            f"{mine['solve']:7.1f}  {mine['matvecs']:8,d}  {mine['peak']:8.2f}  {theirs['solve']:8.1f}  "
            f"{theirs['peak']:7.2f}  {off:9.1e}   enclosure {mine['enclosure']:.1e}, {mine['reading']}",
            flush=True,
        )
    for name, costs in zip(("build", "solve"), zip(*rows)):
        print(f"{name} grows like N^{exponent(sizes, list(costs)):.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] in (["ours"], ["scipys"]):
        print(json.dumps({"ours": ours, "scipys": scipys}[sys.argv[1]](int(sys.argv[2]))))
    else:
        main(*(int(word) for word in sys.argv[1:2]))
