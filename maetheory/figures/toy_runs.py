"""Theorem checks during the training of an MAE and a U-MAE on the toy world, which two figures draw."""

from __future__ import annotations

import pandas as pd

UNIFORMITY_WEIGHT = 0.1


def checks_through_training(
    epochs: int | None, n_measurements: int, seed: int, device: str = "auto"
) -> dict[str, pd.DataFrame]:
    """Train an MAE and a U-MAE on the toy world and return the table of theorem checks of each.

    Parameters
    ----------
    epochs : int, optional
        Number of epochs; by default that of `maetheory.evaluation.bounds.toy_training.TOY_CONFIG`.
    n_measurements : int
        Number of training steps at which theorems are checked.
    seed : int
        Draws images, weights and batches.
    device : str
        Kind of device, as for `maetheory.training.make_fabric`.
    """
    from maetheory.evaluation.bounds import toy_training  # torch and Lightning take seconds to import

    length = toy_training.TOY_CONFIG.epochs if epochs is None else epochs
    return {
        name: toy_training.train_toy_mae(
            weight,
            measured_weight=UNIFORMITY_WEIGHT,
            epochs=length,
            n_measurements=n_measurements,
            seed=seed,
            device=device,
        ).table
        for name, weight in (("MAE", 0.0), ("U-MAE", UNIFORMITY_WEIGHT))
    }
