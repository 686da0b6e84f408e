"""Visible and hidden parts of images as vectors: pixels, or features of an encoder that saw other images alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from maetheory.core import InputError, generator
from maetheory.data import ImageSet, load_images
from maetheory.evaluation.features.backbone import vision_transformer
from maetheory.evaluation.features.encode import Readout, encode
from maetheory.masks import ListedMasks, MaskLaw, patchify
from maetheory.masks.factory import make_mask_law

PIXELS = "pixels"
CHECKERBOARD = "checkerboard"
LAWS = (CHECKERBOARD, "uniform 0.5", "uniform 0.75", "uniform 0.9")
"""One mask that shows every other patch, as on a chess board, and uniform masks of three ratios."""


@dataclass(frozen=True, eq=False)
class MaskedImages:
    """One masked view of each image: vectors (n, d) of the visible and of the hidden part, and labels."""

    visible: np.ndarray
    hidden: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: Any) -> MaskedImages:
        return MaskedImages(self.visible[chosen], self.hidden[chosen], self.labels[chosen])


def image_halves(dataset: str, *, encoded: bool, images: int, seed: int, root: str | None) -> tuple[ImageSet, ImageSet]:
    """Return disjoint images: on the first everything is chosen, and on the second it is certified.

    Parameters
    ----------
    dataset : {"digits", "cifar10"}
    encoded : bool
        Whether an encoder trained on the training images is used; no training image is then among the second half.
        Both halves are test images, except of digits, which have 360: the first half is always of the same training
        digits, and the second is all other digits, or those 360.
    images : int
        At most so many in each half.
    seed : int
        Shuffles the images.
    root : str, optional
        Folder of the data.
    """
    test = load_images(dataset, split="test", root=root)
    rng = generator(seed, "halves", dataset)
    if dataset != "digits":
        order = rng.permutation(len(test))[: 2 * images]
        return _subset(test, order[: len(order) // 2]), _subset(test, order[len(order) // 2 :])
    train = load_images(dataset, split="train", root=root)
    order, n_first = rng.permutation(len(train)), (len(train) + len(test)) // 2
    first, rest = order[:n_first], order[n_first:]
    if encoded:
        return _subset(train, first[:images]), _subset(test, np.arange(len(test))[:images])
    second = ImageSet(
        np.concatenate([test.images, train.images[rest]]),
        np.concatenate([test.labels, train.labels[rest]]),
        test.name,
        class_names=test.class_names,
    )
    return _subset(train, first[:images]), _subset(second, rng.permutation(len(second))[:images])


def _subset(images: ImageSet, chosen: np.ndarray) -> ImageSet:
    return ImageSet(images.images[chosen], images.labels[chosen], images.name, class_names=images.class_names)


def masked_halves(
    halves: tuple[ImageSet, ImageSet], law_name: str, encoder: Any | None, *, readout: Readout = "mean", seed: int
) -> tuple[MaskedImages, MaskedImages]:
    """Draw one mask for each image, independently, and return the vectors of both parts.

    Parameters
    ----------
    halves : tuple of ImageSet
    law_name : str
        One of `LAWS`.
    encoder : module, optional
        Encodes visible patches alone, and hidden patches alone. None takes pixels, with patches of one
        pixel for the chess board and of a quarter of a side otherwise; the other part is set to the mean pixel of the
        first half.
    readout : "mean" or "cls"
        Token of the encoder.
    seed : int

    Raises
    ------
    InputError
        If the law is unknown, or the encoder cannot process masked images.
    """
    if encoder is None:
        side = halves[0].shape[-1]
        patch = 1 if law_name == CHECKERBOARD else side // 4
        grid = side // patch
    else:
        transformer = vision_transformer(encoder)
        if transformer is None:
            raise InputError("the encoder must be a Vision Transformer, which can leave out patches")
        grid = round(transformer.config.n_patches**0.5)
        patch = 0
    law = _mask_law(law_name, grid)
    filled = 0.0 if encoder is not None else _as_patches(halves[0], patch).mean(0)

    def vectors(images: ImageSet, half: str) -> MaskedImages:
        masks = law.sample(generator(seed, "guarantee masks", half), len(images))  # (n, p)
        parts = []
        for shown in (masks, ~masks):
            if encoder is None:
                parts.append(np.where(shown[:, :, None], _as_patches(images, patch), filled).reshape(len(images), -1))
            else:
                found = encode(encoder, images, readout=readout, mask=torch.as_tensor(shown))
                parts.append(found.double().numpy())
        return MaskedImages(parts[0], parts[1], images.labels)

    return vectors(halves[0], "first"), vectors(halves[1], "second")


def _mask_law(name: str, grid: int) -> MaskLaw:
    if name == CHECKERBOARD:
        row, column = np.divmod(np.arange(grid * grid), grid)
        return ListedMasks(((row + column) % 2 == 0)[None])
    if name not in LAWS:
        raise InputError(f"the law must be one of {', '.join(LAWS)}, but it is {name!r}")
    return make_mask_law("uniform", (grid, grid), float(name.split()[1]))


def _as_patches(images: ImageSet, patch: int) -> np.ndarray:
    pixels = images.images / 255.0 if images.images.dtype == np.uint8 else images.images.astype(float)
    return patchify(pixels, patch)  # (n, p, c)


def encoder_spaces(encoders: Mapping[str, Any]) -> dict[str, Any | None]:
    """Return every space by name, pixels first; an encoder of None is pixels."""
    if PIXELS in encoders:
        raise InputError(f"{PIXELS!r} names the space without an encoder; choose another name for this one")
    return {PIXELS: None, **encoders}
