"""A few masks, listed with their probabilities, stand for a law with too many to write down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from maetheory.core import InputError
from maetheory.masks.law import MaskLaw, check_masks


@final
@dataclass(frozen=True, eq=False)
class ListedMasks(MaskLaw):
    """Any finite law of masks; equal masks are one, with the sum of their probabilities.

    Parameters
    ----------
    masks : ndarray of bool, shape (m, p)
        True = visible, for instance ``law.sample(rng, m)``; each shows at least one patch and hides at least one.
    weights : ndarray, shape (m,), optional
        Non-negative, sum to one within 1e-9; all equal by default.

    Raises
    ------
    InputError
        If a mask shows or hides nothing, or the weights are no law.

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
        shown = masks.sum(1)
        if not len(masks) or (shown < 1).any() or (shown >= masks.shape[1]).any():
            raise InputError("each listed mask must show at least one patch and hide at least one")
        law = np.full(len(masks), 1.0 / len(masks)) if self.weights is None else np.asarray(self.weights, float)
        if law.shape != (len(masks),) or not (law >= 0).all() or abs(law.sum() - 1.0) > 1e-9:
            raise InputError(f"weights must be {len(masks)} non-negative numbers that sum to 1, one for each mask")
        distinct, which = np.unique(masks, axis=0, return_inverse=True)
        object.__setattr__(self, "masks", distinct)
        object.__setattr__(self, "weights", np.bincount(which.ravel(), law / law.sum()))

    @property
    def n_patches(self) -> int:  # type: ignore[override]
        """Patches of an image."""
        return self.masks.shape[1]

    @property
    def mask_ratio(self) -> float:
        """The expected share of hidden patches."""
        return float(self._probability @ (~self.masks).mean(1))

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw `n` of the masks, shape (n, n_patches)."""
        return self.masks[rng.choice(len(self.masks), n, p=self._probability)]

    def support(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the distinct masks of positive probability and their probabilities."""
        alive = self._probability > 0
        return self.masks[alive], self._probability[alive]

    def probability(self, masks: np.ndarray) -> np.ndarray:
        """Return the probability of each mask, 0 where it is not listed."""
        known = {mask.tobytes(): weight for mask, weight in zip(self.masks, self._probability, strict=True)}
        return np.array([known.get(mask.tobytes(), 0.0) for mask in check_masks(masks, self.n_patches)])

    @property
    def _probability(self) -> np.ndarray:
        assert self.weights is not None
        return self.weights
