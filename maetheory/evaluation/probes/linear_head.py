"""A linear classification head with reproducible initial weights."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


def initial_linear(width: int, classes: int, std: float, rng: np.random.Generator) -> nn.Linear:
    """Return a linear map with weights N(0, std²), drawn from `rng`, and bias 0."""
    linear = nn.Linear(width, classes)
    weights = rng.normal(scale=std, size=(classes, width))
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(weights))
        linear.bias.zero_()
    return linear
