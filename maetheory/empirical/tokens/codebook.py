"""Codebook that quantises patches to the nearest of finitely many centres, found by k-means.

Patches of different real images almost never coincide; their codes do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from maetheory.core import InputError, generator
from maetheory.data.images import ImageSet
from maetheory.masks import patchify

MAX_FIT_VECTORS = 100_000  # vectors that k-means is fitted to, at most
_CHUNK_ENTRIES = 8_000_000


@final
@dataclass(frozen=True, eq=False)
class Codebook:
    """Vector quantiser: centres in a linear projection of patches of one size.

    Attributes
    ----------
    patch : int
        Side of a patch in pixels.
    mean : ndarray, shape (c,)
    projection : ndarray, shape (c, q)
        A patch x is compared as (x − mean) @ projection: the identity, principal axes, or whitened principal axes.
    centres : ndarray, shape (K, q)
    """

    patch: int
    mean: np.ndarray
    projection: np.ndarray
    centres: np.ndarray

    @property
    def size(self) -> int:
        """Number of codes K."""
        return len(self.centres)

    def codes(self, patches: np.ndarray) -> np.ndarray:
        """Return the index of the nearest centre of each patch, the lowest on a tie; shape (..., c) -> (...).

        Raises
        ------
        InputError
            If the patches have another number of values.
        """
        if patches.shape[-1] != len(self.mean):
            raise InputError(
                f"this codebook is for patches of {len(self.mean)} values, but these have {patches.shape[-1]}"
            )
        rows = patches.reshape(-1, len(self.mean))
        found = np.empty(len(rows), np.int32)
        step = max(1, _CHUNK_ENTRIES // self.size)
        half_norms = (self.centres**2).sum(1) / 2  # (K,)
        for start in range(0, len(rows), step):
            projected = _project(rows[start : start + step], self.mean, self.projection)  # (b, c) -> (b, q)
            found[start : start + step] = (half_norms - projected @ self.centres.T).argmin(1)  # (b, K) -> (b,)
        return found.reshape(patches.shape[:-1])


def fit_codebook(
    images: ImageSet, patch: int, size: int, *, components: int | None = None, whiten: bool = False, seed: int = 0
) -> Codebook:
    """Fit a codebook of `size` codes to the patches of images by k-means; the same seed gives the same codes.

    If there are exactly `size` distinct patches, they are the centres and quantisation is lossless.

    Parameters
    ----------
    images : ImageSet
    patch : int
        Side of a patch in pixels.
    size : int
        Number of codes, at least 2.
    components : int, optional
        Number of principal axes in which patches are compared; all pixels by default.
    whiten : bool, default False
        Scale each principal axis to unit variance; axes without variance are left out.
    seed : int, default 0
        Samples at most a hundred thousand patches and initialises k-means.

    Raises
    ------
    InputError
        If `size` or `components` is out of range, there are fewer distinct patches than codes, or k-means leaves a
        cluster empty.

    References
    ----------
    Sculley 2010, Web-Scale k-Means Clustering.

    Examples
    --------
    >>> images = ImageSet(np.array([[0.0, 1.0], [1.0, 1.0]]).reshape(2, 1, 1, 2), np.array([0, 1]), "dots")
    >>> book = fit_codebook(images, 1, 2)
    >>> book.codes(patchify(images.images, 1)).tolist()
    [[0, 1], [1, 1]]
    """
    per_image = max(1, patchify(images.images[:1], patch).shape[1])
    rng = generator(seed, "codebook")
    n_chosen = min(max(1, MAX_FIT_VECTORS // per_image), len(images))
    chosen = np.sort(rng.choice(len(images), n_chosen, replace=False))
    rows = pixels_as_float64(patchify(images.images[chosen], patch)).reshape(-1, images.shape[1] * patch * patch)
    return fit_codebook_to_vectors(rows, patch, size, components=components, whiten=whiten, seed=seed)


def fit_codebook_to_vectors(
    rows: np.ndarray, patch: int, size: int, *, components: int | None = None, whiten: bool = False, seed: int = 0
) -> Codebook:
    """Fit a codebook of `size` codes to vectors, shape (N, c); parameters and errors as for `fit_codebook`."""
    mean, projection = _principal_axes(rows, components, whiten)
    projected = _project(rows, mean, projection)  # (N, c) -> (N, q)
    distinct = np.unique(projected, axis=0)  # (D, q)
    if not 2 <= size <= len(distinct):
        raise InputError(
            f"size must lie between 2 and the {len(distinct)} distinct patches there are, but it is {size}"
        )
    if size == len(distinct):
        return Codebook(patch, mean, projection, distinct)
    return Codebook(patch, mean, projection, _kmeans_centres(projected, size, seed))


def pixels_as_float64(pixels: np.ndarray) -> np.ndarray:
    """Return pixels in [0, 1] as float64, from uint8 0..255 or from floats."""
    return pixels / 255.0 if pixels.dtype == np.uint8 else pixels.astype(np.float64)


def _principal_axes(rows: np.ndarray, components: int | None, whiten: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean (c,) and projection (c, q) to principal axes; zero and the identity where neither option is set."""
    width = rows.shape[1]
    if components is None and not whiten:
        return np.zeros(width), np.eye(width)
    if components is not None and not 1 <= components <= width:
        raise InputError(f"components must lie between 1 and the {width} values of a patch, but it is {components}")
    mean = rows.mean(0)
    variance, axes = np.linalg.eigh(np.cov(rows.T, bias=True).reshape(width, width))
    variance, axes = variance[::-1][:components], axes[:, ::-1][:, :components]
    alive = variance > 1e-12 * max(variance[0], 1e-300)
    return mean, axes[:, alive] / (np.sqrt(variance[alive]) if whiten else 1.0)


def _project(rows: np.ndarray, mean: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """Coordinates (N, q) of vectors (N, c); with the identity as projection, which a product would only copy slowly."""
    width = len(projection)
    if (
        projection.shape == (width, width)
        and (np.diag(projection) == 1).all()
        and np.count_nonzero(projection) == width
    ):
        return np.asarray(rows - mean)
    return np.asarray((rows - mean) @ projection)


def _kmeans_centres(rows: np.ndarray, size: int, seed: int) -> np.ndarray:
    from sklearn.cluster import MiniBatchKMeans

    found = MiniBatchKMeans(size, n_init=3, batch_size=4096, random_state=seed).fit(rows)
    empty = size - len(np.unique(found.labels_))
    if empty:
        raise InputError(f"k-means left {empty} of {size} codes without a patch: take fewer codes or another seed")
    return found.cluster_centers_.astype(np.float64)
