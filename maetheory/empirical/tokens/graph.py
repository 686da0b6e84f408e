"""Quantised patches make views of different images meet, and a mask graph of real images is counted from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from maetheory.core import InputError, Progress, silent
from maetheory.data.images import ImageSet
from maetheory.empirical.tokens.codebook import Codebook, fit_codebook_to_vectors, pixels_as_float64
from maetheory.empirical.tokens.hashing import collision_bound, hash_tables
from maetheory.empirical.tokens.node_identities import Side, codebook_images, masked_means_of_images
from maetheory.empirical.tokens.sample import Sample, check_sample, sample_masks
from maetheory.graph import MaskGraph
from maetheory.masks import MaskLaw, patchify

NODE_KINDS = ("patches", "pooled")
CHUNK = 1024
POOLED_CODES = 64


def token_graph(images: ImageSet, law: MaskLaw, *, codebook: Codebook, **options: Any) -> MaskGraph:
    """Count the mask graph of images whose patches are codes: the plug-in graph of `token_sample`.

    It is exact for these images, codes and masks. As an estimate of the graph of all images it has too many components
    and too large a spectrum; `maetheory.empirical.tokens.graph_intervals` says by how much. Options and errors are those of
    `token_sample`.

    Examples
    --------
    >>> from maetheory.empirical.tokens.codebook import fit_codebook
    >>> from maetheory.masks import UniformMasks
    >>> images = ImageSet(np.array([[0.0, 1.0], [1.0, 1.0]]).reshape(2, 1, 1, 2), np.array([0, 1]), "dots")
    >>> token_graph(images, UniformMasks(2, 1), codebook=fit_codebook(images, 1, 2)).label_error()
    0.25 ± 2.22e-16
    """
    return token_sample(images, law, codebook=codebook, **options).graph


def token_sample(
    images: ImageSet,
    law: MaskLaw,
    *,
    codebook: Codebook,
    n_masks: int | None = None,
    seed: int = 0,
    positions: str = "kept",
    views: str = "patches",
    targets: str = "patches",
    pooled_codes: int = POOLED_CODES,
    chunk: int = CHUNK,
    progress: Progress = silent,
) -> Sample:
    """Number the view and the target of every image under every mask.

    Parameters
    ----------
    images : ImageSet
        At least two.
    law : MaskLaw
        Over the patches of an image.
    codebook : Codebook
        Codes of single patches; its patch size cuts the images.
    n_masks : int, optional
        How many masks are drawn, the same for all images; the whole support of the law by default.
    seed : int, default 0
        Draws the masks and the hash tables, and starts the codebooks of pooled regions.
    positions : {"kept", "dropped"}
        Whether the mask is part of a view and of a target.
    views, targets : {"patches", "pooled"}
        "patches": the codes of all patches shown, or hidden. "pooled": only the code of their mean, in a codebook of
        means, so that images which differ in detail do meet.
    pooled_codes : int, default 64
        Size of that codebook.
    chunk : int, default 1024
        Images in memory as patches at a time.
    progress : Progress

    Raises
    ------
    InputError
        If a word is unknown, law, codebook and images do not fit together, or there are fewer distinct means than
        pooled codes.
    """
    check_options(views, targets, chunk)
    n_patches = patchify(images.images[:1], codebook.patch).shape[1]
    check_sample((len(images), n_patches), images.labels, law, positions)
    masks, mask_weights = sample_masks(law, n_masks, seed)
    tables = hash_tables(n_patches, codebook.size, seed)
    sides = []
    for shown, word in ((masks, views), (~masks, targets)):
        book = _means_codebook(images, shown, codebook.patch, pooled_codes, seed) if word == "pooled" else None
        sides.append(Side(len(images), shown, positions, tables, book))
    show(images, codebook, sides, chunk, progress)
    view, target = (side.numbers() for side in sides)
    bound = collision_bound(int(view.max()) + 1, int(target.max()) + 1)
    return Sample(view, target, images.labels.astype(np.int64), mask_weights, n_masks is not None, positions, bound)


def check_options(views: str, targets: str, chunk: int) -> None:
    """Raise InputError where an identity is none of the two, or a chunk holds no image."""
    for name, word in (("views", views), ("targets", targets)):
        if word not in NODE_KINDS:
            raise InputError(f'{name} must be "patches" or "pooled", but it is {word!r}')
    if chunk < 1:
        raise InputError(f"chunk must be at least 1 image, but it is {chunk}")


def show(images: ImageSet, codebook: Codebook, sides: Sequence[Side], chunk: int, progress: Progress) -> None:
    """Show all images to both sides, a chunk at a time."""
    coded = any(side.book is None for side in sides)
    for start in range(0, len(images), chunk):
        patches = pixels_as_float64(patchify(images.images[start : start + chunk], codebook.patch))  # (b, p, c)
        codes = codebook.codes(patches) if coded else np.empty((0, 0), np.int32)
        for side in sides:
            side.see(start, patches, codes)
        progress(min(start + chunk, len(images)), len(images), "images seen through their masks")


def _means_codebook(images: ImageSet, shown: np.ndarray, patch: int, size: int, seed: int) -> Codebook:
    chosen = codebook_images(len(images), len(shown), seed)
    return fit_codebook_to_vectors(masked_means_of_images(images, chosen, shown, patch), patch, size, seed=seed)
