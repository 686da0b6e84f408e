"""Encode images with a model, batch by batch, with explicit readout, layer and final norm."""

from __future__ import annotations

import warnings
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
from maetheory.evaluation.features.evaluation_mode import evaluation_mode, module_behind, without_wrappers
from maetheory.evaluation.features.foreign_model import (
    AssumptionWarning,
    ChannelValues,
    ForeignModel,
    check_is_encoder,
)
from maetheory.evaluation.features.foreign_output import OutputPart
from maetheory.evaluation.features.foreign_reader import OUTPUT_READOUT, ForeignReader
from maetheory.evaluation.features.image_collections import collect_images, shuffles
from maetheory.evaluation.features.input_images import as_image_tensor, check_tensor_pixels, resize_to_encoder
from maetheory.models import SimMIM, patch_mean, split_mask

Readout = Literal["cls", "mean", "tokens"]
NAMED_READOUTS = ("cls", "mean", "tokens")


def encode(
    encoder: nn.Module | Callable[[Tensor], Any],
    images: Any,
    *,
    readout: Readout | OutputPart = "cls",
    layer: int | Literal["last"] = "last",
    final_norm: bool = True,
    mask: Tensor | np.ndarray | None = None,
    prefix_tokens: int | None = None,
    mean: ChannelValues | None = None,
    std: ChannelValues | None = None,
    batch: int | None = None,
    progress: Progress = no_progress,
) -> Tensor:
    """Return one feature vector per image (or per patch token), computed batch by batch.

    Parameters
    ----------
    encoder : MAE, SimMIM, ViT, Encoder, any other nn.Module, or a callable from images (B, C, H, W) to features
        A module runs in eval mode, on its own device and in its own number format, and gets its modes back. Of a model
        of transformers the vision model without its head is read, and a masking one sees whole images. Modules of other
        libraries and callables receive images in [0, 1], standardised by `mean` and `std` if given, and return features
        (B, d) or tokens (B, t, d), or a dict, tuple or dataclass that holds them.
    images : ImageSet; array or tensor (N, C, H, W); list of PIL images; Dataset or DataLoader
        uint8 in 0..255 or floating point in [0, 1], before any mean and std are applied; a callable that is no module
        may take other floating-point numbers. Labels are not read. For a checkpoint's `Encoder`, and for modules that
        state a square image size, they are resized by `resize_to_encoder`. The rows of the result are in the order in
        which a DataLoader gives its images.
    readout : "cls", "mean", "tokens", or a key, index or callable
        The cls token, the mean of the patch tokens, or every patch token as a row of its own (then N·v rows). Under a
        mask only visible patches are read; a SimMIM has tokens at hidden positions too, and they are included.
        Register tokens are never read. Of the output of another library's model, a key (or attribute), an index or a
        function chooses a part: features (B, d), or tokens, of which the cls token is read, or without prefix tokens
        the mean.
    layer : int or "last"
        The number of blocks before the readout, from 0 (the embedding) to the depth; negative counts from the end.
    final_norm : bool, default True
        Whether to apply the encoder's final norm. A norm that was trained on the readout, such as ``fc_norm`` of a
        fine-tuned MAE, is applied to the readout.
    mask : bool, shape (N, p) or (p,), optional
        True = visible; by default all patches are visible.
    prefix_tokens : int, optional
        How many tokens of another library's model stand before the patch tokens. By default the number that follows
        from the patch size that it states; 1 for models that state none.
    mean, std : float or one number a channel, optional
        Of the images that another library's model was trained on; by default images stay in [0, 1].
    batch : int, optional
        Batch size; by default as large as memory allows, see `default_batch_size`.

    Returns
    -------
    Tensor, shape (N, d) (or (N·v, d) for tokens), float32 on the CPU

    Raises
    ------
    InputError
        If the readout or layer does not exist, there are no images or they are not as above, the mask does not have one
        row per image, another library's model fails, or something is requested that the encoder does not have.

    Warns
    -----
    AssumptionWarning
        Where something was assumed of another library's model, such as images without mean and std.
    """
    named = isinstance(readout, str) and readout in NAMED_READOUTS
    pixels, _ = collect_images(images, encoder, progress)
    if shuffles(images):
        warnings.warn(
            "the DataLoader shuffles: the rows of the result are in its order, which is not that of its data set",
            AssumptionWarning,
            stacklevel=2,
        )
    for assumption in encoder_notes(encoder, mean, std, part=None if named else readout)[1]:
        warnings.warn(assumption, AssumptionWarning, stacklevel=2)
    passes = encode_batches(
        encoder,
        pixels,
        readouts=(readout,) if named else ("cls",),  # type: ignore[arg-type]  # a named readout
        part=None if named else readout,
        layers=(layer,),
        final_norm=final_norm,
        mask=mask,
        prefix_tokens=prefix_tokens,
        mean=mean,
        std=std,
        batch=batch,
        progress=progress,
    )
    parts = [features for _, (features,) in passes]
    return torch.cat([f.flatten(0, 1) if f.ndim == 3 else f for f in parts])  # tokens (B, v, d) -> (B·v, d)


