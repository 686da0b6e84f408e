"""A world of 512 images and a masked autoencoder small enough to be trained on it while one waits.

Images of 3x3 pixels, black or white, scatter around four prototypes; a block of 2x2 pixels is hidden. The mask graph
has 128 views and 64 targets in four components, one for each place of the block, and sixteen positive eigenvalues.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd

from maetheory.core import generator
from maetheory.data import FiniteWorld, draw_images, worlds
from maetheory.evaluation.bounds_watch import BoundsWatch
from maetheory.graph import MaskGraph
from maetheory.models import MAEConfig, ViTConfig
from maetheory.training import TrainConfig, train
from maetheory.training.store import build

N_IMAGES = 4096
RECIPE = TrainConfig(
    MAEConfig(ViTConfig(3, 1, 1, width=16, depth=2, heads=2, positions="learned"), 16, 1, 2),
    mask_law="block", mask_ratio=4 / 9, epochs=40, batch=128, base_lr=1e-2, warmup_epochs=2, log_every=10**6,
    save_seconds=1e9,
)  # fmt: skip
"""A vision transformer of two blocks, width 16, with a decoder of one block; 1,280 steps of 128 images."""


@lru_cache(maxsize=1)
def prototypes() -> FiniteWorld:
    """Return the world: four prototypes of nine binary patches, each patch flipped with probability 0.05."""
    return worlds.mixture(9, 2, 4, 0.05, seed=0)


@lru_cache(maxsize=1)
def prototype_graph() -> MaskGraph:
    """Return its exact mask graph under the mask law of `RECIPE`, positions kept."""
    return MaskGraph.enumerate(prototypes(), RECIPE.law())


@lru_cache(maxsize=16)  # a value: the same for every figure drawn from it
def watched_run(
    uniformity_weight: float = 0.0,
    *,
    measured_weight: float | None = None,
    epochs: int = RECIPE.epochs,
    looks: int = 20,
    fit_steps: int = 60,
    slugs: tuple[str, ...] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Train `RECIPE` on images of the world and check theorems from random init to the end.

    Parameters
    ----------
    uniformity_weight : float
        λ of the run, over L2-normalised cls features and the mean error of a hidden pixel; 0 trains a plain MAE.
    measured_weight : float, optional
        The λ at which a plain MAE is measured by theorems that need one; that of the run by default.
    epochs, looks, fit_steps : int
        Looks are even on a logarithmic scale of steps, after one before the first step.
    slugs : tuple of str, optional
        Theorems; all that fit by default.
    seed : int
        Of the images, the weights and the batches.

    Returns
    -------
    DataFrame
        As `BoundsWatch.table`, not to be changed.
    """
    config = replace(RECIPE, uniformity_weight=uniformity_weight, epochs=epochs, seed=seed,
                     warmup_epochs=min(RECIPE.warmup_epochs, epochs / 2))  # fmt: skip
    images = draw_images(prototypes(), N_IMAGES, generator(seed, "watched world"))
    watch = BoundsWatch(prototype_graph(), looks_at(epochs * (N_IMAGES // config.batch), looks),
                        uniformity_weight or measured_weight, slugs, fit_steps=fit_steps)  # fmt: skip
    watch.look(build(config))
    with tempfile.TemporaryDirectory() as out:
        train(config, images, out=out, callbacks=[watch])
    return watch.table


def looks_at(steps: int, looks: int) -> Sequence[int]:
    """Return about `looks` steps, even on a logarithmic scale, the last one among them."""
    return sorted({int(step) for step in np.round(np.geomspace(1, steps, looks))})
