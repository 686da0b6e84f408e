"""Parameter groups with layer-wise learning-rate decay (Bao et al. 2022)."""

from __future__ import annotations

from typing import Any

from torch import nn

EMBEDDING_PREFIXES = ("patch_embed.", "cls_token", "reg_token", "pos_embed", "norm_pre.")
NO_WEIGHT_DECAY = ("cls_token", "reg_token", "pos_embed")


def layer_id(name: str, depth: int) -> int:
    """Return the layer number of an encoder's parameter.

    Parameters
    ----------
    name : str
        As in `Encoder`.
    depth : int
        Number of blocks.

    Returns
    -------
    int
        0 for the embedding, i + 1 for block i, depth for a bias that all blocks share (as in BEiT's code), and
        depth + 1 for the norms and the head after the blocks.
    """
    if name.startswith(EMBEDDING_PREFIXES):
        return 0
    if name.startswith("blocks."):
        return int(name.split(".")[1]) + 1
    return depth if name.startswith("rel_pos_bias.") else depth + 1


def param_groups_layer_decay(
    encoder: nn.Module, depth: int, *, layer_decay: float, weight_decay: float
) -> list[dict[str, Any]]:
    """Return parameter groups for an optimiser, one for each layer and weight decay, from the embedding up.

    ``lr_scale`` of a group is layer_decay to the power of its distance from the head. Vectors, tokens and position
    tables have no weight decay.
    """
    groups: dict[tuple[int, float], list[nn.Parameter]] = {}
    for name, parameter in encoder.named_parameters():
        if parameter.requires_grad:
            decay = 0.0 if parameter.ndim <= 1 or name in NO_WEIGHT_DECAY else weight_decay
            groups.setdefault((layer_id(name, depth), decay), []).append(parameter)
    return [
        {"params": parameters, "weight_decay": decay, "lr_scale": layer_decay ** (depth + 1 - layer)}
        for (layer, decay), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]
