"""Independent Bernoulli masks, conditioned on at least one visible and one hidden patch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from maetheory.core import InputError
from maetheory.masks.law import MaskLaw, check_masks, check_support_size, exchangeable_visibility


@final
@dataclass(frozen=True)
class BernoulliMasks(MaskLaw):
    """Masks whose patches are visible independently, conditioned on at least one visible and one hidden patch.

    Parameters
    ----------
    n_patches : int
        Patches of an image, at least 2.
    p_visible : float
        Probability that a patch is visible, strictly between 0 and 1, before the conditioning.

    Raises
    ------
    InputError
        If an argument is outside its range.

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
        """Probability that unconditioned draws give at least one visible and one hidden patch."""
        return 1.0 - (1.0 - self.p_visible) ** self.n_patches - self.p_visible**self.n_patches

    @property
    def mask_ratio(self) -> float:
        """Expected hidden share, 1 − (p_visible − p_visibleⁿ) / P(at least one visible and one hidden)."""
        return 1.0 - (self.p_visible - self.p_visible**self.n_patches) / self._conditioning_probability

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw `n` masks, shape (n, n_patches), patch by patch from the conditional distribution.

        No draw is rejected, so the running time does not depend on `p_visible`.
        """
        p, masks = self.p_visible, np.zeros((n, self.n_patches), bool)
        any_visible, any_hidden = np.zeros(n, bool), np.zeros(n, bool)
        for j in range(self.n_patches):
            remaining = self.n_patches - j - 1
            ok_if_visible = np.where(any_hidden, 1.0, 1.0 - p**remaining)
            ok_if_hidden = np.where(any_visible, 1.0, 1.0 - (1.0 - p) ** remaining)
            weight = p * ok_if_visible
            masks[:, j] = rng.random(n) * (weight + (1.0 - p) * ok_if_hidden) < weight
            any_visible |= masks[:, j]
            any_hidden |= ~masks[:, j]
        return masks

    def support(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all 2ⁿ − 2 masks in binary order, first patch fastest, and their probabilities."""
        check_support_size(2**self.n_patches - 2)
        codes = np.arange(1, 2**self.n_patches - 1)
        masks = (codes[:, None] >> np.arange(self.n_patches)) & 1 == 1  # (m, p)
        return masks, self.probability(masks)

    def probability(self, masks: np.ndarray) -> np.ndarray:
        """Return p^visible (1 − p)^hidden / P(conditioning); 0 for all-visible and all-hidden masks."""
        visible = check_masks(masks, self.n_patches).sum(1)
        raw = self.p_visible**visible * (1.0 - self.p_visible) ** (self.n_patches - visible)
        return np.where((visible > 0) & (visible < self.n_patches), raw / self._conditioning_probability, 0.0)

    def joint_visibility(self) -> np.ndarray:
        """Return (p − pⁿ) / Z on the diagonal and (p² − pⁿ) / Z beside it, with Z = P(conditioning)."""
        everything = self.p_visible**self.n_patches  # a mask that shows every patch is excluded
        one, two = ((self.p_visible**count - everything) / self._conditioning_probability for count in (1, 2))
        return exchangeable_visibility(self.n_patches, one, two)
