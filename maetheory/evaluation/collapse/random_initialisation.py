"""Untrained networks of the same architecture: the random-initialisation baseline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from maetheory.checkpoints import Encoder
from maetheory.checkpoints.initialisations import Initialisation, apply_initialisation, initialisation_rules_of
from maetheory.checkpoints.resize_positions import is_sincos_embedding
from maetheory.models import MAE, SimMIM, ViT

NO_RANDOM_INIT = "there is no random-initialisation baseline for a callable, whose architecture is not known"


def random_init_models(
    encoder: Any, count: int, *, initialisation: Initialisation | None = None, seed: int = 0
) -> Iterator[torch.nn.Module]:
    """Yield `count` untrained networks, with seeds from `seed` on; none if the architecture is not known."""
    for number in range(count):
        model = random_init_model(encoder, initialisation=initialisation, seed=seed + number)
        if model is not None:
            yield model


def random_init_model(
    encoder: Any, *, initialisation: Initialisation | None = None, seed: int = 0
) -> torch.nn.Module | None:
    """Return an untrained network of the same architecture; None if the architecture is not known.

    A position table with MAE's fixed sines and cosines belongs to the architecture and is copied.

    Parameters
    ----------
    encoder : Encoder, ViT, MAE or SimMIM
    initialisation : Initialisation, optional
        The rule by which weights are drawn; by default that of the checkpoint's code base, MAE's if it is not known.
    seed : int
        Seed of the initial weights.
    """
    if not isinstance(encoder, Encoder | ViT | MAE | SimMIM):
        return None
    initialisation = initialisation or initialisation_rules(encoder)[0]
    device = next(encoder.parameters()).device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = type(encoder)(encoder.config)  # type: ignore[arg-type]  # each class takes its own config
        if isinstance(model, Encoder) and isinstance(encoder, Encoder):
            model.code_base = encoder.code_base
            fixed = _fixed_sincos_table(encoder)
            if fixed is not None:
                model.pos_embed = torch.nn.Parameter(fixed.clone(), requires_grad=False)
        apply_initialisation(model, initialisation)
    return model.to(device).eval()


def initialisation_rules(encoder: Any) -> tuple[Initialisation, ...]:
    """Return the initialisation rule of a model's code base, followed by the other usual rules.

    Parameters
    ----------
    encoder : Encoder, ViT, MAE or SimMIM
        For any other model the architecture is not known, and the result is empty.
    """
    if isinstance(encoder, Encoder):
        return initialisation_rules_of(
            encoder.code_base,
            fixed_positions=_fixed_sincos_table(encoder) is not None,
            layer_scale=encoder.config.layer_scale,
        )
    return initialisation_rules_of("maetheory") if isinstance(encoder, ViT | MAE | SimMIM) else ()


def architecture_key(encoder: Any) -> Any:
    """Return a key that is equal for encoders whose untrained networks are the same, None if there are none."""
    if not isinstance(encoder, Encoder):
        return None
    fixed = _fixed_sincos_table(encoder)
    return encoder.config, encoder.code_base, None if fixed is None else fixed.cpu().numpy().tobytes()


def _fixed_sincos_table(encoder: Encoder) -> torch.Tensor | None:
    """Return the position table of an encoder if it is the fixed one of MAE or MoCo-v3."""
    config, prefix = encoder.config, encoder.config.position_prefix
    if config.positions != "table":
        return None
    table = encoder.pos_embed.detach()
    if not any(is_sincos_embedding(table[0, prefix:], config.grid, swapped) for swapped in (False, True)):
        return None
    return table if prefix <= 1 and not table[:, :prefix].any() else None
