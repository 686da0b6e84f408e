"""Train random, MAE and U-MAE side by side, measure, draw, and write one page that says what came out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from maetheory.core import InputError, Progress, make_folder, provenance, silent
from maetheory.data import ImageSet, load_images
from maetheory.evaluation import collapse_report, encode, knn_probe, linear_probe, mask_pair_alignment
from maetheory.experiments.presentation import OBJECTIVES, draw, page, reading
from maetheory.experiments.presets import Experiment
from maetheory.experiments.side_by_side import Job, train_side_by_side
from maetheory.reports import append, read
from maetheory.training import load_run
from maetheory.training.logbook import read_log
from maetheory.training.store import build, checkpoints

WATCHED = 1000


@dataclass(frozen=True)
class Reproduction:
    """What one `reproduce` left behind: the ledger as a table, the page, the figures, a one-line reading."""

    ledger: pd.DataFrame
    page: Path
    figures: tuple[Path, ...]
    reading: str


def reproduce(
    experiment: Experiment,
    *,
    out: str | Path,
    root: str | Path | None = None,
    figures_to: str | Path | None = None,
    progress: Progress = silent,
    compiled: bool = False,
    workers: int | None = None,
) -> Reproduction:
    """Run an experiment from images to the report; what an earlier call finished is not done again.

    Parameters
    ----------
    experiment : Experiment
    out : path
        Runs, ledger.jsonl and report.html go here.
    root : path, optional
        Where the data set lies, when it is not embedded.
    figures_to : path, optional
        Where figures go; ``out/figures`` by default.
    progress : Progress
    compiled : bool
        Whether models are compiled before training.
    workers : int, optional
        How many runs train at once, as for `train_side_by_side`.

    Returns
    -------
    Reproduction

    Raises
    ------
    InputError
        If the data or the folders cannot be used.
    KeyboardInterrupt
        After Ctrl-C; the same call goes on from there.
    """
    out = Path(out)
    root = None if root == experiment.source else root
    if root is not None and experiment.source == "digits":
        raise InputError(f"the preset {experiment.name} has its images built in, so {root} would not be read; leave it "
                         "out, or choose a preset that reads data")  # fmt: skip
    images = load_images(experiment.source, split="train", root=root, limit=experiment.train_limit)
    test = load_images(experiment.source, split="test", root=root, limit=experiment.test_limit)
    folder = Path(figures_to) if figures_to is not None else out / "figures"
    make_folder(folder)
    watched = test.limit(min(WATCHED, len(test)))
    jobs = [Job(f"{objective} seed {seed}", config, images, watched, _folder(out, objective, seed), experiment.watch,
                compiled) for objective, seed, config in experiment.runs()]  # fmt: skip
    train_side_by_side(jobs, workers=workers, progress=progress)
    features: dict[str, list[np.ndarray]] = {name: [] for name in OBJECTIVES}
    for objective in OBJECTIVES:
        for seed in experiment.seeds:
            progress(len(features[objective]), len(experiment.seeds), f"measuring {objective}")
            model = _model(experiment, objective, seed, out)
            features[objective].append(encode(model, test).double().numpy())
            append(out / "ledger.jsonl", _measure(experiment, objective, seed, model, images, test))
    ledger = read(out / "ledger.jsonl")
    ledger = ledger[(ledger.experiment == experiment.name) & ledger.seed.isin(experiment.seeds)]
    logs = {name: [read_log(_folder(out, name, seed) / "metrics.jsonl") for seed in experiment.seeds]
            for name in ("MAE", "U-MAE")}  # fmt: skip
    drawn = draw(features, test, ledger, logs, folder)
    written = page(experiment, ledger, drawn, images, test, out)
    return Reproduction(ledger, written, tuple(drawn), reading(ledger))


def _folder(out: Path, objective: str, seed: int) -> Path:
    return out / "runs" / f"{objective.lower()}-seed{seed}"


def _model(experiment: Experiment, objective: str, seed: int, out: Path) -> nn.Module:
    """Return the trained model of a run, or the untrained one of its seed."""
    if objective == "random":
        return build(replace(experiment.recipe, seed=seed)).eval()
    return load_run(checkpoints(_folder(out, objective, seed))[-1])[0]


def _measure(experiment: Experiment, objective: str, seed: int, model: nn.Module, images: ImageSet,
             test: ImageSet) -> list[dict[str, Any]]:  # fmt: skip
    """Return the ledger records of one model."""
    common = {"experiment": experiment.name, "objective": objective, "seed": seed, "dataset": test.name,
              "epochs": 0 if objective == "random" else experiment.recipe.epochs, "train_images": len(images),
              "test_images": len(test), "uniformity_weight": experiment.uniformity_weight * (objective == "U-MAE"),
              "provenance": provenance(seed=seed)}  # fmt: skip
    report = collapse_report(model, test)
    records = [common | {"readout": row.readout, "metric": row.metric, "value": row.value, "error": row.error}
               for row in report.itertuples()]  # fmt: skip
    for readout in ("cls", "mean"):
        z, z_test = encode(model, images, readout=readout), encode(model, test, readout=readout)
        for name, probe in (("linear_probe", linear_probe), ("knn_probe", knn_probe)):
            result = probe(z, images.labels, z_test, test.labels)
            records.append(common | {"readout": readout, "metric": name, "value": result.accuracy.value,
                                     "error": result.accuracy.error, "recipe": result.recipe})  # fmt: skip
        aligned = mask_pair_alignment(model, test, experiment.recipe.law(), seed=seed, readout=readout)
        records.append(common | {"readout": readout, "metric": "mask_pair_alignment", "value": aligned.value,
                                 "error": aligned.error})  # fmt: skip
    return records
