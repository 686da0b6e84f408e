"""Uniformly random masks with a fixed number of visible patches, as in MAE."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import final

import numpy as np

from maetheory.core import InputError
from maetheory.masks.law import MaskLaw, check_masks, check_support_size, exchangeable_visibility


@final
@dataclass(frozen=True)
class UniformMasks(MaskLaw):
    """Uniform distribution over masks with exactly `n_visible` of `n_patches` patches visible (He et al. 2022).

    Parameters
    ----------
    n_patches : int
        Patches of an image.
    n_visible : int
        Visible patches, from 1 to n_patches − 1.

    Raises
    ------
    InputError
        If `n_visible` is outside its range.

    Examples
    --------
    >>> law = UniformMasks(4, 1)
    >>> law.mask_ratio, len(law.support()[0])
    (0.75, 4)
    """

    n_patches: int
    n_visible: int

    def __post_init__(self) -> None:
        if not 1 <= self.n_visible < self.n_patches:
            raise InputError(
                f"n_visible must lie between 1 and n_patches - 1 = {self.n_patches - 1}, but it is {self.n_visible}"
            )

    @property
    def mask_ratio(self) -> float:
        """Exactly 1 − n_visible / n_patches."""
        return 1.0 - self.n_visible / self.n_patches

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw `n` masks, shape (n, n_patches): the patches with the n_visible smallest uniform scores are visible."""
        scores = rng.random((n, self.n_patches))  # (n, p)
        visible = np.argpartition(scores, self.n_visible - 1, axis=1)[:, : self.n_visible]  # (n, p) -> (n, v)
        masks = np.zeros((n, self.n_patches), bool)
        np.put_along_axis(masks, visible, True, axis=1)
        return masks

    def support(self) -> tuple[np.ndarray, np.ndarray]:
        """Return every mask in lexicographic order of its visible patches, all of probability 1 / C(p, v)."""
        count = comb(self.n_patches, self.n_visible)
        check_support_size(count)
        visible = np.array(list(combinations(range(self.n_patches), self.n_visible)))  # (m, v)
        masks = np.zeros((count, self.n_patches), bool)
        np.put_along_axis(masks, visible, True, axis=1)
        return masks, np.full(count, 1.0 / count)

    def probability(self, masks: np.ndarray) -> np.ndarray:
        """Return 1 / C(p, v) where exactly v patches are visible, else 0."""
        in_support = check_masks(masks, self.n_patches).sum(1) == self.n_visible
        return in_support / float(comb(self.n_patches, self.n_visible))

    def joint_visibility(self) -> np.ndarray:
        """Return v / p on the diagonal and v (v − 1) / (p (p − 1)) beside it, in closed form."""
        shown = self.n_visible / self.n_patches
        return exchangeable_visibility(self.n_patches, shown, shown * (self.n_visible - 1) / (self.n_patches - 1))
