"""What a linear probe leaves unexplained, from random features to trained ones, below three bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from maetheory.figures.bounds_through_training import train_and_check
from maetheory.figures.style import COLOUR_CYCLE
from maetheory.graph import MaskGraph
from maetheory.theory import check
from maetheory.theory.statements.spectral_features_bound_downstream_error import spectral_bound

FREE_FEATURES, FREE_WEIGHT = "free f, targets follow", 3.0
EXCESS_SLUG, CERTIFICATE_SLUG = "excess-loss-bounds-downstream-error", "certificate-bounds-downstream-error"
VIEW_ERROR_SLUG, IMAGE_ERROR_SLUG = "probe-residual-bounds-view-error", "probe-residual-bounds-image-error"
LINES: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "spectral": ("i, of spectral features", COLOUR_CYCLE[0], "-."),
        "excess": ("ii, excess of contrast", COLOUR_CYCLE[1], "--"),
        "certificate": ("iii, certificate", COLOUR_CYCLE[2], "--"),
        "residual": ("residual of the probe", "black", "-"),
        "image_error": ("error on images", COLOUR_CYCLE[3], "-"),
    }
)
"""Columns drawn, each with its label, colour and line."""

_MAX_DRAWN = 1.5


def downstream_through_training(
    *, epochs: int | None = None, steps: int = 1500, looks: int = 14, seed: int = 0
) -> pd.DataFrame:
    """Measure the probe residual and S3's three bounds of it while free features, an MAE and a U-MAE are trained.

    All have sixteen features on one world. The first are what the theory speaks of: f free for every view, the penalty
    of weight 3 on f itself, a decoder z/√L with L = 1, targets that follow. The others are those of
    `bounds_through_training`: f is the L2-normalised cls token. The first bound is for spectral features alone, so it
    says where training may lead, not what the features at hand must do.

    Parameters
    ----------
    epochs : int, optional
        Of MAE and U-MAE; of `maetheory.evaluation.bounds.toy_training.RECIPE` by default.
    steps : int
        Of free features.
    looks, seed : int

    Returns
    -------
    DataFrame
        kind, step, residual, spectral, excess (infinite where it says nothing), certificate, view_error, image_error.
    """
    from maetheory.evaluation.bounds import toy_training  # torch and Lightning take seconds to import
    from maetheory.evaluation.bounds.unconstrained_features import train_unconstrained_features

    graph = toy_training.toy_mask_graph()
    free = train_unconstrained_features(graph, 16, weight=FREE_WEIGHT, steps=steps, looks=looks, seed=seed)
    rows = [{"kind": FREE_FEATURES, "step": one.step, **_check_bounds(graph, one.features)} for one in free]
    spectral = float(spectral_bound(graph, 16))
    for name, table in train_and_check(epochs, looks, seed).items():
        for step, look in table.groupby("step"):
            sides = look.set_index("slug")
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


def _check_bounds(graph: MaskGraph, features: Any) -> dict[str, float]:
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
    """Draw a panel per kind of features: residual, bounds and image error against the step; dotted, the trivial 1."""
    for ax, (kind, part) in zip(axes, frame.groupby("kind", sort=False), strict=True):
        for column, (label, colour, line) in LINES.items():
            ax.plot(part.step, part[column].clip(upper=_MAX_DRAWN), color=colour, ls=line, lw=1.2, label=label)
        ax.axhline(1.0, color="black", lw=0.8, ls=":")
        ax.set_xscale("symlog", linthresh=1, linscale=0.5)
        ax.set_xticks([0, 1, 10, 100, 1000], ["0", "1", "10", "100", "1000"])
        ax.minorticks_off()
        ax.set(title=str(kind), xlabel="step", ylim=(0, _MAX_DRAWN + 0.05), xlim=(0, 1.3 * part.step.max()))
        ax.set_yticks([0, 0.5, 1, _MAX_DRAWN], ["0", "½", "1", "≥ 1½"])
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
