"""Each exact functional equals the triple loop that defines it."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.data import worlds
from maetheory.graph import (
    MaskGraph,
    alignment_loss,
    asymmetric_alignment,
    best_prediction,
    conditional_mean,
    irreducible_loss,
    mean_square,
    positive_pair_distance,
    reconstruction_loss,
    spectral_loss,
    target_variance,
    target_variance_given_mask,
    uniformity_loss,
)
from maetheory.graph import functionals as module
from maetheory.masks import UniformMasks

EPS = float(np.finfo(float).eps)


def slow(joint: list[list[float]], h: list, h_g: list, x: list) -> dict[str, float]:
    """Return every functional by loops over pairs and triples of nodes, in plain Python."""
    views, targets = range(len(joint)), range(len(joint[0]))
    width = range(len(h[0]))
    d1 = [sum(joint[i]) for i in views]
    d2 = [sum(joint[i][j] for i in views) for j in targets]

    def dot(a: list, b: list) -> float:
        return sum(a[c] * b[c] for c in width)

    def far(a: list, b: list) -> float:
        return sum((a[c] - b[c]) ** 2 for c in width)

    found = dict.fromkeys(("mae", "asym", "align", "gap", "unif", "square", "variance"), 0.0)
    for i in views:
        found["square"] += d1[i] * dot(h[i], h[i])
        for j in targets:
            found["mae"] += joint[i][j] * far(h[i], x[j])
            found["asym"] -= joint[i][j] * dot(h[i], h_g[j])
            for k in views:
                pair = joint[i][j] * joint[k][j] / d2[j]
                found["align"] -= pair * dot(h[i], h[k])
                found["gap"] += pair * far(h[i], h[k])
        for k in views:
            found["unif"] += d1[i] * d1[k] * dot(h[i], h[k]) ** 2
    # half the mean squared distance of two independent targets
    found["variance"] = sum(d2[j] * d2[k] * far(x[j], x[k]) for j in targets for k in targets) / 2
    found["best"] = (
        sum(joint[i][j] * joint[i][k] / d1[i] * far(x[j], x[k]) for i in views for j in targets for k in targets) / 2
    )
    return found


@pytest.mark.parametrize("seed", range(5))
def test_functionals_are_their_loops(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 17)  # many chunks
    rng = np.random.default_rng(seed)
    n1, n2, d = 6, 5, 3
    joint = rng.random((n1, n2)) * (rng.random((n1, n2)) < 0.5) + 0.01 * np.eye(n1, n2)
    joint[n2:, 0] += 0.02
    joint /= joint.sum()
    h, h_g, x = rng.standard_normal((n1, d)), rng.standard_normal((n2, d)), rng.standard_normal((n2, d))
    graph = MaskGraph.from_joint(joint)
    wanted = slow(joint.tolist(), h.tolist(), h_g.tolist(), x.tolist())
    tolerance = 8 * EPS * n1 * n1 * n2 * d * max((h**2).sum(1).max() ** 2, (x**2).sum(1).max(), 1.0)
    found = {
        "mae": reconstruction_loss(graph, h, x),
        "asym": asymmetric_alignment(graph, h, h_g),
        "align": alignment_loss(graph, h),
        "gap": positive_pair_distance(graph, h),
        "unif": uniformity_loss(graph, h),
        "square": mean_square(graph.degrees[0], h),
        "variance": target_variance(graph, x),
        "best": irreducible_loss(graph, x),
    }
    for name, value in found.items():
        assert abs(value - wanted[name]) <= tolerance, name
    assert abs(spectral_loss(graph, h) - 2 * wanted["align"] - wanted["unif"]) <= 3 * tolerance


def test_spectral_loss_is_a_matrix_distance() -> None:
    graph = MaskGraph.enumerate(worlds.mixture(4, 2, 2, 0.2), UniformMasks(4, 2), "dropped")
    f = np.random.default_rng(0).standard_normal((graph.shape[0], 3))
    features = np.sqrt(graph.degrees[0])[:, None] * f
    a = graph.augmentation.toarray()
    wanted = np.linalg.norm(a - features @ features.T) ** 2 - np.linalg.norm(a) ** 2
    assert spectral_loss(graph, f) == pytest.approx(wanted, abs=1e3 * EPS * max(1.0, abs(wanted)))


def test_alignment_split_of_the_reconstruction_loss() -> None:
    """L_MAE = ½E‖h − h⁺‖² + E‖E[h|x₂] − x₂‖², and L_MAE = E Var(x₂|x₁) + E‖h − E[x₂|x₁]‖²."""
    graph = MaskGraph.enumerate(worlds.mixture(4, 3, 2, 0.2, seed=2), UniformMasks(4, 2))
    x = graph.targets()
    h = np.random.default_rng(1).standard_normal((graph.shape[0], x.shape[1]))
    loss = reconstruction_loss(graph, h, x)
    bias = mean_square(graph.degrees[1], conditional_mean(graph, h) - x)
    assert loss == pytest.approx(positive_pair_distance(graph, h) / 2 + bias, rel=1e-12)
    miss = mean_square(graph.degrees[0], h - best_prediction(graph, x))
    assert loss == pytest.approx(irreducible_loss(graph, x) + miss, rel=1e-12)
    assert loss != pytest.approx(positive_pair_distance(graph, h) / 4 + bias, rel=1e-3)


def test_zero_is_zero_even_far_from_the_origin() -> None:
    graph = MaskGraph.enumerate(worlds.mixture(4, 2, 2, 0.2), UniformMasks(4, 2))
    component = graph.components[0]
    h = 1e6 * (1.0 + component[:, None])
    assert positive_pair_distance(graph, h) <= (1e6 * len(h) * 100 * EPS) ** 2
    assert positive_pair_distance(graph, h + np.arange(len(h))[:, None]) > 0.1


def test_variance_of_the_single_image_with_two_patches() -> None:
    """The printed lower bound of a constant encoder fails here: packed variance ¼, but 0 given the mask."""
    world = worlds.FiniteWorld([[0, 1]], [1.0], [0], [[0.0], [1.0]])
    graph = MaskGraph.enumerate(world, UniformMasks(2, 1))
    for embedding, printed in (("packed", 0.25), ("zero", 0.25)):
        assert target_variance(graph, graph.targets(embedding)) == printed
        assert target_variance_given_mask(graph, graph.targets(embedding)) == 0.0


def test_variance_given_the_mask_is_a_loop_over_masks_for_any_embedding() -> None:
    world, law = worlds.mixture(4, 3, 3, 0.25), UniformMasks(4, 2)
    wanted = 0.0
    for mask, q in zip(*law.support(), strict=True):
        x = world.pixels[:, ~mask, 0]
        mean = world.probability @ x
        wanted += q * sum(p * ((row - mean) ** 2).sum() for p, row in zip(world.probability, x, strict=True))
    graph = MaskGraph.enumerate(world, law)
    for embedding in ("zero", "packed"):
        assert target_variance_given_mask(graph, graph.targets(embedding)) == pytest.approx(wanted, rel=1e-12)
        assert target_variance(graph, graph.targets(embedding)) >= wanted - 1e-12
    named = np.array(["a", "b"])[graph.target_masks % 2]
    assert target_variance_given_mask(graph, graph.targets(), named) >= wanted


@pytest.mark.parametrize("name", ["mae", "align", "gap", "unif"])
def test_nan_is_nan(name: str) -> None:
    graph = MaskGraph.from_joint([[0.5], [0.5]])
    h = np.array([[np.nan], [0.0]])
    value = {
        "mae": lambda: reconstruction_loss(graph, h, np.zeros((1, 1))),
        "align": lambda: alignment_loss(graph, h),
        "gap": lambda: positive_pair_distance(graph, h),
        "unif": lambda: uniformity_loss(graph, h),
    }[name]()
    assert np.isnan(value)


def test_wrong_shapes_are_refused() -> None:
    graph = MaskGraph.from_joint([[0.25, 0.25], [0.0, 0.5]])
    with pytest.raises(InputError, match=r"2 views.*\(3, 1\)"):
        alignment_loss(graph, np.zeros((3, 1)))
    with pytest.raises(InputError, match="2 targets"):
        reconstruction_loss(graph, np.zeros((2, 1)), np.zeros(2))
    with pytest.raises(InputError, match="1 and 2"):
        reconstruction_loss(graph, np.zeros((2, 1)), np.zeros((2, 2)))
    with pytest.raises(InputError, match="joint law"):
        target_variance_given_mask(graph, np.zeros((2, 1)))
    with pytest.raises(InputError, match="one number per target"):
        target_variance_given_mask(graph, np.zeros((2, 1)), np.zeros(3, int))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float16", "longdouble"])
def test_functionals_compute_in_float64_whatever_the_dtype(dtype: str) -> None:
    graph = MaskGraph.from_joint([[0.3, 0.2], [0.1, 0.4]])
    h, targets = (np.array(rows).astype(dtype) for rows in ([[200], [100]], [[10], [240]]))
    wide, wide_targets = h.astype(float), targets.astype(float)
    for of_views in (alignment_loss, positive_pair_distance, uniformity_loss, spectral_loss, conditional_mean):
        assert np.array_equal(of_views(graph, h), of_views(graph, wide))
    for of_targets in (best_prediction, irreducible_loss, target_variance):
        assert np.array_equal(of_targets(graph, targets), of_targets(graph, wide_targets))
    for of_both in (reconstruction_loss, asymmetric_alignment):
        assert of_both(graph, h, targets) == of_both(graph, wide, wide_targets)
    assert mean_square(graph.degrees[0], h) == mean_square(graph.degrees[0], wide)
    with pytest.raises(InputError, match="real numbers, but it is complex"):
        mean_square(graph.degrees[0], wide * 1j)


def test_losses_that_overflow_are_refused_and_what_is_not_a_number_stays_so() -> None:
    graph = MaskGraph.from_joint([[0.3, 0.2], [0.1, 0.4]])
    huge = np.array([[1e200], [2.0]])
    for of_views in (alignment_loss, positive_pair_distance, uniformity_loss, spectral_loss):
        with pytest.raises(InputError, match="squares overflow"):
            of_views(graph, huge)
    for of_both in (reconstruction_loss, asymmetric_alignment):
        with pytest.raises(InputError, match="squares overflow"):
            of_both(graph, huge, huge)
        assert np.isnan(of_both(graph, huge * np.nan, huge))
