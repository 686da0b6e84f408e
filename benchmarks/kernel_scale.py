"""Scaling of a kernel graph: pixels to the top 32 singular values with certificate, at four sizes.

Run as ``python benchmarks/kernel_scale.py [LARGEST]``; the sizes are LARGEST, a quarter of it, a sixteenth and a
sixty-fourth. The kernel matrix is on the GPU where there is one. Images are CIFAR-10 where ``MAETHEORY_DATA`` has it,
else ten blurred patterns with noise; the mask shows 16 of 64 patches, drawn from seed 0, and the bandwidth is a quarter
of the median distance. Up to 12,500 images, scipy's ``svds`` solves the same operator. Each size runs in a process of
its own, because peak memory is that of a whole process. Both wall-clock and processor seconds are given, since the
wall-clock seconds of a shared machine depend on its load. ``python benchmarks/kernel_scale.py shared [N]`` compares one
process with two that share the kernel matrix of N images.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch
import torch.distributed as dist
from scaling import exponent, peak_gib, run_in_process, run_in_process_group, sizes_up_to
from scipy.sparse.linalg import svds

from maetheory.data import ImageSet, load_images
from maetheory.empirical import KernelGraph, ProcessGroup, kernel_graph
from maetheory.masks import UniformMasks

K, PATCH, LARGEST, LARGEST_SVDS = 32, 4, 12_500, 12_500
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def images(n: int) -> ImageSet:
    if Path(os.environ.get("MAETHEORY_DATA", ""), "cifar-10-batches-bin").is_dir() and os.environ.get("MAETHEORY_DATA"):
        return load_images("cifar10").limit(n)
    rng = np.random.default_rng(0)
    patterns = rng.random((10, 3, 4, 4), np.float32).repeat(8, 2).repeat(8, 3)
    labels = np.arange(n) % 10
    return ImageSet(0.5 * patterns[labels] + 0.5 * rng.random((n, 3, 32, 32), np.float32), labels, "patterns")


def make_graph(n: int, process_group: ProcessGroup | None = None) -> KernelGraph:
    mask = UniformMasks(64, 16).sample(np.random.default_rng(0), 1)[0]
    return kernel_graph(images(n), mask, patch=PATCH, device=DEVICE, process_group=process_group)


def measure_ours(n: int, process_group: ProcessGroup | None = None) -> dict[str, object]:
    torch.zeros(1, device=DEVICE)  # starts the device, which is not timed
    start = now()
    graph = make_graph(n, process_group)
    built = now()
    top = graph.spectrum(K)
    solved = now()
    matrix = graph.kernel_matrix
    return {
        "build": (built[0] - start[0], built[1] - start[1]),
        "solve": (solved[0] - built[0], solved[1] - built[1]),
        "peak": peak(),
        "products": top.matvecs,
        "enclosure": top.enclosure_radius,
        "values": top.values.tolist(),
        "summary": top.summary,
        "is_cached": matrix.is_cached,
        "entries_gb": 4e-9 * (matrix if process_group is None else matrix.local).n_entries,
        "rounding_error": matrix.rounding_error,
        "self_pair_fraction": float(graph.self_pair_fraction),
    }


def measure_shard(n: int) -> None:
    """Print the measurements of this process of a group."""
    dist.init_process_group("gloo")
    if DEVICE == "cuda":
        torch.cuda.set_device(dist.get_rank() % torch.cuda.device_count())
    print(json.dumps({"rank": dist.get_rank()} | measure_ours(n, ProcessGroup.from_torch())), flush=True)
    dist.destroy_process_group()


def measure_svds(n: int) -> dict[str, object]:
    operator = make_graph(n).normalized
    clock, own = perf_counter(), process_time()
    values = svds(operator, K, rng=0)[1]
    solve = perf_counter() - clock, process_time() - own
    return {"solve": solve, "peak": peak(), "values": np.sort(values)[::-1].tolist()}


def now() -> tuple[float, float]:
    """Wall-clock and processor seconds, after the device has finished."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return perf_counter(), process_time()


def peak() -> float:
    """Peak memory so far, in GiB: of torch on the GPU, or of this process."""
    return torch.cuda.max_memory_reserved() / 2**30 if DEVICE == "cuda" else peak_gib()


def compare_one_and_two_processes(n: int = LARGEST) -> None:
    alone = None
    for world_size in (1, 2):
        for one in run_in_process_group(__file__, world_size, "shard", n):
            print(
                f"{n:,d} images, rank {one['rank']} of {world_size}, load {os.getloadavg()[0]:.1f}: build "
                f"{one['build'][0]:.1f} / {one['build'][1]:.1f}  solve {one['solve'][0]:.1f} / "
                f"{one['solve'][1]:.1f}  products {one['products']}  peak GiB {one['peak']:.2f}  "
                f"entries GB {one['entries_gb']:.2f} cached {one['is_cached']}  {one['summary']}",
                flush=True,
            )
            alone = one["values"] if alone is None else alone
            print(f"largest difference from one process: {np.abs(np.subtract(one['values'], alone)).max():.1e}")


def main(largest: int = LARGEST) -> None:
    sizes, costs = sizes_up_to(largest), []
    print(f"on {DEVICE}, load {os.getloadavg()[0]:.1f}; seconds are wall-clock / processor", flush=True)
    for n in sizes:
        ours = run_in_process(__file__, "ours", n)
        clock = 0 if DEVICE == "cuda" else 1  # wall-clock on a GPU, which works while the process waits
        costs.append((ours["build"][clock], ours["solve"][clock], ours["peak"]))
        print(
            f"{n:7,d}  build {ours['build'][0]:.1f} / {ours['build'][1]:.1f}  solve {ours['solve'][0]:.1f} / "
            f"{ours['solve'][1]:.1f}  products {ours['products']}  peak GiB {ours['peak']:.2f}  entries GB "
            f"{ours['entries_gb']:.2f} cached {ours['is_cached']}  enclosure {ours['enclosure']:.1e}  rounding error "
            f"{ours['rounding_error']:.1e}  32nd value {ours['values'][-1]:.4f}  self-pair fraction "
            f"{ours['self_pair_fraction']:.3f}  {ours['summary']}",
            flush=True,
        )
        if n <= LARGEST_SVDS:
            theirs = run_in_process(__file__, "svds", n)
            difference = np.abs(np.subtract(ours["values"], theirs["values"])).max()
            print(
                f"         svds {theirs['solve'][0]:.1f} / {theirs['solve'][1]:.1f}  peak GiB {theirs['peak']:.2f}  "
                f"largest difference {difference:.1e}",
                flush=True,
            )
    for name, column in zip(("build", "solve", "memory"), zip(*costs)):
        print(
            f"{name} grows like N^{exponent(sizes, list(column)):.2f}; its last step like "
            f"N^{exponent(sizes[-2:], list(column)[-2:]):.2f}",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] in (["ours"], ["svds"]):
        print(json.dumps({"ours": measure_ours, "svds": measure_svds}[sys.argv[1]](int(sys.argv[2]))))
    elif sys.argv[1:2] == ["shard"]:
        measure_shard(int(sys.argv[2]))
    elif sys.argv[1:2] == ["shared"]:
        compare_one_and_two_processes(*(int(word) for word in sys.argv[2:3]))
    else:
        main(*(int(word) for word in sys.argv[1:2]))
