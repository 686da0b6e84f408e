"""Train a tiny masked autoencoder on a finite world with an exact mask graph.

The 512 images of 3x3 black or white pixels are four prototypes with flipped pixels; a block of 2x2 pixels is hidden.
The mask graph has 128 views and 64 targets in four components, one for each position of the block, and sixteen
positive eigenvalues.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import nn

from maetheory.core import generator
from maetheory.data import FiniteWorld, sample_images, worlds
from maetheory.evaluation.bounds.callback import BoundsCallback, log_spaced_steps
from maetheory.graph import MaskGraph
from maetheory.models import MAEConfig, ViTConfig
from maetheory.training import TrainConfig, make_fabric, train
from maetheory.training.checkpointing import build_model

N_IMAGES = 4096
TOY_CONFIG = TrainConfig(
    MAEConfig(ViTConfig(3, 1, 1, width=16, depth=2, heads=2, positions="learned"), 16, 1, 2),
    mask_law="block",
    mask_ratio=4 / 9,
    epochs=24,
    batch=128,
    base_lr=1e-2,
    warmup_epochs=2,
    log_every=10**6,
    save_seconds=1e9,
)
"""A Vision Transformer with two blocks of width 16 and a decoder of one block; 768 steps of 128 images."""


class ToyRun(NamedTuple):
    """Measurements during training (`BoundsCallback.table`) and the trained model, both cached: do not change them."""

    table: pd.DataFrame
    model: nn.Module


@lru_cache(maxsize=1)
def toy_world() -> FiniteWorld:
    """Return the world: four prototypes of nine binary patches, each patch flipped with probability 0.03."""
    return worlds.mixture(9, 2, 4, 0.03, seed=0)


@lru_cache(maxsize=1)
def toy_mask_graph() -> MaskGraph:
    """Return the exact mask graph of the world under the mask law of `TOY_CONFIG`, positions kept."""
    return MaskGraph.enumerate(toy_world(), TOY_CONFIG.law())


@lru_cache(maxsize=1)
def toy_pixel_targets() -> np.ndarray:
    """Return the targets of a model of `TOY_CONFIG`: −1 or 1 at hidden pixels, 0 elsewhere, shape (64, 9)."""
    graph = toy_mask_graph()
    contents = graph.target_contents
    assert contents is not None
    assert contents.masks is not None
    vit = TOY_CONFIG.model.encoder
    return np.where(contents.masks, (graph.targets() - vit.mean) / vit.std, 0.0)


def train_toy_mae(
    uniformity_weight: float = 0.0,
    *,
    measured_weight: float | None = None,
    epochs: int = TOY_CONFIG.epochs,
    n_measurements: int = 14,
    fit_steps: int = 60,
    slugs: tuple[str, ...] | None = None,
    seed: int = 0,
    device: str = "auto",
) -> ToyRun:
    """Train `TOY_CONFIG` on images of the world, and check theorems from the random initialisation to the end.

    Parameters
    ----------
    uniformity_weight : float
        λ of the run, for L2-normalised cls features and the mean error of a hidden pixel; 0 trains a plain MAE.
    measured_weight : float, optional
        The λ of theorems that need one, for a plain MAE; by default that of the run.
    epochs, n_measurements, fit_steps : int
        Measurements are evenly spaced on a logarithmic scale of steps; one more precedes the first step.
    slugs : tuple of str, optional
        Theorems; by default all that apply.
    seed : int
        Seed of the images, the weights and the batches.
    device : str
        Kind of device, as for `maetheory.training.make_fabric`.

    Returns
    -------
    ToyRun
    """
    return _run_toy_training(
        uniformity_weight, uniformity_weight or measured_weight, epochs, n_measurements, fit_steps, slugs, seed, device
    )


@lru_cache(maxsize=8)  # several figures are drawn from the same run
def _run_toy_training(
    uniformity_weight: float,
    measured_weight: float | None,
    epochs: int,
    n_measurements: int,
    fit_steps: int,
    slugs: tuple[str, ...] | None,
    seed: int,
    device: str,
) -> ToyRun:
    config = replace(
        TOY_CONFIG,
        uniformity_weight=uniformity_weight,
        epochs=epochs,
        seed=seed,
        warmup_epochs=min(TOY_CONFIG.warmup_epochs, epochs / 2),
    )
    images = sample_images(toy_world(), N_IMAGES, generator(seed, "watched world"))
    callback = BoundsCallback(
        toy_mask_graph(),
        log_spaced_steps(epochs * (N_IMAGES // config.batch), n_measurements),
        measured_weight,
        slugs,
        fit_steps=fit_steps,
    )
    callback.measure(build_model(config))
    with tempfile.TemporaryDirectory() as out:
        result = train(config, images, out=out, callbacks=[callback], fabric=make_fabric(device))
    return ToyRun(callback.table, result.model)
