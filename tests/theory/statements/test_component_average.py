"""The bound that averages over components against loops over masks, and a prefix beside the masks that contain it."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.data import worlds
from maetheory.graph import MaskGraph
from maetheory.masks import MaskPairs, PrefixMasks, UniformMasks
from maetheory.theory import Verdict, certify, check
from maetheory.theory.statements.downstream_error_averages_over_components import (
    componentwise_bound,
    leading_features_of_components,
)
from maetheory.theory.statements.spectral_features_bound_downstream_error import spectral_bound

AVERAGE = "downstream-error-averages-over-components"
WORLDS = {
    "chain": worlds.markov(5, 2, 0.8),
    "mixture": worlds.mixture(5, 2, 2, 0.15),
    "chance": worlds.random(4, 2, 2, seed=0, n_states=9),
}


def loops(graph, each):
    """Residual and bound by loops over components, with eigenvectors and label energies of dense blocks."""
    joint, member = graph.joint.toarray(), graph.components[0]
    labels, residual, bound = graph.view_labels, 0.0, 0.0
    for component in sorted(set(member.tolist())):
        block = joint[member == component]
        block = block[:, block.sum(0) > 0]
        d1, d2 = block.sum(1), block.sum(0)
        scaled = block / np.sqrt(d1)[:, None] / np.sqrt(d2)
        values, vectors = np.linalg.eigh(scaled @ scaled.T)
        order = np.argsort(-values)
        leading = vectors[:, order[: min(each, *block.shape)]]
        leading = leading[:, values[order[: leading.shape[1]]] > 1e-12]
        k = leading.shape[1]
        own = labels[member == component]
        disagree = sum(
            block[i, t] * block[j, t] / d2[t]
            for t in range(len(d2))
            for i in range(len(d1))
            for j in range(len(d1))
            if own[i] != own[j]
        )
        for c in set(own.tolist()):
            y = np.sqrt(d1) * (own == c)
            residual += float(((y - leading @ (leading.T @ y)) ** 2).sum())
        bound += disagree / (1 - (values[order[k]] if k < len(values) else 0.0))
    return residual, bound


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("each", [1, 2])
def test_sides_are_those_of_loops(name, each):
    graph = MaskGraph.enumerate(WORLDS[name], UniformMasks(WORLDS[name].n_patches, 2))
    features = leading_features_of_components(graph, each)
    found = check(AVERAGE, graph, features=features)
    residual, bound = loops(graph, each)
    assert float(found.lhs) == pytest.approx(residual, abs=1e-12)
    assert float(found.rhs) == pytest.approx(bound, abs=1e-10)
    assert found.verdict in {Verdict.HOLDS, Verdict.TIGHT, Verdict.VACUOUS}
    assert found.rhs <= found.terms["bound of the whole graph"] + 1e-9


def test_the_leading_features_of_the_whole_graph_may_have_the_smaller_bound():
    """Components whose next eigenvalues are far apart: two features of each, or all four where they help most."""
    joint = np.zeros((6, 6))
    for place, mu in enumerate((0.9, 0.1)):  # λ = μ², twice
        joint[3 * place : 3 * place + 3, 3 * place : 3 * place + 3] = (mu * np.eye(3) + (1 - mu) / 3) / 6
    graph = MaskGraph.from_joint(joint, [0, 1, 1, 0, 1, 1])
    found = check(AVERAGE, graph, features=leading_features_of_components(graph, 2))
    assert float(found.rhs) == pytest.approx(loops(graph, 2)[1], abs=1e-10)
    assert found.lhs <= found.rhs + 1e-12
    assert found.terms["bound of the whole graph"] < found.rhs - 0.1


@pytest.mark.parametrize("name", WORLDS)
def test_the_uniform_law_is_the_average_of_its_masks_and_the_prefix_is_one_of_them(name):
    world, v = WORLDS[name], 2
    law = UniformMasks(world.n_patches, v)
    uniform, prefix = (MaskGraph.enumerate(world, one) for one in (law, PrefixMasks(world.n_patches, v, "rest")))
    masks = law.support()[0]
    alone = [MaskGraph.enumerate(world, MaskPairs(mask[None], ~mask[None])) for mask in masks]
    assert uniform.n_components >= len(masks)
    assert float(uniform.pair_label_error()) == pytest.approx(np.mean([g.pair_label_error() for g in alone]), abs=1e-12)
    together = np.sort(np.concatenate([np.linalg.svd(g.normalized_matrix.toarray())[1] for g in alone]))[::-1]
    found = np.linalg.svd(uniform.normalized_matrix.toarray())[1]
    np.testing.assert_allclose(found[: len(together)], together[: len(found)], atol=1e-10)
    short = np.linalg.svd(prefix.normalized_matrix.toarray())[1]
    assert (found[: len(short)] >= short - 1e-12).all()
    if all(g.n_components == 1 for g in alone):
        bounds = [float(spectral_bound(g, 2)) for g in alone]
        whole = componentwise_bound(uniform, leading_features_of_components(uniform, 2))
        assert float(whole) == pytest.approx(np.mean(bounds), rel=1e-10)
        assert any(b == pytest.approx(float(spectral_bound(prefix, 2)), rel=1e-10) for b in bounds)


def test_dropped_positions_join_masks_and_lower_every_singular_value():
    world, law = WORLDS["chain"], UniformMasks(5, 2)
    kept, dropped = (MaskGraph.enumerate(world, law, positions) for positions in ("kept", "dropped"))
    values = [np.linalg.svd(graph.normalized_matrix.toarray())[1] for graph in (kept, dropped)]
    size = min(map(len, values))
    assert (values[1][:size] <= values[0][:size] + 1e-12).all()
    assert (kept.n_components, dropped.n_components) == (10, 1)


def test_features_that_mix_components_are_told_apart_from_those_that_do_not():
    graph = MaskGraph.enumerate(WORLDS["chain"], UniformMasks(5, 2))
    features = leading_features_of_components(graph, 2)
    turned = features @ np.linalg.qr(np.random.default_rng(0).normal(size=(features.shape[1],) * 2))[0]
    assert check(AVERAGE, graph, features=turned).verdict is not Verdict.INAPPLICABLE  # the same span
    summed = features[:, ::2] + features[:, 1::2]
    found = check(AVERAGE, graph, features=summed)
    assert found.verdict is Verdict.INAPPLICABLE
    assert "leading eigenvectors of each component fails" in found.note
    joined = features[:, :1] + features[:, 2:3]
    found = check(AVERAGE, graph, features=np.column_stack([joined, features[:, 4:]]))
    assert "of the components" in found.note


def test_one_constant_leads_on_each_component_but_has_too_small_a_rank():
    """Without the sum of ranks the bound were 0 and false: two components that are the classes, and one constant."""
    pytest.importorskip("flint")
    graph = MaskGraph.from_joint(np.diag([0.5, 0.5]), [0, 1])
    for found in (act(AVERAGE, graph, features=np.ones((2, 1))) for act in (check, certify)):
        assert found.verdict is Verdict.INAPPLICABLE
        assert "rank 1, of the components 2" in found.note
    assert float(check(AVERAGE, graph, features=np.ones((2, 1))).lhs) == pytest.approx(0.5)


def test_masses_of_components_weigh_and_a_proof_agrees():
    pytest.importorskip("flint")
    joint = np.zeros((5, 4))
    joint[:2, :2] = 0.7 * np.array([[0.3, 0.2], [0.1, 0.4]])
    joint[2:, 2:] = 0.3 * np.array([[0.2, 0.2], [0.1, 0.3], [0.1, 0.1]])
    graph = MaskGraph.from_joint(joint, [0, 1, 0, 1, 1])
    features = leading_features_of_components(graph, 1)
    found, proved = check(AVERAGE, graph, features=features), certify(AVERAGE, graph, features=features)
    assert loops(graph, 1) == pytest.approx((float(found.lhs), float(found.rhs)), abs=1e-12)
    assert (proved.lhs.mid, proved.rhs.mid) == pytest.approx((float(found.lhs), float(found.rhs)), abs=1e-10)
