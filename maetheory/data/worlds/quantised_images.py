"""World of a set of images whose patches are quantised by k-means."""

from __future__ import annotations

import numpy as np

from maetheory.data.finite_world import FiniteWorld
from maetheory.data.images import ImageSet
from maetheory.data.worlds.states import check_counts
from maetheory.masks import patchify


def from_images(images: ImageSet, patch: int, alphabet: int, seed: int = 0) -> FiniteWorld:
    """World of a small set of equally likely images, their patches quantised by k-means.

    Equal quantised images of one class are one state; of two classes, two states. The value of a symbol is the mean of
    its patches. If there are no more distinct patches than symbols, quantisation is exact: the world is the image set
    itself. Nothing else is known in closed form.

    Parameters
    ----------
    images : ImageSet
    patch : int
        Side of a patch in pixels; the image must have at least two patches.
    alphabet : int
        Largest number of symbols; at least 2.
    seed : int, default 0
        Seed of k-means.

    Raises
    ------
    InputError
        If `patch` does not divide the image or `alphabet` is too small.

    Examples
    --------
    >>> pixels = np.array([0, 255], np.uint8)[:, None, None, None] * np.ones((1, 1, 2, 4), np.uint8)
    >>> world = from_images(ImageSet(pixels, [0, 1], "black and white"), 2, 2)
    >>> world.states.tolist(), world.labels.tolist()
    ([[0, 0], [1, 1]], [0, 1])
    """
    pixels = images.images / 255.0 if images.images.dtype == np.uint8 else images.images.astype(float)
    patches = patchify(pixels, patch)  # (N, C, H, W) -> (N, n, s)
    check_counts(patches.shape[1], alphabet)
    symbols, values = _quantise_patches(patches.reshape(-1, patches.shape[2]), alphabet, seed)
    rows = np.column_stack([symbols.reshape(patches.shape[:2]), images.labels])  # (N, n + 1)
    distinct, count = np.unique(rows, axis=0, return_counts=True)
    return FiniteWorld(distinct[:, :-1], count / len(rows), distinct[:, -1], values)


def _quantise_patches(patches: np.ndarray, alphabet: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the symbol of each patch, shape (patches,), and the mean patch of each symbol, shape (symbols, s)."""
    distinct, symbol = np.unique(patches, axis=0, return_inverse=True)
    if len(distinct) <= alphabet:
        return symbol.ravel(), distinct
    from sklearn.cluster import KMeans

    found = KMeans(alphabet, n_init=4, random_state=seed).fit_predict(patches)
    used, symbol = np.unique(found, return_inverse=True)
    return symbol, np.stack([patches[symbol == a].mean(0) for a in range(len(used))])
