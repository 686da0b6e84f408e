"""`PredictionLaw`: what of an image is given and what is predicted from it, at random.

Masks, prefixes, mixtures of ratios, tokenizers, corrupted words, rotated bases and pairs of augmentations are all one
object: for each image a joint law of two parts of it, the view and the target. Every statement about mask graphs holds
for the graph of any of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from maetheory.core import InputError

UNSEEN = -1
"""Entry of a view or target where a patch is no part of it."""


class Outcome(NamedTuple):
    """One random choice of a prediction law, and what it makes of every image.

    Attributes
    ----------
    probability : float
        Of the choice, the same for every image.
    view, target : ndarray of int, shapes (S, w) and (S, w′)
        Symbols of each of S images, `UNSEEN` where a patch is no part of the view or the target.
    """

    probability: float
    view: np.ndarray
    target: np.ndarray


class PredictionLaw(ABC):
    """Joint law of view and target for each image of `n_patches` patches.

    A law is a finite number of random choices; each maps an image to its view and its target. `MaskLaw` is the kind
    that How Mask Matters studies: what a mask shows is the view, and what it hides the target.
    """

    n_patches: int
    _why_no_masks: ClassVar[str] = "it does not say which patches it shows, by a mask_pairs of its own"

    @property
    @abstractmethod
    def n_outcomes(self) -> int:
        """Number of random choices of positive probability."""

    @property
    def shows_patches(self) -> bool:
        """Whether symbols of views and targets are patches of the image, at their places."""
        return True

    def mask_pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the masks of views and of targets, and their probabilities, for graphs of real images.

        Returns
        -------
        view_masks, target_masks : ndarray of bool, shape (m, n_patches)
            True = part of the view, and of the target.
        probability : ndarray, shape (m,)
            Positive, sums to one.

        Raises
        ------
        InputError
            If views or targets are not what masks show of an image, or there are too many masks to list.
        """
        raise InputError(
            f"a graph of real images needs a law that shows patches as they are, at their places, but "
            f"{type(self).__name__} is none: {self._why_no_masks}"
        )

    def sample_mask_pairs(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw `n` masks of views and of targets, each of shape (n, n_patches); raises as `mask_pairs`."""
        views, targets, probability = self.mask_pairs()
        drawn = rng.choice(len(views), n, p=probability)
        return views[drawn], targets[drawn]

    @abstractmethod
    def outcomes(self, states: np.ndarray) -> Iterator[Outcome]:
        """Yield every random choice with what it makes of the images.

        Parameters
        ----------
        states : ndarray of int, shape (S, n_patches)
            One symbol ≥ 0 per patch.
        """


def masked_symbols(states: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the symbols of the patches of a mask (n,) of True, and `UNSEEN` at the others; shape (S, n)."""
    return np.where(mask, states, UNSEEN)


def packed_symbols(rows: np.ndarray) -> np.ndarray:
    """Return rows of symbols with what is unseen moved to the end, which drops the positions; shape (N, w).

    Examples
    --------
    >>> packed_symbols(np.array([[-1, 3, -1, 2]])).tolist()
    [[3, 2, -1, -1]]
    """
    return np.take_along_axis(rows, np.argsort(rows < 0, axis=1, kind="stable"), axis=1)


def check_weights(weights: Sequence[float] | np.ndarray | None, count: int, what: str) -> np.ndarray:
    """Return weights of a finite law that sum to one, all equal by default, or raise InputError.

    Parameters
    ----------
    weights : sequence of float, optional
    count : int
        Number of weights that are expected.
    what : str
        What is weighted, as in "each ratio".
    """
    found = np.full(count, 1.0 / max(count, 1)) if weights is None else np.asarray(weights, float)
    if found.shape != (count,) or not (found > 0).all() or abs(found.sum() - 1.0) > 1e-9:
        raise InputError(f"weights must be {count} positive numbers that sum to 1, one for {what}")
    return found / found.sum()
