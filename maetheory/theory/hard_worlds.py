"""Worlds at the edges of the theorems: pure targets, rarely shared views, near-degenerate gaps and tiny masses.

Laws with independent random entries are never near these edges. A search draws every third world here, under numbers
from :data:`FIRST_HARD` on, so that the numbers below it lead to the worlds that they have always led to.
"""

from __future__ import annotations

import numpy as np

from maetheory.theory.small_worlds import MAX_SIDE, SmallWorld, draw_generic_world, draw_world
from maetheory.theory.theorem import Theorem

FIRST_HARD = 1_000_000
"""Smallest number of a hard world of a search."""


def draw_random_or_hard_world(theorem: Theorem, number: int, rng: np.random.Generator) -> SmallWorld:
    """Draw the world of this number: hard from :data:`FIRST_HARD` on, unless the theorem has worlds of its own."""
    if number < FIRST_HARD or not theorem.needs_graph or theorem.sample is not None:
        return draw_world(theorem, rng)
    return draw_generic_world(theorem, rng, _KINDS[number % len(_KINDS)])


def search_number(index: int) -> int:
    """Number of the world that a search draws at this place: two of three from below, one of three hard."""
    rounds, place = divmod(index, 3)
    return FIRST_HARD + rounds if place == 2 else 2 * rounds + place


def pure_targets(rng: np.random.Generator) -> SmallWorld:
    """Draw images that share some views but no target, so that α₂ = 0 while positive pairs may disagree."""
    n_images = int(rng.integers(2, 4))
    n_shared = int(rng.integers(1, 3))
    owner = np.concatenate([np.arange(n_images), rng.integers(0, n_images, rng.integers(0, 2))])  # image of each target
    law = np.zeros((n_images, n_images + n_shared, len(owner)))
    for target, image in enumerate(owner):
        law[image, image, target] = rng.random() + 1e-3
        shared = n_images + np.flatnonzero(rng.random(n_shared) < 0.8)
        law[image, shared, target] = rng.random(len(shared)) ** rng.integers(1, 5) + 1e-6
    return _world_from_law(law, np.arange(n_images) % int(rng.integers(2, n_images + 1)))


def rarely_shared(rng: np.random.Generator) -> SmallWorld:
    """Draw images with views and targets of their own, and one view and one target that they share now and then."""
    n_images, rare = int(rng.integers(2, MAX_SIDE)), 10 ** rng.uniform(-12, -1)
    law = np.zeros((n_images, n_images + 1, n_images + 1))
    own = np.arange(n_images)
    law[own, own, own] = rng.random(n_images) + 0.1
    law[own, own, -1] = rare * rng.random(n_images)
    law[own, -1, own] = rare * rng.random(n_images)
    law[own, -1, -1] = rare * rng.random(n_images) * (rng.random() < 0.5)
    return _world_from_law(law, rng.integers(0, rng.integers(2, 4), n_images))


def nearly_separate(rng: np.random.Generator) -> SmallWorld:
    """Draw blocks with links of tiny mass, so that eigenvalues are close to 1 and to each other."""
    n1, n2 = (int(n) for n in rng.integers(2, MAX_SIDE + 1, 2))
    blocks = int(rng.integers(2, min(n1, n2) + 1))
    same = (np.arange(n1) % blocks)[:, None] == (np.arange(n2) % blocks)[None, :]
    joint = np.where(same, rng.random((n1, n2)) + 0.1, 10 ** rng.uniform(-12, -3) * rng.random((n1, n2)))
    return _world_of_separate_images(joint, rng.integers(0, rng.integers(1, blocks + 1), n1))


def tiny_masses(rng: np.random.Generator) -> SmallWorld:
    """Draw views and targets whose masses differ by up to thirteen orders of magnitude."""
    n1, n2 = (int(n) for n in rng.integers(2, MAX_SIDE + 1, 2))
    rows, columns = (10 ** (-13 * rng.random(n) * (rng.random(n) < 0.5)) for n in (n1, n2))
    joint = (rng.random((n1, n2)) + 1e-3) * np.minimum(rows[:, None], columns)
    return _world_of_separate_images(joint, rng.integers(0, rng.integers(2, 4), n1))


_KINDS = (pure_targets, rarely_shared, nearly_separate, tiny_masses)


def _world_of_separate_images(joint: np.ndarray, labels: np.ndarray) -> SmallWorld:
    return _world_from_law(np.eye(len(joint))[:, :, None] * joint, labels)


def _world_from_law(law: np.ndarray, labels: np.ndarray) -> SmallWorld:
    kept = law[:, law.sum((0, 2)) > 0][:, :, law.sum((0, 1)) > 0]
    return SmallWorld({}, kept / kept.sum(), labels)
