"""Gradient descent brings a linear masked autoencoder as near its closed-form optimum as its gradient implies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from reduced_rank import furthest_from_optimum

from maetheory.core import InputError
from maetheory.data import worlds
from maetheory.masks import UniformMasks
from maetheory.models import LinearMAE
from maetheory.theory import Verdict, check
from maetheory.theory.statements.linear_mae_is_reduced_rank_regression import linear_mae_optimum
from maetheory.theory.statements.shared_linear_mae_is_regression_row_by_row import shared_linear_mae_optimum

EPS = np.finfo(float).eps


def weighted_images(world: worlds.FiniteWorld) -> np.ndarray:
    """Images that are equally likely and have the second moments of the world, which is all a linear model sees."""
    pixels = world.pixels.reshape(len(world.states), -1)
    return np.sqrt(len(pixels) * world.probability)[:, None] * pixels


def descend(model: LinearMAE, images: torch.Tensor, visible: torch.Tensor, rate: float, steps: int) -> None:
    descent = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], rate, momentum=0.9, nesterov=True)
    for _ in range(steps):
        descent.zero_grad()
        model.loss(images, visible).backward()
        descent.step()
    descent.zero_grad()
    model.loss(images, visible).backward()  # the gradient where it stopped


@pytest.mark.parametrize("k", [1, 2])
def test_one_mask_reaches_reduced_rank_regression(k: int) -> None:
    torch.manual_seed(0)
    images = weighted_images(worlds.mixture(6, 2, 4, 0.1, seed=1))
    visible = np.array([True, True, True, False, False, False])
    model, best = LinearMAE(6, k).double(), linear_mae_optimum(images, visible, k)
    start = model.loss(torch.from_numpy(images), torch.from_numpy(visible)).item()
    descend(model, torch.from_numpy(images), torch.from_numpy(visible), 0.1, 1500)
    encoder, decoder = (matrix.detach().numpy() for matrix in (model.encoder, model.decoder))
    seen, hidden = (np.where(mask, images, 0.0) / np.sqrt(len(images)) for mask in (visible, ~visible))
    bound = furthest_from_optimum(seen @ encoder.T, _within(seen, hidden), decoder[~visible].T @ _pick(~visible))
    loss = model.loss(torch.from_numpy(images), torch.from_numpy(visible)).item()
    rounding = 64 * EPS * (images**2).sum() / len(images) * len(images)
    assert -rounding <= loss - best.loss <= bound + rounding
    assert bound < 1e-9 * best.loss
    assert start > 1.1 * best.loss
    result = check("linear-mae-optimum", images=images, visible=visible, encoder=encoder, decoder=decoder)
    assert result.verdict is Verdict.TIGHT
    assert (
        check(
            "linear-mae-optimum",
            images=images,
            visible=visible,
            encoder=encoder[::-1] * [1, -1, 1, 1, 1, 1],
            decoder=decoder,
        ).verdict
        is Verdict.HOLDS
    )


def _pick(chosen: np.ndarray) -> np.ndarray:
    return np.eye(len(chosen))[chosen]


def _within(seen: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Return the projection of the hidden pixels on the span of the visible ones."""
    return seen @ np.linalg.pinv(seen) @ hidden


def test_shared_weights_reach_the_optimum_row_by_row() -> None:
    torch.manual_seed(0)
    images = weighted_images(worlds.mixture(5, 2, 3, 0.1, seed=2))
    masks, law = UniformMasks(5, 2).support()
    best = shared_linear_mae_optimum(images, masks, law)
    model = LinearMAE(5).double()
    rows, shown = np.repeat(images, len(masks), axis=0), np.tile(masks, (len(images), 1))
    moment = images.T @ images / len(images)
    sizes = np.concatenate([np.linalg.eigvalsh(_hessian(moment, masks, law, pixel)) for pixel in range(5)])
    descend(model, torch.from_numpy(rows), torch.from_numpy(shown), 0.5 / sizes.max(), 400)
    gradient = model.decoder.grad.numpy()
    bound = (gradient**2).sum() / (4 * sizes[sizes > 1e-9].min())  # Polyak and Łojasiewicz, Hessian 2 E_m P_m Σ P_m
    loss = model.loss(torch.from_numpy(rows), torch.from_numpy(shown)).item()
    rounding = 64 * EPS * len(rows) * moment.trace()
    assert -rounding <= loss - best.loss <= bound + rounding
    assert bound < 1e-9 * best.loss
    weights = model.decoder.detach().numpy()
    assert (
        check("shared-linear-mae-optimum", images=images, visible=masks, mask_law=law, weights=weights).verdict
        is Verdict.TIGHT
    )
    for pixel in range(5):
        others = np.arange(5) != pixel
        distance = np.abs(weights[pixel, others] - best.weights[pixel, others]).max()
        least = np.linalg.eigvalsh(_hessian(moment, masks, law, pixel)[np.ix_(others, others)])[0]
        assert distance <= np.linalg.norm(gradient[pixel]) / (2 * least) + 64 * EPS * len(rows) / least


def _hessian(moment: np.ndarray, masks: np.ndarray, law: np.ndarray, pixel: int) -> np.ndarray:
    """E_m 1[pixel hidden] P_m Σ P_m, term by term."""
    return sum(q * np.outer(mask, mask) * moment for q, mask in zip(law, masks, strict=True) if not mask[pixel])


def test_hidden_values_do_not_enter_and_visible_ones_do_not_count() -> None:
    torch.manual_seed(0)
    model, images = LinearMAE(4, 2), torch.rand(3, 4)
    visible = torch.tensor([[True, True, False, False], [False, True, False, True], [True, False, True, True]])
    other = torch.where(visible, images, torch.rand(3, 4))
    torch.testing.assert_close(model(images, visible), model(other, visible), rtol=0, atol=0)
    assert (model(images, visible)[visible] == 0).all()
    slow = 0.0
    for image, mask in zip(images, visible, strict=True):
        for j in range(4):
            if not mask[j]:
                guess = sum(
                    model.decoder[j, a] * model.encoder[a, i] * image[i] for a in range(2) for i in range(4) if mask[i]
                )
                slow += (image[j] - guess) ** 2 / 3
    torch.testing.assert_close(model.loss(images, visible), torch.as_tensor(slow))


@pytest.mark.parametrize(
    ("images", "mask", "message"),
    [
        (torch.zeros(2, 1, 2, 2), torch.ones(4, dtype=torch.bool), r"flattened to \(B, 4\)"),
        (torch.zeros(2, 4), torch.ones(4), "boolean"),
        (torch.zeros(2, 4), torch.ones(2, dtype=torch.bool), r"shape \(4,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(images: torch.Tensor, mask: torch.Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        LinearMAE(4)(images, mask)
    with pytest.raises(InputError, match="at least 1"):
        LinearMAE(4, 0)
