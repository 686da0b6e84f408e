"""Small networks of our own and of a foreign code base, with weights far from their initial values."""

from __future__ import annotations

from typing import Any

import torch

from maetheory.checkpoints import EncoderConfig
from maetheory.models import MAE, MAEConfig, ViTConfig

CONFIG = MAEConfig(ViTConfig(8, 2, 1, width=16, depth=2, heads=2), 16, 1, 2)
FOREIGN = EncoderConfig(8, 2, 1, 16, 2, 2, 16, 32, mean=(0.5,), std=(0.5,))


def trained(kind: Any = MAE, config: Any = CONFIG) -> Any:
    """A model whose weights are far from their initial values."""
    torch.manual_seed(7)
    model = kind(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model
