"""Three bounds on the downstream error against the error, on many small worlds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from maetheory.core import generator
from maetheory.data import worlds
from maetheory.figures.style import COLOUR_CYCLE
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks
from maetheory.theory.exact_probe import probe_residual
from maetheory.theory.statements.certificate_bounds_downstream_error import certificate_bound
from maetheory.theory.statements.excess_loss_bounds_downstream_error import excess_bound
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser
from maetheory.theory.statements.spectral_features_bound_downstream_error import spectral_bound

BOUNDS = ("spectral features", "excess loss", "certificate")
_MAX_DRAWN = 2.0
_NOISE_LEVELS = (0.0, 0.01, 0.1, 1.0)


def downstream_bounds(*, n_worlds: int = 40, seed: int = 0) -> pd.DataFrame:
    """Compute the residual of a linear probe and three bounds on it.

    Parameters
    ----------
    n_worlds : int
        Number of class mixtures of five patches, with two to four classes, flips up to 0.2, positions dropped.
    seed : int
        Draws the worlds, and the noise added to spectral features.

    Returns
    -------
    DataFrame
        world, noise (its size relative to the features; 0 = spectral features), bound (a name of `BOUNDS`), residual,
        value (infinite where the bound does not apply). The first bound holds for spectral features only.
    """
    rows = []
    for number in range(n_worlds):
        rng = generator(seed, "downstream", number)
        classes = int(rng.integers(2, 5))
        world = worlds.mixture(5, max(2, classes), classes, float(rng.uniform(0.01, 0.2)), seed=number)
        graph = MaskGraph.enumerate(world, UniformMasks(5, int(rng.integers(1, 5))), "dropped")
        best = minimiser(graph, classes)
        for noise in _NOISE_LEVELS:
            features = best + noise * np.sqrt(np.mean(best**2)) * rng.normal(size=best.shape)
            values = {
                "excess loss": float(excess_bound(graph, features)),
                "certificate": float(certificate_bound(graph, features)),
            }
            if noise == 0:
                values["spectral features"] = float(spectral_bound(graph, classes))
            residual = probe_residual(graph, features)
            rows += [
                {"world": number, "noise": noise, "bound": name, "residual": residual, "value": value}
                for name, value in values.items()
            ]
    return pd.DataFrame(rows)


def draw_downstream_bounds(axes: Sequence[Axes], frame: pd.DataFrame) -> None:
    """Draw one panel per bound: bound against residual, with a line of equality and the trivial bound 1 dotted."""
    for ax, name in zip(axes, BOUNDS, strict=True):
        part = frame[frame.bound == name]
        for noise, colour in zip(_NOISE_LEVELS, COLOUR_CYCLE, strict=False):
            here = part[part.noise == noise]
            ax.scatter(
                here.residual,
                here.value.clip(upper=_MAX_DRAWN),
                s=12,
                lw=0,
                alpha=0.8,
                color=colour,
                label="none" if noise == 0 else f"{noise:g}",
            )
        ax.plot([0, 1], [0, 1], color="black", lw=0.8)
        ax.axhline(1.0, color="black", lw=0.8, ls=":")
        ax.set(xlim=(-0.04, 1), ylim=(-0.08, _MAX_DRAWN + 0.08), title=name, xlabel="probe residual")
        ax.set_yticks([0, 0.5, 1, 1.5, 2], ["0", "0.5", "1", "1.5", "≥ 2"])
    axes[0].set_ylabel("bound")
    axes[0].figure.legend(
        *axes[1].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=4,
        title="relative noise added to spectral features",
        handletextpad=0.1,
    )
