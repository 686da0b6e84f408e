"""`maetheory graph`: text, JSON document, and refusal in one sentence of graphs that do not fit in memory."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from maetheory.cli import run_command
from maetheory.data import ImageSet, load_images, worlds
from maetheory.empirical import average_over_masks, fit_codebook, graph_intervals, token_sample
from maetheory.graph import MaskGraph
from maetheory.masks import BlockMasks, UniformMasks
from maetheory.reports.graph_plan import announce_kernel_plan, announce_pair_plan

EXACT = ["--kind", "exact", "--limit", "60", "--patch", "4", "--codes", "3", "--mask-ratio", "0.5"]
EXACT += ["--positions", "kept"]
TOKENS = ["--kind", "tokens", "--limit", "80", "--patch", "4", "--codes", "3", "--mask-ratio", "0.5", "--masks", "5"]
TOKENS += ["--positions", "kept", "--views", "patches", "--targets", "patches"]
FINE = ["--positions", "kept", "--views", "patches", "--targets", "patches", "--codes", "64"]
KERNEL = ["--kind", "kernel", "--limit", "40", "--masks", "2", "--k", "3"]
NAMES = ["label_error", "target_label_error", "pair_label_error"]


def parse_json(text: str) -> dict:
    """Parse standard JSON, in which NaN and infinities are errors."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    return json.loads(text, parse_constant=refuse)


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run_command(["graph", *words]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("positions", ["kept", "dropped"])
def test_the_exact_graph_is_that_of_the_quantised_world(positions: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = parse_json(answer(capsys, *EXACT, "--positions", positions, "--k", "4", "--json"))
    world = worlds.from_images(load_images("digits", limit=60), 4, 3, 0)
    graph = MaskGraph.enumerate(world, UniformMasks(4, 2), positions)
    assert (found["views"], found["targets"], found["edges"]) == (*graph.shape, graph.joint.nnz)
    assert found["components"]["value"] == graph.n_components
    assert [found[name]["value"] for name in NAMES] == pytest.approx(
        [graph.label_error(), graph.target_label_error(), graph.pair_label_error()], abs=1e-12
    )
    values = [one["value"] for one in found["eigenvalues"]]
    assert values == pytest.approx(graph.spectrum(5).values ** 2, abs=1e-10)
    if positions == "dropped":
        expected = 4 * graph.pair_label_error() / (1 - values[4]) + 2 * graph.label_error()
        assert found["bound"]["value"] == pytest.approx(expected, rel=1e-9)
    else:
        assert graph.n_components > 4
        assert found["bound"]["value"] is None
        assert "There is no bound on the error of 4 spectral features: λ_5 is 1." in found["reading"]
    assert found["provenance"]["seed"] == 0


def test_token_statistics_are_those_of_the_sample_with_its_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*TOKENS, "--law", "block", "--positions", "dropped", "--k", "2", "--seed", "3", "--json"]
    found = parse_json(answer(capsys, *words))
    images = load_images("digits", limit=80)
    book = fit_codebook(images, 4, 3, seed=3)
    sample = token_sample(images, BlockMasks(2, 2), codebook=book, n_masks=5, seed=3, positions="dropped")
    expected = graph_intervals(sample, 2, seed=3)
    assert (found["views"], found["targets"]) == sample.shape
    entries = [*(found[name] for name in NAMES), *found["eigenvalues"]]
    for entry, interval in zip(
        entries, [expected.alpha, expected.alpha2, expected.phi, *expected.eigenvalues], strict=True
    ):
        assert (entry["value"], entry["low"], entry["high"]) == (interval.value, interval.low, interval.high)
        assert (entry["decided"], entry["why"]) == (interval.decided, interval.why)


def test_kernel_statistics_are_means_over_masks(capsys: pytest.CaptureFixture[str]) -> None:
    found = parse_json(answer(capsys, *KERNEL, "--json"))
    images = load_images("digits", limit=40)
    expected = average_over_masks(images, UniformMasks(16, 4), masks=2, k=3, patch=2)
    assert found["pair_label_error"]["value"] == expected.pair_label_error.value
    assert found["label_error"]["high"] == expected.view_label_error.high
    assert [one["value"] for one in found["eigenvalues"]] == [value.value for value in expected.values]
    assert found["components"] is None


def test_the_text_fits_a_terminal_and_says_what_is_undecided(capsys: pytest.CaptureFixture[str]) -> None:
    text = answer(capsys, "--limit", "60", "--masks", "3", "--k", "2", *FINE)
    assert "UNDECIDED: components" in text
    assert (
        text.index("The bound on the error")
        < text.index("statistic  ")
        < text.index("UNDECIDED: λ_2 to λ_3; components")
    )
    assert "The bound on the error of 2 spectral features is UNDECIDED" in text
    assert "pooled targets or positions dropped" in " ".join(text.split())
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_without_options_most_numbers_are_decided(capsys: pytest.CaptureFixture[str]) -> None:
    found = parse_json(answer(capsys, "--json"))
    decided = [one["decided"] for one in found["eigenvalues"]]
    assert decided == [True] * 11
    assert found["label_error"]["decided"]
    assert found["target_label_error"]["decided"]
    assert "The best guess of the label from a view errs with probability 0.77" in found["reading"][0]
    plan = found["plan"]
    assert (plan["positions"], plan["views"], plan["targets"], plan["codes"]) == ("dropped", "pooled", "pooled", 64)


@pytest.mark.parametrize("width", [80, 120])
def test_the_text_is_no_wider_than_the_terminal(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for words in ([*TOKENS, "--k", "2"], [*EXACT, "--k", "2"], ["--limit", "60", *FINE]):
        lines = answer(capsys, *words).splitlines()
        assert max(map(len, lines)) <= width
        rows = [line for line in lines if line.endswith(" UNDECIDED")]
        assert not rows  # folded into one line


def test_law_is_the_old_name_of_mask_law(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*EXACT, "--k", "2", "--json"]
    new, old = (parse_json(answer(capsys, *words, name, "block")) for name in ("--mask-law", "--law"))
    assert new["plan"]["law"] == old["plan"]["law"] == "block"
    assert new["eigenvalues"] == old["eigenvalues"]


def test_out_leaves_the_document_and_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = answer(capsys, *EXACT, "--k", "2", "--out", str(tmp_path / "new"))
    assert (tmp_path / "new" / "graph.txt").read_text().split() == text.split()  # lines of 100 columns
    document = parse_json((tmp_path / "new" / "graph.json").read_text())
    assert document["plan"]["patch"] == 4
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"graph.json", "graph.txt"}


def test_memory_that_is_not_there_is_refused_before_it_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("maetheory.core.memory.available_memory", lambda: 1000)
    monkeypatch.setattr("maetheory.reports.graph_kinds.fit_codebook", None)
    monkeypatch.setattr("maetheory.data.worlds.from_images", None)
    monkeypatch.setattr("maetheory.reports.graph_kinds.average_over_masks", None)
    for words in (EXACT, TOKENS, KERNEL):
        assert run_command(["graph", *words]) == 2
        captured = capsys.readouterr()
        assert "of memory, but 1e-06 GB are free: take fewer images" in captured.err
        assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--kind", "dense"], "the kind must be 'exact', 'tokens' or 'kernel', but it is 'dense'"),
        (["--kind", "exact", "--patch", "1"], "larger patches, or a sample with kind tokens"),
        (["--kind", "exact", "--masks", "3"], "masks must be left out for a graph of kind exact"),
        (["--limit", "7"], "there are 10 classes, but only 7 labelled images"),
        (["--limit", "60", "--codes", "100000"], "size must lie between 2 and the"),
        (["--limit", "60", "--codes", "1"], "size must lie between 2 and the"),
        (["--limit", "15"], "interval estimates need at least 20 images, but there are 15"),
        ([*TOKENS, "--k", "900"], "k must be at least 1 and below"),
        ([*TOKENS, "--k", "0"], "k must be at least 1 and below"),
        ([*EXACT, "--k", "5000"], "k must be at least 1 and below"),
        ([*KERNEL, "--k", "40"], "k must be at least 1 and below 40"),
        ([*KERNEL, "--masks", "1"], "needs at least 2"),
        ([*KERNEL, "--bandwidth", "0"], "no two images share a target at this bandwidth"),
        ([*KERNEL, "--bandwidth", "-1"], "the bandwidth must not be negative"),
        ([*KERNEL, "--codes", "3"], "codes must be left out for a graph of kind kernel"),
        ([*KERNEL, "--positions", "dropped"], "its positions are kept"),
        ([*TOKENS, "--device", "cpu"], "device must be left out for a graph of kind tokens"),
        ([*KERNEL, "--device", "abacus"], "the device 'abacus' cannot be used"),
        ([*TOKENS, "--bandwidth", "1"], "bandwidth must be left out for a graph of kind tokens"),
        ([*TOKENS, "--mask-ratio", "1"], "the mask ratio must lie strictly between 0 and 1"),
        ([*TOKENS, "--mask-ratio", "0.9"], "leaves nothing visible"),
        ([*TOKENS, "--law", "stripes"], "the mask law must be 'uniform', 'bernoulli' or 'block'"),
        ([*TOKENS, "--positions", "lost"], "positions must be 'kept' or 'dropped', but it is 'lost'"),
        ([*TOKENS, "--targets", "all"], "targets must be 'patches' or 'pooled'"),
        ([*TOKENS, "--patch", "3"], "the patch size must divide the image sides, but 3 does not divide 8x8"),
        ([*TOKENS, "--patch", "0"], "the patch size must divide the image sides"),
        ([*TOKENS, "--masks", "0"], "n_masks must be at least 1"),
        ([*TOKENS, "--limit", "0"], "positive integer"),
        ([*TOKENS, "--data", "/nowhere"], "/nowhere"),
        ([*EXACT, "--k", "2", "--out", "/dev/null/below"], "/dev/null/below"),
    ],
)
def test_bad_input_is_one_sentence_and_2(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["graph", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sentence in captured.err
    assert captured.err.count("\n") == 1


def test_a_graph_too_large_to_enumerate_is_refused_with_its_size_before_anything_is_quantised(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("maetheory.reports.graph_kinds.MAX_PAIRS", 350)
    monkeypatch.setattr("maetheory.data.worlds.from_images", None)
    assert run_command(["graph", *EXACT]) == 2
    said = capsys.readouterr().err
    assert "up to 60 states x 6 masks are 360 pairs, more than the 350 that are enumerated: take at most 58" in said
    assert "a sample with kind tokens" in said


def test_one_class_has_no_label_to_miss(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    images = load_images("digits", limit=200)
    ones = ImageSet(images.images[images.labels == 0], np.zeros(20, np.int64), "zeros")
    monkeypatch.setattr("maetheory.data.load_images", lambda *_, **__: ones)
    assert run_command(["graph"]) == 2
    assert "all 20 images have one label, so no label can be wrong" in capsys.readouterr().err


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("maetheory.reports.graph_kinds.token_sample", stopped)
    assert run_command(["graph", *TOKENS]) == 130
    assert capsys.readouterr().err == "maetheory: interrupted\n"


@pytest.mark.slow
def test_two_processes_print_one_document_with_the_numbers_of_one_sample() -> None:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    words = ["-m", "maetheory", "graph", *TOKENS, "--positions", "dropped", "--k", "2", "--json"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *torchrun, *words], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    found, images = parse_json(done.stdout), load_images("digits", limit=80)
    sample = token_sample(
        images, UniformMasks(4, 2), codebook=fit_codebook(images, 4, 3), n_masks=5, positions="dropped"
    )
    graph = sample.graph
    assert (found["views"], found["targets"], found["edges"]) == (*graph.shape, graph.joint.nnz)
    assert [found[name]["value"] for name in NAMES] == pytest.approx(
        [graph.label_error(), graph.target_label_error(), graph.pair_label_error()], abs=1e-10
    )
    assert [one["value"] for one in found["eigenvalues"]] == pytest.approx(graph.spectrum(3).values ** 2, abs=1e-10)
    assert found["verdict"] == "PLUG-IN"


@pytest.mark.slow
def test_two_processes_print_the_kernel_graph_of_one() -> None:
    words = ["-m", "maetheory", "graph", "--kind", "kernel", "--limit", "300", "--masks", "2", "--k", "3", "--json"]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    one, two = (
        parse_json(
            subprocess.run(
                [sys.executable, "-W", "ignore", *start, *words],
                capture_output=True,
                text=True,
                timeout=300,
                check=True,
            ).stdout
        )
        for start in ([], torchrun)
    )
    assert "shared by 2 processes" in two["meaning"]
    for name in NAMES:
        assert two[name]["value"] == pytest.approx(one[name]["value"], abs=1e-10)
    assert [each["value"] for each in two["eigenvalues"]] == pytest.approx(
        [each["value"] for each in one["eigenvalues"]], abs=1e-10
    )
    assert two["verdict"] == one["verdict"]


def test_long_kernel_work_is_announced_with_its_cost_before_it_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("maetheory.reports.graph_kinds.average_over_masks", stopped)
    assert run_command(["graph", *KERNEL, "--masks", "1000000"]) == 130
    captured = capsys.readouterr()
    plan, last = captured.err.splitlines()
    assert "plan: 1000000 masks, each with a kernel matrix of 40 x 40 images, held in memory; about" in plan
    assert re.search(r"GB of memory and \d+ (seconds|minutes|hours), to a factor of 3", plan)
    assert (last, captured.out) == ("maetheory: interrupted", "")
    assert run_command(["graph", *KERNEL]) == 130  # short work is not announced
    assert capsys.readouterr().err == "maetheory: interrupted\n"


@pytest.mark.parametrize(
    ("words", "subject", "work"),
    [
        (["--kind", "tokens", "--masks", "300"], "1,437 images under 300 masks", "fit_codebook"),
        (["--kind", "exact", "--codes", "8"], "up to 1,437 states under all 1,820 masks", "worlds.from_images"),
    ],
)
def test_long_exact_and_token_work_is_announced_before_it_begins(
    words: list[str], subject: str, work: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("maetheory.reports.graph_plan._measure_seconds_per_sorted_number", lambda: 1e-6)
    monkeypatch.setattr(f"maetheory.reports.graph_kinds.{work}", stopped)
    assert run_command(["graph", *words]) == 130
    plan = capsys.readouterr().err.splitlines()[0]
    assert f"plan: {subject}; at most" in plan
    assert re.search(r"GB of memory and about \d+ (seconds|minutes|hours), to a factor of 3", plan)
    assert run_command(["graph", *words, "--limit", "20"]) == 130  # short work is not announced
    assert capsys.readouterr().err == "maetheory: interrupted\n"


def test_a_plan_of_pairs_is_announced_from_ten_seconds_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maetheory.reports.graph_plan._measure_seconds_per_sorted_number", lambda: 1e-6)
    said: list[str] = []
    for pairs in (0.99e6, 1.01e6, 36e9):
        announce_pair_plan(said.append, subject="pairs", pairs=pairs, bytes_per_pair=200, sorts_per_pair=10)
    assert [sentence.split(", to")[0] for sentence in said] == [
        "plan: pairs; at most 0.2 GB of memory and about 10 seconds",
        "plan: pairs; at most 7.2e+03 GB of memory and about 4 days",
    ]


def test_a_plan_counts_images_twice_and_says_when_the_matrix_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maetheory.reports.graph_plan._measure_seconds_per_entry", lambda *_: (1e-9, 1e-9))
    said: list[str] = []
    for n, free in ((50_000, 64e9), (100_000, 64e9), (50_000, 4e9)):
        monkeypatch.setattr("maetheory.reports.graph_plan.available_memory", lambda free=free: free)
        announce_kernel_plan(said.append, n_images=n, values_per_target=9, masks=4, device="cpu", processes=1)
    assert "5.8 GB of memory and 4 hours" in said[0]
    assert "22 GB of memory and 17 hours" in said[1]
    assert "computed again for each product" in said[2]
    assert "0.82 GB" in said[2]
