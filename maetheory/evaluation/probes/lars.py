"""LARS optimiser (You, Gitman and Ginsburg 2017) in the form that MAE uses for linear probes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class LARS(torch.optim.Optimizer):
    """Layer-wise adaptive rate scaling with momentum: every matrix moves in proportion to its own norm.

    Parameters
    ----------
    parameters : iterable of Parameter, or of groups
    lr : float
    momentum : float
    weight_decay : float
        Added to the gradient of matrices, before its norm is taken.
    trust_coefficient : float
        The length of the first step of a matrix at lr 1, as a fraction of its own norm.

    Notes
    -----
    For a matrix w with gradient g: u = g + decay · w; u ← trust_coefficient · ‖w‖ / ‖u‖ · u (unscaled if a norm is 0);
    m ← momentum · m + u; w ← w - lr · m. For biases and other vectors u = g. You et al. print ‖g‖ + decay · ‖w‖ for
    ‖u‖ and include lr in m; He et al. (2022) use the form here. Without decay the two differ only while lr changes.
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float,
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust_coefficient: float = 0.001,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust_coefficient": trust_coefficient,
        }
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # takes no closure
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update_parameter(parameter, parameter.grad, group)

    def _update_parameter(self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        update = gradient
        if parameter.ndim > 1:
            update = gradient + group["weight_decay"] * parameter
            norm, update_norm = parameter.norm(), update.norm()
            scale = torch.where((norm > 0) & (update_norm > 0), group["trust_coefficient"] * norm / update_norm, 1.0)
            update = update * scale
        state = self.state[parameter]
        momentum = state["momentum"] if "momentum" in state else torch.zeros_like(parameter)
        state["momentum"] = momentum * group["momentum"] + update
        parameter.sub_(state["momentum"], alpha=group["lr"])
