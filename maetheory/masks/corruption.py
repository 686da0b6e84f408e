"""BERT's corruption of words: selected patches are hidden, replaced or kept, and predicted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from math import comb
from typing import ClassVar, final

import numpy as np

from maetheory.core import InputError
from maetheory.masks.prediction import UNSEEN, Outcome, PredictionLaw


@final
@dataclass(frozen=True)
class BertCorruption(PredictionLaw):
    """Select patches at random; hide, replace or keep each, and predict what they were (Devlin et al. 2019).

    The view does not tell which of the visible patches were selected; the target does.

    Parameters
    ----------
    n_patches, n_symbols : int
        Patches of an image, and symbols of which one replaces another, all as likely.
    n_selected : int
        Number of patches that are selected, from 1 to n_patches.
    hidden_share, replaced_share : float
        Probabilities that a selected patch is hidden and that it is replaced; otherwise it is kept.

    Raises
    ------
    InputError
        If a number is out of its range.
    """

    _why_no_masks: ClassVar[str] = "it replaces patches by drawn symbols, which pixels do not have"

    n_patches: int
    n_symbols: int
    n_selected: int
    hidden_share: float = 0.8
    replaced_share: float = 0.1

    def __post_init__(self) -> None:
        if not 1 <= self.n_selected <= self.n_patches or self.n_symbols < 1:
            raise InputError(
                f"between 1 and {self.n_patches} patches can be selected, of at least one symbol, but n_selected is "
                f"{self.n_selected} and n_symbols {self.n_symbols}"
            )
        if not (min(self.hidden_share, self.replaced_share) >= 0 and self.hidden_share + self.replaced_share <= 1):
            raise InputError("hidden_share and replaced_share must not be negative, nor their sum above 1")

    @property
    def n_outcomes(self) -> int:
        """Number of selections times what may become of the selected patches."""
        return comb(self.n_patches, self.n_selected) * len(self._fates()) ** self.n_selected

    def outcomes(self, states: np.ndarray) -> Iterator[Outcome]:
        """Yield each selection with each fate of its patches."""
        fates, selections = self._fates(), list(combinations(range(self.n_patches), self.n_selected))
        for selected in selections:
            chosen = list(selected)
            target = np.full_like(states, UNSEEN)
            target[:, chosen] = states[:, chosen]
            for fate in product(fates, repeat=self.n_selected):
                view = states.copy()
                for place, (symbol, _) in zip(selected, fate, strict=True):
                    if symbol is not None:
                        view[:, place] = symbol
                probability = float(np.prod([chance for _, chance in fate])) / len(selections)
                yield Outcome(probability, view, target)

    def _fates(self) -> list[tuple[int | None, float]]:
        """Return what a selected patch becomes, None for itself, with its probability."""
        kept = 1 - self.hidden_share - self.replaced_share
        replaced = [(symbol, self.replaced_share / self.n_symbols) for symbol in range(self.n_symbols)]
        found: list[tuple[int | None, float]] = [(UNSEEN, self.hidden_share), (None, kept), *replaced]
        return [(symbol, chance) for symbol, chance in found if chance > 1e-15]
