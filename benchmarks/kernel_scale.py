"""How many images a kernel graph may have: pixels to the top 32 singular values with certificate, at four sizes.

Run as ``python benchmarks/kernel_scale.py [LARGEST]``; the sizes are LARGEST, a quarter of it, a sixteenth and a
sixty-fourth. The table is on the GPU where there is one. Images are CIFAR-10 where ``MAETHEORY_DATA`` has it, else ten
blurred patterns with noise; the mask shows 16 of 64 patches, drawn from seed 0, and the bandwidth is a quarter of the
median distance. Up to 12,500 images scipy's ``svds`` has the same operator. Each size has a process to itself, because
peak memory is that of a whole process. Both the clock's seconds and the process's are given, since a shared machine
makes the first ones anything. ``python benchmarks/kernel_scale.py shared [N]`` has one process build and solve the
graph of N images, then two that share its table.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch
import torch.distributed as dist
from scipy.sparse.linalg import svds

from maetheory.data import ImageSet, load_images
from maetheory.empirical import KernelGraph, ProcessGroup, kernel_graph
from maetheory.masks import UniformMasks

K, PATCH, LARGEST, SVDS = 32, 4, 12_500, 12_500
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def images(n: int) -> ImageSet:
    if Path(os.environ.get("MAETHEORY_DATA", ""), "cifar-10-batches-bin").is_dir() and os.environ.get("MAETHEORY_DATA"):
        return load_images("cifar10").limit(n)
    rng = np.random.default_rng(0)
    patterns = rng.random((10, 3, 4, 4), np.float32).repeat(8, 2).repeat(8, 3)
    labels = np.arange(n) % 10
    return ImageSet(0.5 * patterns[labels] + 0.5 * rng.random((n, 3, 32, 32), np.float32), labels, "patterns")


def graph(n: int, process_group: ProcessGroup | None = None) -> KernelGraph:
    mask = UniformMasks(64, 16).sample(np.random.default_rng(0), 1)[0]
    return kernel_graph(images(n), mask, patch=PATCH, device=DEVICE, process_group=process_group)


def ours(n: int, process_group: ProcessGroup | None = None) -> dict[str, object]:
    torch.zeros(1, device=DEVICE)  # starts the device, which is nobody's work
    clock, own = now()
    found = graph(n, process_group)
    built = now()
    top = found.spectrum(K)
    solved = now()
    build, solve = (built[0] - clock, built[1] - own), (solved[0] - built[0], solved[1] - built[1])
    return {
        "build": build,
        "solve": solve,
        "peak": peak(),
        "products": top.matvecs,
        "enclosure": top.enclosure,
        "values": top.values.tolist(),
        "reading": top.summary,
        "kept": found.kernel_matrix.is_cached,
        "table": 4e-9 * (found.kernel_matrix if process_group is None else found.kernel_matrix.local).size,
        "rounding": found.kernel_matrix.rounding_error,
        "self_pair_fraction": float(found.self_pair_fraction),
    }


def share(n: int) -> None:
    """Print what this process of a group measures."""
    dist.init_process_group("gloo")
    if DEVICE == "cuda":
        torch.cuda.set_device(dist.get_rank() % torch.cuda.device_count())
    print(json.dumps({"number": dist.get_rank()} | ours(n, ProcessGroup.from_torch())), flush=True)
    dist.destroy_process_group()


def now() -> tuple[float, float]:
    """Seconds of the clock and of this process, once the device has done what was asked of it."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return perf_counter(), process_time()


def scipys(n: int) -> dict[str, object]:
    operator = graph(n).normalized
    clock, own = perf_counter(), process_time()
    values = svds(operator, K, rng=0)[1]
    solve = perf_counter() - clock, process_time() - own
    return {"solve": solve, "peak": peak(), "values": np.sort(values)[::-1].tolist()}


def peak() -> float:
    """Largest memory so far, in GiB: of this process, or that torch took on the GPU."""
    if DEVICE == "cuda":
        return torch.cuda.max_memory_reserved() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def in_a_process(who: str, n: int) -> dict:
    done = subprocess.run([sys.executable, __file__, who, str(n)], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def shared(n: int = LARGEST) -> None:
    alone = None
    for count in (1, 2):
        words = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={count}", __file__]
        one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # torchrun says so of two processes, not of one
        done = subprocess.run([*words, "share", str(n)], stdout=subprocess.PIPE, check=True, text=True, env=one_thread)
        for one in sorted(map(json.loads, done.stdout.splitlines()), key=lambda each: each["number"]):
            print(
                f"{n:,d} images, process {one['number']} of {count}, load {os.getloadavg()[0]:.1f}: build "
                f"{one['build'][0]:.1f} / {one['build'][1]:.1f}  solve {one['solve'][0]:.1f} / "
                f"{one['solve'][1]:.1f}  products {one['products']}  peak GiB {one['peak']:.2f}  "
                f"table GB {one['table']:.2f} kept {one['kept']}  {one['reading']}",
                flush=True,
            )
            alone = one["values"] if alone is None else alone
            print(f"largest difference from one process: {np.abs(np.subtract(one['values'], alone)).max():.1e}")


def exponent(sizes: list[int], costs: list[float]) -> float:
    """Slope of cost against size on logarithmic axes."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def main(largest: int = LARGEST) -> None:
    sizes, rows = [largest // 4**j for j in (3, 2, 1, 0)], []
    print(f"on {DEVICE}, load {os.getloadavg()[0]:.1f}; seconds are clock / process", flush=True)
    for n in sizes:
        mine = in_a_process("ours", n)
        which = 0 if DEVICE == "cuda" else 1  # the clock of a GPU, which works while the process waits
        rows.append((mine["build"][which], mine["solve"][which], mine["peak"]))
        print(
            f"{n:7,d}  build {mine['build'][0]:.1f} / {mine['build'][1]:.1f}  solve {mine['solve'][0]:.1f} / "
            f"{mine['solve'][1]:.1f}  products {mine['products']}  peak GiB {mine['peak']:.2f}  table GB "
            f"{mine['table']:.2f} kept {mine['kept']}  enclosure {mine['enclosure']:.1e}  entries' rounding "
            f"{mine['rounding']:.1e}  32nd {mine['values'][-1]:.4f}  self pairs {mine['self_pair_fraction']:.3f}  "
            f"{mine['reading']}",
            flush=True,
        )
        if n <= SVDS:
            theirs = in_a_process("scipys", n)
            off = np.abs(np.subtract(mine["values"], theirs["values"])).max()
            print(
                f"         svds {theirs['solve'][0]:.1f} / {theirs['solve'][1]:.1f}  peak GiB {theirs['peak']:.2f}  "
                f"largest difference {off:.1e}",
                flush=True,
            )
    for name, costs in zip(("build", "solve", "memory"), zip(*rows)):
        print(
            f"{name} grows like N^{exponent(sizes, list(costs)):.2f}; its last step like "
            f"N^{exponent(sizes[-2:], list(costs)[-2:]):.2f}",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] in (["ours"], ["scipys"]):
        print(json.dumps({"ours": ours, "scipys": scipys}[sys.argv[1]](int(sys.argv[2]))))
    elif sys.argv[1:2] == ["share"]:
        share(int(sys.argv[2]))
    elif sys.argv[1:2] == ["shared"]:
        shared(*(int(word) for word in sys.argv[2:3]))
    else:
        main(*(int(word) for word in sys.argv[1:2]))
