"""A graph distributed over processes equals that of one process, whatever images each holds, down to none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch.distributed as dist

from maetheory.core import InputError
from maetheory.data import ImageSet
from maetheory.empirical import fit_codebook, token_sample
from maetheory.empirical.parallel.process_group import ProcessGroup
from maetheory.empirical.tokens.build_sharded_graph import sharded_token_graph
from maetheory.empirical.tokens.distributed_unique import distributed_unique_inverse
from maetheory.empirical.tokens.hashing import unique_inverse
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks

SHARES = {"uneven": [7, 73], "empty": [80, 0], "first empty": [0, 80]}
CASES: dict[str, dict[str, Any]] = {
    "many components": {"positions": "kept"},
    "one component": {"positions": "dropped"},
    "drawn masks": {"positions": "dropped", "n_masks": 3, "seed": 2},
    "pooled targets": {"positions": "kept", "targets": "pooled", "pooled_codes": 5},
}
VALUES = {"many components": (2, 5, 20), "one component": (1, 4, 12), "drawn masks": (3,), "pooled targets": (3, 12)}

SCRIPT = """
from maetheory.core import InputError
from maetheory.data import ImageSet
from maetheory.empirical import fit_codebook
from maetheory.empirical.tokens.build_sharded_graph import sharded_token_graph
from maetheory.masks import UniformMasks

images, found = task["images"], {}
book = fit_codebook(images, 2, 4)
for share, (a, b) in task["shares"].items():
    local = np.arange(a) if rank == 0 else np.arange(a, a + b)
    part = images.take(local) if len(local) else None
    for case, options in task["cases"].items():
        graph = sharded_token_graph(part, UniformMasks(4, 2), codebook=book, chunk=16, **options)
        found[share, case] = {
            "shape": graph.shape, "edges": graph.n_edges, "components": graph.n_components,
            "degrees": graph.degrees, "errors": [graph.label_error(), graph.target_label_error(),
                                                 graph.pair_label_error()],
            "spectra": {k: graph.spectrum(k) for k in task["values"][case]},
        }
errors = []
for job in (lambda: graph.spectrum(10**6),
            lambda: sharded_token_graph(part, UniformMasks(4 + rank, 2), codebook=book),
            lambda: sharded_token_graph(part, UniformMasks(4, 2), codebook=book, targets="pooled", pooled_codes=10**6),
            lambda: sharded_token_graph(None, UniformMasks(4, 2), codebook=book)):
    try:
        job()
    except InputError as error:
        errors.append(str(error))
answer = found, errors
"""


def _images() -> ImageSet:
    rng = np.random.default_rng(0)
    palette = rng.integers(0, 256, (4, 4), dtype=np.uint8)
    labels = rng.integers(0, 3, 80)
    symbols = np.where(rng.random((80, 4)) < 0.6, labels[:, None], rng.integers(0, 4, (80, 4)))
    cells = palette[symbols].reshape(80, 2, 2, 2, 2)  # (n, rows, columns, s, s)
    return ImageSet(cells.transpose(0, 1, 3, 2, 4).reshape(80, 1, 4, 4), labels, "four patches")


@pytest.fixture(scope="module")
def answers(in_two_processes: Callable[[str, dict[str, Any]], list[Any]]) -> list[tuple[dict, list[str]]]:
    """Results and error messages of each of two processes."""
    return in_two_processes(SCRIPT, {"images": _images(), "shares": SHARES, "cases": CASES, "values": VALUES})


@pytest.fixture(scope="module")
def alone() -> dict[str, MaskGraph]:
    """The graphs of one process."""
    book = fit_codebook(_images(), 2, 4)
    return {
        case: token_sample(_images(), UniformMasks(4, 2), codebook=book, **options).graph
        for case, options in CASES.items()
    }


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("share", SHARES)
def test_two_processes_find_what_one_finds(
    share: str, case: str, answers: list[tuple[dict, list[str]]], alone: dict[str, MaskGraph]
) -> None:
    graph, (one, two) = alone[case], (answer[0][share, case] for answer in answers)
    assert one["shape"] == two["shape"] == graph.shape
    assert one["edges"] == two["edges"] == graph.joint.nnz
    assert one["components"] == two["components"] == graph.n_components
    for side in (0, 1):
        together = np.concatenate([one["degrees"][side], two["degrees"][side]])
        expected = graph.degrees[side]
        if case == "pooled targets":  # their numbers are others
            together, expected = np.sort(together), np.sort(expected)
        assert together == pytest.approx(expected, abs=1e-10)
    expected = [graph.label_error(), graph.target_label_error(), graph.pair_label_error()]
    assert one["errors"] == two["errors"] == pytest.approx(expected, abs=1e-10)
    for k in VALUES[case]:
        ours, theirs = one["spectra"][k], two["spectra"][k]
        assert ours.values == pytest.approx(graph.spectrum(k).values, abs=1e-10)
        assert (ours.values == theirs.values).all()
        assert (ours.summary, ours.enclosure_radius, ours.matvecs) == (
            theirs.summary,
            theirs.enclosure_radius,
            theirs.matvecs,
        )
        assert ours.enclosure_radius < 1e-10
        assert not ours.missed
        if case != "pooled targets":
            left, right = (
                np.concatenate([getattr(part, name) for part in (ours, theirs)]) for name in ("left", "right")
            )
            residual = graph.normalized_matrix @ right - left * ours.values
            assert np.abs(residual).max() < 1e-10
            assert left.T @ left == pytest.approx(np.eye(k), abs=1e-10)


def test_the_certificate_is_that_of_one_process(answers, alone) -> None:
    found = answers[1][0]["uneven", "one component"]["spectra"][4]
    assert found.complete
    assert alone["one component"].spectrum(4).complete
    assert found.missed_below == pytest.approx(alone["one component"].spectrum(4).missed_below, abs=1e-10)


def test_an_error_of_one_process_is_raised_by_all(answers) -> None:
    (_, one), (_, two) = answers
    assert one == two
    assert [sentence.split(",")[0] for sentence in one] == [
        "k must lie between 1 and 30",
        "the mask law must cover the 4 patches of an image",
        "size must lie between 2 and the 10 distinct patches there are",
        "a sampled graph needs at least 2 images",
    ]


def test_without_a_process_group_one_sentence_says_how_to_make_one() -> None:
    book = fit_codebook(_images(), 2, 4)
    with pytest.raises(InputError, match="needs a process group: start the program with torchrun"):
        sharded_token_graph(_images(), UniformMasks(4, 2), codebook=book)


def test_one_process_alone_gives_the_indices_of_unique_inverse() -> None:
    rng = np.random.default_rng(1)
    hashes = rng.integers(0, 2**64, (30, 2), dtype=np.uint64)[rng.integers(0, 30, 200)]
    hashes[5] = hashes[6] + np.array([0, 1], np.uint64)  # told apart by the second lane alone
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        inverse, offsets = distributed_unique_inverse(hashes, ProcessGroup.from_torch())
    finally:
        dist.destroy_process_group()
    assert (inverse == unique_inverse(hashes)).all()
    assert offsets.tolist() == [0, inverse.max() + 1]
