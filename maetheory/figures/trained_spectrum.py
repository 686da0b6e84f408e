"""Spectrum of trained features against the spectrum predicted from the uniformity weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes

from maetheory.figures.feature_kinds import ADAPTIVE_TARGETS, FIXED_TARGETS, TITLES, U_MAE_CLS
from maetheory.graph import MaskGraph
from maetheory.theory import check
from maetheory.theory.statements.effective_rank_grows_with_uniformity import predicted_spectrum, rank_measures
from maetheory.theory.theorem_quantities import eigenvalues, weighted_rows

BOUND_SLUG = "effective-rank-grows-with-uniformity"
KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {ADAPTIVE_TARGETS: ("#0072b2", "o"), FIXED_TARGETS: ("#d55e00", "s"), U_MAE_CLS: ("#009e73", "^")}
)
"""Colour and marker of each kind of features."""

FREE_WEIGHTS = (0.03, 0.3, 1.0, 3.0, 30.0)
U_MAE_WEIGHTS = (0.01, 0.1, 1.0)


def trained_spectra(
    *,
    free_weights: Sequence[float] = FREE_WEIGHTS,
    trained_weights: Sequence[float] = U_MAE_WEIGHTS,
    steps: int = 1500,
    epochs: int | None = None,
    seed: int = 0,
    device: str = "auto",
) -> pd.DataFrame:
    """Train features with several uniformity weights on one world, and compute the predicted spectrum of each.

    The prediction is the water-filling solution at the λ, L and τ of the run. The first kind is the setting of the
    theory: one free, unnormalised vector f per view, a penalty on f, a decoder z/√L with L = 1, and targets that adapt
    to the predictions. The second kind has the pixels of the world as targets and nine features, L = ½. The third is a
    trained U-MAE with a penalty on the L2-normalised cls token, while its decoder reads other tokens: the statement
    does not apply literally, and L is measured. τ = 1 throughout.

    Parameters
    ----------
    free_weights, trained_weights : sequence of float
        λ in L_MAE + λ L_unif, L_MAE a sum over pixels; for the U-MAE, L_MAE is the mean over four hidden pixels.
    steps : int
        Training steps of free features.
    epochs : int, optional
        Epochs of the U-MAE; by default those of `maetheory.evaluation.bounds.toy_training.TOY_CONFIG`.
    seed : int
        Draws images, weights and batches.
    device : str
        Kind of device of the U-MAE, as for `maetheory.training.make_fabric`.

    Returns
    -------
    DataFrame
        kind, weight (of a sum over pixels), lipschitz, index (from 1), found and predicted (eigenvalues of FFᵀ),
        and, constant over the rows of a weight, verdict, loss and bound of the statement, rank and predicted_rank
        (effective ranks).
    """
    from maetheory.evaluation import encode_graph
    from maetheory.evaluation.bounds import toy_training  # torch and Lightning take seconds to import
    from maetheory.evaluation.bounds.unconstrained_features_training import train_unconstrained_features

    graph = toy_training.toy_mask_graph()
    pixels = toy_training.toy_pixel_targets()
    parts = []
    for weight in free_weights:
        (adaptive,) = train_unconstrained_features(graph, 16, weight=weight, steps=steps, seed=seed)
        (fixed,) = train_unconstrained_features(
            graph, 9, weight=weight, lipschitz=0.5, targets=pixels, steps=steps, seed=seed
        )
        parts += [
            _spectrum_rows(graph, ADAPTIVE_TARGETS, adaptive, weight, 1.0),
            _spectrum_rows(graph, FIXED_TARGETS, fixed, weight, 0.5),
        ]
    length = toy_training.TOY_CONFIG.epochs if epochs is None else epochs
    for weight in trained_weights:
        model = toy_training.train_toy_mae(
            weight, epochs=length, n_measurements=1, fit_steps=0, slugs=(), seed=seed, device=device
        ).model
        encoded = encode_graph(model, graph, weight=weight, fit_steps=0)
        parts.append(_spectrum_rows(graph, U_MAE_CLS, encoded, encoded.weight or weight, encoded.lipschitz))
    return pd.concat(parts, ignore_index=True)


def _spectrum_rows(graph: MaskGraph, kind: str, found: Any, weight: float, lipschitz: float) -> pd.DataFrame:
    result = check(
        BOUND_SLUG, graph, features=found.features, h=found.h, targets=found.targets, weight=weight, lipschitz=lipschitz
    )
    k = found.features.shape[1]
    size = np.linalg.svd(weighted_rows(graph, found.features), compute_uv=False) ** 2  # (k,)
    lam = np.minimum(eigenvalues(graph, k), 1.0)
    predicted = predicted_spectrum(lam, weight=weight, lipschitz=lipschitz, energy=float(size.sum()))
    return pd.DataFrame(
        {
            "kind": kind,
            "weight": weight,
            "lipschitz": lipschitz,
            "index": np.arange(1, k + 1),
            "found": size,
            "predicted": predicted,
            "verdict": result.verdict.value,
            "loss": float(result.lhs),
            "bound": float(result.rhs),
            "rank": rank_measures(size)["effective rank"],
            "predicted_rank": rank_measures(predicted)["effective rank"],
        }
    )


def draw_trained_spectra(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw spectra per kind (markers: trained, lines: predicted), and all effective ranks against the weight."""
    for ax, kind in zip(axes, KINDS, strict=False):
        part = frame[frame.kind == kind]
        weights = part.weight.unique()
        for shade, weight in zip(colormaps["viridis"](np.linspace(0.0, 0.85, len(weights))), weights, strict=True):
            here = part[part.weight == weight]
            ax.plot(here["index"], here.predicted, color=shade, lw=1.0)
            ax.plot(here["index"], here.found, color=shade, ls="", marker=KINDS[kind][1], ms=3.5, label=f"{weight:.3g}")
        ax.set(title=TITLES[kind], xlabel="index $i$", ylim=(-0.02, None))
        ax.set_xticks([1, 4, 8, 12, 16] if part["index"].max() > 9 else [1, 3, 5, 7, 9])
        ax.legend(title="weight λ", fontsize=8)
    for ax in axes[0:3:2]:
        ax.set_ylabel("eigenvalue of $FF^T$")
    _draw_ranks(axes[len(KINDS)], frame.drop_duplicates(["kind", "weight"]))


def _draw_ranks(ax: Axes, frame: pd.DataFrame) -> None:
    for kind, (colour, marker) in KINDS.items():
        here = frame[frame.kind == kind]
        ax.plot(here.weight, here.predicted_rank, color=colour, lw=1.0)
        ax.plot(here.weight, here["rank"], color=colour, ls="", marker=marker, ms=4, label=TITLES[kind])
    ax.plot([], [], color="black", lw=1.0, label="water-filling prediction")
    ax.set(xscale="log", xlabel="uniformity weight λ", ylabel="effective rank", title="effective rank", ylim=(0, 17))
    ax.set_yticks([1, 4, 8, 12, 16])
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
