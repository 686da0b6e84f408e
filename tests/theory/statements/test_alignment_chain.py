"""Theorems 3.2 to 3.5 against sums written out pair by pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maetheory.core import generator
from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS, Verdict, certify, check

EPS = np.finfo(float).eps


def world(seed: int, n1: int = 5, n2: int = 4, d: int = 3, unit: bool = False):
    rng = generator(seed, "alignment-chain")
    joint = rng.random((n1, n2)) * (rng.random((n1, n2)) < 0.7) + 1e-3 * np.eye(n1, n2) + 1e-4
    graph = MaskGraph.from_joint(joint / joint.sum())
    h, h_g = rng.normal(size=(n1, d)), rng.normal(size=(n2, d))
    if unit:
        h, h_g = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (h, h_g))
    return graph, {"h": h, "h_g": h_g, "targets": h_g + 0.3 * rng.normal(size=(n2, d))}


def loops(graph, h, h_g=None, targets=None):
    """Every expectation by explicit loops over views and targets."""
    joint = graph.joint.toarray()
    n1, n2 = joint.shape
    d2 = [sum(joint[i][j] for i in range(n1)) for j in range(n2)]
    out = dict.fromkeys(["mae", "asym", "align", "pairs", "eps", "h", "h_g", "bias", "middle"], 0.0)
    for j in range(n2):
        mean = sum(joint[i][j] / d2[j] * h[i] for i in range(n1))
        if targets is not None:
            out["eps"] += d2[j] * sum((h_g[j] - targets[j]) ** 2)
            out["bias"] += d2[j] * sum((mean - targets[j]) ** 2)
        if h_g is not None:
            out["h_g"] += d2[j] * sum(h_g[j] ** 2)
        for i in range(n1):
            out["h"] += joint[i][j] * sum(h[i] ** 2)
            if h_g is not None:
                out["asym"] -= joint[i][j] * sum(h[i] * h_g[j])
            if targets is not None:
                out["mae"] += joint[i][j] * sum((h[i] - targets[j]) ** 2)
                out["middle"] += joint[i][j] * sum((targets[j] - (h[i] + h_g[j]) / 2) ** 2)
            for other in range(n1):
                law = joint[i][j] * joint[other][j] / d2[j]
                out["align"] -= law * sum(h[i] * h[other])
                out["pairs"] += law * sum((h[i] - h[other]) ** 2)
    return out


def close(value, expected, size):
    return value == pytest.approx(expected, abs=200 * EPS * size, rel=0)


@pytest.mark.parametrize("seed", range(5))
def test_asymmetric_alignment_equals_the_sums_and_its_slack_identity(seed):
    graph, objects = world(seed, unit=True)
    found, sums = check("reconstruction-bounds-asymmetric-alignment", graph, **objects), loops(graph, **objects)
    assert close(found.lhs, sums["mae"], found.scale)
    assert close(found.rhs, sums["asym"] - sums["eps"] + 1, found.scale)
    assert close(found.slack, 2 * sums["middle"] + (sums["h"] + sums["h_g"]) / 2 - 1, found.scale)


@pytest.mark.parametrize("seed", range(5))
def test_alignment_of_pairs_equals_the_sums_and_its_slack_identity(seed):
    graph, objects = world(seed)
    objects["h_g"] = objects["h_g"] / 3
    found = check("asymmetric-alignment-bounds-alignment", graph, h=objects["h"], h_g=objects["h_g"])
    sums = loops(graph, objects["h"], objects["h_g"])
    d1, d2 = graph.degrees
    rows, rows_g = np.sqrt(d1)[:, None] * objects["h"], np.sqrt(d2)[:, None] * objects["h_g"]
    residual = rows_g - graph.normalized_matrix.toarray().T @ rows
    assert close(found.lhs, sums["asym"], found.scale)
    assert close(found.rhs, sums["align"] / 2 - 0.5, found.scale)
    assert close(found.slack, ((residual**2).sum() + 1 - (rows_g**2).sum()) / 2, found.scale)


@pytest.mark.parametrize("seed", range(5))
def test_reconstruction_bounds_alignment_equals_the_sums_and_its_slack_identity(seed):
    graph, objects = world(seed)
    found, sums = check("reconstruction-bounds-alignment", graph, **objects), loops(graph, **objects)
    assert close(found.lhs, sums["mae"], found.scale)
    assert close(found.rhs, sums["pairs"] / 4 - sums["eps"], found.scale)
    assert close(found.slack, sums["pairs"] / 4 + sums["bias"] + sums["eps"], found.scale)


def test_with_unit_norms_the_distance_form_is_the_printed_one():
    graph, objects = world(3, unit=True)
    found, sums = check("reconstruction-bounds-alignment", graph, **objects), loops(graph, **objects)
    assert close(found.rhs, sums["align"] / 2 - sums["eps"] + 0.5, found.scale)


def test_without_a_good_decoder_the_bound_says_nothing_and_with_one_it_does():
    graph, objects = world(1)
    poor = check("reconstruction-bounds-alignment", graph, **{**objects, "h_g": objects["targets"] + 5})
    good = check("reconstruction-bounds-alignment", graph, **{**objects, "h_g": objects["targets"]})
    assert poor.verdict is Verdict.VACUOUS
    assert good.verdict is Verdict.HOLDS


def test_a_doubled_constant_without_epsilon_is_still_true_and_five_percent_more_is_not():
    """L_MAE >= ½E‖h - h⁺‖² is the exact split with its bias left out, so ½ is where falsity begins."""
    theorem = THEOREMS["reconstruction-bounds-alignment"]
    graph, objects = world(2)
    joint = graph.joint.toarray()
    objects["targets"] = joint.T @ objects["h"] / joint.sum(0)[:, None]
    split = replace(theorem, rhs=lambda graph, h: loops(graph, h)["pairs"] / 2)
    more = replace(theorem, rhs=lambda graph, h: 1.05 * loops(graph, h)["pairs"] / 2)
    assert split.check(graph, **objects).verdict is Verdict.TIGHT
    assert more.check(graph, **objects).verdict is Verdict.VIOLATED


@pytest.mark.parametrize(
    "slug", ["reconstruction-bounds-asymmetric-alignment", "asymmetric-alignment-bounds-alignment"]
)
def test_without_the_norms_the_printed_inequality_fails(slug):
    found = THEOREMS[slug].check(**THEOREMS[slug].broken()["unit norms"])
    assert found.slack < -0.4


def decoded(seed: int, slope: float):
    """A linear decoder h = f B with known smallest stretch."""
    graph, objects = world(seed)
    features = generator(seed, "features").normal(size=(len(objects["h"]), 2))
    basis = np.linalg.qr(generator(seed, "decoder").normal(size=(3, 2)))[0].T  # orthonormal rows
    return graph, {**objects, "features": features, "h": slope * features @ basis}


@pytest.mark.parametrize("seed", range(4))
def test_encoder_alignment_equals_the_sums_with_the_decoder_constant_found_by_loops(seed):
    graph, objects = world(seed)
    objects["features"] = generator(seed, "features").normal(size=(5, 2))
    found = check("reconstruction-bounds-encoder-alignment", graph, **objects)
    joint, h, f = graph.joint.toarray(), objects["h"], objects["features"]
    largest = 0.0
    for j in range(4):
        for a in range(5):
            for b in range(5):
                if a != b and joint[a][j] * joint[b][j] > 0:
                    largest = max(largest, sum((f[a] - f[b]) ** 2) / sum((h[a] - h[b]) ** 2))
    sums = loops(graph, h, objects["h_g"], objects["targets"])
    assert close(found.rhs, loops(graph, f)["pairs"] / (4 * largest) - sums["eps"], found.scale)
    assert close(found.lhs, sums["mae"], found.scale)


def test_the_decoder_constant_of_a_scaled_isometry_is_its_inverse_square_and_may_be_given():
    graph, objects = decoded(0, slope=0.5)
    measured = check("reconstruction-bounds-encoder-alignment", graph, **objects)
    assert "L = 4," in measured.assumptions[0].measured
    looser = check("reconstruction-bounds-encoder-alignment", graph, lipschitz=8.0, **objects)
    assert measured.rhs > looser.rhs
    assert looser.assumptions[0].holds
    dishonest = check("reconstruction-bounds-encoder-alignment", graph, lipschitz=3.9, **objects)
    assert dishonest.verdict is Verdict.INAPPLICABLE


def test_without_a_bi_lipschitz_decoder_any_finite_constant_is_refuted():
    theorem = THEOREMS["reconstruction-bounds-encoder-alignment"]
    objects = theorem.broken()["bi-Lipschitz decoder"]
    assert theorem.check(lipschitz=1e6, **objects).slack < 0


def test_the_encoder_bound_with_five_percent_more_than_the_truth_is_caught():
    """(1/2L) E‖f - f⁺‖² is an equality for an isometry on aligned targets; the printed constant is half of it."""
    theorem = THEOREMS["reconstruction-bounds-encoder-alignment"]
    graph, objects = decoded(1, slope=1.0)
    objects["targets"] = graph.joint.toarray().T @ objects["h"] / graph.degrees[1][:, None]
    objects["h_g"] = objects["targets"]
    more = replace(theorem, rhs=lambda graph, features: 1.05 * loops(graph, features)["pairs"] / 2)
    assert theorem.check(graph, **objects).verdict is Verdict.HOLDS
    assert more.check(graph, **objects).verdict is Verdict.VIOLATED


def test_a_rare_view_with_long_features_does_not_hide_a_pair_that_the_decoder_merges():
    """Beside features of 1e13 the pair ±1 would pass for aligned, and any L for a constant of the decoder."""
    masses = np.array([[0.5, 0.0], [0.5, 0.0], [0.0, 1e-20]])
    graph = MaskGraph.from_joint(masses / masses.sum())
    world = {"features": np.array([[1.0], [-1.0], [1e13]]), "h": np.zeros((3, 1))}
    world |= {"h_g": np.zeros((2, 1)), "targets": np.zeros((2, 1))}
    for judge in (check, certify):
        assert judge("reconstruction-bounds-encoder-alignment", graph, **world).verdict is Verdict.INAPPLICABLE


@pytest.mark.parametrize("seed", range(20))
def test_rounding_error_of_a_constant_encoder_violates_nothing(seed):
    """E[f | x₂] of equal features is off by rounding error, which is measured beside E‖f‖², not beside a loss of 0."""
    rng = np.random.default_rng(seed)
    joint = rng.random((3, 2))
    graph, zero = MaskGraph.from_joint(joint / joint.sum()), np.zeros((3, 1))
    features = np.full((3, 1), rng.normal())
    found = check(
        "reconstruction-bounds-encoder-alignment", graph, features=features, h=zero, h_g=zero[:2], targets=zero[:2]
    )
    assert (found.verdict, found.slack) == (Verdict.VACUOUS, 0.0)