def encoder_notes(
    encoder: Any, mean: ChannelValues | None = None, std: ChannelValues | None = None, part: OutputPart | None = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what was done to read an encoder, and what may be wrong with it; nothing of our own models."""
    reader = foreign_reader(without_wrappers(encoder), part, mean=mean, std=std)
    return ((), ()) if reader is None else (reader.model.notes, reader.model.assumptions)


@torch.no_grad()
def encode_batches(
    encoder: nn.Module | Callable[[Tensor], Any],
    images: ImageSet | np.ndarray | Tensor,
    *,
    readouts: Sequence[Readout],
    part: OutputPart | None = None,
    layers: Sequence[int | Literal["last"]] = ("last",),
    final_norm: bool = True,
    mask: Tensor | np.ndarray | None = None,
    prefix_tokens: int | None = None,
    mean: ChannelValues | None = None,
    std: ChannelValues | None = None,
    batch: int | None = None,
    progress: Progress = no_progress,
) -> Iterator[tuple[slice, list[Tensor]]]:
    """Yield the features of each batch in every layer and readout, in one pass over the images.

    Parameters and errors are those of `encode`; `part` is the key, index or function that chooses a part of the output
    of another library's model.

    Yields
    ------
    (slice, list of Tensor)
        The positions of the batch, and the features ordered by layer and then readout: (B, d), or (B, v, d) for tokens
        ((V, d) where images differ in the number of visible patches). A callable that returns one vector per image
        gives that vector for every readout. Float32 on the CPU.
    """
    encoder = without_wrappers(encoder)
    foreign = foreign_reader(encoder, part, prefix_tokens, mean, std)
    for readout in readouts:
        _check_readout(encoder, readout)
    if foreign is not None:
        check_no_vision_transformer_options(layers, final_norm, mask)
        for rows, features in encode_foreign_batches(
            encoder, images, foreign, readouts, batch=batch, progress=progress
        ):
            found = [features[OUTPUT_READOUT if OUTPUT_READOUT in features else readout] for readout in readouts]
            yield rows, found * len(layers)
        return
    pixels, batch = _pixels(images, checked=True), _batch_size(encoder, images, batch)
    masks = None if mask is None else torch.as_tensor(mask)
    if masks is not None and masks.ndim == 1:
        masks = masks.expand(len(pixels), -1)
    if masks is not None and len(masks) != len(pixels):
        raise InputError(f"the mask must have one row for each of the {len(pixels)} images, but it has {len(masks)}")
    device = _device(encoder)
    with evaluation_mode(module_behind(encoder)):
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


@torch.no_grad()
def encode_foreign_batches(
    encoder: Any,
    images: ImageSet | np.ndarray | Tensor,
    reader: ForeignReader,
    readouts: Sequence[Readout] | None = None,
    *,
    batch: int | None = None,
    progress: Progress = no_progress,
) -> Iterator[tuple[slice, dict[str, Tensor]]]:
    """Yield the positions and the features by readout of each batch of another library's model.

    Parameters
    ----------
    encoder, images, batch, progress
        As for `encode`.
    reader : ForeignReader
        As `foreign_reader` returns it.
    readouts : sequence of str, optional
        As for `ForeignReader.read`.
    """
    pixels, batch = _pixels(images, checked=isinstance(encoder, nn.Module)), _batch_size(encoder, images, batch)
    with evaluation_mode(module_behind(encoder)):
        for start in range(0, len(pixels), batch):
            rows = slice(start, min(start + batch, len(pixels)))
            yield rows, reader.read(pixels[rows], readouts)
            progress(rows.stop, len(pixels), "encoding")


def check_no_vision_transformer_options(layers: Sequence[int | str], final_norm: bool, mask: Any = None) -> None:
    """Raise `InputError` if an option was chosen that another library's model does not have."""
    if set(layers) != {"last"} or not final_norm or mask is not None:
        raise InputError("layer, final_norm and mask can be chosen for Vision Transformers only, not for a callable")


def _batch_size(encoder: Any, images: Any, batch: int | None) -> int:
    """Return the batch size that is given, or the default one; check it and that there are images."""
    batch = default_batch_size(encoder) if batch is None else batch
    if not len(images) or batch < 1:
        raise InputError(f"encoding needs images and a batch of at least 1, but there are {len(images)} and {batch}")
    return batch


def foreign_reader(
    encoder: Any,
    part: OutputPart | None = None,
    prefix_tokens: int | None = None,
    mean: ChannelValues | None = None,
    std: ChannelValues | None = None,
) -> ForeignReader | None:
    """Return the reader of another library's model, None for our own models, which take none of these options."""
    check_is_encoder(encoder)
    if vision_transformer(encoder) is None:
        return ForeignReader(ForeignModel.of(encoder, mean, std, whole=part is not None), part, prefix_tokens)
    if part is not None or prefix_tokens is not None or mean is not None or std is not None:
        raise InputError(
            "a part of the output, prefix_tokens, mean and std are options for models of other libraries: this "
            f"{type(encoder).__name__} has its own, and its readout is 'cls', 'mean' or 'tokens'"
        )
    return None


def _pixels(images: ImageSet | np.ndarray | Tensor, *, checked: bool) -> Tensor:
    """Return the images as a tensor; an ImageSet was checked when it was made, other images are checked here.

    A plain function may take any floating-point numbers, for example features themselves, so they are not `checked`.
    """
    if isinstance(images, ImageSet):
        return torch.as_tensor(images.images)
    pixels = as_image_tensor(images)
    if checked and len(pixels):
        check_tensor_pixels(pixels)
    return pixels


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
    assert vit is not None  # models of other libraries are read by a ForeignReader
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
