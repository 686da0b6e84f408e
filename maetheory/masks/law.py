"""`MaskLaw`: the abstract probability distribution over masks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np

from maetheory.core import InputError
from maetheory.masks.prediction import Outcome, PredictionLaw, masked_symbols

MAX_SUPPORT = 2_000_000


class MaskLaw(PredictionLaw):
    """Probability distribution over masks of `n_patches` patches; True = visible.

    Every mask has at least one visible and one hidden patch. As a `PredictionLaw`, what a mask shows predicts what it
    hides. Subclasses are final, frozen dataclasses: `UniformMasks`, `BernoulliMasks`, `BlockMasks`, `ListedMasks`,
    `MixtureOfRatios`.
    """

    @property
    def n_outcomes(self) -> int:
        """Number of masks of positive probability."""
        return int((self.support()[1] > 0).sum())

    def outcomes(self, states: np.ndarray) -> Iterator[Outcome]:
        """Yield what each mask shows and hides of the images."""
        for mask, probability in zip(*self.support(), strict=True):
            if probability > 0:
                yield Outcome(float(probability), masked_symbols(states, mask), masked_symbols(states, ~mask))

    def mask_pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return every mask, its complement and their probabilities; raises as `support`."""
        masks, probability = self.support()
        seen = masks[probability > 0]
        return seen, ~seen, probability[probability > 0]

    def sample_mask_pairs(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw `n` masks, as `sample` does, and return them with their complements."""
        masks = self.sample(rng, n)
        return masks, ~masks

    @abstractmethod
    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw `n` masks.

        Returns
        -------
        ndarray of bool, shape (n, n_patches)
            True = visible.
        """

    @abstractmethod
    def support(self) -> tuple[np.ndarray, np.ndarray]:
        """Return every mask of positive probability.

        Returns
        -------
        masks : ndarray of bool, shape (m, n_patches)
        probability : ndarray, shape (m,)
            Positive, sums to one.

        Raises
        ------
        InputError
            If there are more than two million masks.
        """

    @abstractmethod
    def probability(self, masks: np.ndarray) -> np.ndarray:
        """Return the probability of each mask.

        Parameters
        ----------
        masks : ndarray of bool, shape (n, n_patches)

        Returns
        -------
        ndarray, shape (n,)
            Zero outside the support.
        """

    @property
    @abstractmethod
    def mask_ratio(self) -> float:
        """Expected share of hidden patches, strictly between 0 and 1."""

    def joint_visibility(self) -> np.ndarray:
        """Return the probability that two patches are both visible: E[r rᵀ] of a mask r, exactly.

        Returns
        -------
        ndarray, shape (n_patches, n_patches)
            Symmetric and positive semidefinite; its diagonal is the probability that a patch is visible.

        Raises
        ------
        InputError
            If the law states no closed form and has more masks than can be listed.

        Examples
        --------
        >>> from maetheory.masks import BlockMasks
        >>> BlockMasks((2, 2), 2).joint_visibility().tolist()[0]
        [0.5, 0.5, 0.0, 0.0]
        """
        masks, probability = self.support()
        return np.asarray((masks * probability[:, None]).T @ masks)  # (p, m) @ (m, p)


def visible_count(n_patches: int, mask_ratio: float) -> int:
    """Return the number of visible patches at a mask ratio, as in MAE: the integer part of n·(1 − ρ).

    Raises
    ------
    InputError
        If the ratio is not strictly between 0 and 1, or leaves nothing visible or nothing hidden.

    Examples
    --------
    >>> visible_count(16, 0.75)
    4
    """
    check_mask_ratio(mask_ratio)
    visible = int(n_patches * (1.0 - mask_ratio) + 1e-9)
    if not 1 <= visible < n_patches:
        left = "nothing visible" if visible < 1 else "nothing hidden"
        raise InputError(
            f"mask ratio {mask_ratio} leaves {left} of {n_patches} patches; choose it between "
            f"{1 / n_patches:.3g} and {1 - 1 / n_patches:.3g}"
        )
    return visible


def exchangeable_visibility(n_patches: int, one: float, two: float) -> np.ndarray:
    """Return the joint visibility of a law under which every patch, and every pair of them, is alike.

    Parameters
    ----------
    n_patches : int
    one, two : float
        Probability that a patch is visible, and that two different ones are.
    """
    joint = np.full((n_patches, n_patches), two)
    np.fill_diagonal(joint, one)
    return joint


def check_mask_ratio(mask_ratio: float) -> None:
    """Raise InputError if a mask ratio is right for no number of patches: not strictly between 0 and 1."""
    if not 0.0 < mask_ratio < 1.0:
        raise InputError(f"the mask ratio must lie strictly between 0 and 1, but it is {mask_ratio}")


def check_masks(masks: np.ndarray, n_patches: int) -> np.ndarray:
    """Return `masks` as a boolean (n, n_patches) array, or raise InputError if they are not one."""
    masks = np.asarray(masks)
    if masks.dtype != bool or masks.ndim != 2 or masks.shape[1] != n_patches:
        raise InputError(f"masks must be boolean of shape (n, {n_patches}), but they are {masks.dtype} {masks.shape}")
    return masks


def check_support_size(count: int) -> None:
    """Raise InputError if a support has more masks than can be listed."""
    if count > MAX_SUPPORT:
        raise InputError(
            f"this mask law has {count:,} masks, more than the {MAX_SUPPORT:,} that can be listed: "
            "draw masks with sample() instead"
        )
