"""A kernel graph shared by two processes equals that of one process, and an error on one is raised on both."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from maetheory.data import ImageSet
from maetheory.empirical import GaussianKernelMatrix, KernelAverage, average_over_masks, kernel_graph
from maetheory.empirical.kernel import gaussian_matrix
from maetheory.masks import UniformMasks

N, K = 90, 4
MASK = np.array([True, False, False, True])
LAW = UniformMasks(4, 2)
CASES: dict[str, tuple[int, dict[str, Any]]] = {
    "kept": (4, {"factor": 0.25}),
    "computed again": (4, {"factor": 0.25, "memory_budget": 12 * 4 * N}),  # a tile fits, a shard does not
    "one tile": (256, {"factor": 0.25}),  # held by rank 1, the root holds none
    "joining nothing": (4, {"factor": 0.0}),
    "joining everything": (4, {"factor": np.inf}),
}  # block size, and options of the kernel

SCRIPT = """
from maetheory.core import InputError
from maetheory.empirical import ProcessGroup, average_over_masks, kernel_graph
from maetheory.empirical.kernel import gaussian_matrix
from maetheory.empirical.kernel import sharded_matrix
from maetheory.masks import UniformMasks

images, mask, found = task["images"], task["mask"], {}
usual = {"patch": 2, "process_group": ProcessGroup.from_torch()}
for case, (block_size, options) in task["cases"].items():
    gaussian_matrix.BLOCK_SIZE["cpu"] = block_size
    graph = kernel_graph(images, mask, **usual, **options)
    top = graph.spectrum(task["k"])
    found[case] = {
        "n_entries": graph.kernel_matrix.local.n_entries, "is_cached": graph.kernel_matrix.is_cached,
        "degrees": graph.degrees[1], "top": top, "tail_energy": graph.tail_energy(top, 2),
        "self_pair_fraction": graph.self_pair_fraction,
        "errors": [graph.pair_label_error(distinct=False), graph.target_label_error(), graph.view_label_error()],
    }
gaussian_matrix.BLOCK_SIZE["cpu"] = 4
found["average"] = average_over_masks(images, task["law"], masks=3, k=2, **usual)
filed = kernel_graph(images, mask, memory_budget=12 * 4 * len(images), scratch_dir=where, **usual)
found["filed"] = filed.kernel_matrix.is_cached, filed.spectrum(2).values
found["bandwidth"] = kernel_graph(images, mask, bandwidth=1.0 + rank, **usual).kernel_matrix.local.bandwidth
sharded_matrix.available_device_memory = lambda device: 20_000 if rank else 36_000
found["cached by free memory"] = kernel_graph(images, mask, bandwidth=1.0, **usual).kernel_matrix.is_cached
sharded_matrix.available_device_memory = gaussian_matrix.available_device_memory
matrix, normalized, errors = graph.kernel_matrix, graph.normalized, []
broken = images.images.copy()
broken[0, 0, 0, 3] = np.nan if rank else 0
others = np.roll(images.labels, rank)

def tried(job):
    try:
        return job()
    except (InputError, RuntimeError, FileNotFoundError, ArithmeticError) as error:
        errors.append((type(error).__name__, str(error)))

def stopped():
    raise ArithmeticError("no number")

tried(lambda: graph.spectrum(2 if rank else 10**6))
tried(lambda: normalized @ np.ones(len(images)))
tried(lambda: matrix.run_on_root(lambda: matrix.run_on_root(lambda: 1)))
tried(lambda: matrix.run_on_root(lambda: matrix.matmul(np.ones(len(images)), power=-1)))
tried(lambda: kernel_graph(images, mask, bandwidth=-1.0, **usual))
tried(lambda: kernel_graph(images.take(np.arange(rank, len(images), 2)), mask, bandwidth=1.0, **usual))
tried(lambda: kernel_graph(images.take(np.arange(20 + rank)), mask, bandwidth=1.0, **usual))
tried(lambda: kernel_graph(images, mask ^ (rank == 1), bandwidth=1.0, **usual))
tried(lambda: kernel_graph(images, mask[: 4 - rank], bandwidth=1.0, **usual))
tried(lambda: kernel_graph(broken, mask, **usual))
tried(lambda: kernel_graph(images, mask, bandwidth=1.0, memory_budget=10 if rank else 10**9, **usual))
tried(lambda: kernel_graph(images, mask, bandwidth=1.0, memory_budget=12 * 4 * len(images),
                           scratch_dir=f"{where}/nowhere" if rank else where, **usual))
