"""Make a world that violates a claim smaller and rounder, as long as it violates it.

On top of the steps of :func:`~maetheory.theory.small_worlds.simplifications` two views, targets or images are merged,
objects that the theorem does not need are left out, and the law is rounded to whole numbers over a small denominator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np

from maetheory.theory.exact_worlds import FIRST_EXACT, exact_laws, exact_world
from maetheory.theory.falsify import SearchedWorld
from maetheory.theory.referee.prober import Prober
from maetheory.theory.small_worlds import SmallWorld, complexity, drop_index, simplifications
from maetheory.theory.theorem import Theorem, Verdict
from maetheory.theory.theorem_objects import SHAPES

DENOMINATORS = (*range(1, 13), 16, 20, 24, 30, 50, 100, 1000, 10**4, 10**6)
"""Denominators of the weights of a law that count as simple, simplest first."""
_KEPT_FRACTION = 0.1
_EXACT_ROUNDS = 3
_MOST_CHECKS = 3000


def simplify_violation(prober: Prober, found: SearchedWorld) -> SearchedWorld:
    """Return the smallest world that this search finds to violate the claim by at least a tenth as much as `found`.

    Exact worlds with fewer views and targets are tried first, then simpler neighbours until none violates the claim.
    """
    shapes = {**SHAPES, **prober.theorem.shapes}
    floor = _KEPT_FRACTION * found.relative_slack
    here = _smaller_exact_world(prober, found, floor)
    tried: set[bytes] = set()
    going = True
    while going:
        going = False
        for candidate in _simpler_neighbours(here.world, shapes, prober.theorem):
            key = _bytes_of(candidate)
            if key in tried or size_and_roundness(candidate) >= size_and_roundness(here.world):
                continue
            if len(tried) >= _MOST_CHECKS:
                return here
            tried.add(key)
            there = prober.check(candidate, "simplified", here.number)
            if (
                there is not None
                and there.check.verdict is Verdict.VIOLATED
                and there.relative_slack <= floor
                and size_and_roundness(there.world) < size_and_roundness(here.world)
            ):
                here, going = there, True
                break
    return here


def size_and_roundness(world: SmallWorld) -> tuple[int, int, int, int]:
    """Numbers that a world has, number of classes, denominator of its law, digits of its objects: less is simpler.

    A law in which every view has an image of its own counts as its joint law of views and targets.
    """
    numbers, _, digits = complexity(world)
    if world.law is not None:
        numbers += int(np.prod(world.law.shape[1:])) - world.law.size if has_own_images(world) else 1
    classes = 0 if world.labels is None else len(set(world.labels.tolist()))
    return numbers, classes, law_denominator(world.law), digits


def has_own_images(world: SmallWorld) -> bool:
    """Whether every view of a world has an image of its own, in the order of the views."""
    if world.law is None or world.law.shape[0] != world.law.shape[1]:
        return False
    views = world.law.sum(2)
    return bool(np.count_nonzero(views) == len(views) and (np.diagonal(views) > 0).all())


def law_denominator(law: np.ndarray | None) -> int:
    """Smallest simple denominator over which every weight of a law is a whole number; 10⁹ if there is none.

    Examples
    --------
    >>> law_denominator(np.array([[0.25, 0.0], [0.25, 0.5]])), law_denominator(np.array([[0.1234567, 0.8765433]]))
    (4, 1000000000)
    """
    if law is None:
        return 0
    for denominator in DENOMINATORS:
        if np.abs(law * denominator - np.round(law * denominator)).max() <= 1e-12 * denominator:
            return denominator
    return 10**9


def _smaller_exact_world(prober: Prober, found: SearchedWorld, floor: float) -> SearchedWorld:
    """Return the smallest exact world that violates the claim, if it is smaller than `found`."""
    theorem = prober.theorem
    if theorem.sample is not None or not theorem.needs_graph:
        return found
    n_laws, limit = len(exact_laws()), size_and_roundness(found.world)
    rounds = _EXACT_ROUNDS if theorem.objects else 1
    for index in range(n_laws):
        for turn in range(rounds):
            world = exact_world(theorem, index + turn * n_laws)
            if size_and_roundness(world) >= limit:
                continue
            there = prober.check(world, "exact", FIRST_EXACT + index + turn * n_laws)
            if there is not None and there.check.verdict is Verdict.VIOLATED and there.relative_slack <= floor:
                return there
    return found


def _simpler_neighbours(
    world: SmallWorld, shapes: Mapping[str, tuple[str, ...]], theorem: Theorem
) -> Iterator[SmallWorld]:
    for name in world.objects:
        if name not in theorem.objects:
            yield replace(world, objects={key: value for key, value in world.objects.items() if key != name})
    if world.law is not None:
        yield from _merged(world, shapes)
        yield from _relabelled(world)
        yield from _rounded_laws(world)
    yield from simplifications(world, shapes)
    for name, value in world.objects.items():
        if isinstance(value, float):
            for other in (1.0, 2.0, 0.5, float(np.round(value)), float(np.round(value, 1)), float(np.round(value, 2))):
                if 0 < other != value:
                    yield replace(world, objects={**world.objects, name: other})


def _merged(world: SmallWorld, shapes: Mapping[str, tuple[str, ...]]) -> Iterator[SmallWorld]:
    """Yield the worlds in which one of two views, targets or images takes the mass of the other."""
    assert world.law is not None
    for where, axis in enumerate(("images", "N1", "N2")):
        for kept, gone in combinations(range(world.law.shape[where]), 2):
            if axis == "images" and world.labels is not None and world.labels[kept] != world.labels[gone]:
                continue
            law = np.moveaxis(world.law.copy(), where, 0)
            law[kept] += law[gone]
            law[gone] = 0.0
            yield drop_index(replace(world, law=np.moveaxis(law, 0, where)), shapes, axis, gone)


def _relabelled(world: SmallWorld) -> Iterator[SmallWorld]:
    """Yield the world without labels, with an image of its own for every view, and with two classes made one."""
    assert world.law is not None
    if not has_own_images(world):
        yield replace(world, law=np.eye(world.law.shape[1])[:, :, None] * world.law.sum(0), labels=None)
    if world.labels is not None:
        yield replace(world, labels=None)
        for kept, gone in combinations(sorted(set(world.labels.tolist())), 2):
            merged = np.where(world.labels == gone, kept, world.labels)
            yield replace(world, labels=np.unique(merged, return_inverse=True)[1])


def _rounded_laws(world: SmallWorld) -> Iterator[SmallWorld]:
    """Yield the world with weights that are whole numbers over each simple denominator."""
    assert world.law is not None
    present = law_denominator(world.law)
    for denominator in DENOMINATORS:
        if denominator >= present:
            return
        for weights in (np.round(world.law * denominator), np.ceil(world.law * denominator)):
            weights.flat[weights.argmax()] += denominator - weights.sum()
            whole = [weights.any(tuple({0, 1, 2} - {axis})).all() for axis in range(3)]
            if weights.min() >= 0 and all(whole):
                yield replace(world, law=weights / denominator)


def _bytes_of(world: SmallWorld) -> bytes:
    parts = [b"" if world.law is None else world.law.tobytes()]
    parts += [
        name.encode()
        + (value.tobytes() + str(value.shape).encode() if isinstance(value, np.ndarray) else repr(value).encode())
        for name, value in world.objects.items()
    ]
    return b"|".join(parts)
