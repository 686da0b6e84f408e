"""Every small world with integer weights, up to the order of its views, targets and images.

A law is a matrix of whole numbers over their sum: two views and two targets with the weights [[1, 0], [1, 2]] / 4, say.
Two matrices that differ by a permutation of rows and columns are one world, and so are labels that differ by the names
of the classes. The laws come in order of size, so that the first that violates a claim is a smallest one. Besides laws
in which every view has an image of its own there are those in which images share views.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import permutations, product

import numpy as np

from maetheory.core import InputError, generator
from maetheory.theory.small_worlds import SmallWorld, relate_objects
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import SHAPES

FIRST_EXACT = 2_000_000
"""Smallest number of an exact world of a search; the world depends on the number alone, not on the seed."""
_OWN_IMAGE_SIZES = (
    (1, 1, 1),
    (1, 2, 3),
    (2, 1, 3),
    (2, 2, 6),
    (1, 3, 4),
    (3, 1, 4),
    (2, 3, 5),
    (3, 2, 5),
    (3, 3, 5),
)
"""Views, targets and largest sum of weights, from small to large."""
_SHARED_IMAGE_SIZES = ((2, 1, 2, 4), (2, 2, 1, 4), (2, 2, 2, 4), (2, 2, 3, 4), (2, 3, 2, 4))
"""Images, views, targets and largest sum of weights of laws in which images share views."""

Weights = tuple[tuple[int, ...], ...]


def exact_world(theorem: Theorem, index: int) -> SmallWorld:
    """Return the exact world of this index: a law, labels, and objects whose entries are −1, 0 and 1.

    Indices beyond the number of laws lead to the same laws with other objects.

    Raises
    ------
    InputError
        If the theorem has worlds of its own, or needs an object of unknown shape.
    """
    shapes = {**SHAPES, **theorem.shapes}
    unknown = [name for name in theorem.objects if name not in shapes]
    if theorem.sample is not None or unknown:
        raise InputError(
            f"{theorem.slug} has no exact worlds: {unknown[0] if unknown else 'sample'} decides its worlds"
        )
    rng = generator(0, "exact world", index)
    laws = exact_laws()
    law, labels = laws[index % len(laws)] if theorem.needs_graph else (None, None)
    world = SmallWorld({}, None if law is None else law / law.sum(), labels)
    sizes = {} if law is None else {"N1": law.shape[1], "N2": law.shape[2]}
    objects = {}
    for name in theorem.objects:
        for axis in shapes[name]:
            sizes.setdefault(axis, int(rng.integers(1, 3)))
        objects[name] = _small_integers(tuple(sizes[axis] for axis in shapes[name]), rng)
    return replace(world, objects=relate_objects(objects, world.law, rng))


def _small_integers(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray | float:
    if not shape:
        return float(rng.choice([0.5, 1.0, 2.0]))
    return rng.integers(-1, 2, shape).astype(float) if rng.random() < 0.5 else rng.integers(0, 2, shape).astype(float)


@lru_cache(maxsize=1)
def exact_laws() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Every law with its labels, from small to large; weights of shape (S, N1, N2) and labels of shape (S,).

    Examples
    --------
    >>> weights, labels = exact_laws()[0]
    >>> weights.tolist(), labels.tolist()
    ([[[1]]], [0])
    """
    found = [_of_own_images(np.array(weights), labels) for weights, labels in _own_image_laws()]
    found += [(law, np.array(labels)) for law, labels in _shared_image_laws()]
    return tuple(sorted(found, key=lambda one: (one[0].shape[1] * one[0].shape[2], one[0].shape[0], one[0].sum())))


def _of_own_images(weights: np.ndarray, labels: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    return np.eye(len(weights), dtype=int)[:, :, None] * weights, np.array(labels)


def _own_image_laws() -> Iterator[tuple[Weights, tuple[int, ...]]]:
    """Yield weight matrices with the labels of their rows, one of each class under permutations."""
    for n1, n2, most in _OWN_IMAGE_SIZES:
        seen: set[Weights] = set()
        for weights in matrices(n1, n2, most):
            moved = [
                (rows, tuple(tuple(weights[i][j] for j in columns) for i in rows))
                for rows in permutations(range(n1))
                for columns in permutations(range(n2))
            ]
            form = min(matrix for _, matrix in moved)
            if form in seen or not all(map(any, zip(*weights))):
                continue
            seen.add(form)
            symmetries = {rows for rows, matrix in moved if matrix == weights}
            for labels in partitions(n1):
                if labels == min(_renamed([labels[i] for i in rows]) for rows in symmetries):
                    yield weights, labels


def _shared_image_laws() -> Iterator[tuple[np.ndarray, tuple[int, ...]]]:
    """Yield weights of image, view and target, in which images of different classes share a view."""
    for images, n1, n2, most in _SHARED_IMAGE_SIZES:
        seen = set()
        for flat in matrices(images, n1 * n2, most):
            law = np.array(flat).reshape(images, n1, n2)
            shared = ((law.sum(2) > 0).sum(0) > 1).any()
            if not shared or not law.sum((0, 2)).all() or not law.sum((0, 1)).all():
                continue
            form = min(
                tuple(law[np.ix_(order, rows, columns)].ravel())
                for order in permutations(range(images))
                for rows in permutations(range(n1))
                for columns in permutations(range(n2))
            )
            if form not in seen:
                seen.add(form)
                yield law, tuple(range(images))


def matrices(n1: int, n2: int, most: int) -> Iterator[Weights]:
    """Yield matrices of whole numbers without common divisor or zero row, with descending rows and a sum up to `most`.

    Every matrix without zero row is one of these up to the order of its rows and a factor.

    Examples
    --------
    >>> list(matrices(1, 2, 2))
    [((0, 1),), ((1, 0),), ((1, 1),)]
    """
    for total in range(n1, most + 1):
        for cells in _compositions(total, n1 * n2):
            rows = tuple(cells[i * n2 : (i + 1) * n2] for i in range(n1))
            descending = all(rows[i] >= rows[i + 1] for i in range(n1 - 1))
            if descending and all(map(any, rows)) and math.gcd(*cells) == 1:
                yield rows


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _compositions(total - first, parts - 1):
            yield (first, *rest)


def partitions(n: int) -> Iterator[tuple[int, ...]]:
    """Yield the labels of n rows up to the names of the classes.

    Examples
    --------
    >>> list(partitions(3))
    [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (0, 1, 2)]
    """
    for labels in product(range(n), repeat=n):
        if _renamed(labels) == labels:
            yield labels


def _renamed(labels: tuple[int, ...] | list[int]) -> tuple[int, ...]:
    """Labels with the classes numbered in order of appearance."""
    names: dict[int, int] = {}
    return tuple(names.setdefault(label, len(names)) for label in labels)
