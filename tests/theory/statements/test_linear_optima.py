"""Closed forms of linear autoencoders against general optimisers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from maetheory.core import InputError, generator
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks
from maetheory.theory import THEOREMS, Verdict, check
from maetheory.theory.statements import linear_decoders_keep_the_top_singular_directions as on_graphs
from maetheory.theory.statements import linear_mae_is_reduced_rank_regression as one_mask
from maetheory.theory.statements.shared_linear_mae_is_regression_row_by_row import (
    shared_linear_mae_optimum,
    shared_loss,
)

EPS = np.finfo(float).eps


def world(seed: int, n1: int = 5, n2: int = 4, d: int = 3):
    rng = generator(seed, "linear")
    joint = rng.random((n1, n2)) ** 2 + 1e-3
    return MaskGraph.from_joint(joint / joint.sum()), rng.normal(size=(n2, d))


def loss_on_graph(graph, h, targets):
    joint = graph.joint.toarray()
    return sum(joint[i][j] * sum((h[i] - targets[j]) ** 2) for i in range(len(h)) for j in range(len(targets)))


def best_by_descent(loss, size: int, seed: int, starts: int = 4) -> float:
    """Least value that a general optimiser reaches from several random starts."""
    rng = generator(seed, "starts")
    return min(minimize(loss, rng.normal(size=size), method="BFGS", options={"gtol": 1e-8}).fun for _ in range(starts))


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("seed", range(2))
def test_descent_over_encoder_and_decoder_reaches_the_graph_optimum_and_no_less(seed, k):
    graph, targets = world(seed, 4, 3, 2)
    best, joint = on_graphs.linear_decoder_optimum(graph, targets, k), graph.joint.toarray()

    def loss(point):
        h = point[: 4 * k].reshape(4, k) @ point[4 * k :].reshape(k, 2)
        return float((joint * ((h[:, None] - targets[None]) ** 2).sum(2)).sum())

    found = best_by_descent(loss, 6 * k, seed)
    assert found == pytest.approx(best.loss, abs=1e-8)
    assert found >= best.loss - 1e-12
    assert loss_on_graph(graph, best.features @ best.decoder, targets) == pytest.approx(best.loss, rel=1e-12)


@pytest.mark.parametrize("k", [1, 3, 4, 7])
def test_the_graph_optimum_has_orthonormal_features_and_stops_gaining_at_dim_x2(k):
    graph, targets = world(1)
    best = on_graphs.linear_decoder_optimum(graph, targets, k)
    moment = best.features.T @ (graph.degrees[0][:, None] * best.features)
    np.testing.assert_allclose(moment, np.diag((np.arange(k) < 3).astype(float)), atol=1e-12)
    assert (best.features.shape, best.decoder.shape) == ((5, k), (k, 3))
    joint = graph.joint.toarray()
    mean = joint @ targets / joint.sum(1)[:, None]
    floor = loss_on_graph(graph, mean, targets)
    assert (best.loss == pytest.approx(floor, rel=1e-12)) == (k >= 3)


@pytest.mark.parametrize("seed", range(4))
def test_at_given_features_the_bound_is_the_normal_equations_and_its_slack_the_distance_to_them(seed):
    graph, targets = world(seed)
    rng, d1 = generator(seed, "features"), graph.degrees[0]
    features, head = rng.normal(size=(5, 2)), rng.normal(size=(2, 3))
    joint = graph.joint.toarray()
    moment = sum(d1[i] * np.outer(features[i], features[i]) for i in range(5))
    cross = sum(joint[i][j] * np.outer(features[i], targets[j]) for i in range(5) for j in range(4))
    best = features @ np.linalg.solve(moment, cross)
    h = features @ head
    found = check("linear-decoder-optimum-given-features", graph, features=features, h=h, targets=targets)
    assert found.rhs == pytest.approx(loss_on_graph(graph, best, targets), rel=1e-11)
    assert found.slack == pytest.approx(d1 @ ((h - best) ** 2).sum(1), rel=1e-11)


@pytest.mark.parametrize("seed", range(4))
def test_the_rank_bound_has_its_slack_identity_and_the_loss_its_three_terms(seed):
    graph, targets = world(seed)
    features = generator(seed, "features").normal(size=(5, 2))
    h = features @ generator(seed, "head").normal(size=(2, 3))
    found = check("linear-decoder-optimum", graph, features=features, h=h, targets=targets)
    joint = graph.joint.toarray()
    d1, d2 = joint.sum(1), joint.sum(0)
    aim = joint @ targets / np.sqrt(d1)[:, None]
    s2 = np.sort(np.linalg.eigvalsh(aim.T @ aim))[::-1]
    energy, away = d2 @ (targets**2).sum(1), ((np.sqrt(d1)[:, None] * h - aim) ** 2).sum()
    assert found.rhs == pytest.approx(energy - sum(s2[:2]), abs=200 * EPS * found.scale)
    assert found.slack == pytest.approx(away - sum(s2[2:]), abs=200 * EPS * found.scale)
    three = check("linear-decoder-loss", graph, h=h, targets=targets)
    assert three.lhs == pytest.approx(loss_on_graph(graph, h, targets), abs=200 * EPS * three.scale)
    assert three.rhs == pytest.approx(energy - sum(s2) + away, abs=200 * EPS * three.scale)


@given(st.integers(0, 10**6), st.floats(-7, 0), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_nothing_near_the_graph_optimum_goes_below_it(seed, exponent, k):
    graph, targets = world(seed)
    best, rng = on_graphs.linear_decoder_optimum(graph, targets, k), generator(seed, "noise")
    features = best.features + 10**exponent * rng.normal(size=best.features.shape)
    h = features @ (best.decoder + 10**exponent * rng.normal(size=best.decoder.shape))
    for slug in ("linear-decoder-optimum", "linear-decoder-optimum-given-features"):
        assert check(slug, graph, features=features, h=h, targets=targets).verdict in {Verdict.HOLDS, Verdict.TIGHT}


def test_a_weak_direction_of_the_graph_wins_if_it_carries_more_pixels():
    """The graph knows the first patch with σ = 0.8, the second with 0.4, and the second is four times as bright."""
    joint = np.array(
        [
            [(1 + 0.8 * a * c) * (1 + 0.4 * b * e) / 16 for c in (1, -1) for e in (1, -1)]
            for a in (1, -1)
            for b in (1, -1)
        ]
    )
    graph = MaskGraph.from_joint(joint)
    best = on_graphs.linear_decoder_optimum(graph, np.array([[c, 4.0 * e] for c in (1, -1) for e in (1, -1)]), 1)
    np.testing.assert_allclose(np.abs(best.features[:, 0]), 1.0)
    np.testing.assert_allclose(np.abs(best.decoder), [[0.0, 1.6]], atol=1e-12)
    assert best.loss == pytest.approx(17 - 1.6**2, rel=1e-12)


def correlated(seed: int, n: int = 7, d: int = 5):
    rng = generator(seed, "images")
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d))


def loss_of_images(images, visible, weights):
    """Sum over hidden pixels of the mean squared error, one image and one pixel at a time."""
    total = 0.0
    for x in images:
        for j in range(len(x)):
            if not visible[j]:
                total += (x[j] - sum(weights[j][i] * x[i] for i in range(len(x)) if visible[i])) ** 2
    return total / len(images)


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("seed", range(2))
def test_descent_over_linear_autoencoders_reaches_the_optimum_of_one_mask_and_no_less(seed, k):
    images, visible = correlated(seed, 7, 4), np.array([True, False, True, False])
    seen, hidden = images[:, visible], images[:, ~visible]
    best = one_mask.linear_mae_optimum(images, visible, k)

    def loss(point):
        product = point[: 2 * k].reshape(2, k) @ point[2 * k :].reshape(k, 2)
        return float(((hidden - seen @ product) ** 2).sum()) / len(images)

    found = best_by_descent(loss, 4 * k, seed)
    assert found == pytest.approx(best.loss, rel=1e-7)
    assert found >= best.loss * (1 - 1e-12)
    assert loss_of_images(images, visible, best.decoder @ best.encoder) == pytest.approx(best.loss, rel=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_the_optimum_of_one_mask_is_read_off_whitened_cross_moments(seed):
    images, visible = correlated(seed), np.array([True, False, True, False, False])
    moment = images.T @ images / len(images)
    values, vectors = np.linalg.eigh(moment[np.ix_(visible, visible)])
    s = np.linalg.svd(vectors / np.sqrt(values) @ vectors.T @ moment[np.ix_(visible, ~visible)], compute_uv=False)
    for k in (1, 2, 4):
        expected = np.trace(moment[np.ix_(~visible, ~visible)]) - sum(s[:k] ** 2)
        assert one_mask.linear_mae_optimum(images, visible, k).loss == pytest.approx(expected, rel=1e-9)
        assert one_mask.least_loss(images, visible, k) == pytest.approx(expected, rel=1e-9)


def test_the_loss_of_one_mask_is_the_loops_and_its_optimum_does_not_look_at_hidden_pixels():
    images, visible = correlated(4), np.array([True, False, True, False, False])
    rng = generator(4)
    encoder, decoder = rng.normal(size=(2, 5)), rng.normal(size=(5, 2))
    expected = loss_of_images(images, visible, decoder @ encoder)
    assert one_mask.linear_loss(images, visible, encoder, decoder) == pytest.approx(expected, rel=1e-12)
    best = one_mask.linear_mae_optimum(images, visible, 2)
    assert not best.encoder[:, ~visible].any()
    assert not best.decoder[visible].any()


def test_on_one_hot_views_regression_and_the_graph_optimum_agree():
    """A linear map of one-hot views is any function of them, so the two closed forms must meet."""
    counts = np.array([[3, 1, 0], [0, 2, 1], [1, 0, 2], [1, 1, 1]])
    targets = np.array([[1.0, 0.0], [-1.0, 2.0], [0.5, -3.0]])
    pairs = [(i, j) for i in range(4) for j in range(3) for _ in range(counts[i, j])]
    images = np.array([[*np.eye(4)[i], *targets[j]] for i, j in pairs])
    graph = MaskGraph.from_joint(counts / counts.sum())
    for k in (1, 2):
        regression = one_mask.linear_mae_optimum(images, np.arange(6) < 4, k).loss
        assert regression == pytest.approx(on_graphs.linear_decoder_optimum(graph, targets, k).loss, rel=1e-12)


@given(st.integers(0, 10**6), st.floats(-7, 0), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_nothing_near_the_optima_over_masks_goes_below_them(seed, exponent, k):
    images, rng = correlated(seed, 6, 4), generator(seed, "noise")
    visible, law = rng.random((3, 4)) < 0.5, rng.dirichlet(np.ones(3))
    best = one_mask.linear_mae_optimum(images, visible[0], k)
    encoder = best.encoder + 10**exponent * rng.normal(size=(k, 4))
    decoder = best.decoder + 10**exponent * rng.normal(size=(4, k))
    shared = shared_linear_mae_optimum(images, visible, law)
    weights = shared.weights + 10**exponent * rng.normal(size=(4, 4))
    objects = {"images": images, "visible": visible, "mask_law": law}
    true = {Verdict.HOLDS, Verdict.TIGHT, Verdict.VACUOUS}
    alone = check("linear-mae-optimum", images=images, visible=visible[0], encoder=encoder, decoder=decoder)
    assert alone.verdict in true
    assert check("shared-linear-mae-optimum", **objects, weights=weights).verdict in true
    each = check("shared-linear-mae-bounded-mask-by-mask", **objects, encoder=encoder, decoder=decoder)
    assert each.verdict in true
    product = check("shared-linear-mae-optimum", **objects, weights=decoder @ encoder)
    assert product.lhs == pytest.approx(each.lhs, rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_shared_optimum_solves_the_normal_equations_of_each_row_and_its_slack_is_their_form(seed):
    images = correlated(seed, 9, 4)
    visible, law = UniformMasks(4, 2).support()
    law = law * np.arange(1, 7)
    law = law / law.sum()
    moment, best = images.T @ images / 9, shared_linear_mae_optimum(images, visible, law)
    weights = best.weights + 0.3 * generator(seed, "off").normal(size=(4, 4))
    slack = least = 0.0
    for j in range(4):
        gram, cross, energy = np.zeros((4, 4)), np.zeros(4), 0.0
        for q, mask in zip(law, visible):
            if not mask[j]:
                keep = np.diag(mask.astype(float))
                gram += q * keep @ moment @ keep
                cross += q * keep @ moment[:, j]
                energy += q * moment[j, j]
        row = np.linalg.pinv(gram) @ cross
        np.testing.assert_allclose(best.weights[j], row, atol=1e-9)
        slack += (weights[j] - row) @ gram @ (weights[j] - row)
        least += energy - row @ cross
    found = check("shared-linear-mae-optimum", images=images, visible=visible, mask_law=law, weights=weights)
    expected = sum(q * loss_of_images(images, mask, weights) for q, mask in zip(law, visible))
    assert found.lhs == pytest.approx(expected, rel=1e-12)
    assert found.rhs == best.loss == pytest.approx(least, rel=1e-9)
    assert found.slack == pytest.approx(slack, rel=1e-9)


def test_gradient_descent_on_shared_weights_reaches_the_shared_optimum():
    images = correlated(2, 9, 3)
    visible, law = UniformMasks(3, 1).support()

    def loss(point):
        weights = point.reshape(3, 3)
        error = [images - (images * mask) @ weights.T for mask in visible]
        return sum(q * (((e * ~mask) ** 2).sum() / 9) for q, e, mask in zip(law, error, visible))

    best = shared_linear_mae_optimum(images, visible, law)
    found = best_by_descent(loss, 9, 2, starts=1)
    assert found == pytest.approx(best.loss, rel=1e-7)
    assert found >= best.loss * (1 - 1e-12)
    assert shared_loss(images, visible, law, best.weights) == pytest.approx(best.loss, rel=1e-12)


def test_neither_bound_at_rank_k_makes_the_other_needless():
    """With one feature the masks one by one cost more than shared weights of full rank; with all features less."""
    images = correlated(5, 9, 4)
    visible, law = UniformMasks(4, 2).support()
    full = shared_linear_mae_optimum(images, visible, law).loss
    each = [sum(q * one_mask.least_loss(images, mask, k) for q, mask in zip(law, visible)) for k in (1, 4)]
    assert each[1] < 0.99 * full
    strong = np.kron(np.eye(2), np.ones((1, 2))) + 0.01 * np.eye(4)[:2]  # two pairs of equal pixels, independent
    split = np.array([[True, False, True, False]])
    alone = one_mask.least_loss(strong, split[0], 1)
    assert alone > 2 * shared_linear_mae_optimum(strong, split, np.ones(1)).loss


@pytest.mark.parametrize("visible", [np.zeros(3, bool), np.ones(3, bool)])
def test_masks_that_show_nothing_or_everything_have_their_obvious_optima(visible):
    images = np.array([[1.0, 2.0, 0.0], [-1.0, 0.0, 2.0]])
    expected = 0.0 if visible.all() else 5.0
    assert one_mask.linear_mae_optimum(images, visible, 2).loss == pytest.approx(expected)
    assert shared_linear_mae_optimum(images, visible[None], np.ones(1)).loss == pytest.approx(expected)


def test_bad_arguments_are_named():
    graph, targets = world(0)
    with pytest.raises(InputError, match="k must be at least 1 feature, but 0"):
        on_graphs.linear_decoder_optimum(graph, targets, 0)
    with pytest.raises(InputError, match="k must be at least 1 feature, but -2"):
        one_mask.linear_mae_optimum(np.ones((2, 3)), np.ones(3, bool), -2)
    with pytest.raises(InputError, match=r"flattened to \(n, D\).*\(2, 3\) and \(4,\)"):
        one_mask.linear_mae_optimum(np.ones((2, 3)), np.ones(4, bool), 1)
    with pytest.raises(InputError, match=r"\(2, 3\) and \(1, 2\)"):
        shared_linear_mae_optimum(np.ones((2, 3)), np.ones((1, 2), bool), np.ones(1))


@pytest.mark.parametrize("slug", ["linear-decoder-optimum", "linear-decoder-optimum-given-features"])
def test_a_decoder_that_is_not_linear_beats_both_bounds(slug):
    objects = THEOREMS[slug].broken()["linear decoder"]
    found = THEOREMS[slug].check(**objects)
    assert (found.lhs, found.slack) == (0.0, pytest.approx(-0.5))
