"""Find the linear classifier head of a checkpoint, with the norm before it where it was trained with one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from maetheory.checkpoints.encoder_config import EncoderConfig


class ClassifierHead(NamedTuple):
    """Module of a classifier, its state dict, the number of classes and the readout; the module is not loaded yet."""

    module: nn.Module
    tensors: dict[str, Tensor]
    classes: int
    readout: Literal["cls", "mean"]


def find_classifier_head(tensors: Mapping[str, Tensor], config: EncoderConfig, readout: str) -> ClassifierHead | None:
    """Return the classifier among canonical tensors, None without a whole one for inputs of the encoder's width.

    ``head.weight`` is a linear map; ``head.0.running_mean`` and ``head.1.weight`` are MAE's linear probe, a batch norm
    without scale before it (He et al. 2022, appendix A.1); ``fc_norm`` beside a final norm belongs to the head.
    """
    probe = "head.0.running_mean" in tensors
    stem = "head.1." if probe else "head."
    weight = tensors.get(f"{stem}weight")
    if weight is None or weight.ndim != 2 or weight.shape[1] != config.width or weight.shape[0] == 0:
        return None
    layers: list[tuple[nn.Module, dict[str, Tensor]]] = []
    own_norm = config.norm == "final" and "fc_norm.weight" in tensors
    if own_norm:
        values = _tensors_below("fc_norm.", tensors, ("weight", "bias"))
        layers.append((nn.LayerNorm(config.width, config.eps), values))
    if probe:
        statistics = _tensors_below("head.0.", tensors, ("running_mean", "running_var"))
        statistics["num_batches_tracked"] = torch.tensor(0)
        layers.append((nn.BatchNorm1d(config.width, eps=1e-6, affine=False), statistics))
    linear = nn.Linear(config.width, weight.shape[0], bias=f"{stem}bias" in tensors)
    values = _tensors_below(stem, tensors, ("weight", "bias"))
    layers.append((linear, values))
    if not all(_fits(module, own) for module, own in layers):
        return None
    mean: bool = own_norm or not config.cls or config.norm == "pooled" or readout == "mean"
    head_readout: Literal["cls", "mean"] = "mean" if mean else "cls"
    if len(layers) == 1:
        return ClassifierHead(linear, values, len(weight), head_readout)
    named = {f"{i}.{name}": value for i, (_, own) in enumerate(layers) for name, value in own.items()}
    return ClassifierHead(nn.Sequential(*(layer for layer, _ in layers)), named, len(weight), head_readout)


def _tensors_below(stem: str, tensors: Mapping[str, Tensor], names: Sequence[str]) -> dict[str, Tensor]:
    """Return those of the tensors below a stem that there are, by the rest of their names."""
    return {name: tensors[stem + name] for name in names if stem + name in tensors}


def _fits(module: nn.Module, tensors: Mapping[str, Tensor]) -> bool:
    """Return whether a module has parameters of exactly these names and shapes."""
    wanted = {name: value.shape for name, value in module.state_dict().items()}
    return wanted == {name: value.shape for name, value in tensors.items()}


def is_head_key(name: str, config: EncoderConfig) -> bool:
    """Return whether a canonical name belongs to the classifier."""
    return name.startswith("head.") or (config.norm == "final" and name.startswith("fc_norm."))
