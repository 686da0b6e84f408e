"""Visible (or hidden) patches, symbols and pixels of each node of a mask graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from maetheory.core import InputError
from maetheory.masks.views import visible_indices

EMBEDDINGS = ("zero", "packed")


@final
@dataclass(frozen=True, eq=False)
class NodeContents:
    """Patches, symbols and pixel values of each of N views (or targets).

    Attributes
    ----------
    symbols : ndarray of int, shape (N, w)
        Symbols in patch order, padded with −1 to the longest.
    masks : ndarray of bool, shape (N, n), or None
        The patches of the node; None if positions were dropped.
    values : ndarray, shape (alphabet, s)
        Pixels of each symbol.
    """

    symbols: np.ndarray
    masks: np.ndarray | None
    values: np.ndarray

    def to_pixels(self, embedding: str) -> np.ndarray:
        """Return pixels as one vector per node, shape (N, n·s) for "zero" and (N, w·s) for "packed".

        Parameters
        ----------
        embedding : {"zero", "packed"}
            "zero": the whole image, with 0 in the patches that are not part of the node. "packed": the patches of the
            node in patch order.

        Raises
        ------
        InputError
            If `embedding` is neither; for "zero" if positions were dropped; for "packed" if nodes differ in their
            number of patches.
        """
        if embedding not in EMBEDDINGS:
            raise InputError(f'embedding must be "zero" or "packed", but it is {embedding!r}')
        return self._zero_filled() if embedding == "zero" else self._packed()

    def _packed(self) -> np.ndarray:
        if (self.symbols < 0).any():
            raise InputError(
                'the embedding "packed" needs masks that all show equally many patches, but these differ: use "zero"'
            )
        return self.values[self.symbols].reshape(len(self.symbols), -1)  # (N, w, s) -> (N, w s)

    def _zero_filled(self) -> np.ndarray:
        if self.masks is None:
            raise InputError(
                'the embedding "zero" needs to know where the patches are, but positions were dropped: use "packed"'
            )
        n, p = self.masks.shape
        indices = visible_indices(self.masks)  # (N, w)
        pixels = np.zeros((n, p, self.values.shape[1]))
        row, column = np.nonzero(indices >= 0)
        pixels[row, indices[row, column]] = self.values[self.symbols[row, column]]
        return pixels.reshape(n, -1)  # (N, p, s) -> (N, p s)
