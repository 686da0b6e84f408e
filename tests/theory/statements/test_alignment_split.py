"""The exact splits of the reconstruction loss, their consequences for the encoder, and perfect alignment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maetheory.core import generator
from maetheory.data import worlds
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks
from maetheory.theory import THEOREMS, Verdict, check
from maetheory.theory.small_worlds import draw_world
from maetheory.theory.statements.excess_factorisation_bounded_by_umae import equality_world, excess_factorisation
from maetheory.theory.statements.perfect_alignment_is_constant_on_components import (
    component_means,
    eigenfunction,
    feature_rank,
    spectral_gap,
)

EPS = np.finfo(float).eps
SHARP, EXCESS = "reconstruction-bounds-encoder-alignment-sharply", "excess-factorisation-bounded-by-umae"
GAP, CONVERSE = "perfect-alignment-is-constant-on-components", "constant-on-components-is-perfect-alignment"
RANK = "aligned-features-have-rank-of-components"


def sparse_graph(seed: int, n1: int = 6, n2: int = 5) -> MaskGraph:
    """One to three components: each view has one target for certain, each target one view, and a few more by chance."""
    rng = generator(seed, "split")
    joint = rng.random((n1, n2)) * (rng.random((n1, n2)) < 0.1)
    joint[np.arange(n1), rng.integers(0, n2, n1)] += 0.5 + rng.random(n1)
    joint[rng.integers(0, n1, n2), np.arange(n2)] += 0.5 + rng.random(n2)
    return MaskGraph.from_joint(joint / joint.sum())


def world(seed: int, d: int = 3):
    graph, rng = sparse_graph(seed), generator(seed, "objects")
    return graph, rng.normal(size=(6, d)), rng.normal(size=(5, d))


def loops(graph, h, targets=None):
    """Every expectation by explicit loops over views and targets."""
    joint = graph.joint.toarray()
    n1, n2 = joint.shape
    out = dict.fromkeys(["mae", "pairs", "bias", "irreducible", "excess", "energy"], 0.0)
    for j in range(n2):
        d2 = sum(joint[i][j] for i in range(n1))
        for i in range(n1):
            out["energy"] += joint[i][j] * sum(h[i] ** 2)
            for other in range(n1):
                out["pairs"] += joint[i][j] * joint[other][j] / d2 * sum((h[i] - h[other]) ** 2)
        if targets is not None:
            mean = sum(joint[i][j] * h[i] for i in range(n1)) / d2
            out["bias"] += d2 * sum((mean - targets[j]) ** 2)
    for i in range(n1) if targets is not None else ():
        d1 = sum(joint[i][j] for j in range(n2))
        best = sum(joint[i][j] * targets[j] for j in range(n2)) / d1
        out["excess"] += d1 * sum((h[i] - best) ** 2)
        for j in range(n2):
            out["mae"] += joint[i][j] * sum((h[i] - targets[j]) ** 2)
            out["irreducible"] += joint[i][j] * sum((targets[j] - best) ** 2)
    return out


def close(value, expected, size):
    return value == pytest.approx(expected, abs=200 * EPS * size, rel=0)


@pytest.mark.parametrize("seed", range(6))
def test_both_splits_and_all_their_parts_equal_the_sums(seed):
    graph, h, targets = world(seed)
    sums = loops(graph, h, targets)
    by_target = check("alignment-split", graph, h=h, targets=targets)
    by_view = check("irreducible-split", graph, h=h, targets=targets)
    assert close(by_target.lhs, sums["mae"], by_target.scale)
    assert close(by_view.lhs, sums["mae"], by_view.scale)
    assert close(by_target.rhs, sums["pairs"] / 2 + sums["bias"], by_target.scale)
    assert close(by_view.rhs, sums["irreducible"] + sums["excess"], by_view.scale)
    assert close(by_target.terms["alignment"], sums["pairs"] / 2, by_target.scale)
    assert close(by_target.terms["bias"], sums["bias"], by_target.scale)
    assert close(by_view.terms["irreducible"], sums["irreducible"], by_view.scale)
    assert close(by_view.terms["excess"], sums["excess"], by_view.scale)


@pytest.mark.parametrize("slug", ["alignment-split", "irreducible-split", "linear-decoder-loss"])
def test_the_identities_hold_to_1e_12_on_every_kind_of_world(slug):
    theorem = THEOREMS[slug]
    for number in range(150):
        found = theorem.check(**draw_world(theorem, generator(number, slug)).all_objects())
        assert abs(found.lhs.value - found.rhs.value) <= 1e-12 * found.scale, number


@pytest.mark.parametrize("slug", ["alignment-split", "irreducible-split"])
@pytest.mark.parametrize("positions", ["kept", "dropped"])
def test_the_identities_hold_on_enumerated_images(slug, positions):
    graph = MaskGraph.enumerate(worlds.mixture(3, 2, 2, 0.2), UniformMasks(3, 1), positions)
    targets = graph.targets("packed")
    h = generator(0).normal(size=(graph.shape[0], targets.shape[1]))
    found = check(slug, graph, h=h, targets=targets)
    assert found.verdict is Verdict.TIGHT
    assert abs(found.lhs.value - found.rhs.value) <= 1e-12 * found.scale


@pytest.mark.parametrize("seed", range(4))
def test_theorem_3_4_is_half_of_the_split(seed):
    """What the printed bound leaves on the table is ¼E‖h - h⁺‖², the bias and ε."""
    graph, h, targets = world(seed)
    split = check("alignment-split", graph, h=h, targets=targets)
    printed = check("reconstruction-bounds-alignment", graph, h=h, h_g=targets, targets=targets)
    assert close(printed.slack, split.terms["alignment"] / 2 + split.terms["bias"], split.scale)


def decoded(seed: int, lipschitz: float = 1.0, noise: float = 0.0):
    """An isometry scaled by 1/√L on two features, targets the mean predictions, both disturbed."""
    graph, _, _ = world(seed)
    rng = generator(seed, "decoder")
    features = rng.normal(size=(6, 2))
    isometry = np.linalg.qr(rng.normal(size=(3, 2)))[0].T / np.sqrt(lipschitz)
    h = features @ isometry + noise * rng.normal(size=(6, 3))
    joint = graph.joint.toarray()
    targets = joint.T @ h / joint.sum(0)[:, None] + noise * rng.normal(size=(5, 3))
    return {"graph": graph, "features": features, "h": h, "targets": targets}


@pytest.mark.parametrize("lipschitz", [0.5, 1.0, 7.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_sharp_encoder_bound_equals_the_sums_and_is_reached_by_every_isometry(seed, lipschitz):
    objects = decoded(seed, lipschitz)
    found = check(SHARP, **objects)
    assert found.verdict is Verdict.TIGHT
    expected = loops(objects["graph"], objects["features"])["pairs"] / (2 * lipschitz)
    assert found.rhs == pytest.approx(expected, rel=1e-9)
    assert expected > 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_the_slack_of_the_sharp_encoder_bound_is_bias_and_stretch(seed):
    objects = decoded(seed, noise=0.3)
    found = check(SHARP, lipschitz=1e6, **objects)
    sums = loops(objects["graph"], objects["h"], objects["targets"])
    lost = sums["pairs"] / 2 - loops(objects["graph"], objects["features"])["pairs"] / 2e6
    assert found.assumptions[0].holds
    assert close(found.slack, sums["bias"] + lost, found.scale)


def test_without_a_bi_lipschitz_decoder_any_finite_constant_is_refuted():
    for slug in (SHARP, EXCESS):
        objects = THEOREMS[slug].broken()["bi-Lipschitz decoder"]
        assert THEOREMS[slug].check(lipschitz=1e6, **objects).slack < -1e-7


@given(st.integers(0, 10**6), st.floats(-7, 0), st.floats(-3, 3))
@settings(max_examples=40, deadline=None)
def test_nothing_near_an_isometry_violates_the_sharp_bounds(seed, exponent, weight):
    objects = decoded(seed, noise=10**exponent)
    assert check(SHARP, **objects).verdict is not Verdict.VIOLATED
    assert check(EXCESS, weight=10**weight, **objects).verdict is not Verdict.VIOLATED


@pytest.mark.parametrize("weight", [None, 0.01, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_excess_bound_equals_dense_algebra_and_its_slack_is_that_of_the_sharp_bound(seed, weight):
    objects, lipschitz = decoded(seed, noise=0.3), 40.0
    graph, features = objects["graph"], objects["features"]
    found = check(EXCESS, lipschitz=lipschitz, **objects, **({} if weight is None else {"weight": weight}))
    joint = graph.joint.toarray()
    d1, d2 = joint.sum(1), joint.sum(0)
    augmentation = (joint / d2) @ joint.T / np.sqrt(np.outer(d1, d1))
    lam = np.sort(np.linalg.eigvalsh(augmentation))[::-1]
    weight = 0.5 / lipschitz if weight is None else weight
    w, outer = 2 * lipschitz * weight, np.sqrt(np.outer(d1, d1)) * (features @ features.T)
    loss = loops(graph, objects["h"], objects["targets"])["mae"]
    loss += weight * sum(d1[a] * d1[b] * (features[a] @ features[b]) ** 2 for a in range(6) for b in range(6))
    energy = loops(graph, features)["energy"]
    assert close(found.lhs, ((augmentation - w * outer) ** 2).sum() - sum(lam[2:] ** 2), found.scale)
    assert close(found.rhs, w * (2 * lipschitz * loss - 2 * energy) + sum(lam[:2] ** 2), found.scale)
    sharp = check(SHARP, lipschitz=lipschitz, **objects)
    assert close(found.slack, 2 * w * lipschitz * sharp.slack, found.scale)


@given(st.integers(0, 10**6), st.integers(1, 7), st.sampled_from([0.25, 1.0, 4.0, 16.0]), st.floats(0.01, 10))
@settings(max_examples=40, deadline=None)
def test_every_graph_has_a_world_where_the_loss_proves_the_features_best(seed, k, lipschitz, weight):
    """√L is a power of two, so that the decoder divides without rounding error and its constant is L exactly."""
    objects = equality_world(sparse_graph(seed), k, lipschitz, weight)
    found = check(EXCESS, **objects)
    assert found.verdict is Verdict.TIGHT
    assert abs(found.lhs) <= 1e-11 * found.scale
    assert abs(found.rhs) <= 1e-11 * found.scale
    assert found.assumptions[0].holds


def test_equality_is_also_reached_away_from_the_best_features():
    found = check(EXCESS, **decoded(1))
    assert found.verdict is Verdict.TIGHT
    assert found.lhs > 0.1


def test_the_excess_is_zero_at_eigenvectors_and_positive_elsewhere():
    objects = equality_world(sparse_graph(3), 2)
    assert excess_factorisation(objects["graph"], objects["features"]) == pytest.approx(0, abs=1e-12)
    assert excess_factorisation(objects["graph"], 1.1 * objects["features"]) > 1e-3


def components_by_hand(graph):
    """Component of each view by spreading over shared targets until nothing changes."""
    joint = graph.joint.toarray() > 0
    member = list(range(len(joint)))
    for _ in member:
        for a in range(len(joint)):
            for b in range(len(joint)):
                if (joint[a] & joint[b]).any():
                    member[a] = member[b] = min(member[a], member[b])
    return np.array(member)


def dense(graph):
    """Eigenvalues of Ā, largest first, and its eigenvectors."""
    joint = graph.joint.toarray()
    scale = np.sqrt(joint.sum(1))
    values, vectors = np.linalg.eigh((joint / joint.sum(0)) @ joint.T / np.outer(scale, scale))
    return values[::-1], vectors[:, ::-1], scale


@pytest.mark.parametrize("seed", range(8))
def test_the_gap_inequality_equals_dense_algebra_and_its_slack_identities(seed):
    graph, h, _ = world(seed)
    below, above = check(GAP, graph, h=h), check(CONVERSE, graph, h=h)
    member, (lam, vectors, scale) = components_by_hand(graph), dense(graph)
    c = len(set(member))
    spread = sum(
        scale[i] ** 2 * sum((h[i] - np.average(h[member == member[i]], 0, scale[member == member[i]] ** 2)) ** 2)
        for i in range(6)
    )
    following = lam[c] if c < 6 else 0.0
    assert close(below.lhs, loops(graph, h)["pairs"], below.scale)
    assert close(below.rhs, 2 * (1 - following) * spread, below.scale)
    assert close(above.rhs, 2 * spread, above.scale)
    along = ((scale[:, None] * h).T @ vectors[:, c:]) ** 2  # (d, N1 - c)
    assert close(below.slack, 2 * (along @ (following - lam[c:])).sum(), below.scale)
    assert close(above.slack, 2 * (along @ lam[c:]).sum(), above.scale)


def test_the_sweep_of_graphs_has_one_and_several_components():
    assert {sparse_graph(seed).n_components for seed in range(8)} >= {1, 2}


@given(st.integers(0, 10**6), st.floats(-7, 0))
@settings(max_examples=40, deadline=None)
def test_nothing_near_the_slowest_direction_violates_the_gap(seed, exponent):
    graph, h, _ = world(seed)
    noise = 10**exponent * generator(seed, "noise").normal(size=(6, 3))
    if (c := graph.n_components) < 6:
        near = component_means(graph, h) + eigenfunction(graph, c + 1) + noise
        assert check(GAP, graph, h=near).slack >= 0
    assert check(GAP, graph, h=component_means(graph, h) + noise).slack >= 0
    assert check(CONVERSE, graph, h=component_means(graph, h) + eigenfunction(graph, 6) + noise).slack >= 0


@pytest.mark.parametrize("seed", range(6))
def test_aligned_means_constant_on_components_both_ways(seed):
    graph, h, _ = world(seed)
    flat = component_means(graph, h)
    assert loops(graph, flat)["pairs"] <= 1e-28 * loops(graph, flat)["energy"]
    member = components_by_hand(graph)
    shared = [i for i in range(6) if (member == member[i]).sum() > 1]
    for view in shared:
        disturbed = flat.copy()
        disturbed[view] += 1e-3
        found = check(GAP, graph, h=disturbed)
        assert found.lhs >= found.rhs > 0


@pytest.mark.parametrize("seed", range(6))
def test_generic_aligned_features_have_exactly_the_rank_of_components(seed):
    graph, _, _ = world(seed)
    member = components_by_hand(graph)
    features = generator(seed, "free").normal(size=(6, 6))[member]
    found = check(RANK, graph, features=features)
    assert found.lhs == found.rhs == len(set(member)) == np.linalg.matrix_rank(features)
    assert found.verdict is Verdict.TIGHT


def test_unaligned_features_may_have_any_rank():
    objects = THEOREMS[RANK].broken()["features are aligned"]
    assert replace(THEOREMS[RANK], assumptions={}).check(**objects).verdict is Verdict.VIOLATED


@pytest.mark.parametrize(("features", "expected"), [(np.zeros((3, 2)), 0), (np.ones((3, 2)), 1), (np.eye(3), 3)])
def test_ranks_of_known_matrices(features, expected):
    assert feature_rank(features) == expected


def test_the_gap_of_a_chain_is_the_known_one():
    """Two views, each with mass (1-e)/2 on its own target and e/2 on the other: λ₂ = (1-2e)²."""
    e = 0.1
    graph = MaskGraph.from_joint([[(1 - e) / 2, e / 2], [e / 2, (1 - e) / 2]])
    assert spectral_gap(graph) == pytest.approx(1 - (1 - 2 * e) ** 2, rel=1e-12)
    assert spectral_gap(MaskGraph.from_joint(np.diag([0.5, 0.5]))) == 1.0
