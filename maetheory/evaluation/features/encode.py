"""Features are one vector per image: which token, which layer, before or after the final norm is always said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maetheory.checkpoints import Encoder
from maetheory.core import InputError, Progress, no_progress
from maetheory.data import ImageSet
from maetheory.evaluation.features.batch_size import default_batch_size
from maetheory.models import MAE, SimMIM, ViT, patch_mean, split_mask

Readout = Literal["cls", "mean", "tokens"]


def encode(
    encoder: nn.Module | Callable[[Tensor], Tensor],
    images: ImageSet | np.ndarray | Tensor,
    *,
    readout: Readout = "cls",
    layer: int | Literal["last"] = "last",
    final_norm: bool = True,
    mask: Tensor | np.ndarray | None = None,
    batch: int | None = None,
    progress: Progress = no_progress,
) -> Tensor:
    """Return the features of images, streamed in batches.

    Parameters
    ----------
    encoder : MAE, SimMIM, ViT, Encoder, or any callable from images (B, C, H, W) to features (B, d) or tokens (B, t, d)
        A module is run in eval mode and put back afterwards. A foreign callable is given float32 images in [0, 1], and
        its tokens are taken to be cls first.
    images : ImageSet, or array or tensor of shape (N, C, H, W)
        What a checkpoint's `Encoder` sees is `resize_to_encoder` to its side and channels.
    readout : "cls", "mean" or "tokens"
        The cls token, the mean of the patch tokens, or every patch token as a row of its own (then N·v rows). Under a
        mask these are the visible patches; a SimMIM has tokens at hidden places too, and they count. Register tokens
        are in none of them.
    layer : int or "last"
        After how many blocks, from 0 (the embedding) to the depth; negative counts from the end.
    final_norm : bool, default True
        Whether the encoder's final norm is applied; one that was trained on the readout, as fine-tuned MAE's
        ``fc_norm``, is applied to the readout.
    mask : bool, shape (N, p) or (p,), optional
        True = visible; by default every patch is seen.
    batch : int, optional
        Images at once; by default as many as memory allows, see `default_batch_size`.

    Returns
    -------
    Tensor, shape (N, d) (or (N·v, d) for tokens), float32 on the CPU

    Raises
    ------
    InputError
        If the readout or layer does not exist, there is no image or not one row of the mask for each, or a mask, layer
        or raw norm is asked of a foreign callable.
    """
    passes = encode_batches(
        encoder,
        images,
        readouts=(readout,),
        layers=(layer,),
        final_norm=final_norm,
        mask=mask,
        batch=batch,
        progress=progress,
    )
    parts = [features for _, (features,) in passes]
    return torch.cat([f.flatten(0, 1) if f.ndim == 3 else f for f in parts])  # tokens (B, v, d) -> (B·v, d)


@torch.no_grad()
def encode_batches(
    encoder: nn.Module | Callable[[Tensor], Tensor],
    images: ImageSet | np.ndarray | Tensor,
    *,
    readouts: Sequence[Readout],
    layers: Sequence[int | Literal["last"]] = ("last",),
    final_norm: bool = True,
    mask: Tensor | np.ndarray | None = None,
    batch: int | None = None,
    progress: Progress = no_progress,
) -> Iterator[tuple[slice, list[Tensor]]]:
    """Yield which images a batch holds, and their features in each layer and readout, in one pass over the images.

    Parameters and errors are those of `encode`.

    Yields
    ------
    (slice, list of Tensor)
        For each layer all readouts in turn: (B, d), and (B, v, d) for tokens (rows (V, d) where images show unlike
        numbers of patches); what gives one vector per image has no tokens and gives that. Float32 on the CPU.
    """
    for readout in readouts:
        _check_readout(encoder, readout)
    pixels = images.images if isinstance(images, ImageSet) else images
    pixels = torch.as_tensor(pixels)
    batch = default_batch_size(encoder) if batch is None else batch
    if not len(pixels) or batch < 1:
        raise InputError(f"encoding needs images and a batch of at least 1, but there are {len(pixels)} and {batch}")
    masks = None if mask is None else torch.as_tensor(mask)
    if masks is not None and masks.ndim == 1:
        masks = masks.expand(len(pixels), -1)
    if masks is not None and len(masks) != len(pixels):
        raise InputError(f"the mask must have one row for each of the {len(pixels)} images, but it has {len(masks)}")
    device = _device(encoder)
    was_training = isinstance(encoder, nn.Module) and encoder.training
    if isinstance(encoder, nn.Module):
        encoder.eval()
    try:
        for start in range(0, len(pixels), batch):
            rows = slice(start, min(start + batch, len(pixels)))
            seen = None if masks is None else masks[rows].to(device)
            valid = _visible_token_mask(encoder, seen)
            read = [
                partial(_features, encoder, readout=readout, valid=valid, final_norm=final_norm) for readout in readouts
            ]
            yield rows, _features_of_layers(encoder, pixels[rows].to(device), seen, layers, final_norm, read)
            progress(rows.stop, len(pixels), "encoding")
    finally:
        if isinstance(encoder, nn.Module):
            encoder.train(was_training)


def encoder_depth(encoder: Any) -> int | None:
    """Return how many blocks a Vision Transformer has, None for a callable whose inside is unknown."""
    vit = encoder.encoder if isinstance(encoder, MAE | SimMIM) else encoder
    return len(vit.blocks) if isinstance(vit, ViT | Encoder) else None


def _features(encoder: Any, tokens: Tensor, readout: str, valid: Tensor | None, final_norm: bool) -> Tensor:
    features = _select_readout(tokens, readout, valid, _num_prefix_tokens(encoder))
    if final_norm and isinstance(encoder, Encoder):
        features = encoder.fc_norm(features)  # the identity unless a readout was normed in training
    return features.float().cpu().contiguous()  # a view would keep all tokens of the batch alive


def resize_to_encoder(images: Tensor, side: int, channels: int) -> Tensor:
    """Return images as an encoder of another side or three channels can see them, float in [0, 1].

    The shorter side is resized to the encoder's, bicubically with antialiasing, in float and cut to [0, 1]; of the
    longer side the middle is kept; one grey channel is repeated. Images that fit already stay as they are.

    Parameters
    ----------
    images : Tensor, shape (B, C, H, W)
        uint8 0..255 or float in [0, 1].
    side, channels : int

    Raises
    ------
    InputError
        If there are neither as many channels as the encoder takes nor one.

    Examples
    --------
    >>> tuple(resize_to_encoder(torch.zeros(2, 1, 8, 12, dtype=torch.uint8), 4, 3).shape)
    (2, 3, 4, 4)
    """
    if images.ndim != 4 or images.shape[1] not in (1, channels):
        raise InputError(
            f"images must have shape (N, {channels}, H, W), or one channel, but theirs is {tuple(images.shape)}"
        )
    height, width = images.shape[2:]
    if (height, width) != (side, side):
        scale = side / min(height, width)
        size = (round(height * scale), round(width * scale))
        images = F.interpolate(
            to_unit_interval(images), size, mode="bicubic", align_corners=False, antialias=True
        ).clamp(0, 1)
        top, left = (size[0] - side) // 2, (size[1] - side) // 2
        images = images[:, :, top : top + side, left : left + side]
    return images.expand(-1, channels, -1, -1)


def to_unit_interval(images: Tensor) -> Tensor:
    """Return images, uint8 0..255 or float in [0, 1], in [0, 1]."""
    return images.float() / 255 if images.dtype == torch.uint8 else images.float()


def _check_readout(encoder: Any, readout: str) -> None:
    if readout not in ("cls", "mean", "tokens"):
        raise InputError(f"the readout must be 'cls', 'mean' or 'tokens', but it is {readout!r}")
    if readout == "cls" and isinstance(encoder, Encoder) and not encoder.has_cls:
        raise InputError("this encoder has no cls token: read the mean of its patches, readout 'mean'")


def _num_prefix_tokens(encoder: Any) -> int:
    """Return how many tokens stand before the patches."""
    return encoder.n_prefix_tokens if isinstance(encoder, Encoder) else 1


def _features_of_layers(
    encoder: Any,
    images: Tensor,
    mask: Tensor | None,
    layers: Sequence[int | str],
    final_norm: bool,
    read: Sequence[Callable[[Tensor], Tensor]],
) -> list[Tensor]:
    """Return every reading of each asked layer; of the tokens (B, prefix + v, d) no more than two layers are held."""
    depth = encoder_depth(encoder)
    if isinstance(encoder, SimMIM) and mask is not None:
        if set(layers) != {"last"} or not final_norm:
            raise InputError("a masked SimMIM can be read at its last layer after the final norm only")
        return [one(encoder.encode(images, mask)) for one in read] * len(layers)
    if depth is None:
        if set(layers) != {"last"} or not final_norm or mask is not None:
            raise InputError(
                "layer, final_norm and mask can be chosen for Vision Transformers only, not for a callable"
            )
        tokens = _call_encoder(encoder, images)
        return [one(tokens) for one in read] * len(layers)
    vit = encoder.encoder if isinstance(encoder, MAE | SimMIM) else encoder
    if isinstance(vit, Encoder):
        images = resize_to_encoder(images, vit.config.image_size, vit.config.channels)
    places = [_block_index(layer, depth) for layer in layers]
    found: dict[int, list[Tensor]] = {}
    for place, tokens in enumerate(vit.states(images, mask)):
        if place in places:
            normed = vit.norm(tokens) if final_norm else tokens
            found[place] = [one(normed) for one in read]
        if place == max(places):
            break
    return [features for place in places for features in found[place]]


def _call_encoder(encoder: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return what a foreign callable makes of images in [0, 1]."""
    tokens = torch.as_tensor(encoder(to_unit_interval(images)))
    if tokens.ndim not in (2, 3) or len(tokens) != len(images):
        raise InputError(
            f"an encoder gives features (B, d) or tokens (B, t, d) of B images, but for {len(images)} "
            f"this one gave {tuple(tokens.shape)}"
        )
    return tokens


