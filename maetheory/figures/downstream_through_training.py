"""Probe residual and its three bounds during training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from maetheory.figures.axes import set_step_axis
from maetheory.figures.feature_kinds import ADAPTIVE_TARGETS, TITLES
from maetheory.figures.style import COLOUR_CYCLE
from maetheory.figures.toy_runs import checks_through_training
from maetheory.graph import MaskGraph
from maetheory.theory import check
from maetheory.theory.statements.spectral_features_bound_downstream_error import spectral_bound

FREE_WEIGHT = 3.0
EXCESS_SLUG, CERTIFICATE_SLUG = "excess-loss-bounds-downstream-error", "certificate-bounds-downstream-error"
VIEW_ERROR_SLUG, IMAGE_ERROR_SLUG = "probe-residual-bounds-view-error", "probe-residual-bounds-image-error"
LINES: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "spectral": ("bound (i): spectral features", COLOUR_CYCLE[0], "-."),
        "excess": ("bound (ii): excess loss", COLOUR_CYCLE[1], "--"),
        "certificate": ("bound (iii): certificate", COLOUR_CYCLE[2], "--"),
        "residual": ("probe residual", "black", "-"),
        "image_error": ("error on images", COLOUR_CYCLE[3], "-"),
    }
)
"""Label, colour and line style of each plotted column."""

_MAX_DRAWN = 1.5


def downstream_through_training(
    *, epochs: int | None = None, steps: int = 1500, n_measurements: int = 14, seed: int = 0, device: str = "auto"
) -> pd.DataFrame:
    """Compute the probe residual and the three bounds of S3 during the training of free features, an MAE and a U-MAE.

    All have sixteen features on one world. Free features are the setting of the theory: one free vector f per view, a
    penalty of weight 3 on f itself, a decoder z/√L with L = 1, and targets that adapt to the predictions. The other
    runs are those of `bounds_through_training`: f is the L2-normalised cls token. The first bound holds for spectral
    features only, so it is a limit that training may approach, not a bound on the features of a step.

    Parameters
    ----------
    epochs : int, optional
        Epochs of MAE and U-MAE; by default those of `maetheory.evaluation.bounds.toy_training.TOY_CONFIG`.
    steps : int
        Training steps of free features.
    n_measurements, seed, device
        As for `bounds_through_training`.

    Returns
    -------
    DataFrame
        kind, step, residual, spectral, excess (infinite where it does not apply), certificate, view_error, image_error.
    """
    from maetheory.evaluation.bounds import toy_training  # torch and Lightning take seconds to import
    from maetheory.evaluation.bounds.unconstrained_features_training import train_unconstrained_features

    graph = toy_training.toy_mask_graph()
    free = train_unconstrained_features(
        graph, 16, weight=FREE_WEIGHT, steps=steps, n_measurements=n_measurements, seed=seed
    )
    rows = [{"kind": ADAPTIVE_TARGETS, "step": one.step, **_residual_and_bounds(graph, one.features)} for one in free]
    spectral = float(spectral_bound(graph, 16))
    for name, table in checks_through_training(epochs, n_measurements, seed, device).items():
        for step, part in table.groupby("step"):
            sides = part.set_index("slug")
            rows.append(
                {
                    "kind": name,
                    "step": step,
                    "residual": sides.lhs[CERTIFICATE_SLUG],
                    "spectral": spectral,
                    "excess": sides.rhs[EXCESS_SLUG],
                    "certificate": sides.rhs[CERTIFICATE_SLUG],
                    "view_error": sides.lhs[VIEW_ERROR_SLUG],
                    "image_error": sides.lhs[IMAGE_ERROR_SLUG],
                }
            )
    return pd.DataFrame(rows)


def _residual_and_bounds(graph: MaskGraph, features: Any) -> dict[str, float]:
    excess, certificate, views, images = (
        check(slug, graph, features=features)
        for slug in (EXCESS_SLUG, CERTIFICATE_SLUG, VIEW_ERROR_SLUG, IMAGE_ERROR_SLUG)
    )
    return {
        "residual": float(excess.lhs),
        "spectral": float(spectral_bound(graph, features.shape[1])),
        "excess": float(excess.rhs),
        "certificate": float(certificate.rhs),
        "view_error": float(views.lhs),
        "image_error": float(images.lhs),
    }


def draw_downstream_through_training(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw a panel per kind of features: residual, bounds and image error against the step; trivial bound 1 dotted."""
    for ax, (kind, part) in zip(axes, frame.groupby("kind", sort=False), strict=True):
        for column, (label, colour, line) in LINES.items():
            ax.plot(part.step, part[column].clip(upper=_MAX_DRAWN), color=colour, ls=line, lw=1.2, label=label)
        ax.axhline(1.0, color="black", lw=0.8, ls=":")
        set_step_axis(ax, [0, 1, 10, 100, 1000])
        ax.set_title(TITLES.get(str(kind), str(kind)), fontsize=8.5)
        ax.set(
            xlabel="training step",
            ylim=(0, _MAX_DRAWN + 0.05),
            xlim=(0, 1.3 * part.step.max()),
        )
        ax.set_yticks([0, 0.5, 1, _MAX_DRAWN], ["0", "0.5", "1", "≥ 1.5"])
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
