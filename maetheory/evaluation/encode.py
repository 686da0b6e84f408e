"""Features are one vector per image: which token, which layer, before or after the final norm is always said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from maetheory.core import InputError, Progress, silent
from maetheory.data import ImageSet
from maetheory.models import MAE, SimMIM, ViT

Readout = Literal["cls", "mean", "tokens"]


@torch.no_grad()
def encode(
    encoder: nn.Module | Callable[[Tensor], Tensor],
    images: ImageSet | np.ndarray | Tensor,
    *,
    readout: Readout = "cls",
    layer: int | Literal["last"] = "last",
    final_norm: bool = True,
    mask: Tensor | np.ndarray | None = None,
    batch: int = 256,
    progress: Progress = silent,
) -> Tensor:
    """Return the features of images, streamed in batches.

    Parameters
    ----------
    encoder : MAE, SimMIM, ViT, or any callable from images (B, C, H, W) to features (B, d) or tokens (B, t, d)
        A module is run in eval mode and put back afterwards. Tokens of a foreign callable are taken to be cls first.
    images : ImageSet, or array or tensor of shape (N, C, H, W)
    readout : "cls", "mean" or "tokens"
        The cls token, the mean of the patch tokens, or every patch token as a row of its own (then N·v rows).
    layer : int or "last"
        After how many blocks, from 0 (the embedding) to the depth; negative counts from the end.
    final_norm : bool, default True
        Whether the encoder's final norm is applied.
    mask : bool, shape (N, p) or (p,), optional
        True = visible; by default every patch is seen.
    batch : int

    Returns
    -------
    Tensor, shape (N, d) (or (N·v, d) for tokens), float32 on the CPU

    Raises
    ------
    InputError
        If the readout or layer does not exist, or a mask, layer or raw norm is asked of a foreign callable.
    """
    if readout not in ("cls", "mean", "tokens"):
        raise InputError(f"the readout must be 'cls', 'mean' or 'tokens', but it is {readout!r}")
    pixels = images.images if isinstance(images, ImageSet) else images
    pixels = torch.as_tensor(pixels)
    masks = None if mask is None else torch.as_tensor(mask)
    if masks is not None and masks.ndim == 1:
        masks = masks.expand(len(pixels), -1)
    device = _device(encoder)
    was_training = isinstance(encoder, nn.Module) and encoder.training
    if isinstance(encoder, nn.Module):
        encoder.eval()
    parts = []
    try:
        for start in range(0, len(pixels), batch):
            rows = slice(start, start + batch)
            seen = None if masks is None else masks[rows].to(device)
            tokens = _tokens(encoder, pixels[rows].to(device), seen, layer, final_norm)
            parts.append(_read(tokens, readout).float().cpu())
            progress(min(start + batch, len(pixels)), len(pixels), "encoding")
    finally:
        if isinstance(encoder, nn.Module):
            encoder.train(was_training)
    return torch.cat(parts)


def _tokens(encoder: Any, images: Tensor, mask: Tensor | None, layer: int | str, final_norm: bool) -> Tensor:
    """Return tokens (B, 1 + v, d) of the asked layer, or whatever a foreign callable gives."""
    if isinstance(encoder, SimMIM) and mask is not None:
        if layer != "last" or not final_norm:
            raise InputError("a masked SimMIM can be read at its last layer after the final norm only")
        return encoder.encode(images, mask)
    vit = encoder.encoder if isinstance(encoder, MAE | SimMIM) else encoder
    if not isinstance(vit, ViT):
        if layer != "last" or not final_norm or mask is not None:
            raise InputError("layer, final_norm and mask can be chosen for our ViT encoders only, not for a callable")
        return vit(images)
    states = vit.hidden_states(images, mask)
    if layer != "last" and not -len(states) <= int(layer) < len(states):
        raise InputError(f"layer must lie between 0 and {len(states) - 1} or be 'last', but it is {layer}")
    tokens = states[-1 if layer == "last" else int(layer)]
    return vit.norm(tokens) if final_norm else tokens


def _read(tokens: Tensor, readout: str) -> Tensor:
    if tokens.ndim == 2:
        return tokens
    if readout == "cls":
        return tokens[:, 0]
    return tokens[:, 1:].mean(1) if readout == "mean" else tokens[:, 1:].flatten(0, 1)


def _device(encoder: Any) -> torch.device:
    if isinstance(encoder, nn.Module):
        parameter = next(encoder.parameters(), None)
        if parameter is not None:
            return parameter.device
    return torch.device("cpu")
