"""What the distance of two masked images is depends on whose masks they are, and on who looks at what is left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from maetheory.core import InputError, generator
from maetheory.data import ImageSet
from maetheory.evaluation.features.backbone import vision_transformer
from maetheory.evaluation.features.encode import Readout, encode
from maetheory.masks import UniformMasks, patchify, visible_count
from maetheory.metrics import ClassDistances, class_distances

MASKS = ("one", "own")
GREY = 0.5  # of hidden pixels where every image has its own mask: zero for models that see pixels in [-1, 1]


def masked_distances(
    images: ImageSet,
    patch: int,
    mask_ratio: float,
    *,
    masks: str = "one",
    encoder: Any = None,
    readout: Readout = "cls",
    n_masks: int = 8,
    seed: int = 0,
) -> ClassDistances:
    """Return the mean distances of masked images within and between classes, at one mask ratio.

    In pixel space, pixels in [0, 1], distances are L2 and are not divided by the number of pixels that are seen.

    Parameters
    ----------
    images : ImageSet
        At least two of each class that there is, and two classes.
    patch : int
        Side of a patch in pixels.
    mask_ratio : float
        From 0, where everything is seen, to below 1; rounded as MAE does.
    masks : {"one", "own"}
        "one": both images of a pair lie under the same mask, and the distance is over what it shows; the same number as
        with hidden pixels set to any one value in both. "own": every image has a mask of its own; in pixel space hidden
        pixels are grey, ½.
    encoder : MAE, SimMIM, ViT or Encoder, optional
        Then distances are those of its features, and it sees what is visible only.
    readout : {"cls", "mean"}
    n_masks : int
        Independent draws that distances are averaged over; the same seed gives nested masks at every ratio.
    seed : int

    Raises
    ------
    InputError
        As `class_distances`, and if a word is unknown, the ratio leaves nothing to see, or patches and encoder do not
        fit.

    Examples
    --------
    >>> from maetheory.data import load_images
    >>> digits = load_images("digits", split="test")
    >>> near, far = (masked_distances(digits, 2, ratio).intra.value for ratio in (0.9, 0.0))
    >>> near < far
    True
    """
    if masks not in MASKS:
        raise InputError(f'masks must be "one" for each pair or each image\'s "own", but it is {masks!r}')
    patches = patchify(images.images[:1], patch).shape[1]
    drawn = _draw_masks(patches, mask_ratio, n_masks, len(images) if masks == "own" else None, seed)
    views = (
        _pixel_views(images, patch, drawn)
        if encoder is None
        else _feature_views(images, patches, encoder, readout, drawn)
    )
    return class_distances(views, images.labels)


def _draw_masks(patches: int, ratio: float, n_masks: int, n_images: int | None, seed: int) -> Iterator[np.ndarray]:
    """Yield masks of shape (p,), or (n_images, p)."""
    if n_masks < 1:
        raise InputError(f"n_masks must be at least 1, but it is {n_masks}")
    rows = 1 if n_images is None else n_images
    for number in range(n_masks if ratio else 1):
        rng = generator(seed, "masked distances", number)
        found = UniformMasks(patches, visible_count(patches, ratio)).sample(rng, rows) if ratio else None
        whole = np.ones((rows, patches), bool) if found is None else found
        yield whole if n_images is not None else whole[0]


def _pixel_views(images: ImageSet, patch: int, masks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    pixels = patchify(images.images, patch)  # (N, p, c)
    scaled = pixels.astype(np.float32) / (255 if pixels.dtype == np.uint8 else 1)
    for mask in masks:
        seen = scaled[:, mask] if mask.ndim == 1 else np.where(mask[:, :, None], scaled, np.float32(GREY))
        yield seen.reshape(len(seen), -1)


def _feature_views(
    images: ImageSet, patches: int, encoder: Any, readout: Readout, masks: Iterator[np.ndarray]
) -> Iterator[np.ndarray]:
    if readout not in ("cls", "mean"):
        raise InputError(f"the readout must be 'cls' or 'mean', one vector for an image, but it is {readout!r}")
    known = patches_per_side(encoder) ** 2
    if known != patches:
        raise InputError(
            f"the encoder must cut images into as many patches as the masks do, but it has {known} and "
            f"they have {patches}"
        )
    for mask in masks:
        yield encode(encoder, images, readout=readout, mask=mask).numpy()


def patches_per_side(encoder: Any) -> int:
    """Return how many patches a Vision Transformer sees along a side.

    Raises
    ------
    InputError
        If the encoder is another callable.
    """
    vit = vision_transformer(encoder)
    if vit is None:
        raise InputError("features of masked images need a Vision Transformer, because a callable takes no mask")
    return int(vit.config.image_size // vit.config.patch)
