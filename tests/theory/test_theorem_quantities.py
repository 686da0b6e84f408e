"""Norms and spectra of large graphs are those of small ones: what only large graphs run, with their limits lowered."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.graph import MaskGraph
from maetheory.theory import theorem_quantities
from maetheory.theory.theorem_quantities import (
    autoencoding_error,
    eigenvalues,
    factorisation_error,
    frobenius_square,
    reconstruction_scale,
    umae_loss,
)


@pytest.fixture
def graph():
    joint = np.random.default_rng(2).random((7, 5)) ** 3
    return MaskGraph.from_joint(joint / joint.sum())


def dense(graph):
    """Matrix Ā from the joint law, written out."""
    joint = graph.joint.toarray()
    d1, d2 = joint.sum(1), joint.sum(0)
    return joint @ np.diag(1 / d2) @ joint.T / np.sqrt(np.outer(d1, d1))


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("k", [1, 3, 5, 9])
@pytest.mark.parametrize("largest_dense", [4, 5, 1500])
def test_eigenvalues_are_those_of_the_matrix_in_any_branch(graph, largest_dense, k, transposed, monkeypatch):
    monkeypatch.setattr(theorem_quantities, "_MAX_DENSE_SIDE", largest_dense)
    graph = graph.transpose() if transposed else graph
    lam = np.pad(np.linalg.eigvalsh(dense(graph))[::-1], (0, 9))[:k]
    assert eigenvalues(graph, k) == pytest.approx(lam, abs=1e-12)


@pytest.mark.parametrize(("largest_dense", "decomposed"), [(4, True), (5, False)])
def test_a_graph_is_dense_up_to_its_smaller_side(graph, largest_dense, decomposed, monkeypatch):
    asked = []
    monkeypatch.setattr(theorem_quantities, "_MAX_DENSE_SIDE", largest_dense)
    monkeypatch.setattr(
        type(graph), "spectrum", lambda self, k: asked.append(k) or type("S", (), {"values": np.ones(k)})()
    )
    eigenvalues(graph, 9)
    assert asked == ([5] if decomposed else [])


@pytest.mark.parametrize("most_entries", [1, 7, 20, 49, 4_000_000])
def test_norms_of_the_matrix_are_summed_over_any_blocks_of_rows(graph, most_entries, monkeypatch):
    monkeypatch.setattr(theorem_quantities, "_MAX_BLOCK_ENTRIES", most_entries)
    features = np.random.default_rng(0).normal(size=(7, 2))
    rows = np.sqrt(graph.degrees[0])[:, None] * features
    assert factorisation_error(graph, features) == pytest.approx(((dense(graph) - rows @ rows.T) ** 2).sum())
    assert frobenius_square(graph) == pytest.approx((dense(graph) ** 2).sum())


def test_losses_are_sums_over_pairs(graph):
    rng = np.random.default_rng(1)
    h, features, targets, h_g = (rng.normal(size=(n, 3)) for n in (7, 7, 5, 5))
    joint, (d1, d2) = graph.joint.toarray(), graph.degrees
    loss = sum(joint[i, j] * ((h[i] - targets[j]) ** 2).sum() for i in range(7) for j in range(5))
    spread = sum(d1[i] * d1[j] * (features[i] @ features[j]) ** 2 for i in range(7) for j in range(7))
    assert umae_loss(graph, h, targets, features, 0.7) == pytest.approx(loss + 0.7 * spread)
    energies = [sum(d * (row**2).sum() for d, row in zip(d12, rows)) for d12, rows in ((d1, h), (d2, targets))]
    assert reconstruction_scale(graph, h, targets) == pytest.approx(sum(energies))
    assert autoencoding_error(graph, h_g, targets) == pytest.approx(d2 @ ((h_g - targets) ** 2).sum(1))
