"""Tables of the paper beside our accuracies, and the publication of ledgers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from maetheory.core import InputError
from maetheory.data.paper import paper_numbers
from maetheory.models import PRESETS
from maetheory.reports import (
    append_records,
    markdown_block,
    own_results_table,
    paper_table,
    publish_ledger,
    read_ledger,
    read_published_ledgers,
    replace_marked_block,
)
from maetheory.training import TrainConfig

RECIPE = TrainConfig(PRESETS["cifar10-small"], epochs=6, uniformity_weight=0.01, uniformity_form="gaussian", seed=2)
PROVENANCE = {
    "git": "abc",
    "utc": "then",
    "device": "cpu",
    "machine": "m",
    "python": "3",
    "argv": ["long"] * 9,
    "versions": {"torch": "2", "numpy": "2"},
    "cores": 2,
    "seed": 0,
}


def record(experiment: str, cell: str, seed: int, value: float, **changes: object) -> dict[str, object]:
    return {
        "experiment": experiment,
        "cell": cell,
        "objective": cell,
        "seed": seed,
        "dataset": "cifar10",
        "epochs": 6,
        "train_images": 100,
        "test_images": 50,
        "training": RECIPE.to_dict(),
        "readout": "cls",
        "metric": "linear_probe",
        "value": value,
        "error": 0.02,
        "recipe": "least squares",
        "provenance": PROVENANCE,
    } | changes


def comparison(experiment: str) -> list[dict[str, object]]:
    return [
        record(experiment, cell, seed, value + 0.01 * seed)
        for cell, value in (("MAE", 0.5), ("U-MAE", 0.6))
        for seed in (0, 1)
    ]


@pytest.mark.parametrize("table", ["table1", "table2"])
def test_every_cell_is_there_and_says_not_run(table: str) -> None:
    shown, paper = paper_table(read_published_ledgers("/nowhere"), table), paper_numbers(table)
    assert len(shown) == len(paper)
    assert list(shown.paper) == [f"{value:.1f}" for value in paper.accuracy_percent]
    assert set(shown.ours) == {"not run"}
    assert own_results_table(read_published_ledgers("/nowhere")).empty


def test_our_accuracy_stands_beside_its_own_cell_only() -> None:
    ledger = pd.DataFrame([*comparison("table1-cifar10-tiny"), record("table2-imagenet100-base", "U-SimMIM", 0, 0.7)])
    ledger = pd.concat([ledger, ledger.assign(readout="mean", value=0.25), ledger.assign(metric="knn_probe")])
    one = paper_table(ledger, "table1")
    run = one[one.ours != "not run"].set_index(["method", "readout"])
    assert set(run.dataset + run.backbone + run.task) == {"CIFAR-10ViT-Tinylinear probing"}
    assert run.ours.to_dict() == {
        ("MAE", "cls"): "50.5 ± 0.7",
        ("MAE", "mean"): "25.0 ± 0.0",
        ("U-MAE", "cls"): "60.5 ± 0.7",
        ("U-MAE", "mean"): "25.0 ± 0.0",
    }
    assert run.paper.loc["MAE"].tolist() == ["59.6"] * 2
    assert set(run.seeds + run.epochs + run.images + run.recipe) == {"26100 + 50least squares"}
    two = paper_table(ledger, "table2").set_index(["method", "readout"])
    assert two.ours.to_dict() == {
        ("SimMIM", "–"): "not run",
        ("U-SimMIM", "cls"): "70.0 ± 2.0",
        ("U-SimMIM", "mean"): "25.0 ± 2.0",
    }
    assert own_results_table(ledger).empty


def test_our_other_experiments_have_a_table_of_their_own() -> None:
    tuned = record("tiny", "MAE", 0, 0.7, metric="fine_tuning", readout="mean", recipe="all of it")
    shown = own_results_table(pd.DataFrame([*comparison("tiny"), record("tiny", "random", 0, 0.1, epochs=0)]))
    common = {"experiment": "tiny", "dataset": "cifar10", "backbone": "ViT 96 wide, 6 deep, patch 4 of 32"}
    assert shown.to_dict("records") == [
        {
            "task": "linear probing",
            **common,
            "readout": "cls",
            "random": "10.0 ± 2.0",
            "MAE": "50.5 ± 0.7",
            "U-MAE": "60.5 ± 0.7",
            "SimMIM": "–",
            "U-SimMIM": "–",
            "seeds": "2",
            "epochs": "6",
            "images": "100 + 50",
            "recipe": "least squares",
        }
    ]
    both = pd.DataFrame([*comparison("tiny"), tuned, tuned | {"cell": "U-MAE", "value": 0.8}])
    shown = own_results_table(both).set_index("task").loc["fine-tuning"]
    assert (shown.readout, shown.MAE, shown["U-MAE"], shown.recipe) == ("mean", "70.0 ± 2.0", "80.0 ± 2.0", "all of it")
    block = markdown_block(both)
    assert "Linear probing: least squares. The paper does not state its recipe." in block
    assert "Fine-tuning: all of it. The paper uses the recipe of MAE" in block
    assert "| U-MAE over MAE, fine-tuning accuracy | tiny | mean | +10 ± 3.4 points | one seed" in block


def test_a_published_ledger_is_compact_and_holds_the_measured_values(tmp_path: Path) -> None:
    append_records(tmp_path / "run" / "ledger.jsonl", [*comparison("tiny"), record("other", "MAE", 0, 0.3)])
    assert [path.parent.name for path in publish_ledger(tmp_path / "run", tmp_path / "figures")] == ["tiny", "other"]
    before, after = read_ledger(tmp_path / "run" / "ledger.jsonl"), read_published_ledgers(tmp_path / "figures")
    assert len(after) == 5
    same = ["experiment", "cell", "seed", "epochs", "train_images", "readout", "metric", "value", "error", "recipe"]
    pd.testing.assert_frame_equal(
        before[same].sort_values(same, ignore_index=True), after[same].sort_values(same, ignore_index=True)
    )
    assert all(TrainConfig.from_dict(json.loads(json.dumps(training))) == RECIPE for training in after.training)
    assert set(after.provenance.iloc[0]) == {"git", "utc", "device", "machine", "python", "torch"}
    line = (tmp_path / "figures" / "tiny" / "ledger.jsonl").read_text().splitlines()[0]
    assert len(line) < 0.7 * len((tmp_path / "run" / "ledger.jsonl").read_text().splitlines()[0])


def test_publishing_again_replaces(tmp_path: Path) -> None:
    append_records(tmp_path / "old" / "ledger.jsonl", comparison("tiny"))
    publish_ledger(tmp_path / "old", tmp_path / "figures")
    append_records(tmp_path / "new" / "ledger.jsonl", [record("tiny", "MAE", seed, 0.3) for seed in (7, 8)])
    publish_ledger(tmp_path / "new" / "ledger.jsonl", tmp_path / "figures")
    assert read_published_ledgers(tmp_path / "figures")[["experiment", "seed"]].to_numpy().tolist() == [
        ["tiny", 7],
        ["tiny", 8],
    ]


def test_fewer_seeds_do_not_replace_more(tmp_path: Path) -> None:
    for folder, seeds in (("three", (0, 1, 2)), ("one", (7,)), ("other", (3, 4, 5))):
        append_records(tmp_path / folder / "ledger.jsonl", [record("tiny", "MAE", seed, 0.5) for seed in seeds])
    (published,) = publish_ledger(tmp_path / "three", tmp_path / "figures")
    before = published.read_bytes()
    with pytest.raises(InputError, match=r"holds 3 seeds of tiny, more than the 1 of this run; run the other seeds"):
        publish_ledger(tmp_path / "one", tmp_path / "figures")
    assert published.read_bytes() == before
    publish_ledger(tmp_path / "other", tmp_path / "figures")
    assert set(read_published_ledgers(tmp_path / "figures").seed) == {3, 4, 5}


def test_ledgers_that_cannot_be_published_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no record"):
        publish_ledger(tmp_path, tmp_path)
    old = record("tiny", "MAE", 0, 0.5)
    del old["cell"], old["training"]
    append_records(tmp_path / "ledger.jsonl", [old])
    with pytest.raises(InputError, match="lack cell, training"):
        publish_ledger(tmp_path, tmp_path / "figures")
    assert not (tmp_path / "figures").exists()


def test_non_default_recipes_are_published_unchanged(tmp_path: Path) -> None:
    for seed, recipe in enumerate((TrainConfig(), replace(RECIPE, clip=1.0, model=PRESETS["vit-l16"]))):
        append_records(tmp_path / "ledger.jsonl", [record("tiny", "MAE", seed, 0.5, training=recipe.to_dict())])
    publish_ledger(tmp_path, tmp_path)
    assert [TrainConfig.from_dict(one).clip for one in read_published_ledgers(tmp_path).training] == [0.0, 1.0]
    assert [TrainConfig.from_dict(one).model for one in read_published_ledgers(tmp_path).training][1] == PRESETS[
        "vit-l16"
    ]


def test_only_the_text_between_the_marks_is_replaced(tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    document.write_text("before\n<!-- tables: begin -->\nformer text\n<!-- tables: end -->\nafter\n")
    block = markdown_block(pd.DataFrame(comparison("tiny")))
    assert replace_marked_block(document, block)
    assert document.read_text().startswith("before\n<!-- tables: begin -->\n\n| table |")
    assert document.read_text().endswith("\n\n<!-- tables: end -->\nafter\n")
    assert "former text" not in document.read_text()
    assert not replace_marked_block(document, block)
    assert "| tiny | cls | +10 ± " in block
    assert "| ImageNet-100, ViT-Base | SimMIM / U-SimMIM | 54.3 / 61.1 | not run / not run |" in block
    assert "least squares" in block
    document.write_text("no marks")
    with pytest.raises(InputError, match="each once"):
        replace_marked_block(document, block)
    assert document.read_text() == "no marks"
