"""Spectra, label errors and downstream bounds of several prediction laws on one world."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from maetheory.core import InputError
from maetheory.data.finite_world import FiniteWorld
from maetheory.graph import MaskGraph
from maetheory.masks import PredictionLaw
from maetheory.theory.exact_probe import probe_residual
from maetheory.theory.statements.downstream_error_averages_over_components import (
    component_graphs,
    componentwise_bound,
    leading_features_of_components,
)
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser
from maetheory.theory.statements.spectral_features_bound_downstream_error import spectral_bound
from maetheory.theory.theorem_quantities import eigenvalues

NUMBERS = (
    "law",
    "visible",
    "components",
    "alpha",
    "phi",
    "next_eigenvalue",
    "residual",
    "bound",
    "features",
    "residual_by_component",
    "bound_by_component",
)


def compare_laws(
    world: FiniteWorld, laws: Mapping[str, PredictionLaw], k: int, positions: str = "kept"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return label errors and downstream bounds of the graph of each law, and the eigenvalues.

    Two budgets are compared: k features in all, and k features for each connected component. Masks have a component
    each where positions are kept, so that the first budget is mostly spent on telling masks apart.

    Parameters
    ----------
    world : FiniteWorld
        With labels.
    laws : mapping of str to PredictionLaw
    k : int
        Number of features, at least 1.
    positions : {"kept", "dropped"}

    Returns
    -------
    numbers : DataFrame
        One row for each law, `NUMBERS`: expected share of visible patches (NaN where positions are dropped, or a law
        shows something else),
        components, α, φ, λ_{k+1}, residual of the k leading features and its bound φ/(1 − λ_{k+1}) (infinite without
        a gap), number of features with k for each component, their residual and its bound Σ_c p_c φ_c/(1 − λ^(c)).
    spectra : DataFrame
        Columns law, component, index (from 1), eigenvalue: those of each component, largest first.

    Raises
    ------
    InputError
        If the world has no labels, k is no positive number, or law and world do not fit together.

    Examples
    --------
    >>> from maetheory.data import worlds
    >>> from maetheory.masks import PrefixMasks, UniformMasks
    >>> laws = {"masks": UniformMasks(4, 2), "prefix": PrefixMasks(4, 2, "rest")}
    >>> numbers, _ = compare_laws(worlds.markov(4, 2, 0.8), laws, k=2)
    >>> numbers[["law", "components", "bound"]].round(3).to_dict("list")
    {'law': ['masks', 'prefix'], 'components': [6, 1], 'bound': [inf, 0.435]}
    """
    if world.labels is None:
        raise InputError("laws are compared by the labels of images, but this world has none")
    if k < 1:
        raise InputError(f"k must be at least 1 feature, but it is {k}")
    rows, spectra = [], []
    for name, law in laws.items():
        graph = MaskGraph.enumerate(world, law, positions)
        leading = minimiser(graph, min(k, *graph.shape))
        by_component = leading_features_of_components(graph, k)
        values = (
            name,
            _visible_share(graph),
            graph.n_components,
            float(graph.label_error()),
            float(graph.pair_label_error()),
            float(eigenvalues(graph, k + 1)[k]),
            probe_residual(graph, leading),
            float(spectral_bound(graph, k)) if 1 - eigenvalues(graph, k + 1)[k] > 1e-9 else np.inf,
            by_component.shape[1],
            probe_residual(graph, by_component),
            float(componentwise_bound(graph, by_component)),
        )
        rows.append(dict(zip(NUMBERS, values, strict=True)))
        spectra += _spectra(name, graph)
    return pd.DataFrame(rows), pd.DataFrame(spectra)


def _visible_share(graph: MaskGraph) -> float:
    """Expected share of the patches that a view shows; NaN where views are no patches at known places."""
    contents = graph.view_contents
    if contents is None or contents.masks is None:
        return float("nan")
    return float(graph.degrees[0] @ contents.masks.mean(1))


def _spectra(name: str, graph: MaskGraph) -> list[dict[str, object]]:
    """Eigenvalues of each component of a graph."""
    return [
        {"law": name, "component": component, "index": index, "eigenvalue": float(value)}
        for component, (_, _, part) in enumerate(component_graphs(graph))
        for index, value in enumerate(eigenvalues(part, min(part.shape)), 1)
    ]
