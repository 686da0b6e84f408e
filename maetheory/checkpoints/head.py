"""A classifier that a file brings along is a linear map, behind a norm where it was trained so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from maetheory.checkpoints.encoder import EncoderConfig


class ClassifierHead(NamedTuple):
    """A classifier without its values yet; `tensors` has those under the names of `module`."""

    module: nn.Module
    tensors: dict[str, Tensor]
    classes: int
    readout: Literal["cls", "mean"]


def find_classifier_head(tensors: Mapping[str, Tensor], config: EncoderConfig, readout: str) -> ClassifierHead | None:
    """Return the classifier among canonical tensors, None where there is none that reads one token's width.

    ``head.weight`` is a linear map; ``head.0.running_mean`` and ``head.1.weight`` are MAE's linear probe, a batch norm
    without scale before it (He et al. 2022, appendix A.1); ``fc_norm`` beside a final norm belongs to the head.
    """
    probe = "head.0.running_mean" in tensors
    weight = tensors.get("head.1.weight" if probe else "head.weight")
    if weight is None or weight.ndim != 2 or weight.shape[1] != config.width or weight.shape[0] == 0:
        return None
    stem = "head.1." if probe else "head."
    linear = nn.Linear(config.width, weight.shape[0], bias=f"{stem}bias" in tensors)
    values = {name.removeprefix(stem): tensors[name] for name in (f"{stem}weight", f"{stem}bias") if name in tensors}
    layers: list[tuple[nn.Module, dict[str, Tensor]]] = [(linear, values)]
    if probe:
        norm = nn.BatchNorm1d(config.width, eps=1e-6, affine=False)
        layers.insert(
            0,
            (
                norm,
                {
                    "running_mean": tensors["head.0.running_mean"],
                    "running_var": tensors["head.0.running_var"],
                    "num_batches_tracked": torch.tensor(0),
                },
            ),
        )
    own_norm = config.norm == "final" and "fc_norm.weight" in tensors
    if own_norm:
        layers.insert(
            0,
            (nn.LayerNorm(config.width, config.eps), {kind: tensors[f"fc_norm.{kind}"] for kind in ("weight", "bias")}),
        )
    reads: Literal["cls", "mean"] = "mean" if own_norm or config.norm == "pooled" or readout == "mean" else "cls"
    if len(layers) == 1:
        return ClassifierHead(linear, values, len(weight), reads)
    named = {f"{i}.{name}": value for i, (_, own) in enumerate(layers) for name, value in own.items()}
    return ClassifierHead(nn.Sequential(*(layer for layer, _ in layers)), named, len(weight), reads)


def is_head_key(name: str, config: EncoderConfig) -> bool:
    """Whether a canonical name belongs to the classifier."""
    return name.startswith("head.") or (config.norm == "final" and name.startswith("fc_norm."))
