"""Test that theory figures are deterministic, drawn without open figures, and agree with the theory."""

from __future__ import annotations

import inspect
import json
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from maetheory.cli import run_command
from maetheory.data import worlds
from maetheory.evaluation.bounds import toy_training
from maetheory.figures import mask_graph, mask_ratio
from maetheory.figures.bounds_through_training import PANELS, bounds_through_training
from maetheory.figures.downstream_through_training import downstream_through_training
from maetheory.figures.plotting import MADE_BY
from maetheory.figures.slack_and_tightness import theorem_slacks
from maetheory.figures.style import paper_style
from maetheory.figures.theory_figures import THEORY_FIGURES, draw_theory_figures
from maetheory.figures.trained_spectrum import trained_spectra
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks
from maetheory.theory import THEOREMS

FEW = tuple(THEOREMS.values())[:3]


SMALL = {
    "slack_and_tightness": lambda: theorem_slacks(FEW, worlds=5),
    "bounds_through_training": lambda: bounds_through_training(epochs=1, n_measurements=2),
    "downstream_through_training": lambda: downstream_through_training(epochs=1, n_measurements=2, steps=5),
    "trained_spectrum": lambda: trained_spectra(free_weights=[1.0], trained_weights=[0.1], steps=5, epochs=1),
}


def computed(name: str) -> pd.DataFrame:
    toy_training._run_toy_training.cache_clear()
    return SMALL.get(name, THEORY_FIGURES[name].compute)()


@cache
def table(name: str) -> pd.DataFrame:
    return computed(name)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if spec.trains else ()) for name, spec in THEORY_FIGURES.items()],
)
def test_computing_twice_gives_the_same_table(name):
    pd.testing.assert_frame_equal(table(name), computed(name))


@pytest.mark.parametrize("name", THEORY_FIGURES)
def test_drawing_changes_nothing_and_leaves_no_figure_open(name):
    before, opened = table(name).copy(), plt.get_fignums()
    spec = THEORY_FIGURES[name]
    with paper_style():
        _, axes = plt.subplots(1, spec.n_panels)
        spec.draw(axes if spec.n_panels == 1 else list(axes), table(name))
        drawn = list(np.ravel(axes))
        assert all(ax.has_data() for ax in drawn)
    pd.testing.assert_frame_equal(table(name), before)
    assert plt.get_fignums() == opened


def test_the_command_writes_and_reports_three_files_per_figure(tmp_path: Path, capsys):
    assert run_command(["figure", "mask_graph", "--out", str(tmp_path), "--json"]) == 0
    written = [Path(path) for path in json.loads(capsys.readouterr().out)["figures"]]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in written)
    assert {path.suffix for path in written} == {".svg", ".png", ".csv"}
    assert all(0 < path.stat().st_size < 300_000 for path in written)
    again = draw_theory_figures(["mask_graph"], tmp_path / "again")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]


def test_an_unknown_figure_exits_with_code_2_and_one_sentence(tmp_path: Path, capsys):
    assert run_command(["figure", "mask_graph", "nope", "--out", str(tmp_path / "new")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"there is no figure 'nope'; the figures are: {', '.join(THEORY_FIGURES)}" in captured.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", MADE_BY)
def test_a_figure_of_data_is_refused_with_what_makes_its_data(name: str, tmp_path: Path, capsys):
    for out in ([], ["--out", str(tmp_path / "new")]):
        assert run_command(["figure", name, *out]) == 2
        captured = capsys.readouterr()
        assert MADE_BY[name] in captured.err
        assert captured.out == ""
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, spec in THEORY_FIGURES.items() if spec.trains])
def test_a_figure_that_trains_does_it_on_the_device_that_is_asked_for(name: str, tmp_path: Path, capsys):
    assert run_command(["figure", name, "--device", "abacus", "--out", str(tmp_path)]) == 2
    assert "abacus" in capsys.readouterr().err


def test_only_figures_that_train_take_a_device():
    for spec in THEORY_FIGURES.values():
        assert ("device" in inspect.signature(spec.compute).parameters) == spec.trains


