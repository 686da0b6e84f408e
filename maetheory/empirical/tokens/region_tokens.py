"""Token sample under one mask with whole visible and hidden regions quantised by k-means.

Whole regions of many patches almost never agree patch by patch; their codes do.
"""

from __future__ import annotations

import numpy as np

from maetheory.core import InputError
from maetheory.data.images import ImageSet
from maetheory.empirical.tokens.codebook import fit_codebook_to_vectors, pixels_as_float64
from maetheory.empirical.tokens.sample import TokenSample, check_sample
from maetheory.masks import MaskLaw, patchify

REGION_CODES = 32
FITS = 5  # of k-means, each with the next seed, before an empty cluster is an error


def region_sample(
    images: ImageSet, law: MaskLaw, mask: np.ndarray, *, patch: int, codes: int = REGION_CODES, seed: int = 0
) -> TokenSample:
    """Build the sample of images under one mask, each visible and each hidden region quantised to one code.

    All pixels of a region are quantised together, with a codebook fitted under this mask. Both quantisers are channels,
    so every singular value is at most that of the graph of pixels; a side with at most `codes` distinct regions is not
    quantised.

    Parameters
    ----------
    images : ImageSet
        At least two.
    law : MaskLaw
        Over the patches of an image; only checked for their number.
    mask : ndarray of bool, shape (p,)
        True = visible.
    patch : int
        Side of a patch in pixels.
    codes : int, default 32
        Maximal number of codes of visible regions, and of hidden ones.
    seed : int, default 0
        Initialises k-means.

    Raises
    ------
    InputError
        If law and images do not fit together, or k-means leaves a cluster empty with five seeds in turn.

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
    return TokenSample(view, target, images.labels.astype(np.int64), np.ones(1), False, "kept")


def _region_codes(rows: np.ndarray, patch: int, codes: int, seed: int) -> np.ndarray:
    """Code of each region (n, c), from 0 without gaps, (n, 1)."""
    distinct, code = np.unique(rows, axis=0, return_inverse=True)
    if len(distinct) > codes:
        code = _fitted_codes(rows, patch, codes, seed)
    return np.unique(code, return_inverse=True)[1].reshape(-1, 1).astype(np.int32)


def _fitted_codes(rows: np.ndarray, patch: int, codes: int, seed: int) -> np.ndarray:
    """Code of each region (n,) by the first of five seeds with which k-means leaves no cluster empty."""
    for attempt in range(FITS - 1):
        try:
            return fit_codebook_to_vectors(rows, patch, codes, seed=seed + attempt).codes(rows)
        except InputError:  # a cluster is empty: the only error that a table with enough distinct rows leaves
            continue
    return fit_codebook_to_vectors(rows, patch, codes, seed=seed + FITS - 1).codes(rows)
