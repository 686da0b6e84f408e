"""Encode images with a model, batch by batch, with explicit readout, layer and final norm."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from maetheory.checkpoints import Encoder
from maetheory.core import InputError, Progress, no_progress
from maetheory.data import ImageSet
from maetheory.evaluation.features.backbone import vision_transformer
from maetheory.evaluation.features.batch_size import default_batch_size
from maetheory.evaluation.features.input_images import check_tensor_pixels, resize_to_encoder, to_unit_interval
from maetheory.models import SimMIM, patch_mean, split_mask

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
    """Return one feature vector per image (or per patch token), computed batch by batch.

    Parameters
    ----------
    encoder : MAE, SimMIM, ViT, Encoder, or any callable from images (B, C, H, W) to features (B, d) or tokens (B, t, d)
        A module runs in eval mode and gets its old mode back. A foreign callable receives float32 images in [0, 1];
        the first of its tokens is taken as the cls token.
    images : ImageSet, or array or tensor of shape (N, C, H, W)
        uint8 in 0..255 or floating point in [0, 1], before any mean and std are applied; a callable that is no module
        may take other floating-point numbers. For a checkpoint's `Encoder`
        they are resized to its side and channels by `resize_to_encoder`.
    readout : "cls", "mean" or "tokens"
        The cls token, the mean of the patch tokens, or every patch token as a row of its own (then N·v rows). Under a
        mask only visible patches are read; a SimMIM has tokens at hidden positions too, and they are included.
        Register tokens are never read.
    layer : int or "last"
        The number of blocks before the readout, from 0 (the embedding) to the depth; negative counts from the end.
    final_norm : bool, default True
        Whether to apply the encoder's final norm. A norm that was trained on the readout, such as ``fc_norm`` of a
        fine-tuned MAE, is applied to the readout.
    mask : bool, shape (N, p) or (p,), optional
        True = visible; by default all patches are visible.
    batch : int, optional
        Batch size; by default as large as memory allows, see `default_batch_size`.

    Returns
    -------
    Tensor, shape (N, d) (or (N·v, d) for tokens), float32 on the CPU

    Raises
    ------
    InputError
        If the readout or layer does not exist, there are no images or they are not as above, the mask does not have one
        row per image, or a mask, layer or ``final_norm=False`` is requested for a foreign callable.
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
    """Yield the features of each batch in every layer and readout, in one pass over the images.

    Parameters and errors are those of `encode`.

    Yields
    ------
    (slice, list of Tensor)
        The positions of the batch, and the features ordered by layer and then readout: (B, d), or (B, v, d) for tokens
        ((V, d) where images differ in the number of visible patches). A callable that returns one vector per image
        gives that vector for every readout. Float32 on the CPU.
    """
    for readout in readouts:
        _check_readout(encoder, readout)
    pixels = torch.as_tensor(images.images if isinstance(images, ImageSet) else images)
    batch = default_batch_size(encoder) if batch is None else batch
    if not len(pixels) or batch < 1:
        raise InputError(f"encoding needs images and a batch of at least 1, but there are {len(pixels)} and {batch}")
    # An ImageSet was checked when it was made. A plain function may take any numbers, for example features themselves.
    if not isinstance(images, ImageSet) and isinstance(encoder, nn.Module):
        check_tensor_pixels(pixels)
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
            mask_rows = None if masks is None else masks[rows].to(device)
            valid = _visible_token_mask(encoder, mask_rows)
            readout_functions = [
                partial(_read_features, encoder, readout=readout, valid=valid, final_norm=final_norm)
                for readout in readouts
            ]
            yield (
                rows,
                _features_of_layers(encoder, pixels[rows].to(device), mask_rows, layers, final_norm, readout_functions),
            )
            progress(rows.stop, len(pixels), "encoding")
    finally:
        if isinstance(encoder, nn.Module):
            encoder.train(was_training)