def test_the_drawn_mask_graph_is_that_of_the_world():
    frame = mask_graph.mask_graph_layout()
    graph = MaskGraph.enumerate(mask_graph.two_class_world(), UniformMasks(3, 2), "dropped")
    bipartite = frame[frame.graph == mask_graph.MASK_GRAPH]
    edges = bipartite[bipartite.kind == "edge"]
    assert len(edges) == graph.joint.nnz
    assert edges.weight.sum() == pytest.approx(1, abs=1e-14)
    assert edges[edges.label == mask_graph.BETWEEN_CLASSES].name.tolist() == ["01–2"]
    induced = frame[(frame.graph == mask_graph.AUGMENTATION_GRAPH) & (frame.kind == "edge")]
    loops = graph.pair_law.diagonal().sum()
    assert induced.weight.sum() == pytest.approx(1 - loops, abs=1e-14)
    across = induced[induced.label == mask_graph.BETWEEN_CLASSES].weight.sum()
    assert across == pytest.approx(graph.pair_label_error(), abs=1e-14)


def test_edges_end_at_their_nodes():
    frame = mask_graph.mask_graph_layout()
    for _, part in frame.groupby("graph"):
        nodes = part[part.kind == "node"]
        positions = set(zip(nodes.x, nodes.y, strict=True))
        assert len(positions) == len(nodes)
        edges = part[part.kind == "edge"]
        assert set(zip(edges.x, edges.y, strict=True)) | set(zip(edges.x_end, edges.y_end, strict=True)) == positions


def test_the_mask_ratio_figure_shows_the_published_bound_and_the_duality():
    frame = table("mask_ratio")
    assert frame.bound.round(2).tolist() == [0.74, 0.51, 0.28, 0.38, 0.33, 0.88, 0.93]
    mirrored = frame.iloc[::-1]
    for one, other in (("alpha2", "alpha"), ("lambda_k", "lambda_k"), ("tail", "tail")):
        np.testing.assert_allclose(frame[one], mirrored[other], atol=1e-12)
    assert frame.alpha.is_monotonic_increasing
    assert not np.allclose(frame.bound, mirrored.bound, atol=0.05)


def test_a_disconnected_graph_has_no_bound():
    frame = mask_ratio.graph_statistics_by_mask_ratio(worlds.duplicates(3, 3), k=2)
    assert np.isinf(frame.bound).all()
    assert frame.lambda_next.tolist() == pytest.approx([1, 1], abs=1e-12)


def test_slack_is_zero_exactly_where_the_claim_is_tight():
    frame = table("slack_and_tightness")
    assert set(frame.slug) == {theorem.slug for theorem in FEW}
    tight = frame.verdict == "TIGHT"
    assert tight.any()
    assert (frame.slack[tight] == 0).all()
    loose = ~tight & (frame.verdict != "VACUOUS")  # a vacuous bound may be an equality too
    assert (frame.slack[loose] > 0).all()
    assert (frame.slack >= 0).all()
    assert (frame.tightness[tight] == 1).all()
    assert (frame.tightness[loose] < 1).all()


def test_the_published_slacks_are_of_every_statement() -> None:
    published = pd.read_csv(Path(__file__).parents[2] / "figures" / "slack_and_tightness.csv")
    assert set(published.slug) == set(THEOREMS)


def test_sampled_intervals_cover_the_exact_value_and_the_plug_in_is_optimistic():
    frame = table("sampled_graph")
    decided = frame[frame.decided]
    assert ((decided.low <= decided.exact + 1e-9) & (decided.exact <= decided.high + 1e-9)).all()
    widths = (frame.high - frame.low).groupby(frame.number).agg(["first", "last"])
    assert (widths["last"] < 0.5 * widths["first"]).all()
    assert (frame.plug_in > frame.exact)[frame.number == "lambda"].all()
    assert (frame.plug_in < frame.exact)[frame.number == "alpha"].all()
    assert not frame.decided[frame.n == 50].all()
    assert frame.decided[frame.n == 3200].all()


def test_no_theorem_is_violated_during_training():
    frame = table("bounds_through_training")
    assert set(frame.slug) == set(PANELS)
    assert set(frame.verdict) <= {"HOLDS", "TIGHT", "VACUOUS", "INAPPLICABLE"}
    split = frame[frame.slug == "alignment-split"]
    assert (split.verdict == "TIGHT").all()
    np.testing.assert_allclose(split.lhs, split.alignment + split.bias, rtol=1e-10)
    printed = frame[frame.slug == "reconstruction-bounds-alignment"]
    np.testing.assert_allclose(printed.rhs, printed.alignment / 2 - printed.epsilon, rtol=1e-9, atol=1e-9)


def test_the_residual_stays_below_its_bounds():
    frame = table("downstream_through_training")
    assert (frame.residual <= frame.certificate + 1e-9).all()
    assert (frame.residual <= frame.excess + 1e-9).all()
    spectra = table("trained_spectrum")
    assert (spectra.loss >= spectra.bound - 1e-9).all()
