"""Effective rank of untrained networks under each usual initialisation, published as a ledger.

    python -m maetheory.experiments.untrained_ranks --preset cifar10-small --data DIR --seeds 10 --into figures

The rank of an untrained network depends on how its weights are drawn, by a factor of two and more, so that "below an
untrained network" means nothing without the rule. The records are those of an experiment named ``PRESET-untrained``;
each cell is an initialisation rule.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from maetheory import figures
from maetheory.checkpoints.initialisations import COMMON_RULES, HUGGING_FACE, Initialisation
from maetheory.core import Progress, no_progress, provenance
from maetheory.data import ImageSet
from maetheory.evaluation import collapse_report, random_init_model
from maetheory.experiments.images import load_experiment_images
from maetheory.experiments.presets import EXPERIMENTS, experiment
from maetheory.figures.spectra import with_normal_initialisation
from maetheory.models import MAE
from maetheory.reports import append_records, publish_ledger, read_published_ledgers
from maetheory.training import TrainConfig

METRICS = ("effective_rank", "mean_cosine", "stable_rank")


def untrained_records(
    name: str,
    recipe: TrainConfig,
    test: ImageSet,
    *,
    seeds: Sequence[int],
    rules: Sequence[Initialisation] = COMMON_RULES,
    progress: Progress = no_progress,
) -> Iterator[dict[str, Any]]:
    """Yield one ledger record for each rule, seed, readout and metric of an untrained network.

    Parameters
    ----------
    name : str
        Name of the experiment in the records.
    recipe : TrainConfig
        Its model is the architecture.
    test : ImageSet
    seeds : sequence of int
    rules : sequence of Initialisation
    progress : Progress
    """
    model, total = MAE(recipe.model), len(rules) * len(seeds)
    for number, (rule, seed) in enumerate([(rule, seed) for rule in rules for seed in seeds]):
        progress(number, total, f"{rule.name}, seed {seed}")
        untrained = random_init_model(model, initialisation=rule, seed=seed)
        fields = {
            "experiment": name,
            "cell": rule.name,
            "objective": "random",
            "seed": seed,
            "dataset": test.name,
            "epochs": 0,
            "train_images": 0,
            "test_images": len(test),
            "training": recipe.to_dict(),
            "provenance": provenance(seed=seed, device="cpu"),
        }
        for row in collapse_report(untrained, test, metrics=METRICS).itertuples():
            yield fields | {"readout": row.readout, "metric": row.metric, "value": row.value, "error": row.error}


def redraw_effective_ranks(published: Path, name: str) -> None:
    """Draw Figure 1(c) of a published experiment again from its table, with the ranks of its untrained networks.

    Parameters
    ----------
    published : Path
        Folder of the published figures and ledgers.
    name : str
        Name of the experiment; the ledger of ``NAME-untrained`` holds the untrained networks.
    """
    ledger = read_published_ledgers(published)
    here = ledger[(ledger.experiment == f"{name}-untrained") & (ledger.cell == HUGGING_FACE.name)]
    ranks = here[(here.metric == "effective_rank") & (here.readout == "cls")].sort_values("seed").value
    frame = with_normal_initialisation(pd.read_csv(published / name / "effective_rank.csv"), list(ranks))
    figures.plot("effective_rank", frame, out=published / name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure untrained networks and publish their ledger."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="cifar10-small", choices=sorted(EXPERIMENTS))
    parser.add_argument("--data", help="As for `maetheory reproduce`; by default the experiment's own.")
    parser.add_argument(
        "--rule",
        action="append",
        choices=[one.name for one in COMMON_RULES],
        help="Initialisation; may be repeated. All usual ones by default.",
    )
    parser.add_argument("--seeds", type=int, default=10, help="Number of seeds, from 0 on.")
    parser.add_argument("--limit", type=int, help="Number of test images; all by default.")
    parser.add_argument("--into", type=Path, default=Path("figures"), help="Folder of the published ledgers.")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="Folder of the full ledger.")
    options = parser.parse_args(arguments)
    chosen = experiment(options.preset)
    test = load_experiment_images(chosen, options.data)[1].limit(options.limit)
    name = f"{options.preset}-untrained"
    rules = [one for one in COMMON_RULES if options.rule is None or one.name in options.rule]
    ledger = options.out / name / "ledger.jsonl"
    ledger.parent.mkdir(parents=True, exist_ok=True)
    recipe = chosen.cells[0].recipe
    for seed in range(
        options.seeds
    ):  # outermost, so that an interrupted run has measured every rule on its first seeds
        append_records(ledger, untrained_records(name, recipe, test, seeds=(seed,), rules=rules))
    publish_ledger(ledger, options.into)
    if (options.into / options.preset / "effective_rank.csv").exists():
        redraw_effective_ranks(options.into, options.preset)


if __name__ == "__main__":
    main()
