"""Time of all metrics of moments relative to two matrix products and one eigenvalue decomposition.

Run as ``python benchmarks/metrics.py [N [D]]``. Everything is timed in one process, in seconds of that process, and
printed as ratios within a round, so that they do not depend on the speed of the machine. The floor is ``Z.T @ Z``,
twice (raw rows and unit rows), and one ``eigvalsh``, in the precision of the tiles; the ceiling is the singular values
of Z, which give fewer metrics and need all of Z in memory.
"""

from __future__ import annotations

import resource
import sys
import tracemalloc
from collections.abc import Callable
from time import process_time

import numpy as np
import scipy.linalg
import torch

from maetheory import metrics
from maetheory.metrics import Moments

SUITE: dict[str, Callable[[Moments], object]] = {
    "effective rank": metrics.effective_rank,
    "RankMe": metrics.rankme,
    "RankMe, reptrix": lambda m: metrics.rankme(m, convention="reptrix"),
    "stable rank": metrics.stable_rank,
    "participation ratio": metrics.participation_ratio,
    "participation ratio, corrected": lambda m: metrics.participation_ratio(m, convention="corrected"),
    "NESum": metrics.nesum,
    "condition number": metrics.condition_number,
    "IsoScore": metrics.iso_score,
    "matrix entropy": metrics.matrix_entropy,
    "α-ReQ": lambda m: metrics.alpha_req(m).alpha,
    "mean cosine": metrics.mean_cosine,
    "std of unit rows": metrics.direction_std,
    "U-MAE uniformity": metrics.umae_uniformity,
    "self-cluster": metrics.self_cluster,
}


def features(n: int, d: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(d, d)))[0] * np.arange(1, d + 1)[:, None] ** -0.6
    return (rng.normal(size=(n, d)) @ axes + 0.1 * rng.normal(size=d)).astype(np.float32)


def seconds(work: Callable[[], object]) -> float:
    start = process_time()
    work()
    return process_time() - start


def ratio(work: Callable[[], object], floor: Callable[[], object], rounds: int = 5) -> str:
    found = [seconds(work) / seconds(floor) for _ in range(rounds)]
    low, middle, high = np.quantile(found, (0.25, 0.5, 0.75))
    return f"{middle:.2f} ({low:.2f}-{high:.2f}) × floor"


def floor(Z: np.ndarray) -> None:
    product = Z.T @ Z
    product += Z.T @ Z
    scipy.linalg.eigvalsh(product.astype(np.float64))


def suite(Z: np.ndarray, precision: str) -> dict[str, object]:
    moments = Moments(Z.shape[1], precision=precision).update(Z)
    return {name: metric(moments) for name, metric in SUITE.items()}


def extra_memory(Z: np.ndarray, n: int) -> int:
    """Return the peak memory of streaming `n` rows, the first 4096 rows of Z repeated."""
    batch = Z[:4096]
    moments = Moments(Z.shape[1], precision="float32")
    tracemalloc.start()
    for start in range(0, n, len(batch)):
        moments.update(batch[: n - start])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert moments.count == n
    return peak


def precision_that_suffices(Z: np.ndarray, tolerance: float = 1e-3) -> tuple[str, str]:
    """Return the precision that suffices by the stated error, and by the measured one on the first rows."""
    rank = metrics.effective_rank(Moments(Z.shape[1], precision="float32").update(Z))
    few = Z[: 4 * Z.shape[1]]
    rough, fine = (
        metrics.effective_rank(Moments(Z.shape[1], precision=precision).update(few))
        for precision in ("float32", "float64")
    )
    stated, measured = rank.error <= tolerance * rank, abs(rough - fine) <= tolerance * fine
    return tuple("float32" if enough else "float64" for enough in (stated, measured))


def compare(Z: np.ndarray) -> None:
    wide = Z.astype(np.float64)
    print("suite, float32 tiles:", ratio(lambda: suite(Z, "float32"), lambda: floor(Z)))
    print("suite, float64 tiles:", ratio(lambda: suite(Z, "float64"), lambda: floor(wide)))
    print("torch.linalg.svdvals:", ratio(lambda: torch.linalg.svdvals(torch.from_numpy(Z)), lambda: floor(Z), 1))
    print("our singular values, float64:", ratio(lambda: metrics.singular_values(Z), lambda: floor(wide), 1))


def main(n: int = 50_000, d: int = 768) -> None:
    torch.set_num_threads(1)
    Z = features(n, d)
    print(f"N = {n}, D = {d}, float32 features")
    compare(Z)
    for rows in (10_000, 1_000_000):
        print(f"peak memory of the moments of {rows:,} rows streamed: {extra_memory(Z, rows) / 2**20:.1f} MiB")
    truth = metrics.effective_rank(Z)
    for precision in ("float32", "float64"):
        rank = metrics.effective_rank(Moments(d, precision=precision).update(Z))
        print(f"effective rank, {precision} tiles: {rank!r}; error {abs(rank - truth):.2g} of {truth:.6g}")
    stated, measured = precision_that_suffices(Z)
    print(f"enough for the effective rank to 0.001: {stated} by the stated error, {measured} as measured on 4 D rows")
    for name, value in suite(Z, "float64").items():
        print(f"  {name}: {value!r}")
    print(f"peak resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f} MiB")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:3]))
