"""Error, copies of σ = 1 found, and time of six singular value solvers on the same graphs.

Run as ``python benchmarks/spectra.py [ROUNDS]``. Solvers alternate within a round, and times are medians of ratios to
ARPACK in the same round, so that they do not depend on the speed of the machine; a solver more than ten times slower
than ARPACK runs once. Our time includes the certificate, whose share is printed. The reference is the dense SVD of each
component, or, for the two connected graphs of 8000 x 4000, the eigenvalues of BᵀB.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from unittest import mock

import numpy as np
import scipy.linalg
import torch
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator, svds
from sklearn.utils.extmath import randomized_svd

from maetheory.data import worlds
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks
from maetheory.spectra import solve, spectrum, split_components

NEAR_ONE = 1e-3
OURS = "maetheory"


@dataclass(frozen=True)
class Case:
    """A graph, how many values are asked for, and the true ones."""

    name: str
    matrix: sparse.csr_array
    k: int
    truth: np.ndarray


def joint(rng: np.random.Generator, rows: int, columns: int, degree: int) -> sparse.csr_array:
    """Random weights on a connected bipartite graph."""
    longest = np.arange(max(rows, columns))
    row = np.concatenate([np.repeat(np.arange(rows), degree), longest % rows, longest % rows])
    column = np.concatenate([rng.integers(columns, size=rows * degree), longest % columns, (longest + 1) % columns])
    return sparse.csr_array(sparse.coo_array((rng.random(len(row)) + 0.1, (row, column)), shape=(rows, columns)))


def normalized(weights: sparse.csr_array) -> sparse.csr_array:
    one, two = (np.asarray(weights.sum(axis=axis)) ** -0.5 for axis in (1, 0))
    return sparse.csr_array(sparse.diags_array(one) @ weights @ sparse.diags_array(two))


def known(matrix: sparse.csr_array, k: int) -> np.ndarray:
    """Return the k largest singular values by dense decomposition of each component."""
    return np.sort(np.concatenate([dense_values(component.toarray(), k) for component in split_components(matrix)]))[
        ::-1
    ][:k]


def dense_values(block: np.ndarray, k: int) -> np.ndarray:
    if min(block.shape) <= 1000:
        return scipy.linalg.svdvals(block)
    side = min(block.shape)
    return np.sqrt(scipy.linalg.eigvalsh(block.T @ block, subset_by_index=[side - k, side - 1]))


def cases(rng: np.random.Generator) -> list[Case]:
    ten = sparse.csr_array(sparse.block_diag([joint(rng, 800, 400, 8) for _ in range(10)]))
    mask = MaskGraph.enumerate(worlds.mixture(10, 2, 2, 0.1), UniformMasks(10, 3))
    tiny = sparse.csr_array(sparse.block_diag([joint(rng, 10, 5, 3) for _ in range(300)]))
    graphs = {
        "connected, 2000 x 1000": (normalized(joint(rng, 2000, 1000, 8)), 8),
        "connected, 8000 x 4000": (normalized(joint(rng, 8000, 4000, 8)), 12),
        "ten components, 8000 x 4000": (normalized(ten), 12),
        "ten leaking clusters, 8000 x 4000": (normalized(ten + 1e-5 * joint(rng, 8000, 4000, 1)), 12),
        "mask graph, 120 masks, positions kept": (mask.normalized_matrix, 130),
        "300 tiny components, 3000 x 1500": (normalized(tiny), 310),
    }
    return [Case(name, matrix, k, known(matrix, k)) for name, (matrix, k) in graphs.items()]


def solvers(case: Case) -> dict[str, Callable[[], np.ndarray]]:
    b, k = case.matrix, case.k
    stored = torch.sparse_csr_tensor(*(torch.tensor(part) for part in (b.indptr, b.indices, b.data)), size=b.shape)
    return {
        "ARPACK": lambda: svds(b, k, solver="arpack", rng=0)[1],
        OURS: lambda: spectrum(b, k).values,
        f"{OURS}, products only": lambda: spectrum(aslinearoperator(b), k).values,
        "PROPACK": lambda: svds(b, k, solver="propack", rng=0)[1],
        "PROPACK, patient": lambda: svds(b, k, solver="propack", rng=0, maxiter=max(1000, 10 * k))[1],
        "LOBPCG": lambda: svds(b, k, solver="lobpcg", rng=0)[1],
        "randomized_svd": lambda: randomized_svd(b, k, random_state=0)[1],
        "svd_lowrank": lambda: torch.svd_lowrank(stored, k + 6)[1].numpy()[:k],
    }


def timed(solver: Callable[[], np.ndarray]) -> tuple[float, np.ndarray | None]:
    """Return seconds and values; None instead of values where the solver failed."""
    start = perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = np.sort(solver())[::-1]
    except np.linalg.LinAlgError:
        values = None
    return perf_counter() - start, values


def certificate_share(case: Case) -> float:
    """Return the share of our time spent on the enclosure and the bound on missed values."""
    spent = []

    def stopwatch(work: Callable[..., object]) -> Callable[..., object]:
        def run(*arguments: object) -> object:
            start = perf_counter()
            found = work(*arguments)
            spent.append(perf_counter() - start)
            return found

        return run

    with mock.patch.multiple(
        solve,
        _bound_missed_values=stopwatch(solve._bound_missed_values),
        certified_spectrum=stopwatch(solve.certified_spectrum),
    ):
        whole = timed(lambda: spectrum(case.matrix, case.k).values)[0]
    return sum(spent) / whole


def measure(case: Case, rounds: int) -> None:
    runs = {name: [timed(solver)] for name, solver in solvers(case).items()}
    again = {name: solver for name, solver in solvers(case).items() if runs[name][0][0] < 10 * runs["ARPACK"][0][0]}
    for _ in range(rounds - 1):
        for name, solver in again.items():
            runs[name].append(timed(solver))
    copies = np.sum(case.truth > 1 - NEAR_ONE)
    print(f"\n{case.name}: k = {case.k}, {copies} values within {NEAR_ONE} of 1")
    for name, found in runs.items():
        ratio = np.median([here / arpack for (here, _), (arpack, _) in zip(found, runs["ARPACK"])])
        values = found[0][1]
        outcome = "  failed" if values is None else f"{np.abs(values - case.truth).max():9.1e}"
        near = "-" if values is None else np.sum(np.abs(values - 1) < NEAR_ONE)
        share = f"   certificate {certificate_share(case):.0%}" if name == OURS else ""
        print(f"  {name:26s} error {outcome}   near 1: {near!s:>3s}   {ratio:6.2f} x ARPACK{share}", flush=True)


def main(rounds: int = 3) -> None:
    warnings.filterwarnings("ignore", message=".*(invariant checks|CSR tensor support)")
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    for warm_up in solvers(Case("", normalized(joint(rng, 60, 40, 4)), 2, np.ones(2))).values():
        timed(warm_up)
    for case in cases(rng):
        measure(case, rounds)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:2]))
