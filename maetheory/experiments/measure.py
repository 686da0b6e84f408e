"""Measure every model of an experiment and append the numbers to its ledger."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from torch import nn

from maetheory.core import InputError, Progress, printable_list, provenance
from maetheory.core.packed_bits import pack_bits
from maetheory.data import FolderStream, ImageSet
from maetheory.evaluation import (
    collapse_report,
    knn_probe,
    linear_probe,
    mask_pair_alignment,
    reconstruction_loss,
)
from maetheory.evaluation.collapse.metric_specs import DEFAULT_METRICS
from maetheory.evaluation.features.encode import Readout
from maetheory.experiments.experiment import Cell, Experiment
from maetheory.experiments.images import features_and_labels
from maetheory.experiments.models import load_cell_model_on_device, model_device_name, run_folder
from maetheory.reports import append_records, read_ledger
from maetheory.reports.ledger import KEY_COLUMNS
from maetheory.training import TrainConfig
from maetheory.training.batches import batch_source
from maetheory.training.checkpointing import run_precision

LEDGER = "ledger.jsonl"
READOUTS: tuple[Readout, ...] = ("cls", "mean")
MEASUREMENTS: frozenset[tuple[str, str]] = frozenset(
    {
        (readout, metric)
        for readout in READOUTS
        for metric in (*DEFAULT_METRICS, "linear_probe", "knn_probe", "mask_pair_alignment")
    }
    | {("hidden pixels", "reconstruction_loss")}
)
"""Readout and metric of every record that `model_measurements` yields."""
Record = dict[str, Any]


def measure_models(
    experiment: Experiment,
    images: ImageSet | FolderStream,
    test: ImageSet,
    *,
    out: Path,
    progress: Progress,
    device: str = "auto",
) -> None:
    """Measure every trained model that the ledger in `out` does not hold yet, on a device as of `TrainingOptions`."""
    runs = experiment.runs()
    for number, (cell, seed, recipe) in enumerate(runs):
        progress(number, len(runs), f"measuring {cell.name} seed {seed}")
        fields = record_fields(experiment, cell, recipe, images, test)
        missing = _missing_measurements(experiment_ledger(experiment, out), fields)
        if not missing:
            continue
        model = load_cell_model_on_device(out, cell, recipe, device)
        fields |= {
            "provenance": provenance(seed=seed, device=model_device_name(model)),
            "precision": run_precision(run_folder(out, cell, seed)) if cell.trained else None,
        }
        measurements = model_measurements(model, recipe, images, test, experiment.probe_limit)
        append_records(
            out / LEDGER,
            [fields | one for one in measurements if (one["readout"], one["metric"]) in missing],
        )


def _missing_measurements(ledger: pd.DataFrame, fields: Record) -> set[tuple[str, str]]:
    """Return readout and metric of the measurements of a model that a ledger does not hold.

    A ledger grows by all measurements of a model at once, so a part of them has been lost; then a warning says so.
    """
    if not is_measured(ledger, fields):
        return set(MEASUREMENTS)
    same = ledger[(ledger.cell == fields["cell"]) & (ledger.seed == fields["seed"])]
    missing = set(MEASUREMENTS) - set(zip(same.readout, same.metric, strict=True))
    if missing:
        lost = printable_list(sorted(f"{metric} of {readout}" for readout, metric in missing), 3)
        warnings.warn(
            f"the ledger has lost {lost} of {fields['cell']}, seed {fields['seed']}, so the model is measured again",
            stacklevel=2,
        )
    return missing


def model_measurements(
    model: nn.Module,
    recipe: TrainConfig,
    images: ImageSet | FolderStream,
    test: ImageSet,
    probe_limit: int | None,
) -> Iterator[Record]:
    """Yield every measurement of one model: readout, metric, value and error.

    Those of a probe also have its recipe, and for each test image whether its prediction is right (`pack_bits`).
    """
    for row in collapse_report(model, test).itertuples():
        yield {"readout": row.readout, "metric": row.metric, "value": row.value, "error": row.error}
    loss = reconstruction_loss(model, test, recipe.law(), seed=recipe.seed)
    yield {"readout": "hidden pixels", "metric": "reconstruction_loss", "value": loss.value, "error": loss.error}
    fitted = f", fitted to at most {probe_limit} images" if probe_limit else ""
    features, labels = features_and_labels(model, images, READOUTS, probe_limit)
    test_features, _ = features_and_labels(model, test, READOUTS)
    for readout, z, z_test in zip(READOUTS, features, test_features, strict=True):
        for name, probe in (("linear_probe", linear_probe), ("knn_probe", knn_probe)):
            result = probe(z, labels, z_test, test.labels)
            accuracy = {"value": result.accuracy.value, "error": result.accuracy.error}
            details = {"recipe": result.recipe + fitted, "correct": pack_bits(result.correct)}
            yield {"readout": readout, "metric": name, **accuracy, **details}
        aligned = mask_pair_alignment(model, test, recipe.law(), seed=recipe.seed, readout=readout)
        yield {"readout": readout, "metric": "mask_pair_alignment", "value": aligned.value, "error": aligned.error}


def record_fields(
    experiment: Experiment, cell: Cell, recipe: TrainConfig, images: ImageSet | FolderStream, test: ImageSet
) -> Record:
    """Return what every ledger record of one model states: experiment, cell, seed, images and training recipe."""
    return {
        "experiment": experiment.name,
        "cell": cell.name,
        "objective": cell.objective,
        "seed": recipe.seed,
        "dataset": test.name,
        "epochs": recipe.epochs if cell.trained else 0,
        "train_images": len(batch_source(images)),
        "test_images": len(test),
        "training": recipe.to_dict(),
    }


def experiment_ledger(experiment: Experiment, out: Path) -> pd.DataFrame:
    """Return the ledger records in `out` that belong to an experiment's cells and seeds."""
    ledger = read_ledger(out / LEDGER, KEY_COLUMNS)
    if ledger.empty:
        return ledger
    selected = (ledger.experiment == experiment.name) & ledger.seed.isin(experiment.seeds)
    return ledger[selected & ledger.cell.isin([cell.name for cell in experiment.cells])]


def is_measured(ledger: pd.DataFrame, fields: Record) -> bool:
    """Return whether a ledger holds this model, trained by this recipe and measured on these images."""
    if ledger.empty:
        return False
    same = ledger[(ledger.cell == fields["cell"]) & (ledger.seed == fields["seed"])]
    return not same.empty and all(
        _with_full_recipe(record).get(name) == fields[name] for record in same.to_dict("records") for name in fields
    )


def check_precision(experiment: Experiment, out: Path, precision: str) -> None:
    """Raise InputError if `out` holds measurements of models trained in another precision.

    Seeds are compared with one another, so all of them must be trained alike.
    """
    ledger = read_ledger(out / LEDGER, KEY_COLUMNS)
    if ledger.empty or "precision" not in ledger:
        return
    other = set(ledger[ledger.experiment == experiment.name].precision.dropna()) - {precision}
    if other:
        raise InputError(
            f"the models in {out} were trained in precision {', '.join(sorted(other))}, not {precision}; "
            "give their own, or choose another folder"
        )


def _with_full_recipe(record: dict[Any, Any]) -> dict[Any, Any]:
    """Return a record whose recipe names every setting; a setting newer than the record takes its default."""
    try:
        return record | {"training": TrainConfig.from_dict(record["training"]).to_dict()}
    except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError):
        return record | {"training": None}  # no recipe, so not that of any model
