"""Laws whose view and target are what two masks show: listed pairs, prefixes, and context and target blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal, final

import numpy as np

from maetheory.core import InputError
from maetheory.masks.law import check_masks
from maetheory.masks.prediction import Outcome, PredictionLaw, check_weights, masked_symbols


@final
@dataclass(frozen=True, eq=False)
class MaskPairs(PredictionLaw):
    """List of pairs of masks: one shows the view, the other the target, and some patches may be in neither.

    Parameters
    ----------
    view_masks, target_masks : ndarray of bool, shape (m, p)
        True = part of the view, and part of the target; each has at least one patch.
    weights : ndarray, shape (m,), optional
        Positive, of sum one; all equal by default.

    Raises
    ------
    InputError
        If the masks differ in shape, one is empty, or the weights are no distribution.
    """

    view_masks: np.ndarray
    target_masks: np.ndarray
    weights: np.ndarray | None = None

    def __post_init__(self) -> None:
        view = check_masks(self.view_masks, np.shape(self.view_masks)[-1])
        target = check_masks(self.target_masks, view.shape[1])
        if len(view) != len(target) or not len(view) or not (view.any(1).all() and target.any(1).all()):
            raise InputError("each pair of masks must have a view and a target with at least one patch each")
        object.__setattr__(self, "weights", check_weights(self.weights, len(view), "each pair of masks"))

    @property
    def n_patches(self) -> int:  # type: ignore[override]  # read-only here; a dataclass field in other laws
        """Number of patches of an image."""
        return int(np.shape(self.view_masks)[1])

    @property
    def n_outcomes(self) -> int:
        """Number of pairs of masks."""
        return len(self.view_masks)

    def mask_pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the masks of views and of targets, and their weights."""
        return np.asarray(self.view_masks), np.asarray(self.target_masks), np.asarray(self.weights)

    def outcomes(self, states: np.ndarray) -> Iterator[Outcome]:
        """Yield what each pair of masks shows of the images."""
        for view, target, weight in zip(*self.mask_pairs(), strict=True):
            yield Outcome(float(weight), masked_symbols(states, view), masked_symbols(states, target))


@final
@dataclass(frozen=True)
class PrefixMasks(PredictionLaw):
    """Autoregressive prediction: the first patches in raster order give those that follow.

    Zhang et al. 2024, Look Ahead or Look Around?, compare it with masks.

    Parameters
    ----------
    n_patches : int
        At least 2.
    n_visible : int, optional
        Length of the prefix; by default each length from 1 to n_patches − 1 is as likely.
    target : "next" or "rest"
        The next patch, or all that follow.

    Raises
    ------
    InputError
        If a prefix of that length leaves nothing to predict, or the target is unknown.
    """

    n_patches: int
    n_visible: int | None = None
    target: Literal["next", "rest"] = "next"

    def __post_init__(self) -> None:
        if self.n_patches < 2 or not all(1 <= length < self.n_patches for length in self._lengths):
            raise InputError(
                "a prefix has at least one patch and leaves at least one, but the image has "
                f"{self.n_patches} and n_visible is {self.n_visible}"
            )
        if self.target not in ("next", "rest"):
            raise InputError(f'the target must be "next" or "rest", but it is {self.target!r}')

    @property
    def n_outcomes(self) -> int:
        """Number of lengths of the prefix."""
        return len(self._lengths)

    def mask_pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the masks of each prefix and of what follows it, all equally likely."""
        place, length = np.arange(self.n_patches), np.array(self._lengths)[:, None]
        following = place == length if self.target == "next" else place >= length
        return place < length, following, np.full(len(length), 1 / len(length))

    def outcomes(self, states: np.ndarray) -> Iterator[Outcome]:
        """Yield the prefix of each length and what follows it."""
        for view, target, weight in zip(*self.mask_pairs(), strict=True):
            yield Outcome(float(weight), masked_symbols(states, view), masked_symbols(states, target))

    @property
    def _lengths(self) -> range:
        return range(1, self.n_patches) if self.n_visible is None else range(self.n_visible, self.n_visible + 1)


def context_and_target_blocks(grid: tuple[int, int], context: tuple[int, int], target: tuple[int, int]) -> MaskPairs:
    """Return the law of I-JEPA (Assran et al. 2023): a block predicts another, which is cut out of it.

    Every place of the context block and of the target block in the grid is as likely; pairs of which the target covers
    the whole context are left out.

    Parameters
    ----------
    grid, context, target : (rows, columns)
        In patches.

    Raises
    ------
    InputError
        If a block does not fit into the grid, or no pair of blocks is left.
    """
    blocks = [_blocks(grid, shape) for shape in (context, target)]
    pairs = [(one & ~two, two) for one, two in product(*blocks) if (one & ~two).any()]
    if not pairs:
        raise InputError(f"target blocks of {target} patches leave nothing of context blocks of {context} patches")
    return MaskPairs(*(np.array(masks) for masks in zip(*pairs, strict=True)))


def _blocks(grid: tuple[int, int], shape: tuple[int, int]) -> list[np.ndarray]:
    (rows, columns), (height, width) = grid, shape
    if not (1 <= height <= rows and 1 <= width <= columns):
        raise InputError(f"a block of {height} x {width} patches does not fit into a grid of {rows} x {columns}")
    found = []
    for top, left in product(range(rows - height + 1), range(columns - width + 1)):
        mask = np.zeros(grid, bool)
        mask[top : top + height, left : left + width] = True
        found.append(mask.ravel())
    return found
