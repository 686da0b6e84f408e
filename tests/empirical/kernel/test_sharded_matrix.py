"""A kernel graph whose table two processes share is the graph of one process, and nobody is left waiting."""

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
    "computed again": (4, {"factor": 0.25, "room": 12 * 4 * N}),  # a tile fits, a share does not
    "one tile": (256, {"factor": 0.25}),  # the second process has it, the first has none
    "joining nothing": (4, {"factor": 0.0}),
    "joining everything": (4, {"factor": np.inf}),
}  # rows of a tile, and how the kernel is made

SCRIPT = """
from maetheory.core import InputError
from maetheory.empirical import (Ranks, average_over_masks, kernel_graph)
from maetheory.empirical.kernel import gaussian_matrix
from maetheory.empirical.kernel import sharded_matrix
from maetheory.masks import UniformMasks

images, mask, ranks, found = task["images"], task["mask"], Ranks.of(), {}
usual = {"patch": 2, "ranks": ranks}
for case, (edge, options) in task["cases"].items():
    gaussian_matrix.EDGE["cpu"] = edge
    graph = kernel_graph(images, mask, **usual, **options)
    top = graph.spectrum(task["k"])
    found[case] = {
        "size": graph.table.mine.size, "kept": graph.table.kept, "degrees": graph.degrees[1], "top": top,
        "tail": graph.tail(top, 2), "self": graph.self_pairs,
        "errors": [graph.pair_label_error(distinct=False), graph.target_label_error(), graph.view_label_error()],
    }
gaussian_matrix.EDGE["cpu"] = 4
found["average"] = average_over_masks(images, task["law"], masks=3, k=2, **usual)
filed = kernel_graph(images, mask, room=12 * 4 * len(images), scratch=where, **usual)
found["filed"] = filed.table.kept, filed.spectrum(2).values
found["bandwidth"] = kernel_graph(images, mask, bandwidth=1.0 + number, **usual).table.mine.bandwidth
sharded_matrix.free_room = lambda device: 20_000 if number else 36_000
found["room"] = kernel_graph(images, mask, bandwidth=1.0, **usual).table.kept
sharded_matrix.free_room = gaussian_matrix.free_room
table, normalized, complaints = graph.table, graph.normalized, []
broken = images.images.copy()
broken[0, 0, 0, 3] = np.nan if number else 0
others = np.roll(images.labels, number)

def tried(job):
    try:
        return job()
    except (InputError, RuntimeError, FileNotFoundError, ArithmeticError) as error:
        complaints.append((type(error).__name__, str(error)))

def stopped():
    raise ArithmeticError("no number")

tried(lambda: graph.spectrum(2 if number else 10**6))
tried(lambda: normalized @ np.ones(len(images)))
tried(lambda: table.together(lambda: table.together(lambda: 1)))
tried(lambda: table.together(lambda: table.times(np.ones(len(images)), power=-1)))
tried(lambda: kernel_graph(images, mask, bandwidth=-1.0, **usual))
tried(lambda: kernel_graph(images.take(np.arange(number, len(images), 2)), mask, bandwidth=1.0, **usual))
tried(lambda: kernel_graph(images.take(np.arange(20 + number)), mask, bandwidth=1.0, **usual))
tried(lambda: kernel_graph(images, mask ^ (number == 1), bandwidth=1.0, **usual))
tried(lambda: kernel_graph(images, mask[: 4 - number], bandwidth=1.0, **usual))
tried(lambda: kernel_graph(broken, mask, **usual))
tried(lambda: kernel_graph(images, mask, bandwidth=1.0, room=10 if number else 10**9, **usual))
tried(lambda: kernel_graph(images, mask, bandwidth=1.0, room=12 * 4 * len(images),
                           scratch=f"{where}/nowhere" if number else where, **usual))
tried(lambda: kernel_graph(images, mask, bandwidth=1.0, device="cuda" if number else "cpu", **usual))
tried(lambda: average_over_masks(images, task["law"], masks=3 - 2 * number, k=2, **usual))
tried(lambda: average_over_masks(images, task["law"], masks=3, k=2, neighbours=3, **usual))
tried(lambda: table.together(stopped))
tried(lambda: kernel_graph(images, mask, bandwidth=1.0, device="no such" if number else "cpu", **usual))
found["votes"] = kernel_graph(images.images, mask, labels=others + number, **usual).view_label_error()
found["product"] = table.together(lambda: normalized @ np.ones(len(images)))
found["afterwards"] = graph.spectrum(2).values
answer = found, complaints
"""
ALL_SAY = [
    f"k must lie between 1 and the {N} images",
    "the products of a shared kernel must be asked for inside its table's together(...)",
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
    """What each of two processes found, and what it complained of."""
    return in_two_processes(SCRIPT, {"images": _images(), "mask": MASK, "law": LAW, "cases": CASES, "k": K})


@pytest.mark.parametrize("case", CASES)
def test_two_processes_find_what_one_finds(case: str, answers: list, monkeypatch: pytest.MonkeyPatch) -> None:
    block_size, options = CASES[case]
    monkeypatch.setitem(gaussian_matrix.BLOCK_SIZE, "cpu", block_size)
    graph, (one, two) = kernel_graph(_images(), MASK, patch=2, **options), (found[case] for found, _ in answers)
    top = graph.spectrum(K)
    assert one["size"] <= two["size"]
    assert (one["size"] == 0) == (case == "one tile")
    assert one["kept"] == two["kept"] == (case != "computed again")
    for found in (one, two):
        assert found["degrees"] == pytest.approx(graph.degrees[1], abs=1e-12)
        assert found["top"].values == pytest.approx(top.values, abs=1e-10)
        assert (found["top"].complete, found["top"].missed) == (top.complete, top.missed)
        assert found["tail"] == pytest.approx(graph.tail(top, 2), abs=1e-10)
        assert found["self"] == pytest.approx(graph.self_pair_fraction, abs=1e-12)
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
    assert all(a.complete == b.complete for a, b in zip(one.each, alone.each))
    assert (one.masks == alone.masks).all()


def _numbers(average: KernelAverage) -> list[float]:
    several = (
        "pair_label_error",
        "graph_pair_label_error",
        "view_label_error",
        "target_label_error",
        "sharp_bound",
        "graph_bound",
        "self_pairs",
        "tail",
    )
    each = [*average.values, *(getattr(average, name) for name in several)]
    return [float(number) for number in each] + [number.error for number in each]


def test_the_first_process_says_the_bandwidth(answers: list) -> None:
    """A median may round otherwise on another machine, and half a table of another kernel would be no table."""
    assert [found["bandwidth"] for found, _ in answers] == [1.0, 1.0]


def test_each_process_may_keep_its_share_in_a_file(answers: list) -> None:
    alone = kernel_graph(_images(), MASK, patch=2).spectrum(2).values
    for found, _ in answers:
        assert found["filed"][0]
        assert found["filed"][1] == pytest.approx(alone, abs=1e-10)


def test_what_one_process_complains_of_all_raise(answers: list) -> None:
    said = [[sentence for kind, sentence in complaints if kind == "InputError"] for _, complaints in answers]
    assert said[0] == said[1]
    assert [re.split("[:,]", sentence)[0] for sentence in said[0]] == ALL_SAY


def test_what_nobody_foresaw_is_raised_where_it_was_met_and_named_elsewhere(answers: list) -> None:
    one, two = ([(kind, text) for kind, text in complaints if kind != "InputError"] for _, complaints in answers)
    assert [kind for kind, _ in one] == ["RuntimeError", "ArithmeticError", "RuntimeError"]
    assert [kind for kind, _ in two] == ["FileNotFoundError", "RuntimeError", "RuntimeError"]
    assert one[0][1].startswith("another process stopped with FileNotFoundError")
    assert two[1][1] == "another process stopped with ArithmeticError: no number"
    assert one[2][1].startswith("another process stopped with RuntimeError")


def test_after_a_complaint_the_table_goes_on_in_step(answers: list) -> None:
    expected = kernel_graph(_images(), MASK, patch=2, factor=np.inf)
    for found, _ in answers:
        assert found["product"] == pytest.approx(expected.normalized @ np.ones(N), abs=1e-10)
        assert found["afterwards"] == pytest.approx(expected.spectrum(2).values, abs=1e-10)
    assert (answers[0][0]["afterwards"] == answers[1][0]["afterwards"]).all()


def test_the_first_process_says_the_labels_and_each_divides_what_is_free_on_its_machine(answers: list) -> None:
    alone = kernel_graph(_images().images, MASK, patch=2, labels=_images().labels).view_label_error()
    assert [found["votes"] for found, _ in answers] == [alone, alone]
    assert [found["room"] for found, _ in answers] == [True, False]  # 8.1 of 36 / 4 kB, 8.8 of 20 / 4


@pytest.mark.parametrize("edge", [7, 16, 256])
@pytest.mark.parametrize("keep", [True, False])
def test_shares_add_up_to_the_table(block_size: int, keep: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gaussian_matrix.BLOCK_SIZE, "cpu", block_size)
    rng = np.random.default_rng(1)
    points, x = rng.random((50, 3)), rng.normal(size=(50, 2))
    dense = np.exp(-((points[:, None] - points[None]) ** 2).sum(2) / (2 * 0.5**2))
    for count in (1, 2, 3, 60):
        shares = [GaussianKernelMatrix(points, 0.5, keep=keep, share=(number, count)) for number in range(count)]
        assert sum(share.times(x) for share in shares) == pytest.approx(dense @ x, abs=1e-4)
        assert sum(share.times(x, power=2) for share in shares) == pytest.approx(dense**2 @ x, abs=1e-4)
        whole = GaussianKernelMatrix(points, 0.5, keep=keep)
        assert sum(share.times(x) for share in shares) == pytest.approx(whole.times(x), abs=1e-12)
        sizes = [share.size for share in shares]
        assert max(sizes) - min(sizes) <= shares[0].rows * 50
