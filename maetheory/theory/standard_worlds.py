"""Eleven standard mask graphs and three kinds of predictors (optimal, spectral, Gaussian) on them.

Every theorem that needs standard objects can be checked on them: `targets` are the hidden pixels, `h_g` returns them
unchanged (ε = 0) or is Gaussian, and encoder and decoder are of the kinds in :data:`PREDICTORS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from maetheory.core import generator
from maetheory.data import worlds
from maetheory.graph import MaskGraph
from maetheory.graph.functionals import best_prediction
from maetheory.masks import BernoulliMasks, BlockMasks, UniformMasks
from maetheory.theory.theorem_objects import Objects

_FEATURES = 3


def _uniform(world: worlds.FiniteWorld, n_visible: int, positions: str = "kept") -> MaskGraph:
    return MaskGraph.enumerate(world, UniformMasks(world.n_patches, n_visible), positions)


GRAPHS: Mapping[str, Callable[[], MaskGraph]] = MappingProxyType(
    {
        "mixture, 1 of 4 visible": lambda: _uniform(worlds.mixture(4, 2, 2, 0.1), 1),
        "mixture, 2 of 4 visible, dropped": lambda: _uniform(worlds.mixture(4, 2, 2, 0.1), 2, "dropped"),
        "mixture of 3, 1 of 3 visible, dropped": lambda: _uniform(worlds.mixture(3, 3, 3, 0.2), 1, "dropped"),
        "prototypes, 2 of 4 visible, dropped": lambda: _uniform(worlds.mixture(4, 2, 3, 0.15, seed=1), 2, "dropped"),
        "chain, 2 of 4 visible": lambda: _uniform(worlds.markov(4, 2, 0.8), 2),
        "chain, block of 2 hidden": lambda: MaskGraph.enumerate(worlds.markov(4, 2, 0.8), BlockMasks((2, 2), 2)),
        "independent, 2 of 3 visible": lambda: _uniform(worlds.independent(3, 2, seed=0), 2),
        "copies, 1 of 3 visible": lambda: _uniform(worlds.duplicates(3, 3), 1),
        "Gaussian, Bernoulli masks": lambda: MaskGraph.enumerate(worlds.gaussian(3, 3, 0.5), BernoulliMasks(3, 0.4)),
        "chance, 2 of 4 visible": lambda: _uniform(worlds.random(4, 2, 2, seed=0, n_states=9), 2),
        "chance, 1 of 3 visible, dropped": lambda: _uniform(worlds.random(3, 3, 3, seed=1), 1, "dropped"),
    }
)
"""Mask graphs by name; positions are kept unless the name says that they are dropped."""

PREDICTORS = ("best prediction", "spectral features", "chance")
"""Best prediction: h = E[x₂ | x₁], f = h. Spectral features: f = f*, h a linear map of it. Chance: all Gaussian."""


def standard_objects(name: str, graph: MaskGraph, predictor: str, seed: int = 0) -> Objects:
    """Return predictions, targets and features on a graph of :data:`GRAPHS`.

    Parameters
    ----------
    name : str
        Name of the graph; with `seed` and `predictor` it determines every random number.
    graph : MaskGraph
    predictor : str
        One of :data:`PREDICTORS`.
    seed : int

    Returns
    -------
    mapping
        ``h (N1, d)``, ``h_g (N2, d)``, ``targets (N2, d)``, ``features (N1, k)``.

    Examples
    --------
    >>> name = "mixture, 1 of 4 visible"
    >>> {key: rows.shape for key, rows in standard_objects(name, GRAPHS[name](), "best prediction").items()}
    {'h': (8, 4), 'h_g': (32, 4), 'targets': (32, 4), 'features': (8, 4)}
    """
    rng = generator(seed, name, predictor)
    kept = graph.target_contents is not None and graph.target_contents.masks is not None
    targets = graph.targets("zero" if kept else "packed")
    (n1, n2), d = graph.shape, targets.shape[1]
    if predictor == "best prediction":
        h = best_prediction(graph, targets)
        return {"h": h, "h_g": targets, "targets": targets, "features": h}
    if predictor == "spectral features":
        features = spectral_features(graph, _FEATURES)
        h = features @ rng.normal(size=(features.shape[1], d))  # (N1, k) @ (k, d) -> (N1, d)
        return {"h": h, "h_g": targets, "targets": targets, "features": features}
    return {
        "h": rng.normal(size=(n1, d)),
        "h_g": rng.normal(size=(n2, d)),
        "targets": targets,
        "features": rng.normal(size=(n1, _FEATURES)),
    }


def spectral_features(graph: MaskGraph, k: int) -> np.ndarray:
    """Minimiser of L_spec at rank k, f*(x₁)_i = σ_i u_i(x₁) / √d₁(x₁), shape (N1, min(k, N1, N2))."""
    found = graph.spectrum(min(k, *graph.shape))
    return found.left * found.values / np.sqrt(graph.degrees[0])[:, None]
