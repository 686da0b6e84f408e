"""Turn states of a finite world into images, and sample image sets from it."""

from __future__ import annotations

from math import isqrt

import numpy as np

from maetheory.core import InputError
from maetheory.data.finite_world import FiniteWorld
from maetheory.data.images import ImageSet
from maetheory.masks import unpatchify


def images_from_patches(pixels: np.ndarray, patch: int) -> np.ndarray:
    """Return the images whose patches, in raster order on a square grid, have the given pixels.

    Parameters
    ----------
    pixels : ndarray, shape (N, n, s)
        Patch values in the order of `maetheory.masks.patchify`: rows, columns, channels.
    patch : int
        Side of a patch in pixels; s = patch² C.

    Returns
    -------
    ndarray, shape (N, C, H, H)

    Raises
    ------
    InputError
        If n is not a square number, or s is not a multiple of patch².

    Examples
    --------
    >>> images_from_patches(np.arange(4.0).reshape(1, 4, 1), 1)[0, 0].tolist()
    [[0.0, 1.0], [2.0, 3.0]]
    """
    n, s = pixels.shape[1:]
    side = isqrt(n)
    if side * side != n:
        raise InputError(f"images are square grids of patches, so their number must be a square, but it is {n}")
    if patch < 1 or s % patch**2:
        raise InputError(
            f"a patch of {patch}x{patch} pixels has a multiple of {max(patch, 0) ** 2} values, but the "
            f"symbols of this world have {s}"
        )
    return unpatchify(pixels, patch, (side, side))


def sample_images(world: FiniteWorld, n: int, rng: np.random.Generator, *, patch: int = 1) -> ImageSet:
    """Draw `n` independent images from the distribution of a world.

    Parameters
    ----------
    world : FiniteWorld
        A world with a square number of patches and pixels in [0, 1]; without labels every image gets label 0.
    n : int
    rng : numpy Generator
    patch : int, default 1
        Side of a patch in pixels.

    Raises
    ------
    InputError
        If n is not positive, or `images_from_patches` or `ImageSet` raises it.

    Examples
    --------
    >>> from maetheory.data import worlds
    >>> sample_images(worlds.mixture(4, 2, 2, 0.1), 3, np.random.default_rng(0)).shape
    (3, 1, 2, 2)
    """
    if n < 1:
        raise InputError(f"n must be at least 1 image, but it is {n}")
    index = rng.choice(len(world.states), n, p=world.probability)
    labels = np.zeros(n, int) if world.labels is None else world.labels[index]
    return ImageSet(
        images_from_patches(world.values[world.states[index]], patch).astype(np.float32), labels, "finite world"
    )
