"""A mask law given by an explicit list of masks and their probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from maetheory.core import InputError
from maetheory.masks.law import MaskLaw, check_masks


@final
@dataclass(frozen=True, eq=False)
class ListedMasks(MaskLaw):
    """Finite mask distribution given by its masks and weights; equal masks are merged and their weights added.

    A sample of another law, listed, approximates a law whose support is too large to enumerate.

    Parameters
    ----------
    masks : ndarray of bool, shape (m, p)
        True = visible, for instance ``law.sample(rng, m)``; each shows at least one patch and hides at least one.
    weights : ndarray, shape (m,), optional
        Non-negative, sum to one within 1e-9; all equal by default.

    Raises
    ------
    InputError
        If a mask shows or hides nothing, or the weights are not a probability distribution.

    Examples
    --------
    >>> from maetheory.masks import UniformMasks
    >>> law = ListedMasks(UniformMasks(16, 4).sample(np.random.default_rng(0), 10))
    >>> round(law.mask_ratio, 12), law.support()[0].shape
    (0.75, (10, 16))
    """

    masks: np.ndarray
    weights: np.ndarray | None = None

    def __post_init__(self) -> None:
        masks = check_masks(self.masks, np.shape(self.masks)[-1])
        visible = masks.sum(1)
        if not len(masks) or (visible < 1).any() or (visible >= masks.shape[1]).any():
            raise InputError("each listed mask must show at least one patch and hide at least one")
        weights = np.full(len(masks), 1.0 / len(masks)) if self.weights is None else np.asarray(self.weights, float)
        if weights.shape != (len(masks),) or not (weights >= 0).all() or abs(weights.sum() - 1.0) > 1e-9:
            raise InputError(f"weights must be {len(masks)} non-negative numbers that sum to 1, one for each mask")
        distinct, index = np.unique(masks, axis=0, return_inverse=True)
        object.__setattr__(self, "masks", distinct)
        object.__setattr__(self, "weights", np.bincount(index.ravel(), weights / weights.sum()))

    @property
    def n_patches(self) -> int:  # type: ignore[override]  # read-only here; a dataclass field in other laws
        """Number of patches of an image."""
        return self.masks.shape[1]

    @property
    def mask_ratio(self) -> float:
        """Expected share of hidden patches."""
        return float(self._probability @ (~self.masks).mean(1))

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw `n` of the masks, shape (n, n_patches)."""
        return self.masks[rng.choice(len(self.masks), n, p=self._probability)]

    def support(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the distinct masks of positive probability and their probabilities."""
        positive = self._probability > 0
        return self.masks[positive], self._probability[positive]

    def probability(self, masks: np.ndarray) -> np.ndarray:
        """Return the probability of each mask, 0 where it is not listed."""
        probability = {mask.tobytes(): weight for mask, weight in zip(self.masks, self._probability, strict=True)}
        return np.array([probability.get(mask.tobytes(), 0.0) for mask in check_masks(masks, self.n_patches)])

    @property
    def _probability(self) -> np.ndarray:
        assert self.weights is not None
        return self.weights
