"""Sample of images and masks: a view and a target for every image under every mask."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from maetheory.core import InputError, generator
from maetheory.empirical.tokens.hashing import collision_bound, random_hash_words, unique_inverse, view_hashes
from maetheory.graph import MaskGraph
from maetheory.graph.joint_law import joint_law
from maetheory.masks import PredictionLaw
from maetheory.masks.views import POSITION_MODES


@final
@dataclass(frozen=True, eq=False)
class TokenSample:
    """Views and targets of n images under m masks, the same masks for every image.

    Attributes
    ----------
    views, targets : ndarray of int, shape (n, m)
        Indices of view and target, from 0 without gaps.
    labels : ndarray of int, shape (n,)
        Class of each image.
    mask_weights : ndarray, shape (m,)
        Probability of each mask; sums to one.
    masks_drawn : bool
        Whether the masks are a sample of their law, or else its whole support.
    positions : {"kept", "dropped"}
    collision_probability : float
        Bound on the probability that two different views, or targets, have one hash.
    """

    views: np.ndarray
    targets: np.ndarray
    labels: np.ndarray
    mask_weights: np.ndarray
    masks_drawn: bool
    positions: str
    collision_probability: float = 0.0

    @property
    def n_images(self) -> int:
        """Number of images n."""
        return len(self.views)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of distinct views and of distinct targets."""
        return int(self.views.max()) + 1, int(self.targets.max()) + 1

    @cached_property
    def weights(self) -> np.ndarray:
        """Probability of each image under each mask, shape (n, m); sums to one."""
        return np.broadcast_to(self.mask_weights / self.n_images, self.views.shape)

    @cached_property
    def graph(self) -> MaskGraph:
        """Plug-in mask graph of these images and masks alone: too many components, too large a spectrum."""
        image = np.repeat(np.arange(self.n_images, dtype=np.int32), self.views.shape[1])
        n, (n1, n2) = self.n_images, self.shape
        weight, view, target = self.weights.ravel(), self.views.ravel(), self.targets.ravel()
        return MaskGraph(
            joint_law(weight, view, target, (n1, n2)),
            joint_law(weight, image, view, (n, n1)),
            joint_law(weight, image, target, (n, n2)),
            self.labels,
        )


def sample_mask_pairs(
    law: PredictionLaw, n_masks: int | None, seed: int
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Return masks of views and of targets, shapes (m, p), and weights, shape (m,): drawn, or with None all of them.

    Raises
    ------
    InputError
        If `n_masks` is no positive number, or None and there are too many masks to list, or the law does not show
        patches as they are.
    """
    if n_masks is None:
        views, targets, probability = law.mask_pairs()
        return (views, targets), probability
    if n_masks < 1:
        raise InputError(f"n_masks must be at least 1, or None for all masks, but it is {n_masks}")
    return law.sample_mask_pairs(generator(seed, "token masks"), n_masks), np.full(n_masks, 1.0 / n_masks)


def sample_from_codes(
    codes: np.ndarray,
    labels: np.ndarray,
    law: PredictionLaw,
    *,
    n_masks: int | None = None,
    seed: int = 0,
    positions: str = "kept",
) -> TokenSample:
    """Build the sample of images that are given as sequences of codes, such as states drawn from a finite world.

    Parameters
    ----------
    codes : ndarray of int, shape (n, p)
        From 0.
    labels : ndarray of int, shape (n,)
    law : PredictionLaw
        Over p patches, which it shows as they are: masks, prefixes, blocks.
    n_masks : int, optional
        Number of masks drawn; by default all masks of the law with their probabilities.
    seed : int, default 0
        Draws the masks and the hash tables.
    positions : {"kept", "dropped"}

    Raises
    ------
    InputError
        If a shape does not fit, codes are no integers from 0, there are fewer than two images, `positions` is
        unknown, or the law does not show patches as they are.

    Examples
    --------
    >>> from maetheory.masks import UniformMasks
    >>> sample = sample_from_codes(np.array([[0, 1], [0, 0]]), np.array([0, 1]), UniformMasks(2, 1))
    >>> sample.graph.shape, sample.graph.n_components
    ((3, 3), 2)
    """
    codes, labels = np.asarray(codes), np.asarray(labels)
    check_sample(codes.shape, labels, law, positions)
    if codes.dtype.kind not in "iu" or codes.min() < 0:
        raise InputError(f"codes must be integers from 0, but they are {codes.dtype} from {codes.min()}")
    masks, mask_weights = sample_mask_pairs(law, n_masks, seed)
    tables = random_hash_words(codes.shape[1], int(codes.max()) + 1, seed)
    views, targets = (
        unique_inverse(view_hashes(codes, shown, positions, tables).reshape(-1, 2)).reshape(len(codes), -1)
        for shown in masks
    )
    bound = collision_bound(int(views.max()) + 1, int(targets.max()) + 1)
    return TokenSample(views, targets, labels, mask_weights, n_masks is not None, positions, bound)


def check_sample(shape: tuple[int, ...], labels: np.ndarray, law: PredictionLaw, positions: str) -> None:
    """Raise InputError if coded images of this shape (n, p), labels and law do not fit together."""
    if len(shape) != 2 or shape[0] < 2:
        raise InputError(f"a sampled graph needs at least 2 images of coded patches, but their shape is {shape}")
    check_mask_law(shape[1], law, positions)
    if labels.shape != shape[:1] or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise InputError(
            f"labels must be {shape[0]} integers from 0, one per image, but they are {labels.dtype} "
            f"of shape {labels.shape}"
        )


def check_mask_law(n_patches: int, law: PredictionLaw, positions: str) -> None:
    """Raise InputError if a law is not over so many patches, or `positions` is unknown."""
    if positions not in POSITION_MODES:
        raise InputError(f'positions must be "kept" or "dropped", but it is {positions!r}')
    if law.n_patches != n_patches:
        raise InputError(f"the mask law must cover the {n_patches} patches of an image, but it covers {law.n_patches}")
