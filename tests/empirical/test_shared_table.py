"""A kernel graph whose table two processes share is the graph of one process, and nobody is left waiting."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.data import ImageSet
from maetheory.empirical import GaussianTable, KernelAverage, average_over_masks, gaussian, kernel_graph
from maetheory.masks import UniformMasks

N, K = 90, 4
MASK = np.array([True, False, False, True])
LAW = UniformMasks(4, 2)
CASES: dict[str, dict[str, Any]] = {
    "kept": {"factor": 0.25},
    "computed again": {"factor": 0.25, "room": 12 * 4 * N},  # a tile fits, a share does not
    "joining nothing": {"factor": 0.0},
    "joining everything": {"factor": np.inf},
}

SCRIPT = """
import datetime, pickle, sys
import numpy as np, torch
torch.set_num_threads(1)
import torch.distributed as dist
from maetheory.core import InputError
from maetheory.empirical import Ranks, average_over_masks, gaussian, kernel_graph
from maetheory.masks import UniformMasks

number, where = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{where}/store", rank=number, world_size=2,
                        timeout=datetime.timedelta(seconds=60))
task = pickle.load(open(f"{where}/task.pickle", "rb"))
images, ranks, found = task["images"], Ranks.of(), {}
usual = {"patch": 2, "ranks": ranks}
for edge in task["edges"]:
    gaussian.EDGE["cpu"] = edge
    for case, options in task["cases"].items():
        if edge > 4 and "room" in options:
            continue
        graph = kernel_graph(images, task["mask"], **usual, **options)
        top = graph.spectrum(task["k"])
        found[edge, case] = {
            "size": graph.table.mine.size, "kept": graph.table.kept, "degrees": graph.degrees[1], "top": top,
            "left": top.left, "tail": graph.tail(top, 2), "self": graph.self_pairs,
            "errors": [graph.pair_label_error(distinct=False), graph.target_label_error(), graph.view_label_error()],
        }
found["average"] = average_over_masks(images, task["law"], masks=3, k=2, **usual)
gaussian.EDGE["cpu"] = 4
filed = kernel_graph(images, task["mask"], room=12 * 4 * len(images), scratch=where, **usual)
found["filed"] = filed.table.kept, filed.spectrum(2).values
found["bandwidth"] = kernel_graph(images, task["mask"], bandwidth=1.0 + number, **usual).table.mine.bandwidth
complaints = []
mine = images.take(np.arange(number, len(images), 2))
for job in (
    lambda: graph.spectrum(10**6),
    lambda: graph.normalized @ np.ones(len(images)),
    lambda: graph.table.together(lambda: kernel_graph(images, task["mask"][:3], patch=2)),
    lambda: kernel_graph(images, task["mask"], bandwidth=-1.0, **usual),
    lambda: kernel_graph(mine, task["mask"], bandwidth=1.0, **usual),
    lambda: kernel_graph(images.take(np.arange(20 + number)), task["mask"], bandwidth=1.0, **usual),
    lambda: kernel_graph(images, task["mask"] ^ (number == 1), bandwidth=1.0, **usual),
    lambda: average_over_masks(images, task["law"], masks=3, k=2, neighbours=3, **usual),
):
    try:
        job()
    except InputError as error:
        complaints.append(str(error))
