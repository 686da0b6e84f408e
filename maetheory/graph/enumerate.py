"""Enumerate the joint law of view and target over all images and masks of a finite world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy import sparse

from maetheory.core import InputError
from maetheory.data.finite_world import FiniteWorld
from maetheory.graph.joint_law import joint_law
from maetheory.graph.node_contents import NodeContents
from maetheory.masks import MaskLaw, PredictionLaw
from maetheory.masks.prediction import packed_symbols
from maetheory.masks.views import POSITION_MODES, padded_symbols, view_identities, visible_indices

MAX_PAIRS = 20_000_000


@final
@dataclass(frozen=True, eq=False)
class Enumeration:
    """Joint laws of images, views and targets, and the contents of views and targets.

    Attributes
    ----------
    joint : csr_array, shape (N1, N2)
    image_views, image_targets : csr_array, shapes (S, N1) and (S, N2)
        Joint laws of the image and its view, and of the image and its target.
    image_labels : ndarray of int, shape (S,), or None
    views, targets : NodeContents or None
        None where the law shows something other than patches.
    n_pairs : int
        Number of pairs of state and mask (or other random choice) whose probabilities were summed.
    """

    joint: sparse.csr_array
    image_views: sparse.csr_array
    image_targets: sparse.csr_array
    image_labels: np.ndarray | None
    views: NodeContents | None
    targets: NodeContents | None
    n_pairs: int


def enumerate_pairs(world: FiniteWorld, law: PredictionLaw, positions: str = "kept") -> Enumeration:
    """Sum the joint law of (image, view, target) over all states and all random choices of the law.

    States of zero probability are dropped; the others keep their order, and S is their number.

    Raises
    ------
    InputError
        If world and law differ in the number of patches, `positions` is unknown, or there are more than twenty
        million pairs of state and random choice.
    """
    if world.n_patches != law.n_patches:
        raise InputError(f"the law must cover the world's {world.n_patches} patches, but it covers {law.n_patches}")
    return (
        _enumerate_masks(world, law, positions)
        if isinstance(law, MaskLaw)
        else _enumerate_outcomes(world, law, positions)
    )


def _enumerate_masks(world: FiniteWorld, law: MaskLaw, positions: str) -> Enumeration:
    """Number the views of all masks at once, without a table of their symbols."""
    masks, mask_probability = law.support()
    masks, mask_probability = masks[mask_probability > 0], mask_probability[mask_probability > 0]
    possible = world.probability * mask_probability.min() > 0  # neither zero nor underflowing to zero
    states, probability = world.states[possible], world.probability[possible]
    _check_pair_count(len(states), len(masks))
    view, first_view = view_identities(states, masks, positions)  # (S, m)
    target, first_target = view_identities(states, ~masks, positions)  # (S, m)
    weight = (probability[:, None] * mask_probability).ravel()  # (S, m) -> (S m,)
    image = np.repeat(np.arange(len(states), dtype=np.int32), len(masks))
    view, target = view.astype(np.int32).ravel(), target.astype(np.int32).ravel()
    n_images, n_views, n_targets = len(states), len(first_view), len(first_target)
    return Enumeration(
        joint=joint_law(weight, view, target, (n_views, n_targets)),
        image_views=joint_law(weight, image, view, (n_images, n_views)),
        image_targets=joint_law(weight, image, target, (n_images, n_targets)),
        image_labels=None if world.labels is None else world.labels[possible],
        views=_node_contents(states, masks, first_view, positions, world.values),
        targets=_node_contents(states, ~masks, first_target, positions, world.values),
        n_pairs=len(weight),
    )


def _enumerate_outcomes(world: FiniteWorld, law: PredictionLaw, positions: str) -> Enumeration:
    """Number the distinct rows of symbols that the random choices make of the images."""
    if positions not in POSITION_MODES:
        raise InputError(f'positions must be "kept" or "dropped", but it is {positions!r}')
    seen = world.probability > 0
    _check_pair_count(int(seen.sum()), law.n_outcomes)
    chances = np.array([outcome.probability for outcome in law.outcomes(world.states[:1])])
    possible = world.probability * chances.min() > 0
    states, probability = world.states[possible], world.probability[possible]
    found = list(law.outcomes(states))
    weight = np.concatenate([probability * outcome.probability for outcome in found])  # (m S,)
    image = np.tile(np.arange(len(states), dtype=np.int32), len(found))
    numbered = [_number_rows(np.concatenate(rows), positions) for rows in zip(*((o.view, o.target) for o in found))]
    (views, view), (targets, target) = numbered
    shown = max(int(views.max()), int(targets.max()))
    if law.shows_patches and shown >= world.alphabet:
        raise InputError(f"the law shows the symbol {shown}, but the world has symbols from 0 to {world.alphabet - 1}")
    n_images, n_views, n_targets = len(states), len(views), len(targets)
    return Enumeration(
        joint=joint_law(weight, view, target, (n_views, n_targets)),
        image_views=joint_law(weight, image, view, (n_images, n_views)),
        image_targets=joint_law(weight, image, target, (n_images, n_targets)),
        image_labels=None if world.labels is None else world.labels[possible],
        views=_contents_of_rows(views, positions, world) if law.shows_patches else None,
        targets=_contents_of_rows(targets, positions, world) if law.shows_patches else None,
        n_pairs=len(weight),
    )


def _number_rows(rows: np.ndarray, positions: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct rows of symbols, and the number of each row's own."""
    distinct, number = np.unique(rows if positions == "kept" else packed_symbols(rows), axis=0, return_inverse=True)
    return distinct, number.ravel().astype(np.int32)


def _contents_of_rows(rows: np.ndarray, positions: str, world: FiniteWorld) -> NodeContents:
    """Return the contents of nodes given by rows of symbols."""
    return NodeContents(packed_symbols(rows), rows >= 0 if positions == "kept" else None, world.values)


def _check_pair_count(n_states: int, n_masks: int) -> None:
    if n_states * n_masks > MAX_PAIRS:
        raise InputError(
            f"{n_states:,} states x {n_masks:,} masks are {n_states * n_masks:,} pairs, more than the "
            f"{MAX_PAIRS:,} that are enumerated: take fewer patches or states, or draw masks with "
            "law.sample and count the pairs of a sampled graph"
        )


def _node_contents(
    states: np.ndarray, masks: np.ndarray, first: np.ndarray, positions: str, values: np.ndarray
) -> NodeContents:
    """Return the contents of each view, taken from its first pair of state and mask."""
    state, mask = np.divmod(first, len(masks))
    indices = visible_indices(masks)[mask]  # (N, w)
    symbols = padded_symbols(states)[state[:, None], indices] - 1  # (N, w)
    return NodeContents(symbols, masks[mask] if positions == "kept" else None, values)
