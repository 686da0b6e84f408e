"""Mixtures of mask ratios: the ratio itself is random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from maetheory.core import InputError
from maetheory.masks.law import MaskLaw, visible_count
from maetheory.masks.prediction import check_weights
from maetheory.masks.uniform import UniformMasks


@final
@dataclass(frozen=True, eq=False)
class MixtureOfRatios(MaskLaw):
    """Uniform masks whose ratio is drawn first, as R²MAE does (Dong, Wang and Kluger 2025).

    Parameters
    ----------
    n_patches : int
    mask_ratios : sequence of float
        Each strictly between 0 and 1; those that leave equally many patches visible count together.
    weights : sequence of float, optional
        Positive, of sum one; all equal by default.

    Raises
    ------
    InputError
        If a ratio leaves nothing visible or nothing hidden, or the weights are no distribution.

    Examples
    --------
    >>> law = MixtureOfRatios(4, (0.25, 0.75))
    >>> law.mask_ratio, len(law.support()[0])
    (0.5, 8)
    """

    n_patches: int
    mask_ratios: Sequence[float]
    weights: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if not len(self.mask_ratios):
            raise InputError("a mixture of mask ratios needs at least one ratio")
        check_weights(self.weights, len(self.mask_ratios), "each ratio")
        self._laws()

    @property
    def mask_ratio(self) -> float:
        """Expected share of hidden patches."""
        return float(sum(weight * law.mask_ratio for weight, law in self._laws()))

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw `n` masks, shape (n, n_patches), each with a ratio of its own."""
        weights, laws = zip(*self._laws(), strict=True)
        drawn = rng.choice(len(laws), n, p=np.array(weights))
        masks = np.zeros((n, self.n_patches), bool)
        for index, law in enumerate(laws):
            masks[drawn == index] = law.sample(rng, int((drawn == index).sum()))
        return masks

    def support(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the masks of every ratio and their probabilities."""
        parts = [(law.support(), weight) for weight, law in self._laws()]
        return np.concatenate([masks for (masks, _), _ in parts]), np.concatenate([w * p for (_, p), w in parts])

    def probability(self, masks: np.ndarray) -> np.ndarray:
        """Return the probability of each mask."""
        return np.asarray(sum(weight * law.probability(masks) for weight, law in self._laws()))

    def joint_visibility(self) -> np.ndarray:
        """Return the weighted mean of those of the uniform laws."""
        return np.asarray(sum(weight * law.joint_visibility() for weight, law in self._laws()))

    def _laws(self) -> list[tuple[float, UniformMasks]]:
        """Return the uniform laws, one for each number of visible patches, with their weights."""
        weights = check_weights(self.weights, len(self.mask_ratios), "each ratio")
        visible = np.array([visible_count(self.n_patches, ratio) for ratio in self.mask_ratios])
        return [
            (float(weights[visible == count].sum()), UniformMasks(self.n_patches, int(count)))
            for count in np.unique(visible)
        ]