tried(lambda: kernel_graph(images, mask, bandwidth=1.0, device="cuda" if rank else "cpu", **usual))
tried(lambda: average_over_masks(images, task["law"], masks=3 - 2 * rank, k=2, **usual))
tried(lambda: average_over_masks(images, task["law"], masks=3, k=2, neighbours=3, **usual))
tried(lambda: matrix.run_on_root(stopped))
tried(lambda: kernel_graph(images, mask, bandwidth=1.0, device="no such" if rank else "cpu", **usual))
found["votes"] = kernel_graph(images.images, mask, labels=others + rank, **usual).view_label_error()
found["product"] = matrix.run_on_root(lambda: normalized @ np.ones(len(images)))
found["afterwards"] = graph.spectrum(2).values
answer = found, errors
"""
INPUT_ERRORS = [
    f"k must lie between 1 and the {N} images",
    "the products of a shared kernel must be requested inside kernel_matrix.run_on_root(...)",
    "a job with a shared kernel must not start another",
    "the power must be a whole number from 1",
    "the bandwidth must not be negative",
    *["all processes must give a shared kernel the same images"] * 3,
    "the mask must be boolean of shape (4",
    f"1 of {N} points hold NaN or infinity",
    f"{N} points need tiles of 4.3e-06 GB",
    "the device is cuda",
    "an average over masks needs at least 2 of them to know its error",
    "a graph of nearest neighbours is made by one process",
]


def _images() -> ImageSet:
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 3
    return ImageSet(np.clip(0.2 * labels[:, None, None, None] + rng.random((N, 2, 4, 4)) / 2, 0, 1), labels, "noise")


@pytest.fixture(scope="module")
def answers(in_two_processes: Callable[[str, dict[str, Any]], list[Any]]) -> list[tuple[dict, list[tuple[str, str]]]]:
    """Results and errors of each of two processes."""
    return in_two_processes(SCRIPT, {"images": _images(), "mask": MASK, "law": LAW, "cases": CASES, "k": K})


@pytest.mark.parametrize("case", CASES)
def test_two_processes_find_what_one_finds(case: str, answers: list, monkeypatch: pytest.MonkeyPatch) -> None:
    block_size, options = CASES[case]
    monkeypatch.setitem(gaussian_matrix.BLOCK_SIZE, "cpu", block_size)
    graph, (one, two) = kernel_graph(_images(), MASK, patch=2, **options), (found[case] for found, _ in answers)
    top = graph.spectrum(K)
    assert one["n_entries"] <= two["n_entries"]
    assert (one["n_entries"] == 0) == (case == "one tile")
    assert one["is_cached"] == two["is_cached"] == (case != "computed again")
    for found in (one, two):
        assert found["degrees"] == pytest.approx(graph.degrees[1], abs=1e-12)
        assert found["top"].values == pytest.approx(top.values, abs=1e-10)
        assert (found["top"].complete, found["top"].missed) == (top.complete, top.missed)
        assert found["tail_energy"] == pytest.approx(graph.tail_energy(top, 2), abs=1e-10)
        assert found["self_pair_fraction"] == pytest.approx(graph.self_pair_fraction, abs=1e-12)
        assert found["errors"] == pytest.approx(
            [graph.pair_label_error(distinct=False), graph.target_label_error(), graph.view_label_error()], abs=1e-10
        )
    assert (one["top"].values == two["top"].values).all()
    assert (one["top"].left == two["top"].left).all()
    assert one["degrees"].tolist() == two["degrees"].tolist()


def test_means_over_masks_are_those_of_one_process(answers: list, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gaussian_matrix.BLOCK_SIZE, "cpu", 4)  # entries of other tiles round otherwise
    alone = average_over_masks(_images(), LAW, masks=3, k=2, patch=2)
    one, two = (found["average"] for found, _ in answers)
    assert _numbers(one) == _numbers(two) == pytest.approx(_numbers(alone), abs=1e-9)
    assert all(a.complete == b.complete for a, b in zip(one.per_mask, alone.per_mask))
    assert (one.masks == alone.masks).all()


def _numbers(average: KernelAverage) -> list[float]:
    several = (
        "pair_label_error",
        "graph_pair_label_error",
        "view_label_error",
        "target_label_error",
        "sharp_bound",
        "graph_bound",
        "self_pair_fraction",
        "tail_energy",
    )
    each = [*average.values, *(getattr(average, name) for name in several)]
    return [float(number) for number in each] + [number.error for number in each]


def test_the_bandwidth_is_that_of_the_root(answers: list) -> None:
    """A median may round differently on another machine, and shards of two kernels would not add up to one matrix."""
    assert [found["bandwidth"] for found, _ in answers] == [1.0, 1.0]


def test_each_process_may_cache_its_shard_in_a_file(answers: list) -> None:
    alone = kernel_graph(_images(), MASK, patch=2).spectrum(2).values
    for found, _ in answers:
        assert found["filed"][0]
        assert found["filed"][1] == pytest.approx(alone, abs=1e-10)


def test_an_error_of_one_process_is_raised_by_all(answers: list) -> None:
    said = [[sentence for kind, sentence in errors if kind == "InputError"] for _, errors in answers]
    assert said[0] == said[1]
    assert [re.split("[:,]", sentence)[0] for sentence in said[0]] == INPUT_ERRORS


def test_an_unexpected_error_is_raised_where_it_occurs_and_named_elsewhere(answers: list) -> None:
    one, two = ([(kind, text) for kind, text in errors if kind != "InputError"] for _, errors in answers)
    assert [kind for kind, _ in one] == ["RuntimeError", "ArithmeticError", "RuntimeError"]
    assert [kind for kind, _ in two] == ["FileNotFoundError", "RuntimeError", "RuntimeError"]
    assert one[0][1].startswith("another process stopped with FileNotFoundError")
    assert two[1][1] == "another process stopped with ArithmeticError: no number"
    assert one[2][1].startswith("another process stopped with RuntimeError")


def test_processes_stay_in_step_after_an_error(answers: list) -> None:
    expected = kernel_graph(_images(), MASK, patch=2, factor=np.inf)
    for found, _ in answers:
        assert found["product"] == pytest.approx(expected.normalized @ np.ones(N), abs=1e-10)
        assert found["afterwards"] == pytest.approx(expected.spectrum(2).values, abs=1e-10)
    assert (answers[0][0]["afterwards"] == answers[1][0]["afterwards"]).all()


def test_labels_are_those_of_the_root_and_processes_divide_the_free_memory_of_a_machine(answers: list) -> None:
    alone = kernel_graph(_images().images, MASK, patch=2, labels=_images().labels).view_label_error()
    assert [found["votes"] for found, _ in answers] == [alone, alone]
    assert [found["cached by free memory"] for found, _ in answers] == [True, False]  # 8.1 of 36 / 4 kB, 8.8 of 20 / 4


@pytest.mark.parametrize("block_size", [7, 16, 256])
@pytest.mark.parametrize("cache", [True, False])
def test_shards_add_up_to_the_matrix(block_size: int, cache: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gaussian_matrix.BLOCK_SIZE, "cpu", block_size)
    rng = np.random.default_rng(1)
    points, x = rng.random((50, 3)), rng.normal(size=(50, 2))
    dense = np.exp(-((points[:, None] - points[None]) ** 2).sum(2) / (2 * 0.5**2))
    for count in (1, 2, 3, 60):
        shards = [GaussianKernelMatrix(points, 0.5, cache=cache, shard=(rank, count)) for rank in range(count)]
        assert sum(shard.matmul(x) for shard in shards) == pytest.approx(dense @ x, abs=1e-4)
        assert sum(shard.matmul(x, power=2) for shard in shards) == pytest.approx(dense**2 @ x, abs=1e-4)
        whole = GaussianKernelMatrix(points, 0.5, cache=cache)
        assert sum(shard.matmul(x) for shard in shards) == pytest.approx(whole.matmul(x), abs=1e-12)
        sizes = [shard.n_entries for shard in shards]
        assert max(sizes) - min(sizes) <= shards[0].tile_rows * 50
