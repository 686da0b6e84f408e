"""Images of a list, Dataset or DataLoader as one array; labels in them are not read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from maetheory.core import InputError, Progress, no_progress
from maetheory.data import FolderStream, ImageSet
from maetheory.data.pillow_images import stack_pictures
from maetheory.evaluation.features.backbone import vision_transformer
from maetheory.evaluation.features.evaluation_mode import module_behind, without_wrappers
from maetheory.evaluation.features.foreign_model import stated_channels, stated_size
from maetheory.evaluation.features.foreign_output import error_line

IMAGE_KEYS = ("pixel_values", "image", "images", "img", "jpg", "png", "pixels", "x", "input", "inputs", "data")
MAX_BYTES = 8 << 30
Pixels = ImageSet | np.ndarray | Tensor


def collect_images(
    images: Any, encoder: Any = None, progress: Progress = no_progress
) -> tuple[Pixels, tuple[str, ...]]:
    """Return images as an ImageSet, array or tensor, and notes on how they were found.

    Parameters
    ----------
    images : ImageSet, array, tensor, list, FolderStream, Dataset or DataLoader
        An array or tensor has shape (N, C, H, W); a list holds PIL images, or arrays (C, H, W).
        Items of a Dataset and batches of a DataLoader are images, tuples that begin with them, or dicts with one of the
        keys pixel_values, image, images, img and so on. What else they hold, such as labels, is not read.
    encoder : optional
        Pictures of different sizes become squares of the size that it states, else of 224 pixels.
    progress : Progress
        Called with the number of items read so far.

    Raises
    ------
    InputError
        If no images are found, they have different shapes, or they pass 8 GiB.

    Examples
    --------
    >>> pixels, notes = collect_images([Image.new("RGB", (6, 4))] * 3)
    >>> pixels.shape, notes
    ((3, 3, 4, 6), ())
    """
    if isinstance(images, ImageSet | Tensor):
        return images, ()
    if isinstance(images, np.ndarray):
        if images.dtype != object:
            return images, ()
        images = list(images)
    if isinstance(images, Image.Image):
        raise InputError("collapse and encoding take several images; give a list of them")
    if isinstance(images, str) or hasattr(images, "__fspath__"):
        raise InputError(
            f"{str(images)!r} is a path: give the images of load_unlabelled_images(path), or of load_images(path)"
        )
    items, are_batches, length = _items_or_batches(images)
    found: list[Any] = []
    n_bytes = n_views = 0
    try:
        for index, item in enumerate(items):
            candidates = _image_candidates(item)
            if not candidates:
                raise InputError(f"item {index} of the images is a {_describe_item(item)}, in which no image was found")
            n_views = max(n_views, len(candidates))
            image = candidates[0]
            n_bytes += _bytes_of(image)
            if n_bytes > MAX_BYTES:
                raise InputError(f"the images pass {MAX_BYTES >> 30} GiB after {index + 1} items; give fewer")
            found += _split_batch(image) if are_batches else [image]
            progress(index + 1, length or index + 1, "reading images")
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"the images cannot be read to the end ({error_line(error)})") from error
    pixels, notes = _stack_images(found, encoder)
    if n_views > 1:
        notes = (*notes, f"items hold {n_views} images each; the first was measured")
    return pixels, notes


def shuffles(images: Any) -> bool:
    """Return whether a DataLoader gives its images in random order."""
    sampler = getattr(images, "sampler", None)
    return isinstance(images, DataLoader) and type(sampler).__name__ in ("RandomSampler", "WeightedRandomSampler")


class _Collection(NamedTuple):
    """Items or batches of images, and how many of them there are, where it is known."""

    items: Iterable[Any]
    are_batches: bool
    length: int | None


def _items_or_batches(images: Any) -> _Collection:
    """Return what a collection yields: its items, or the batches of a DataLoader or stream."""
    if isinstance(images, FolderStream):
        return _Collection(images, True, images.n_batches)
    if isinstance(images, DataLoader):
        if images.batch_size is None and images.batch_sampler is None:
            return _Collection(images, False, _known_length(images))
        return _Collection(images, True, _known_length(images))
    if isinstance(images, IterableDataset):
        return _Collection(images, False, _known_length(images))
    if isinstance(images, Dataset) or (hasattr(images, "__getitem__") and hasattr(images, "__len__")):
        if isinstance(images, Mapping):
            arrays = ", ".join(map(str, list(images)[:8]))
            raise InputError(f"images come as an array, list, Dataset or DataLoader, but this is a dict of {arrays}")
        return _Collection((images[index] for index in range(len(images))), False, len(images))
    if isinstance(images, Iterator):
        return _Collection(images, False, None)
    raise InputError(
        "images come as an ImageSet, an array or tensor (N, C, H, W), a list of PIL images, a Dataset or a DataLoader, "
        f"but this is a {type(images).__name__}"
    )


def _known_length(images: Any) -> int | None:
    try:
        return len(images)
    except TypeError:
        return None


def _image_candidates(item: Any) -> list[Any]:
    """Return the images, or batches of images, in an item, in their order."""
    if isinstance(item, Image.Image):
        return [item]
    if isinstance(item, Tensor | np.ndarray):
        return [item] if item.ndim >= 2 else []
    if isinstance(item, Mapping):
        named = [item[key] for key in IMAGE_KEYS if key in item]
        return [one for value in (named or list(item.values())) for one in _image_candidates(value)]
    if isinstance(item, tuple | list) and item:
        if all(isinstance(one, Image.Image) for one in item) and len(item) > 1:
            return [list(item)]  # a batch that was collated as a list
        return [one for value in item for one in _image_candidates(value)]
    return []


def _split_batch(batch: Any) -> list[Any]:
    return list(batch) if not isinstance(batch, Image.Image) else [batch]


def _stack_images(found: Sequence[Any], encoder: Any) -> tuple[Pixels, tuple[str, ...]]:
    """Return images, all pictures or all arrays, as one array."""
    if not found:
        raise InputError("there are no images")
    pictures = [isinstance(one, Image.Image) for one in found]
    if all(pictures):
        size, channels = _encoder_size(encoder)
        return stack_pictures(found, channels=channels, default_size=size)
    if any(pictures):
        raise InputError("the images are a mixture of pictures and arrays; give either")
    tensors = [torch.as_tensor(one).detach().cpu() for one in found]
    shapes = list(dict.fromkeys(tuple(one.shape) for one in tensors))
    if len(shapes) > 1:
        raise InputError(
            f"images need one shape, but these have {len(shapes)}, such as {shapes[0]} and {shapes[1]}: resize them, "
            "or give PIL images"
        )
    if len({one.dtype for one in tensors}) > 1:
        raise InputError("images need one type of number, but these have several, such as uint8 and float32")
    stacked = torch.stack(tensors)
    return (stacked[:, None] if stacked.ndim == 3 else stacked), ()  # (N, H, W) -> (N, 1, H, W)


def _encoder_size(encoder: Any) -> tuple[int | None, int | None]:
    """Return the side and the number of channels that an encoder takes, where they are known and decodable."""
    encoder = without_wrappers(encoder)
    vit = vision_transformer(encoder)
    side: Any
    channels: Any
    if vit is not None:
        side, channels = vit.config.image_size, vit.config.channels
    else:
        module = module_behind(encoder)
        size = stated_size(module)
        side, channels = size[0] if size else None, stated_channels(module)
    side = max(side) if isinstance(side, tuple) else side
    return side if isinstance(side, int) else None, channels if channels in (1, 3) else None


def _bytes_of(image: Any) -> int:
    if isinstance(image, Image.Image):
        return 3 * image.width * image.height
    if isinstance(image, list):
        return sum(map(_bytes_of, image))
    return int(image.nbytes)


def _describe_item(item: Any) -> str:
    if isinstance(item, Mapping):
        return f"dict of {', '.join(map(str, list(item)[:8]))}"
    if isinstance(item, tuple | list):
        return f"{type(item).__name__} of {', '.join(type(one).__name__ for one in item[:8])}"
    return type(item).__name__
