"""Each patch is seen by its own coin, given that something is seen and something is hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from maetheory.core import InputError
from maetheory.masks.law import MaskLaw, check_masks, check_support_size


@final
@dataclass(frozen=True)
class BernoulliMasks(MaskLaw):
    """Independent visibility with probability `p_visible` per patch, conditioned on ≥ 1 visible and ≥ 1 hidden.

    Examples
    --------
    >>> law = BernoulliMasks(2, 0.25)
    >>> law.support()[1].tolist()
    [0.5, 0.5]
    """

    n_patches: int
    p_visible: float

    def __post_init__(self) -> None:
        if self.n_patches < 2:
            raise InputError(f"n_patches must be at least 2, but it is {self.n_patches}")
        if not 0.0 < self.p_visible < 1.0:
            raise InputError(f"p_visible must lie strictly between 0 and 1, but it is {self.p_visible}")

    @property
    def _conditioning_probability(self) -> float:
        """Probability that the coins alone show something and hide something."""
        return 1.0 - (1.0 - self.p_visible) ** self.n_patches - self.p_visible**self.n_patches

    @property
    def mask_ratio(self) -> float:
        """Expected hidden share: 1 − (p_visible − p_visibleⁿ) / P(something seen and something hidden)."""
        return 1.0 - (self.p_visible - self.p_visible**self.n_patches) / self._conditioning_probability

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw `n` masks, shape (n, n_patches), patch by patch from the conditional law.

        No draw is ever rejected, so it ends however extreme `p_visible` is.
        """
        p, masks = self.p_visible, np.zeros((n, self.n_patches), bool)
        seen, hidden = np.zeros(n, bool), np.zeros(n, bool)
        for j in range(self.n_patches):
            left = self.n_patches - j - 1
            ok_if_visible = np.where(hidden, 1.0, 1.0 - p**left)
            ok_if_hidden = np.where(seen, 1.0, 1.0 - (1.0 - p) ** left)
            weight = p * ok_if_visible
            masks[:, j] = rng.random(n) * (weight + (1.0 - p) * ok_if_hidden) < weight
            seen |= masks[:, j]
            hidden |= ~masks[:, j]
        return masks

    def support(self) -> tuple[np.ndarray, np.ndarray]:
        """All 2ⁿ − 2 masks in binary order, first patch fastest."""
        check_support_size(2**self.n_patches - 2)
        codes = np.arange(1, 2**self.n_patches - 1)
        masks = (codes[:, None] >> np.arange(self.n_patches)) & 1 == 1  # (m, p)
        return masks, self.probability(masks)

    def probability(self, masks: np.ndarray) -> np.ndarray:
        """p^seen (1 − p)^hidden over the conditioning mass; 0 for all-visible and all-hidden masks."""
        seen = check_masks(masks, self.n_patches).sum(1)
        raw = self.p_visible**seen * (1.0 - self.p_visible) ** (self.n_patches - seen)
        return np.where((seen > 0) & (seen < self.n_patches), raw / self._conditioning_probability, 0.0)