def _read_features(encoder: Any, tokens: Tensor, readout: str, valid: Tensor | None, final_norm: bool) -> Tensor:
    features = _select_readout(tokens, readout, valid, _num_prefix_tokens(encoder))
    if final_norm and isinstance(encoder, Encoder):
        features = encoder.fc_norm(features)  # the identity unless the encoder was trained with a norm of the readout
    return features.float().cpu().contiguous()  # a view would keep all tokens of the batch alive


def _check_readout(encoder: Any, readout: str) -> None:
    if readout not in ("cls", "mean", "tokens"):
        raise InputError(f"the readout must be 'cls', 'mean' or 'tokens', but it is {readout!r}")
    if readout == "cls" and isinstance(encoder, Encoder) and not encoder.has_cls:
        raise InputError("this encoder has no cls token: read the mean of its patches, readout 'mean'")


def _num_prefix_tokens(encoder: Any) -> int:
    """Return the number of tokens before the patch tokens."""
    return encoder.n_prefix_tokens if isinstance(encoder, Encoder) else 1


def _features_of_layers(
    encoder: Any,
    images: Tensor,
    mask: Tensor | None,
    layers: Sequence[int | str],
    final_norm: bool,
    readout_functions: Sequence[Callable[[Tensor], Tensor]],
) -> list[Tensor]:
    """Return every readout of each requested layer; tokens (B, prefix + v, d) of at most two layers are in memory."""
    if isinstance(encoder, SimMIM) and mask is not None:
        if set(layers) != {"last"} or not final_norm:
            raise InputError("a masked SimMIM can be read at its last layer after the final norm only")
        return [read(encoder.encode(images, mask)) for read in readout_functions] * len(layers)
    vit = vision_transformer(encoder)
    if vit is None:
        if set(layers) != {"last"} or not final_norm or mask is not None:
            raise InputError(
                "layer, final_norm and mask can be chosen for Vision Transformers only, not for a callable"
            )
        tokens = _call_encoder(encoder, images)
        return [read(tokens) for read in readout_functions] * len(layers)
    if isinstance(vit, Encoder):
        images = resize_to_encoder(images, vit.config.image_size, vit.config.channels)
    n_blocks = [_num_blocks_before(layer, len(vit.blocks)) for layer in layers]
    found: dict[int, list[Tensor]] = {}
    for block, tokens in enumerate(vit.iter_hidden_states(images, mask)):
        if block in n_blocks:
            normed = vit.norm(tokens) if final_norm else tokens
            found[block] = [read(normed) for read in readout_functions]
        if block == max(n_blocks):
            break
    return [features for block in n_blocks for features in found[block]]


def _call_encoder(encoder: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return the features or tokens that a foreign callable computes from images in [0, 1]."""
    output = encoder(to_unit_interval(images))
    try:
        tokens = torch.as_tensor(output)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"an encoder gives a tensor of features (B, d) or tokens (B, t, d), but this one gave a "
            f"{type(output).__name__}: pass a function that standardises images in [0, 1] and picks the tokens, as "
            "lambda x: model((x - mean) / std).last_hidden_state"
        ) from error
    if tokens.ndim not in (2, 3) or len(tokens) != len(images):
        raise InputError(
            f"an encoder gives features (B, d) or tokens (B, t, d) of B images, but for {len(images)} "
            f"this one gave {tuple(tokens.shape)}"
        )
    return tokens


def _num_blocks_before(layer: int | str, depth: int) -> int:
    """Return the number of blocks before a layer."""
    if layer != "last" and not -depth - 1 <= int(layer) <= depth:
        raise InputError(f"layer must lie between 0 and {depth} or be 'last', but it is {layer}")
    return depth if layer == "last" else int(layer) % (depth + 1)


def _visible_token_mask(encoder: Any, mask: Tensor | None) -> Tensor | None:
    """Return True for patch tokens (B, v) that are not padding; None if no token is padding."""
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
