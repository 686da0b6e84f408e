"""A limit of size admits what is exactly as large and refuses one more, or takes its other branch there."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS, certify, check
from maetheory.theory.certified import sampled_graphs
from maetheory.theory.statements import sampled_spectrum_concentrates

GRAPH = MaskGraph.from_joint(np.outer([0.3, 0.7], [0.2, 0.3, 0.5]))
BIAS = "sampled-spectrum-is-biased-upward"


def tables(draws):
    check(BIAS, GRAPH, draws=draws)


def terms(draws):
    certify(BIAS, GRAPH, draws=draws)


# How many tables of six cells hold three or four draws; how many terms of four counts six cells have.
NUMBERS = {
    tables: (sampled_spectrum_concentrates, "_MAX_TABLES", 56, 126),
    terms: (sampled_graphs, "_MAX_TERMS", 60, 120),
}


@pytest.mark.parametrize("sum_of", NUMBERS)
def test_a_sum_of_as_many_terms_as_allowed_is_computed_and_of_one_more_refused(sum_of, monkeypatch):
    module, name, three, four = NUMBERS[sum_of]
    for draws, number in ((3, three), (4, four)):
        monkeypatch.setattr(module, name, number)
        sum_of(draws)
        monkeypatch.setattr(module, name, number - 1)
        with pytest.raises(InputError, match=f"{number:,} (ways|terms)"):
            sum_of(draws)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_graph_of_as_many_nodes_as_allowed_is_certified_and_of_one_more_refused(transposed, monkeypatch):
    graph = GRAPH.transpose() if transposed else GRAPH
    module = sys.modules["maetheory.theory.certified.certificate"]
    world = {"graph": graph, "features": np.ones((graph.shape[0], 1))}
    monkeypatch.setattr(module, "MAX_NODES", 3)
    certify("spectral-contrast-is-factorisation", **world)
    monkeypatch.setattr(module, "MAX_NODES", 2)
    with pytest.raises(InputError, match="at most 2 views"):
        certify("spectral-contrast-is-factorisation", **world)


def test_bits_are_at_least_those_of_floats_and_none_beyond_the_limit_are_tried():
    with pytest.raises(InputError, match="at least 53"):
        certify("alignment-split", max_bits=52, **THEOREMS["alignment-split"].tight())
    world = THEOREMS["aligned-features-have-rank-of-components"].tight()
    bits = [
        certify("aligned-features-have-rank-of-components", max_bits=most, **world).bits for most in (53, 105, 106, 424)
    ]
    assert bits == [53, 53, 106, 106]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_pairs_are_summed_up_to_a_number_of_views(most, monkeypatch):
    module = sys.modules["maetheory.theory.statements.reconstruction_is_alignment_plus_bias"]
    monkeypatch.setattr(module, "_MAX_PAIRED_VIEWS", most)
    monkeypatch.setattr(module, "positive_pair_distance", lambda *_: 7.0)
    world = {"h": np.array([[1.0], [2.5]]), "targets": np.array([[0.5], [2.0], [1.0]])}
    joint = GRAPH.joint.toarray()
    pairs = joint @ np.diag(1 / joint.sum(0)) @ joint.T
    expected = 2 * pairs[0, 1] * 1.5**2 if most >= 2 else 7.0
    means = joint.T @ world["h"] / joint.sum(0)[:, None]
    bias = joint.sum(0) @ ((means - world["targets"]) ** 2).sum(1)
    assert float(check("alignment-split", GRAPH, **world).rhs) == pytest.approx(expected / 2 + bias)