found["afterwards"] = graph.spectrum(2).values
pickle.dump((found, complaints), open(f"{where}/{number}.pickle", "wb"))
dist.destroy_process_group()
"""
EDGES = (4, 256)  # many tiles for each process, or one for the first and none for the second


def _images() -> ImageSet:
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 3
    return ImageSet(np.clip(0.2 * labels[:, None, None, None] + rng.random((N, 2, 4, 4)) / 2, 0, 1), labels, "noise")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[dict, list[str]]]:
    """What each of two processes found, and what it complained of."""
    where = tmp_path_factory.mktemp("two")
    task = {"images": _images(), "mask": MASK, "law": LAW, "cases": CASES, "edges": EDGES, "k": K}
    (where / "task.pickle").write_bytes(pickle.dumps(task))
    (where / "share.py").write_text(SCRIPT)
    started = [
        subprocess.Popen([sys.executable, "-W", "ignore", str(where / "share.py"), str(number), str(where)],
                         stderr=subprocess.PIPE, text=True)
        for number in (0, 1)
    ]  # fmt: skip
    for process in started:
        said = process.communicate(timeout=100)[1]
        assert process.returncode == 0, said
    return [pickle.loads((Path(where) / f"{number}.pickle").read_bytes()) for number in (0, 1)]


@pytest.mark.parametrize(("edge", "case"), [(edge, case) for edge in EDGES for case in CASES
                                            if edge == 4 or "room" not in CASES[case]])  # fmt: skip
def test_two_processes_find_what_one_finds(
    edge: int, case: str, answers: list[tuple[dict, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(gaussian.EDGE, "cpu", edge)
    graph, (one, two) = (
        kernel_graph(_images(), MASK, patch=2, **CASES[case]),
        (found[edge, case] for found, _ in answers),
    )
    top = graph.spectrum(K)
    assert (two["size"] > 0) == (edge == 4)
    assert one["kept"] == two["kept"] == (case != "computed again")
    for found in (one, two):
        assert found["degrees"] == pytest.approx(graph.degrees[1], abs=1e-12)
        assert found["top"].values == pytest.approx(top.values, abs=1e-10)
        assert (found["top"].complete, found["top"].missed) == (top.complete, top.missed)
        assert found["tail"] == pytest.approx(graph.tail(top, 2), abs=1e-10)
        assert found["self"] == pytest.approx(graph.self_pairs, abs=1e-12)
        assert found["errors"] == pytest.approx(
            [graph.pair_label_error(distinct=False), graph.target_label_error(), graph.view_label_error()], abs=1e-10
        )
    assert (one["top"].values == two["top"].values).all()
    assert (one["left"] == two["left"]).all()
    assert one["degrees"].tolist() == two["degrees"].tolist()


def test_means_over_masks_are_those_of_one_process(answers: list[tuple[dict, list[str]]]) -> None:
    alone = average_over_masks(_images(), LAW, masks=3, k=2, patch=2)
    one, two = (found["average"] for found, _ in answers)
    assert _numbers(one) == _numbers(two) == pytest.approx(_numbers(alone), abs=1e-9)
    assert all(a.complete == b.complete for a, b in zip(one.each, alone.each))
    assert (one.masks == alone.masks).all()


def _numbers(average: KernelAverage) -> list[float]:
    several = ("pair_label_error", "graph_pair_label_error", "view_label_error", "target_label_error", "sharp_bound",
               "graph_bound", "self_pairs", "tail")  # fmt: skip
    each = [*average.values, *(getattr(average, name) for name in several)]
    return [float(number) for number in each] + [number.error for number in each]


def test_the_first_process_says_the_bandwidth(answers: list[tuple[dict, list[str]]]) -> None:
    """A median may round otherwise on another machine, and half a table of another kernel would be no table."""
    assert [found["bandwidth"] for found, _ in answers] == [1.0, 1.0]


def test_each_process_may_keep_its_share_in_a_file(answers: list[tuple[dict, list[str]]]) -> None:
    alone = kernel_graph(_images(), MASK, patch=2).spectrum(2).values
    for found, _ in answers:
        assert found["filed"][0]
        assert found["filed"][1] == pytest.approx(alone, abs=1e-10)


def test_what_one_process_complains_of_all_raise_and_the_table_goes_on(answers: list[tuple[dict, list[str]]]) -> None:
    (one, first), (two, second) = answers
    assert first == second
    assert [sentence.split(":")[0].split(",")[0] for sentence in first] == [
        f"k must lie between 1 and the {N} images",
        "the products of a shared kernel must be asked for inside its table's together(...)",
        "the mask must be boolean of shape (4",
        "the bandwidth must not be negative",
        *["all processes must give a shared kernel the same images"] * 3,
        "a graph of nearest neighbours is made by one process",
    ]
    expected = kernel_graph(_images(), MASK, patch=2, factor=np.inf).spectrum(2).values
    assert one["afterwards"] == pytest.approx(expected, abs=1e-10)
    assert (one["afterwards"] == two["afterwards"]).all()


@pytest.mark.parametrize("edge", [7, 16, 256])
@pytest.mark.parametrize("keep", [True, False])
def test_shares_add_up_to_the_table(edge: int, keep: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gaussian.EDGE, "cpu", edge)
    rng = np.random.default_rng(1)
    points, x = rng.random((50, 3)), rng.normal(size=(50, 2))
    dense = np.exp(-((points[:, None] - points[None]) ** 2).sum(2) / (2 * 0.5**2))
    for count in (1, 2, 3, 60):
        shares = [GaussianTable(points, 0.5, keep=keep, share=(number, count)) for number in range(count)]
        assert sum(share.times(x) for share in shares) == pytest.approx(dense @ x, abs=1e-4)
        assert sum(share.times(x, power=2) for share in shares) == pytest.approx(dense**2 @ x, abs=1e-4)
        whole = GaussianTable(points, 0.5, keep=keep)
        assert sum(share.times(x) for share in shares) == pytest.approx(whole.times(x), abs=1e-12)
        sizes = [share.size for share in shares]
        assert max(sizes) - min(sizes) <= shares[0].rows * 50


def test_without_a_process_group_one_sentence_says_how_to_make_one() -> None:
    from maetheory.empirical import Ranks

    with pytest.raises(InputError, match="needs a process group: start the program with torchrun"):
        kernel_graph(_images(), MASK, patch=2, ranks=Ranks.of())
