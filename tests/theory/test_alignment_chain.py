"""Theorems 3.2 to 3.5 against sums written out pair by pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maetheory.core import generator
from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS, Verdict, check

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
