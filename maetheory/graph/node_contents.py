"""What the nodes of a mask graph show: which patches, which symbols, which pixels."""

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
    """The patches shown by each of N views (or targets).

    Attributes
    ----------
    symbols : ndarray of int, shape (N, w)
        Symbols in patch order, padded with −1 to the widest.
    masks : ndarray of bool, shape (N, n), or None
        The patches shown; None where positions were dropped.
    values : ndarray, shape (alphabet, s)
        Pixels of each symbol.
    """

    symbols: np.ndarray
    masks: np.ndarray | None
    values: np.ndarray

    def embedded(self, embedding: str) -> np.ndarray:
        """Pixels as one vector per view, shape (N, n·s) for "zero" and (N, w·s) for "packed".

        Parameters
        ----------
        embedding : {"zero", "packed"}
            "zero": every patch in its place, patches not shown are 0. "packed": the shown patches in patch order.

        Raises
        ------
        InputError
            For another word; for "zero" where positions were dropped; for "packed" where the counts of shown patches
            differ.
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
        places = visible_indices(self.masks)  # (N, w)
        pixels = np.zeros((n, p, self.values.shape[1]))
        row, column = np.nonzero(places >= 0)
        pixels[row, places[row, column]] = self.values[self.symbols[row, column]]
        return pixels.reshape(n, -1)  # (N, p, s) -> (N, p s)
