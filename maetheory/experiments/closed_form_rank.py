"""Why a trained U-MAE misses the rank of the closed form: one change of the training at a time, on a finite world.

    python -m maetheory.experiments.closed_form_rank --seeds 3 --into figures

Features that are free to move reach the spectrum that minimises U-MAE's loss (`effective-rank-grows-with-uniformity`);
the cls features of a network on the same world do not. The study trains the network of
`maetheory.evaluation.bounds.toy_training` as it is, and with one thing changed: the number of steps, the batch, the
rate, weight decay, the initial weights, the width, the depth, the decoder. What closes the gap is its cause.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from maetheory import figures
from maetheory.core import Progress, atomic_write, generator, no_progress
from maetheory.data import sample_images
from maetheory.evaluation import encode_graph
from maetheory.evaluation.bounds.toy_training import N_IMAGES, TOY_CONFIG, toy_mask_graph, toy_world
from maetheory.models import MAEConfig
from maetheory.theory.statements.effective_rank_grows_with_uniformity import predicted_spectrum, rank_measures
from maetheory.theory.theorem_quantities import eigenvalues, weighted_rows
from maetheory.training import TrainConfig, train

WEIGHTS = (0.01, 0.1, 1.0)
COLUMNS = ("change", "weight", "seed", "rank", "predicted_rank", "largest_rank", "uniformity", "reconstruction")


def _wider(config: TrainConfig, width: int) -> TrainConfig:
    return replace(config, model=replace(config.model, encoder=replace(config.model.encoder, width=width)))


def _deeper(config: TrainConfig, depth: int) -> TrainConfig:
    return replace(config, model=replace(config.model, encoder=replace(config.model.encoder, depth=depth)))


def _with_decoder(config: TrainConfig, width: int, depth: int) -> TrainConfig:
    model = MAEConfig(config.model.encoder, width, depth, config.model.decoder_heads, config.model.norm_pixels)
    return replace(config, model=model)


CHANGES: Mapping[str, TrainConfig] = MappingProxyType(
    {
        "as it is": TOY_CONFIG,
        "4 times the steps": replace(TOY_CONFIG, epochs=4 * TOY_CONFIG.epochs),
        "16 times the steps": replace(TOY_CONFIG, epochs=16 * TOY_CONFIG.epochs),
        "batches of 512": replace(
            TOY_CONFIG,
            batch=512,
            base_lr=TOY_CONFIG.base_lr / 4,
            epochs=4 * TOY_CONFIG.epochs,
            warmup_epochs=4 * TOY_CONFIG.warmup_epochs,
        ),
        "a third of the learning rate": replace(TOY_CONFIG, base_lr=TOY_CONFIG.base_lr / 3),
        "no weight decay": replace(TOY_CONFIG, weight_decay=0.0),
        "normal initial weights": replace(TOY_CONFIG, initialisation="normal"),
        "width 32": _wider(TOY_CONFIG, 32),
        "4 blocks": _deeper(TOY_CONFIG, 4),
        "decoder of width 64, 2 blocks": _with_decoder(TOY_CONFIG, 64, 2),
    }
)
"""Training recipe by the name of what is changed; batches of 512 change neither steps, warm-up steps nor peak rate."""


def closed_form_rank_rows(
    changes: Mapping[str, TrainConfig] = CHANGES,
    *,
    weights: Sequence[float] = WEIGHTS,
    seeds: Sequence[int] = (0, 1, 2),
    progress: Progress = no_progress,
) -> Iterator[dict[str, Any]]:
    """Train each recipe with each weight and seed, and yield what became of its cls features.

    Parameters
    ----------
    changes : mapping from a name to TrainConfig
    weights : sequence of float
        λ for L2-normalised cls features and the mean error of a hidden pixel.
    seeds : sequence of int
    progress : Progress

    Yields
    ------
    dict
        change, weight, seed, rank (effective rank of E[ffᵀ], cls, L2-normalised, over all views), predicted_rank (of
        the minimiser of the closed form for the same λ, width and measured Lipschitz constant), largest_rank (width of
        the encoder), uniformity (E(f·f′)² over independent views, at least 1/width), reconstruction (E‖h − x₂‖² in
        standardised pixels).
    """
    graph, total = toy_mask_graph(), len(changes) * len(weights) * len(seeds)
    jobs = [(seed, name, weight) for seed in seeds for name in changes for weight in weights]
    for number, (seed, name, weight) in enumerate(jobs):
        progress(number, total, f"{name}, λ = {weight:g}, seed {seed}")
        config = replace(changes[name], uniformity_weight=weight, seed=seed)
        images = sample_images(toy_world(), N_IMAGES, generator(seed, "watched world"))
        with tempfile.TemporaryDirectory() as out:
            model = train(config, images, out=out).model
        encoded = encode_graph(model, graph, weight=weight, fit_steps=0)
        size = np.linalg.svd(weighted_rows(graph, encoded.features), compute_uv=False) ** 2  # (k,), of E[ffᵀ]
        lam = np.minimum(eigenvalues(graph, len(size)), 1.0)
        predicted = predicted_spectrum(
            lam, weight=encoded.weight or weight, lipschitz=encoded.lipschitz, energy=float(size.sum())
        )
        joint = graph.joint.tocoo()
        errors = ((encoded.h[joint.coords[0]] - encoded.targets[joint.coords[1]]) ** 2).sum(1)
        yield {
            "change": name,
            "weight": weight,
            "seed": seed,
            "rank": rank_measures(size)["effective rank"],
            "predicted_rank": rank_measures(predicted)["effective rank"],
            "largest_rank": len(size),
            "uniformity": float(size @ size),
            "reconstruction": float(joint.data @ errors / joint.data.sum()),
        }
    progress(total, total, "done")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing in the published table, seed by seed, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="Number of seeds, from 0 on.")
    parser.add_argument("--into", type=Path, default=Path("figures"), help="Folder of the table and figure.")
    options = parser.parse_args(arguments)
    table = options.into / "closed_form_rank.csv"
    frame = pd.read_csv(table) if table.exists() else pd.DataFrame(columns=list(COLUMNS))
    done = set(zip(frame.change, frame.weight, frame.seed, strict=True))
    for seed in range(options.seeds):
        for name, recipe in CHANGES.items():
            for weight in WEIGHTS:
                if (name, weight, seed) in done:
                    continue
                row = list(closed_form_rank_rows({name: recipe}, weights=(weight,), seeds=(seed,)))
                frame = pd.concat([frame, pd.DataFrame(row)], ignore_index=True) if len(frame) else pd.DataFrame(row)
                with atomic_write(table) as temporary:
                    frame.to_csv(temporary, index=False)
                print(row[0], flush=True)
    figures.plot("closed_form_rank", frame, out=options.into)


if __name__ == "__main__":
    main()
