"""One side of a token graph: what every image shows, or hides, under every mask, as identities that can be compared."""

from __future__ import annotations

import numpy as np

from maetheory.core import generator
from maetheory.data.images import ImageSet
from maetheory.empirical.tokens.codebook import FIT_ROWS, Codebook, pixels_as_float64
from maetheory.empirical.tokens.hashing import LANES, numbered, view_hashes
from maetheory.masks import patchify


class Side:
    """Collects the identities of one side, chunk by chunk: hashes of patch codes, or codes of means.

    Parameters
    ----------
    n_images : int
    shown : ndarray of bool, shape (m, p)
        The patches of this side under each mask.
    positions : {"kept", "dropped"}
    tables : ndarray of uint64, shape (2, p, K)
        From `hash_tables`.
    book : Codebook, optional
        Of means, where this side is pooled.
    """

    def __init__(
        self, n_images: int, shown: np.ndarray, positions: str, tables: np.ndarray, book: Codebook | None = None
    ) -> None:
        self.shown, self.positions, self.tables, self.book = shown, positions, tables, book
        size = (n_images, len(shown))
        self.found = np.empty((*size, LANES), np.uint64) if book is None else np.empty(size, np.int64)

    def see(self, start: int, patches: np.ndarray, codes: np.ndarray) -> None:
        """Note the identities of images `start` and following, patches (b, p, c) and their codes (b, p)."""
        here = slice(start, start + len(patches))
        if self.book is None:
            self.found[here] = view_hashes(codes, self.shown, self.positions, self.tables)
            return
        mean_codes = self.book.codes(means(patches, self.shown)).astype(np.int64)  # (b, m)
        if self.positions == "kept":
            mask = np.unique(self.shown, axis=0, return_inverse=True)[1].ravel()  # (m,)
            mean_codes += mask * self.book.size
        self.found[here] = mean_codes

    def numbers(self) -> np.ndarray:
        """Return identities numbered from 0 without a gap, shape (n, m) of int32."""
        if self.book is None:
            return numbered(self.found.reshape(-1, LANES)).reshape(self.found.shape[:2])
        return np.unique(self.found, return_inverse=True)[1].reshape(self.found.shape).astype(np.int32)

    def hashes(self, seed: int) -> np.ndarray:
        """Return identities as 128 bits each, shape (n, m, 2), which other processes with this seed give them too."""
        if self.book is None:
            return self.found
        words = generator(seed, "pooled identities").integers(
            0, 2**64, size=(self.book.size * len(self.shown), LANES), dtype=np.uint64
        )
        return words[self.found]  # (n, m) -> (n, m, 2)


def means(patches: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Mean of the patches shown by each mask, (b, p, c) -> (b, m, c)."""
    return np.einsum("mp,bpc->bmc", shown / shown.sum(1, keepdims=True), patches, optimize=True)


def codebook_images(n_images: int, n_masks: int, seed: int) -> np.ndarray:
    """Return which images the codebook of means is fitted to, ascending: their means are a hundred thousand at most."""
    most = max(2, FIT_ROWS // n_masks)
    return np.sort(generator(seed, "pooled images").choice(n_images, min(most, n_images), replace=False))


def masked_means_of_images(images: ImageSet, chosen: np.ndarray, shown: np.ndarray, patch: int) -> np.ndarray:
    """Means of chosen images under every mask, one below the other, shape (images m, c)."""
    found = means(pixels_as_float64(patchify(images.images[chosen], patch)), shown)  # (b, m, c)
    return found.reshape(-1, found.shape[-1])
