"""Uniformity penalties: values, gradients, and agreement to second order."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log

import numpy as np
import pytest
import torch

from maetheory import metrics
from maetheory.core import InputError
from maetheory.models import coding_rate, gaussian_potential, uniformity_loss, uniformity_penalty
from maetheory.models.penalties import UNIFORMITY_FORMS

EPS = float(np.finfo(np.float32).eps)


def squares(rows: np.ndarray, authors: bool = False) -> float:
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    values = [(a @ b) ** 2 for i, a in enumerate(unit) for j, b in enumerate(unit) if authors or i != j]
    return float(np.mean(values))


def gaussian(rows: np.ndarray, authors: bool = False) -> float:
    unit = [row / np.sqrt(row @ row) for row in rows]
    values = [exp(-2 * (a - b) @ (a - b)) for i, a in enumerate(unit) for j, b in enumerate(unit) if authors or i != j]
    return log(sum(values) / len(values))


def rate(rows: np.ndarray, authors: bool = False) -> float:
    unit = np.array([row / np.sqrt(row @ row) for row in rows])
    return -float(sum(log(1 + s**2 / len(rows)) for s in np.linalg.svd(unit, compute_uv=False)))


ORACLES: dict[str, Callable[..., float]] = {"squares": squares, "gaussian": gaussian, "coding-rate": rate}


def rows(n: int, d: int) -> np.ndarray:
    return np.random.default_rng(n).normal(size=(n, d)) + 0.5


@pytest.mark.parametrize("form", UNIFORMITY_FORMS)
@pytest.mark.parametrize("authors", [False, True])
@pytest.mark.parametrize("shape", [(9, 3), (3, 9)])
def test_is_the_slow_sum(form: str, authors: bool, shape: tuple[int, int]) -> None:
    z = rows(*shape)
    ours = uniformity_penalty(torch.tensor(z), form=form, convention="authors" if authors else "off-diagonal")  # type: ignore[arg-type]  # a str
    assert float(ours) == pytest.approx(ORACLES[form](z, authors), abs=100 * EPS)


@pytest.mark.parametrize("form", UNIFORMITY_FORMS)
@pytest.mark.parametrize("authors", [False, True])
@pytest.mark.parametrize("shape", [(9, 3), (3, 9)])
def test_gradient_is_the_difference_quotient_of_the_slow_sum(form: str, authors: bool, shape: tuple[int, int]) -> None:
    z, h = rows(*shape), 1e-5
    tracked = torch.tensor(z, dtype=torch.float32, requires_grad=True)
    uniformity_penalty(tracked, form=form, convention="authors" if authors else "off-diagonal").backward()  # type: ignore[arg-type]  # a str
    slopes = np.empty_like(z)
    for index in np.ndindex(*z.shape):
        up, down = z.copy(), z.copy()
        up[index] += h
        down[index] -= h
        slopes[index] = (ORACLES[form](up, authors) - ORACLES[form](down, authors)) / (2 * h)
    assert tracked.grad is not None
    np.testing.assert_allclose(tracked.grad.numpy(), slopes, rtol=0, atol=100 * EPS * max(1.0, np.abs(slopes).max()))


@pytest.mark.parametrize("form", UNIFORMITY_FORMS)
def test_length_of_features_does_not_count(form: str) -> None:
    z = torch.tensor(rows(6, 4))
    scaled = z * torch.tensor([[0.1], [3.0], [1.0], [7.0], [2.0], [0.5]])
    one, two = (float(uniformity_penalty(each, form=form)) for each in (z, scaled))  # type: ignore[arg-type]  # a str
    assert one == pytest.approx(two, abs=100 * EPS)


def test_collapsed_and_spread() -> None:
    assert float(gaussian_potential(torch.ones(5, 3))) == pytest.approx(0, abs=100 * EPS)
    assert float(coding_rate(torch.ones(5, 3), distortion=0.25)) == pytest.approx(log(5))
    assert float(coding_rate(torch.eye(4), distortion=0.5)) == pytest.approx(4 * log(1.5))


def test_the_potential_is_the_metric_of_the_same_name() -> None:
    z = rows(20, 5)
    assert float(gaussian_potential(torch.tensor(z))) == pytest.approx(metrics.uniformity(z), abs=100 * EPS)


def test_uniformity_is_the_second_order_of_the_coding_rate() -> None:
    z = torch.tensor(rows(12, 6))
    for distortion in (30.0, 100.0):
        second = 1 / distortion - float(uniformity_loss(z, convention="authors")) / (2 * distortion**2)
        remainder = float(coding_rate(z, distortion=distortion)) - second
        assert -100 * EPS <= remainder <= 1 / (3 * distortion**3) + 100 * EPS


@pytest.mark.parametrize("form", UNIFORMITY_FORMS)
def test_refusals(form: str) -> None:
    with pytest.raises(InputError, match="at least 2 rows"):
        uniformity_penalty(torch.ones(1, 3), form=form)  # type: ignore[arg-type]  # a str
    if form != "coding-rate":
        with pytest.raises(InputError, match="convention"):
            uniformity_penalty(torch.ones(2, 3), form=form, convention="else")  # type: ignore[arg-type]  # a str
    with pytest.raises(InputError, match="form of uniformity must be one of squares, gaussian, coding-rate"):
        uniformity_penalty(torch.ones(2, 3), form="cubes")  # type: ignore[arg-type]  # a str
