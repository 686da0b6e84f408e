"""Every weight matrix moves by the same share of its own length, however long its gradient is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class LARS(torch.optim.Optimizer):
    """Layer-wise adaptive rate scaling, with momentum (You, Gitman and Ginsburg 2017), as MAE probes with it.

    Parameters
    ----------
    parameters : iterable of Parameter, or of groups
    lr : float
    momentum : float
    weight_decay : float
        Added to the gradient of matrices, before its length is taken.
    trust : float
        How far, as a share of its own length, a matrix moves in one step of lr 1 from rest.

    Notes
    -----
    For a matrix w with gradient g: u = g + decay · w; u ← trust · ‖w‖ / ‖u‖ · u (unscaled where a length is 0);
    m ← momentum · m + u; w ← w - lr · m. Biases and other vectors take u = g. You et al. print ‖g‖ + decay · ‖w‖ for
    ‖u‖ and keep lr inside m; He et al. (2022) use the form here. Without decay they differ only while lr changes.
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float,
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 0.001,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust": trust})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update_parameter(parameter, parameter.grad, group)

    def _update_parameter(self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        update = gradient
        if parameter.ndim > 1:
            update = gradient + group["weight_decay"] * parameter
            ours, theirs = parameter.norm(), update.norm()
            scale = torch.where((ours > 0) & (theirs > 0), group["trust"] * ours / theirs, 1.0)
            update = update * scale
        state = self.state[parameter]
        past = state["momentum"] if "momentum" in state else torch.zeros_like(parameter)
        state["momentum"] = past * group["momentum"] + update
        parameter.sub_(state["momentum"], alpha=group["lr"])
