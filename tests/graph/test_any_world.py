"""Identities of every mask graph hold on random, near-independent and near-deterministic worlds."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from maetheory.data import worlds
from maetheory.data.worlds import FiniteWorld
from maetheory.graph import MaskGraph, mean_square, positive_pair_distance, reconstruction_loss
from maetheory.graph.functionals import conditional_mean
from maetheory.masks import UniformMasks


@st.composite
def any_world(draw: st.DrawFn) -> FiniteWorld:
    n, alphabet = draw(st.integers(2, 4)), draw(st.integers(2, 3))
    seed = draw(st.integers(0, 10**6))
    noise = draw(st.sampled_from([0.0, 1e-9, 0.1, 0.5]))
    return draw(
        st.sampled_from(
            [
                worlds.random(n, alphabet, 3, seed, n_states=min(5, alphabet**n)),
                worlds.mixture(n, alphabet, 2, noise, seed),
                worlds.markov(n, alphabet, 1 - noise),
                worlds.independent(n, alphabet, seed),
                worlds.duplicates(n, alphabet),
            ]
        )
    )


@settings(max_examples=40, deadline=None, derandomize=True)
@given(any_world(), st.integers(1, 3), st.sampled_from(["kept", "dropped"]))
def test_every_graph(world: FiniteWorld, visible: int, positions: str) -> None:
    graph = MaskGraph.enumerate(world, UniformMasks(world.n_patches, min(visible, world.n_patches - 1)), positions)
    tiny = 1e-12
    values = graph.spectrum(min(graph.shape)).values
    assert abs(values[0] - 1) <= tiny
    assert (graph.components[0].max() == graph.components[1].max()) & (values[graph.n_components - 1] >= 1 - 1e-10)
    alpha, alpha2, phi = graph.label_error(), graph.target_label_error(), graph.pair_label_error()
    assert phi <= 2 * alpha + 2 * alpha2 + tiny
    shares = np.sort(np.bincount(graph.view_labels, graph.degrees[0]))[::-1]
    eigenvalues = np.append(values**2, np.zeros(len(shares)))
    assert phi >= 1 - shares @ eigenvalues[: len(shares)] - tiny
    x = graph.targets("packed")
    h = np.random.default_rng(0).standard_normal((graph.shape[0], x.shape[1]))
    bias = mean_square(graph.degrees[1], conditional_mean(graph, h) - x)
    assert abs(reconstruction_loss(graph, h, x) - positive_pair_distance(graph, h) / 2 - bias) <= 1e-11 * (1 + bias)
    one = (graph.view_labels[:, None] == np.arange(graph.n_classes)).astype(float)
    assert abs(phi - positive_pair_distance(graph, one) / 2) <= tiny  # φ is the Dirichlet energy of the labels
