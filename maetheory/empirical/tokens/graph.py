"""Mask graph of real images whose patches are quantised by a codebook.

Views of different images coincide where their codes agree, and the graph is counted from these coincidences.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from maetheory.core import Progress, no_progress
from maetheory.data.images import ImageSet
from maetheory.empirical.tokens.codebook import Codebook, fit_codebook_to_vectors
from maetheory.empirical.tokens.hashing import collision_bound
from maetheory.empirical.tokens.node_identities import (
    CHUNK_IMAGES,
    POOLED_CODES,
    check_node_options,
    collect_node_identities,
    sample_image_indices_for_codebook,
    visible_patch_means_of_images,
)
from maetheory.empirical.tokens.sample import TokenSample, check_sample, sample_mask_pairs
from maetheory.graph import MaskGraph
from maetheory.masks import PredictionLaw, patchify


def token_graph(images: ImageSet, law: PredictionLaw, *, codebook: Codebook, **options: Any) -> MaskGraph:
    """Build the mask graph of images with quantised patches: the plug-in graph of `token_sample`.

    It is exact for these images, codes and masks. As an estimate of the graph of all images it has too many components
    and too large a spectrum; `maetheory.empirical.graph_intervals` corrects both. Options and errors are those of
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
    law: PredictionLaw,
    *,
    codebook: Codebook,
    n_masks: int | None = None,
    seed: int = 0,
    positions: str = "kept",
    views: str = "patches",
    targets: str = "patches",
    pooled_codes: int = POOLED_CODES,
    chunk: int = CHUNK_IMAGES,
    progress: Progress = no_progress,
) -> TokenSample:
    """Build the sample of views and targets of every image under every mask.

    Parameters
    ----------
    images : ImageSet
        At least two.
    law : PredictionLaw
        Over the patches of an image, which it shows as they are: masks, prefixes, blocks.
    codebook : Codebook
        Codes of single patches; its patch size cuts the images.
    n_masks : int, optional
        Number of masks drawn, the same for all images; by default all masks of the law.
    seed : int, default 0
        Draws the masks and the hash tables, and initialises the codebooks of means.
    positions : {"kept", "dropped"}
        Whether the mask is part of a view and of a target.
    views, targets : {"patches", "pooled"}
        "patches": a node is the codes of all visible (or hidden) patches. "pooled": it is only the code of their mean,
        from a codebook of means, so that images that differ in detail coincide.
    pooled_codes : int, default 64
        Size of that codebook.
    chunk : int, default 1024
        Number of images converted to patches at a time.
    progress : Progress

    Raises
    ------
    InputError
        If an option is unknown, law, codebook and images do not fit together, the law does not show patches as they
        are, or there are fewer distinct means than pooled codes.
    """
    check_node_options(views, targets, chunk)
    n_patches = patchify(images.images[:1], codebook.patch).shape[1]
    check_sample((len(images), n_patches), images.labels, law, positions)
    masks, mask_weights = sample_mask_pairs(law, n_masks, seed)
    sides = collect_node_identities(
        images,
        codebook,
        masks,
        (views, targets),
        positions,
        seed=seed,
        chunk=chunk,
        fit_means=lambda shown: _mean_patch_codebook(images, shown, codebook.patch, pooled_codes, seed),
        progress=progress,
    )
    view, target = (side.indices() for side in sides)
    bound = collision_bound(int(view.max()) + 1, int(target.max()) + 1)
    return TokenSample(
        view, target, images.labels.astype(np.int64), mask_weights, n_masks is not None, positions, bound
    )


def _mean_patch_codebook(images: ImageSet, shown: np.ndarray, patch: int, size: int, seed: int) -> Codebook:
    """Fit the codebook of mean patches."""
    chosen = sample_image_indices_for_codebook(len(images), len(shown), seed)
    return fit_codebook_to_vectors(visible_patch_means_of_images(images, chosen, shown, patch), patch, size, seed=seed)
