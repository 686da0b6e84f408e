"""Hash or codebook identities of the views (or targets) of a token graph, collected chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from maetheory.core import InputError, Progress, generator
from maetheory.data.images import ImageSet
from maetheory.empirical.tokens.codebook import MAX_FIT_VECTORS, Codebook, pixels_as_float64
from maetheory.empirical.tokens.hashing import LANES, random_hash_words, unique_inverse, view_hashes
from maetheory.masks import patchify

NODE_KINDS = ("patches", "pooled")
CHUNK_IMAGES = 1024
POOLED_CODES = 64


class NodeIdentities:
    """Accumulator of the identities of all views, or of all targets: hashes of patch codes, or codes of means.

    Parameters
    ----------
    n_images : int
    shown : ndarray of bool, shape (m, p)
        The patches that make up a view (or a target) under each mask.
    positions : {"kept", "dropped"}
    tables : ndarray of uint64, shape (2, p, K)
        From `random_hash_words`.
    codebook : Codebook, optional
        Of mean patches, if nodes are pooled.
    """

    def __init__(
        self, n_images: int, shown: np.ndarray, positions: str, tables: np.ndarray, codebook: Codebook | None = None
    ) -> None:
        self.shown, self.positions, self.tables, self.codebook = shown, positions, tables, codebook
        size = (n_images, len(shown))
        self.identities = np.empty((*size, LANES), np.uint64) if codebook is None else np.empty(size, np.int64)

    def update(self, start: int, patches: np.ndarray, codes: np.ndarray) -> None:
        """Add the identities of a chunk of images from index `start`, patches (b, p, c) and their codes (b, p)."""
        here = slice(start, start + len(patches))
        if self.codebook is None:
            self.identities[here] = view_hashes(codes, self.shown, self.positions, self.tables)
            return
        mean_codes = self.codebook.codes(visible_patch_means(patches, self.shown)).astype(np.int64)  # (b, m)
        if self.positions == "kept":
            mask = np.unique(self.shown, axis=0, return_inverse=True)[1].ravel()  # (m,)
            mean_codes += mask * self.codebook.size
        self.identities[here] = mean_codes

    def indices(self) -> np.ndarray:
        """Return the node index of every image under every mask, from 0 without gaps, shape (n, m) of int32."""
        if self.codebook is None:
            return unique_inverse(self.identities.reshape(-1, LANES)).reshape(self.identities.shape[:2])
        return np.unique(self.identities, return_inverse=True)[1].reshape(self.identities.shape).astype(np.int32)

    def hashes(self, seed: int) -> np.ndarray:
        """Return the identities as 128-bit hashes, shape (n, m, 2), the same in every process with this seed."""
        if self.codebook is None:
            return self.identities
        words = generator(seed, "pooled identities").integers(
            0, 2**64, size=(self.codebook.size * len(self.shown), LANES), dtype=np.uint64
        )
        return words[self.identities]  # (n, m) -> (n, m, 2)


def check_node_options(views: str, targets: str, chunk: int) -> None:
    """Raise InputError if a kind of node is unknown, or a chunk holds no image."""
    for name, kind in (("views", views), ("targets", targets)):
        if kind not in NODE_KINDS:
            raise InputError(f'{name} must be "patches" or "pooled", but it is {kind!r}')
    if chunk < 1:
        raise InputError(f"chunk must be at least 1 image, but it is {chunk}")


def collect_node_identities(
    images: ImageSet | None,
    codebook: Codebook,
    masks: tuple[np.ndarray, np.ndarray],
    kinds: tuple[str, str],
    positions: str,
    *,
    seed: int,
    chunk: int,
    fit_means: Callable[[np.ndarray], Codebook],
    progress: Progress,
) -> list[NodeIdentities]:
    """Collect the identities of the views and of the targets of all images, chunk by chunk.

    Parameters
    ----------
    images : ImageSet or None
        None for a process without images.
    codebook : Codebook
        Codes of single patches.
    masks : pair of ndarray of bool, shape (m, p)
        True = part of the view, and of the target.
    kinds : tuple of str
        Of views and of targets: "patches" or "pooled".
    positions : {"kept", "dropped"}
    seed : int
        Draws the hash tables.
    chunk : int
        Number of images converted to patches at a time.
    fit_means : callable
        Fits the codebook of mean patches where nodes are pooled, given the patches that make them up, (m, p).
    progress : Progress
    """
    n_images = 0 if images is None else len(images)
    tables = random_hash_words(masks[0].shape[1], codebook.size, seed)
    sides = [
        NodeIdentities(n_images, shown, positions, tables, fit_means(shown) if kind == "pooled" else None)
        for shown, kind in zip(masks, kinds, strict=True)
    ]
    needs_codes = any(side.codebook is None for side in sides)
    for start in range(0, n_images, chunk):
        assert images is not None
        patches = pixels_as_float64(patchify(images.images[start : start + chunk], codebook.patch))  # (b, p, c)
        codes = codebook.codes(patches) if needs_codes else np.empty((0, 0), np.int32)
        for side in sides:
            side.update(start, patches, codes)
        progress(min(start + chunk, n_images), n_images, "hashing views")
    return sides


def visible_patch_means(patches: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Mean of the patches visible under each mask, (b, p, c) -> (b, m, c)."""
    return np.einsum("mp,bpc->bmc", shown / shown.sum(1, keepdims=True), patches, optimize=True)


def sample_image_indices_for_codebook(n_images: int, n_masks: int, seed: int) -> np.ndarray:
    """Draw the indices, ascending, of images whose mean patches (at most 100,000) the codebook is fitted to."""
    n_chosen = min(max(2, MAX_FIT_VECTORS // n_masks), n_images)
    return np.sort(generator(seed, "pooled images").choice(n_images, n_chosen, replace=False))


def visible_patch_means_of_images(images: ImageSet, chosen: np.ndarray, shown: np.ndarray, patch: int) -> np.ndarray:
    """Mean visible patches of chosen images under every mask, stacked, shape (images m, c)."""
    found = visible_patch_means(pixels_as_float64(patchify(images.images[chosen], patch)), shown)  # (b, m, c)
    return found.reshape(-1, found.shape[-1])
