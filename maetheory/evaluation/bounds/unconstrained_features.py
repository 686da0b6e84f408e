"""Features that are free for every view are what the theory speaks of: one f in decoder, alignment and penalty.

The encoder is a table with one unnormalised vector per view, E‖f‖² is held at τ, the uniformity term sees f itself and
the decoder is linear: an isometry over √L, whose constant is L, or a trained matrix. Targets are the pixels of the
world, or follow the predictions, x₂ = E[h | x₂]: then the bias is zero, the loss is alignment and penalty alone, and
the bound of the predicted spectrum is attained.
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
from maetheory.theory.graph_quantities import umae_loss


@dataclass(frozen=True, eq=False)
class UnconstrainedFeatures:
    """A table of features after some steps of training.

    Attributes
    ----------
    step : int
    features : ndarray, shape (N1, k)
        f, with E‖f‖² = τ.
    h : ndarray, shape (N1, d)
        Its linear decoding, (f, 0)/√L or fW.
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
    rate: float = 0.03,
    looks: int = 1,
    seed: int = 0,
) -> tuple[UnconstrainedFeatures, ...]:
    """Train a table of features by Adam with a rate that falls to zero as half a cosine.

    Parameters
    ----------
    graph : MaskGraph
    k : int
        Number of features.
    weight, energy, lipschitz : float
        λ ≥ 0, τ = E‖f‖² > 0, and the L > 0 of the isometry.
    targets : ndarray, shape (N2, d), optional
        Pixels to be predicted; by default targets follow the predictions.
    decoder : "isometry" or "trained"
        z ↦ (z, 0)/√L, which needs k ≤ d, or a matrix W that is trained with f, which needs `targets`.
    steps : int
    rate : float
    looks : int
        How many tables to return, at steps even on a logarithmic scale after step 0; the last is that of the last step.
    seed : int
        Of the Gaussian start.

    Raises
    ------
    InputError
        If a number is out of range, or targets and decoder do not fit.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.25, 0.25], [0.25, 0.25]])
    >>> first, last = train_unconstrained_features(graph, 2, weight=0.1, looks=2, steps=300)
    >>> first.step, last.step, bool(first.loss > last.loss), round(last.loss, 6)
    (0, 300, True, 0.1)
    """
    if k < 1 or steps < 1 or looks < 1 or not (weight >= 0 and energy > 0 and lipschitz > 0 and rate > 0):
        raise InputError(
            f"k, steps and looks must be at least 1, weight not negative, and energy, lipschitz and rate positive, "
            f"but they are {k}, {steps}, {looks}, {weight}, {energy}, {lipschitz} and {rate}"
        )
    _check_decoder(graph, k, targets, decoder)
    run = _Optimisation(graph, k, weight, energy, lipschitz, targets, decoder == "trained", seed)
    wanted = _recorded_steps(steps, looks)
    descent = torch.optim.Adam(run.parameters, rate)
    tables = []
    for step in range(steps + 1):
        if step in wanted:
            tables.append(run.table(step))
        if step < steps:
            descent.param_groups[0]["lr"] = 0.5 * rate * (1 + math.cos(math.pi * step / steps))
            descent.zero_grad()
            run.loss().backward()
            descent.step()
    return tuple(tables)


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
    """Parameters of one training run, and the exact population loss in them."""

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
        self.rows = torch.from_numpy(rng.normal(size=(graph.shape[0], k))).requires_grad_()  # F, up to its length
        start = rng.normal(size=(k, d)) / math.sqrt(k) if trained else np.eye(k, d) / math.sqrt(lipschitz)
        self.decoder = torch.from_numpy(start).requires_grad_(trained)
        self.parameters = [self.rows, self.decoder] if trained else [self.rows]

    def features(self) -> Tensor:
        scale = math.sqrt(self.energy) / torch.linalg.norm(self.rows)
        return scale * self.rows / self.d1.sqrt()[:, None]  # (N1, k)

    def loss(self) -> Tensor:
        f = self.features()
        h = f @ self.decoder  # (N1, k) @ (k, d) -> (N1, d)
        x2 = self.joint.T @ h / self.d2[:, None] if self.pixels is None else self.pixels  # (N2, d)
        crossed = (h * (self.joint @ x2)).sum()
        reconstruction = self.d1 @ h.square().sum(1) - 2 * crossed + self.d2 @ x2.square().sum(1)
        moment = f.T @ (self.d1[:, None] * f)  # (k, N1) @ (N1, k) -> (k, k)
        return reconstruction + self.weight * moment.square().sum()

    def table(self, step: int) -> UnconstrainedFeatures:
        f, decoder = self.features().detach().numpy(), self.decoder.detach().numpy()
        h = f @ decoder
        targets = conditional_mean(self.graph, h) if self.pixels is None else self.pixels.numpy()
        loss = umae_loss(self.graph, h, targets, f, self.weight)
        return UnconstrainedFeatures(step, f, h, targets, self.weight, loss)


def _recorded_steps(steps: int, looks: int) -> frozenset[int]:
    """Return `looks` steps, fewer where they coincide: 0 and then even on a logarithmic scale; one look is the last."""
    return frozenset({steps} if looks == 1 else {0, *log_spaced_steps(steps, looks - 1)})
