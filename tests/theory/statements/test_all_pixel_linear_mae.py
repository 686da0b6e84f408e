"""The optimum of a linear MAE with its loss on all pixels against enumerated masks and alternating least squares."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.linalg import block_diag, eigh

from maetheory.core import InputError, generator
from maetheory.theory import Verdict, certify, check
from maetheory.theory.statements.linear_mae_on_all_pixels_is_a_generalised_eigenproblem import (
    all_pixel_linear_mae_loss,
    all_pixel_linear_mae_optimum,
    enumerated_loss,
)

PATCHES = np.array([0, 0, 1, 1, 2, 2])


def correlated(seed, n=9, d=6):
    rng = generator(seed, "images")
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)


def enumerated_moments(images, patches, m):
    """E E (R⊙x)(R⊙x)ᵀ and E E x(R⊙x)ᵀ by loops over masks and images."""
    d = images.shape[1]
    seen, cross = np.zeros((d, d)), np.zeros((d, d))
    for shown in product([0, 1], repeat=int(patches.max()) + 1):
        probability = np.prod([1 - m if one else m for one in shown])
        for x in images:
            visible = np.array([x[j] if shown[patches[j]] else 0.0 for j in range(d)])
            seen += probability * np.outer(visible, visible) / len(images)
            cross += probability * np.outer(x, visible) / len(images)
    return seen, cross


def best_of_alternating_least_squares(images, patches, m, k, starts=20, steps=400):
    """Least loss that least squares for the decoder and for the encoder in turn reach from random starts."""
    seen, cross = enumerated_moments(images, patches, m)
    energy, found = (images**2).sum() / len(images), []
    for start in range(starts):
        encoder = generator(start, "als").normal(size=(k, images.shape[1]))
        for _ in range(steps):
            decoder = cross @ encoder.T @ np.linalg.inv(encoder @ seen @ encoder.T)
            encoder = np.linalg.inv(decoder.T @ decoder) @ decoder.T @ cross @ np.linalg.inv(seen)
        w = decoder @ encoder
        found.append(energy - 2 * np.trace(w @ cross.T) + np.trace(w @ seen @ w.T))
    return min(found)


@pytest.mark.parametrize(("m", "k"), [(0.75, 2), (0.4, 1), (0.9, 3)])
def test_alternating_least_squares_over_enumerated_masks_reaches_the_optimum_and_no_less(m, k):
    images = correlated(0)
    best = all_pixel_linear_mae_optimum(images, PATCHES, m, k)
    found = best_of_alternating_least_squares(images, PATCHES, m, k)
    assert found == pytest.approx(best.loss, rel=1e-9)
    assert enumerated_loss(images, PATCHES, m, best.decoder @ best.encoder) == pytest.approx(best.loss, rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_closed_form_is_the_sum_over_masks_and_images(seed):
    images, weights = correlated(seed), generator(seed, "weights").normal(size=(6, 6))
    expected = 0.0
    for shown in product([False, True], repeat=3):
        probability = np.prod([0.3 if one else 0.7 for one in shown])
        for x in images:
            visible = [x[j] if shown[PATCHES[j]] else 0.0 for j in range(6)]
            expected += probability * sum((x[i] - weights[i] @ visible) ** 2 for i in range(6)) / len(images)
    assert enumerated_loss(images, PATCHES, 0.7, weights) == pytest.approx(expected, rel=1e-13)
    assert all_pixel_linear_mae_loss(images, PATCHES, 0.7, weights) == pytest.approx(expected, rel=1e-13)


def test_the_gains_are_generalised_eigenvalues():
    images, m = correlated(1), 0.6
    moment = images.T @ images / len(images)
    mixed = (1 - m) * moment + m * block_diag(*(moment[i : i + 2, i : i + 2] for i in (0, 2, 4)))
    gains = eigh(moment @ moment, mixed, eigvals_only=True)[::-1]
    for k in range(1, 7):
        expected = np.trace(moment) - (1 - m) * gains[:k].sum()
        assert all_pixel_linear_mae_optimum(images, PATCHES, m, k).loss == pytest.approx(expected, rel=1e-10)


def test_patches_may_have_any_names_and_order():
    images, order = correlated(2), np.array([3, 0, 5, 1, 4, 2])
    best = all_pixel_linear_mae_optimum(images, PATCHES, 0.5, 2).loss
    moved = all_pixel_linear_mae_optimum(images[:, order], 10 * PATCHES[order] - 7, 0.5, 2).loss
    assert moved == pytest.approx(best, rel=1e-12)


def test_one_patch_is_principal_components_and_hiding_everything_learns_nothing():
    images = correlated(3)
    moment = images.T @ images / len(images)
    top = np.linalg.eigvalsh(moment)[::-1]
    one = all_pixel_linear_mae_optimum(images, np.zeros(6, int), 0.5, 2).loss
    assert one == pytest.approx(np.trace(moment) - 0.5 * top[:2].sum(), rel=1e-12)
    assert all_pixel_linear_mae_optimum(images, PATCHES, 1.0, 2).loss == pytest.approx(np.trace(moment), rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 9])
def test_dependent_pixels_and_fewer_images_than_pixels_are_no_obstacle(n):
    images = np.repeat(correlated(4, n, 3), 2, axis=1)  # the pixels of a patch are equal
    images[:, 5] = 0.0
    best = all_pixel_linear_mae_optimum(images, PATCHES, 0.75, 3)
    seen, cross = enumerated_moments(images, PATCHES, 0.75)
    full = (images**2).sum() / n - np.trace(cross @ np.linalg.pinv(seen, rcond=1e-12) @ cross.T)
    assert best.loss == pytest.approx(full, rel=1e-9)
    assert enumerated_loss(images, PATCHES, 0.75, best.decoder @ best.encoder) == pytest.approx(full, rel=1e-9)


def test_a_loss_on_hidden_pixels_alone_has_another_optimum():
    """Visible pixels count: what is best for all pixels is not best for the hidden ones."""
    images = correlated(5)
    found = check(
        "shared-linear-mae-optimum",
        images=images,
        visible=np.array([[s[p] for p in PATCHES] for s in product([False, True], repeat=3)]),
        mask_law=np.full(8, 1 / 8),
        weights=(w := all_pixel_linear_mae_optimum(images, PATCHES, 0.5, 6)).decoder @ w.encoder,
    )
    assert found.verdict is Verdict.HOLDS
    assert found.slack > 1e-3 * found.scale


def test_the_optimum_is_tight_in_balls_too_and_a_probability_above_one_proves_nothing():
    pytest.importorskip("flint")
    images = np.round(correlated(6, 5, 4), 2)
    best = all_pixel_linear_mae_optimum(images, PATCHES[:4], 0.75, 2)
    world = {"images": images, "patches": PATCHES[:4], "encoder": best.encoder, "decoder": best.decoder}
    found = certify("all-pixel-linear-mae-optimum", **world, mask_probability=0.75)
    assert found.verdict in {Verdict.TIGHT, Verdict.HOLDS}
    assert float(found.rhs.low) == pytest.approx(best.loss, rel=1e-12)
    assert certify("all-pixel-linear-mae-optimum", **world, mask_probability=1.25).verdict is Verdict.INAPPLICABLE


def test_bad_arguments_are_named():
    images = correlated(0)
    with pytest.raises(InputError, match="k must be at least 1 feature, but 0"):
        all_pixel_linear_mae_optimum(images, PATCHES, 0.5, 0)
    for m in (0.0, 1.01, np.nan):
        with pytest.raises(InputError, match="mask_probability must be above 0 and at most 1"):
            all_pixel_linear_mae_optimum(images, PATCHES, m, 1)
    with pytest.raises(InputError, match=r"\(9, 6\) and \(5,\)"):
        all_pixel_linear_mae_optimum(images, PATCHES[:5], 0.5, 1)
    with pytest.raises(InputError, match="at most 16 patches can be enumerated, but there are 17"):
        enumerated_loss(np.ones((1, 17)), np.arange(17), 0.5, np.eye(17))
