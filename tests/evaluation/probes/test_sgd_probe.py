"""SGD and LARS probes: single steps against a plain loop, and convergence to the optimum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import nn

from maetheory.core import InputError
from maetheory.data import ImageSet
from maetheory.evaluation import ProbeConfig, encode, linear_probe, sgd_probe
from maetheory.evaluation.probes.lars import LARS
from maetheory.evaluation.probes.sgd_probe import fold_batch_norm, initial_head, train_head
from maetheory.models import MAE, MAEConfig, ViTConfig


def clouds(distance: float, n: int = 240, d: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three Gaussian clouds, off centre and of unlike scales, in float32."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    Z = rng.standard_normal((n, d)) + distance * np.eye(3, d)[y]
    return (Z * np.geomspace(0.1, 10, d) + 3).astype(np.float32), y


def test_lars_steps_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    values = {"matrix": rng.normal(size=(3, 4)), "vector": rng.normal(size=4), "zero": np.zeros((2, 2))}
    parameters = {name: nn.Parameter(torch.tensor(value)) for name, value in values.items()}
    optimizer = LARS(parameters.values(), 1.0, momentum=0.8, weight_decay=0.3, trust_coefficient=0.02)
    momenta = {name: np.zeros_like(value) for name, value in values.items()}
    for step in range(5):
        rate = 2.0 / (1 + step)
        for name, value in values.items():
            gradient = rng.normal(size=value.shape) * (step != 3)  # once no gradient at all
            parameters[name].grad = torch.tensor(gradient)
            update = gradient
            if value.ndim == 2:
                update = gradient + 0.3 * value
                length, other = np.sqrt((value**2).sum()), np.sqrt((update**2).sum())
                if length > 0 and other > 0:
                    update = 0.02 * length / other * update
            momenta[name] = 0.8 * momenta[name] + update
            values[name] = value - rate * momenta[name]
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
    for name, value in values.items():
        np.testing.assert_allclose(parameters[name].detach().numpy(), value, rtol=1e-13, atol=1e-15)


def test_lars_does_not_depend_on_the_norm_of_a_gradient() -> None:
    moved = []
    for scale in (1e-8, 1e8):
        parameter = nn.Parameter(torch.ones(4, 4, dtype=torch.float64))
        parameter.grad = scale * torch.arange(16, dtype=torch.float64).reshape(4, 4)
        LARS([parameter], 0.5, trust_coefficient=0.01).step()
        moved.append(1 - parameter.detach())
    torch.testing.assert_close(moved[0], moved[1])
    assert float(moved[0].norm()) == pytest.approx(0.5 * 0.01 * 4)


def test_a_trained_head_is_one_linear_map() -> None:
    Z, y = clouds(1.0)
    head = initial_head(5, 3, seed=0)
    train_head(head, torch.from_numpy(Z), torch.from_numpy(y), ProbeConfig("sgd", epochs=7, batch=50))
    one = fold_batch_norm(head)
    assert type(one) is nn.Linear
    other = torch.from_numpy(clouds(0.0, seed=1)[0])
    logits = head(other).detach()
    size = float(logits.abs().max())
    torch.testing.assert_close(one(other).detach(), logits, rtol=0, atol=40 * torch.finfo(torch.float32).eps * size)
    running_mean = head[0].running_mean  # the mean over seven epochs of four batches each, of all but 40 images
    assert running_mean is not None
    assert np.abs((running_mean.numpy() - Z.mean(0)) / Z.std(0)).max() < 0.05


def objective(flat: np.ndarray, Z: np.ndarray, y: np.ndarray, decay: float) -> tuple[float, np.ndarray]:
    """Mean cross-entropy and decay / 2 · ‖W‖², and the gradient."""
    W, b = flat[:-3].reshape(3, -1), flat[-3:]
    share = np.exp(Z @ W.T + b)
    share /= share.sum(1, keepdims=True)
    value = decay / 2 * (W**2).sum() - np.log(share[np.arange(len(y)), y]).mean()
    share[np.arange(len(y)), y] -= 1
    return value, np.append((share.T @ Z / len(y) + decay * W).ravel(), share.mean(0))


@pytest.mark.parametrize("distance", [0.7, 8.0])  # clouds that overlap, and clouds a linear map separates
def test_sgd_ends_where_the_optimum_is(distance: float) -> None:
    Z, y = clouds(distance)
    decay = 1 / (0.1 * len(y))
    config = ProbeConfig("sgd", epochs=400, base_lr=0.5 * 256 / len(y), weight_decay=decay)
    head = initial_head(5, 3, seed=0)
    train_head(head, torch.from_numpy(Z), torch.from_numpy(y), config)
    standard = (Z - Z.mean(0, dtype=float)) / Z.std(0, dtype=float)
    best = minimize(
        objective,
        np.zeros(18),
        (standard, y, decay),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 10_000, "ftol": 0, "gtol": 1e-10},
    )
    found = np.append(head[1].weight.detach().numpy().ravel(), head[1].bias.detach().numpy())
    value, gradient = objective(found.astype(float), standard, y, decay)
    # float32 sums of N terms of the size of a standardised feature; strong convexity turns gradients into distances
    assert np.linalg.norm(gradient) < 30 * np.finfo(np.float32).eps * np.abs(standard).max() * np.sqrt(18)
    assert value - best.fun < np.linalg.norm(gradient) ** 2 / decay + 1e-12
    np.testing.assert_allclose(found[:-3], best.x[:-3], rtol=0, atol=np.linalg.norm(gradient) / decay)
    test, truth = clouds(distance, 600, seed=1)
    ours, closed = sgd_probe(Z, y, test, truth, config), linear_probe(Z, y, test, truth, C=0.1)
    assert abs(ours.accuracy - closed.accuracy) <= 2 / 600  # scikit-learn stops at a gradient of 1e-4
    assert closed.accuracy > 0.99 if distance > 5 else 0.5 < closed.accuracy < 0.9


@pytest.mark.parametrize("optimizer", ["sgd", "lars"])
def test_both_readouts_and_the_seed(optimizer: str) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 4
    pixels = 0.5 * rng.random((200, 1, 8, 8)) + 0.125 * labels[:, None, None, None]
    images = ImageSet(pixels.astype(np.float32), labels, "four shades of noise")
    torch.manual_seed(0)
    model = MAE(MAEConfig(ViTConfig(8, 2, 1, width=16, depth=2, heads=2), 16, 1, 2))
    config = ProbeConfig(optimizer, epochs=8, batch=20, base_lr=10.0, warmup_epochs=2.0, trust=0.05)  # type: ignore[arg-type]
    for readout in ("cls", "mean"):
        Z = encode(model, images, readout=readout)  # type: ignore[arg-type]
        split = (Z[:120], labels[:120], Z[120:], labels[120:])
        result = sgd_probe(*split, config)
        assert result.accuracy > 0.9
        assert sgd_probe(*split, config) == result
        assert ("LARS" in result.recipe) == (optimizer == "lars")
        assert "batch 20, base lr" in result.recipe
    heads = [initial_head(16, 4, 0), initial_head(16, 4, 0), initial_head(16, 4, 1)]
    for head, seed in zip(heads, (0, 0, 1), strict=True):
        train_head(head, Z, torch.from_numpy(labels), replace(config, seed=seed))
    assert torch.equal(heads[0][1].weight, heads[1][1].weight)
    assert not torch.equal(heads[0][1].weight, heads[2][1].weight)


def test_classes_keep_their_names() -> None:
    Z, y = clouds(8.0)
    result = sgd_probe(Z, 10 * y + 3, Z, 10 * y + 3, ProbeConfig("sgd", epochs=30, batch=40))
    assert result.accuracy > 0.98


def test_a_diverging_probe_raises_an_error_with_advice() -> None:
    Z, y = clouds(0.0)
    with pytest.raises(InputError, match="lower its base_lr"):
        sgd_probe(Z, y, Z, y, ProbeConfig("sgd", base_lr=1e30, weight_decay=1.0, warmup_epochs=0))
    with pytest.raises(InputError, match="one label a row"):
        sgd_probe(Z, y[:3], Z, y)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"optimizer": "adam"}, "'lars' or 'sgd'"),
        ({"epochs": 0}, "epochs"),
        ({"batch": 1}, "batch must be at least 2"),
        ({"base_lr": 0.0}, "base_lr"),
        ({"trust": -1.0}, "trust"),
        ({"momentum": 1.0}, "momentum"),
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"warmup_epochs": float("nan")}, "warmup_epochs"),
    ],
)
def test_invalid_configurations_are_refused(change: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        ProbeConfig(**change)  # type: ignore[arg-type]
