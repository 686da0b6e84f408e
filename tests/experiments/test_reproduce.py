"""The main job at a small size: everything is written, and a second call does nothing twice."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from html_pages import check_page

from maetheory.checkpoints import load_checkpoint
from maetheory.core import InputError
from maetheory.data import load_images
from maetheory.evaluation import FinetuneConfig
from maetheory.evaluation.probes.finetune import evaluate_accuracy
from maetheory.experiments import EXPERIMENTS, Reproduction, experiment, reproduce
from maetheory.experiments.studies.objectives import objective_cells

OBJECTIVES = ("random", "MAE", "U-MAE", "SimMIM", "U-SimMIM")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Reproduction:
    return again(tmp_path_factory.mktemp("reproduce"))


def again(out: Path, *, finetuned: bool = False, precision: str = "bf16-mixed") -> Reproduction:
    digits = EXPERIMENTS["digits"]
    recipe = replace(digits.cells[0].recipe, epochs=2, batch=64, warmup_epochs=0.5)
    small = replace(
        digits,
        cells=objective_cells(recipe, 0.1, simmim=True),
        seeds=(0, 1),
        train_limit=192,
        test_limit=96,
        monitor_epochs=1,
        finetune=FinetuneConfig(epochs=2, batch=64, warmup_epochs=0.5, mixup=0, cutmix=0),
    )
    return reproduce(small, out=out, workers=1, finetuned=finetuned, precision=precision)


def test_everything_is_there(done: Reproduction) -> None:
    names = {path.name for path in done.figures}
    for stem in ("log_singular_values", "effective_rank", "effective_rank_through_training", "feature_scatter"):
        assert {f"{stem}.svg", f"{stem}.png", f"{stem}.csv"} <= names
    assert all(path.stat().st_size > 100 for path in done.figures)
    page = check_page(done.page.read_text(encoding="utf-8"))
    assert len(page.pictures) == 4
    difference, numbers = done.summary.split(" effective rank of cls features: ")
    assert difference.startswith("This is not the published run of digits: seeds 0 and 1, not 0, 1, 2; train limit")
    assert difference in page.text
    assert numbers in page.text
    bars = pd.read_csv(next(path for path in done.figures if path.name == "effective_rank.csv"))
    for objective, ranks in bars[bars.source == "ours"].groupby("objective"):
        assert f"{objective} {ranks.effective_rank.mean():.2f}" in page.pictures[0]
    assert not plt.get_fignums()


def test_ledger_holds_every_model_with_provenance(done: Reproduction) -> None:
    models = done.ledger.groupby(["objective", "seed"]).size()
    assert set(models.index) == {(name, seed) for name in OBJECTIVES for seed in (0, 1)}
    assert done.ledger.provenance.notna().all()
    assert done.ledger.value.notna().all()
    trained = done.ledger.objective != "random"
    assert set(done.ledger[trained].precision) == {"bf16-mixed"}
    assert done.ledger[~trained].precision.isna().all()
    drawn = pd.read_csv(next(path for path in done.figures if path.name == "effective_rank.csv"))
    paper = drawn[drawn.source == "paper"].set_index("objective").effective_rank
    assert paper.to_dict() == {"random": 31.95, "MAE": 8.54, "U-MAE": 91.22}


@pytest.mark.slow
def test_a_second_call_gives_the_same_figures(done: Reproduction) -> None:
    before = {path: path.read_bytes() for path in done.figures}
    stamps = {path: path.stat().st_mtime_ns for path in done.page.parent.glob("runs/*/step-*/weights.safetensors")}
    again(done.page.parent)
    assert {path: path.read_bytes() for path in done.figures} == before
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_models_stay_as_they_were_trained(done: Reproduction, tmp_path: Path) -> None:
    """Another precision cannot be had without training anew, and what was measured does not change."""
    out = tmp_path / "run"
    shutil.copytree(done.page.parent, out)
    with pytest.raises(InputError, match="were trained in precision bf16-mixed, not 32-true"):
        again(out, precision="32-true")
    shutil.rmtree(out / "runs")  # the ledger still speaks of them
    with pytest.raises(InputError, match="were trained in precision bf16-mixed, not 32-true"):
        again(out, precision="32-true")
    with pytest.raises(InputError, match="precision 7-true"):
        again(out, precision="7-true")
    assert (out / "ledger.jsonl").read_bytes() == (done.page.parent / "ledger.jsonl").read_bytes()


@pytest.mark.slow
def test_fine_tuned_afterwards_and_once(done: Reproduction, tmp_path: Path) -> None:
    """The models that are there are fine-tuned, with their own seeds, and nothing is done twice."""
    out = tmp_path / "run"
    shutil.copytree(done.page.parent, out)
    ledger = again(out, finetuned=True).ledger
    tuned = ledger[ledger.metric == "fine_tuning"]
    assert len(tuned) == len(ledger) - len(done.ledger) == len(OBJECTIVES) * 2
    assert set(map(tuple, tuned[["objective", "seed"]].to_numpy())) == {(o, s) for o in OBJECTIVES for s in (0, 1)}
    assert set(tuned.readout) == {"mean"}
    assert set(tuned.precision) == {"bf16-mixed"}
    assert tuned.recipe.nunique() == 1
    assert json.loads((out / "finetuned/u-mae-seed1/step-00000006/config.json").read_text())["seed"] == 1
    encoder = load_checkpoint(out / "finetuned" / "u-mae-seed1")[0]
    hits = evaluate_accuracy(encoder, load_images("digits", split="test", limit=96))
    [row] = tuned[(tuned.objective == "U-MAE") & (tuned.seed == 1)].itertuples()
    assert row.value == hits.value
    assert "fine-tuning" in (out / "report.html").read_text()
    stamps = {path: path.stat().st_mtime_ns for path in out.glob("*/*/step-*/weights.safetensors")}
    shown = re.sub(r"<[^>]+>", "", (out / "report.html").read_text(encoding="utf-8"))  # words link to their meanings
    assert "Fine-tuning: fine-tuned with AdamW" in shown
    lines = (out / "ledger.jsonl").read_bytes()
    assert len(again(out, finetuned=True).ledger) == len(ledger)
    assert (out / "ledger.jsonl").read_bytes() == lines
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_what_has_no_recipe_is_not_fine_tuned(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="digits-uniformity has no recipe for fine-tuning"):
        reproduce(EXPERIMENTS["digits-uniformity"], out=tmp_path, finetuned=True)


def test_unknown_preset() -> None:
    with pytest.raises(InputError, match="the presets are: digits, digits-20, cifar10-small"):
        experiment("nope")
