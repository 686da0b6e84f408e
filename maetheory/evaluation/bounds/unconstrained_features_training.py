"""Train unconstrained features (one vector per view) with the exact population loss.

This is the setting of the theory: decoder, alignment and uniformity term use the same f. The encoder is a table with
one unnormalised vector per view, E‖f‖² is fixed at τ, and the decoder is linear: an isometry divided by √L, whose
constant is L, or a trained matrix. Targets are the pixels of the world, or equal E[h | x₂]: then the bias is zero, the
loss is the sum of alignment and uniformity term, and the bound of the predicted spectrum is attained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from maetheory.core import InputError, generator
from maetheory.evaluation.bounds.callback import log_spaced_steps
from maetheory.graph import MaskGraph, conditional_mean
from maetheory.theory.theorem_quantities import umae_loss


@dataclass(frozen=True, eq=False)
class UnconstrainedFeatures:
    """Features, predictions and loss after some steps of training.

    Attributes
    ----------
    step : int
    features : ndarray, shape (N1, k)
        f, with E‖f‖² = τ.
    h : ndarray, shape (N1, d)
        The output of the linear decoder, (f, 0)/√L or fW.
    targets : ndarray, shape (N2, d)
        E[h | x₂], or the pixels.
    weight : float
        λ.
    loss : float
        L_U-MAE = E‖h − x₂‖² + λ L_unif(f), exact.
    """

    step: int
    features: np.ndarray
    h: np.ndarray
    targets: np.ndarray
    weight: float
    loss: float


def train_unconstrained_features(
    graph: MaskGraph,
    k: int,
    *,
    weight: float,
    energy: float = 1.0,
    lipschitz: float = 1.0,
    targets: np.ndarray | None = None,
    decoder: Literal["isometry", "trained"] = "isometry",
    steps: int = 1500,
    learning_rate: float = 0.03,
    n_measurements: int = 1,
    seed: int = 0,
) -> tuple[UnconstrainedFeatures, ...]:
    """Train a table of features by Adam with a cosine learning-rate schedule that ends at zero.

    Parameters
    ----------
    graph : MaskGraph
    k : int
        Number of features.
    weight, energy, lipschitz : float
        λ ≥ 0, τ = E‖f‖² > 0, and the L > 0 of the isometry.
    targets : ndarray, shape (N2, d), optional
        Pixels to be predicted; by default the targets are E[h | x₂].
    decoder : "isometry" or "trained"
        z ↦ (z, 0)/√L, which requires k ≤ d, or a matrix W that is trained with f, which requires `targets`.
    steps : int
    learning_rate : float
    n_measurements : int
        Number of results to return: at step 0, then evenly spaced on a logarithmic scale up to the last step; a single
        one is that of the last step.
    seed : int
        Seed of the Gaussian initial values.

    Raises
    ------
    InputError
        If a number is out of range, or targets and decoder do not fit.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.25, 0.25], [0.25, 0.25]])
    >>> first, last = train_unconstrained_features(graph, 2, weight=0.1, n_measurements=2, steps=300)
    >>> first.step, last.step, bool(first.loss > last.loss), round(last.loss, 6)
    (0, 300, True, 0.1)
    """
    if (
        k < 1
        or steps < 1
        or n_measurements < 1
        or not (weight >= 0 and energy > 0 and lipschitz > 0 and learning_rate > 0)
    ):
        raise InputError(
            f"k, steps and n_measurements must be at least 1, weight not negative, and energy, lipschitz and "
            f"learning_rate positive, but they are {k}, {steps}, {n_measurements}, {weight}, {energy}, "
            f"{lipschitz} and {learning_rate}"
        )
    _check_decoder(graph, k, targets, decoder)
    run = _Optimisation(graph, k, weight, energy, lipschitz, targets, decoder == "trained", seed)
    recorded_steps = _recorded_steps(steps, n_measurements)
    optimizer = torch.optim.Adam(run.parameters, learning_rate)
    snapshots = []
    for step in range(steps + 1):
        if step in recorded_steps:
            snapshots.append(run.snapshot(step))
        if step < steps:
            optimizer.param_groups[0]["lr"] = 0.5 * learning_rate * (1 + math.cos(math.pi * step / steps))
            optimizer.zero_grad()
            run.loss().backward()
            optimizer.step()
    return tuple(snapshots)


def _check_decoder(graph: MaskGraph, k: int, targets: np.ndarray | None, decoder: str) -> None:
    if decoder not in ("isometry", "trained"):
        raise InputError(f"the decoder must be 'isometry' or 'trained', but it is {decoder!r}")
    if targets is None:
        if decoder == "trained":
            raise InputError("a trained decoder needs fixed targets, since targets that follow it would follow it to 0")
        return
    if np.ndim(targets) != 2 or len(targets) != graph.shape[1]:
        raise InputError(
            f"targets must have one row for each of the graph's {graph.shape[1]} targets, but their shape "
            f"is {np.shape(targets)}"
        )
    if decoder == "isometry" and k > targets.shape[1]:
        raise InputError(
            f"an isometry cannot lay {k} features into {targets.shape[1]} pixels: take at most as many "
            "features, or a trained decoder"
        )


class _Optimisation:
    """Parameters of one training run, with the exact population loss as their function."""

    def __init__(
        self,
        graph: MaskGraph,
        k: int,
        weight: float,
        energy: float,
        lipschitz: float,
        targets: np.ndarray | None,
        trained: bool,
        seed: int,
    ) -> None:
        self.graph, self.weight, self.energy = graph, weight, energy
        self.joint = torch.from_numpy(graph.joint.toarray())
        self.d1, self.d2 = (torch.from_numpy(degrees) for degrees in graph.degrees)
        self.pixels = None if targets is None else torch.from_numpy(np.asarray(targets, float))
        rng, d = generator(seed, "free features"), k if self.pixels is None else self.pixels.shape[1]
        self.rows = torch.from_numpy(rng.normal(size=(graph.shape[0], k))).requires_grad_()  # f, before scaling
        initial = rng.normal(size=(k, d)) / math.sqrt(k) if trained else np.eye(k, d) / math.sqrt(lipschitz)
        self.decoder = torch.from_numpy(initial).requires_grad_(trained)
        self.parameters = [self.rows, self.decoder] if trained else [self.rows]

    def features(self) -> Tensor:
        """Return f, shape (N1, k), with E‖f‖² = τ."""
        scale = math.sqrt(self.energy) / torch.linalg.norm(self.rows)
        return scale * self.rows / self.d1.sqrt()[:, None]  # (N1, k)

    def loss(self) -> Tensor:
        """Return the exact population loss, up to floating-point error."""
        f = self.features()
        h = f @ self.decoder  # (N1, k) @ (k, d) -> (N1, d)
        x2 = self.joint.T @ h / self.d2[:, None] if self.pixels is None else self.pixels  # (N2, d)
        crossed = (h * (self.joint @ x2)).sum()
        reconstruction = self.d1 @ h.square().sum(1) - 2 * crossed + self.d2 @ x2.square().sum(1)
        moment = f.T @ (self.d1[:, None] * f)  # (k, N1) @ (N1, k) -> (k, k)
        return reconstruction + self.weight * moment.square().sum()

    def snapshot(self, step: int) -> UnconstrainedFeatures:
        """Return the current features, predictions and loss as NumPy arrays."""
        f, decoder = self.features().detach().numpy(), self.decoder.detach().numpy()
        h = f @ decoder
        targets = conditional_mean(self.graph, h) if self.pixels is None else self.pixels.numpy()
        loss = umae_loss(self.graph, h, targets, f, self.weight)
        return UnconstrainedFeatures(step, f, h, targets, self.weight, loss)


def _recorded_steps(steps: int, count: int) -> frozenset[int]:
    """Return at most `count` steps: 0, then evenly spaced on a logarithmic scale; a single one is the last step."""
    return frozenset({steps} if count == 1 else {0, *log_spaced_steps(steps, count - 1)})