def _block_index(layer: int | str, depth: int) -> int:
    """Return how many blocks stand before a layer."""
    if layer != "last" and not -depth - 1 <= int(layer) <= depth:
        raise InputError(f"layer must lie between 0 and {depth} or be 'last', but it is {layer}")
    return depth if layer == "last" else int(layer) % (depth + 1)


def _visible_token_mask(encoder: Any, mask: Tensor | None) -> Tensor | None:
    """Return which patch tokens (B, v) are no padding, None where all are not."""
    if mask is None or isinstance(encoder, SimMIM):
        return None
    return split_mask(mask, mask.shape[1])[0].valid


def _select_readout(tokens: Tensor, readout: str, valid: Tensor | None, n_prefix_tokens: int) -> Tensor:
    if tokens.ndim == 2:
        return tokens
    if readout == "cls":
        return tokens[:, 0]
    if readout == "mean":
        return patch_mean(tokens, valid, n_prefix_tokens)
    patches = tokens[:, n_prefix_tokens:]
    return patches if valid is None else patches[valid]  # (B, v, d) -> (V, d)


def _device(encoder: Any) -> torch.device:
    if isinstance(encoder, nn.Module):
        parameter = next(encoder.parameters(), None)
        if parameter is not None:
            return parameter.device
    return torch.device("cpu")
