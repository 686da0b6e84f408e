"""What a mask shows of an image becomes one code, and so does what it hides: then views of other images do meet."""

from __future__ import annotations

import numpy as np

from maetheory.data.images import ImageSet
from maetheory.empirical.tokens.codebook import fit_codebook_to_vectors, pixels_as_float64
from maetheory.empirical.tokens.sample import Sample, check_sample
from maetheory.masks import MaskLaw, patchify

REGION_CODES = 32


def region_sample(
    images: ImageSet, law: MaskLaw, mask: np.ndarray, *, patch: int, codes: int = REGION_CODES, seed: int = 0
) -> Sample:
    """Number the view and the target of every image under one mask, each the nearest of finitely many regions.

    Codes of single patches make two regions of many patches differ almost always; here all pixels of a region are
    quantised together, in a codebook of this mask's own. Both are channels, so every singular value is at most that
    of the graph of pixels, and where a region takes no more than `codes` values nothing is lost.

    Parameters
    ----------
    images : ImageSet
        At least two.
    law : MaskLaw
        Over the patches of an image; only checked against the images.
    mask : ndarray of bool, shape (p,)
        True = visible.
    patch : int
        Side of a patch in pixels.
    codes : int, default 32
        Most codes of a side.
    seed : int, default 0
        Starts k-means.

    Raises
    ------
    InputError
        If law and images do not fit together, or k-means leaves a code without a region.

    Examples
    --------
    >>> from maetheory.masks import UniformMasks
    >>> images = ImageSet(np.array([[0.0, 1.0], [1.0, 1.0]]).reshape(2, 1, 1, 2), np.array([0, 1]), "dots")
    >>> sample = region_sample(images, UniformMasks(2, 1), np.array([True, False]), patch=1)
    >>> sample.views.ravel().tolist(), sample.targets.ravel().tolist()
    ([0, 1], [0, 0])
    """
    patches = pixels_as_float64(patchify(images.images, patch))  # (n, p, c)
    check_sample(patches.shape[:2], images.labels, law, "kept")
    view, target = (
        _region_codes(patches[:, shown].reshape(len(patches), -1), patch, codes, seed) for shown in (mask, ~mask)
    )
    return Sample(view, target, images.labels.astype(np.int64), np.ones(1), False, "kept")


def _region_codes(rows: np.ndarray, patch: int, codes: int, seed: int) -> np.ndarray:
    distinct, number = np.unique(rows, axis=0, return_inverse=True)
    if len(distinct) > codes:
        number = fit_codebook_to_vectors(rows, patch, codes, seed=seed).codes(rows)
    return np.unique(number, return_inverse=True)[1].reshape(-1, 1).astype(np.int32)  # (n, 1)
