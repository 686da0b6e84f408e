"""A small finite world: joint law of image, view and target, and the arrays that a theorem needs.

A counterexample search needs three operations: drawing a world at random, reading its numbers as one vector and writing
them back, and listing the neighbouring worlds that are simpler.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from maetheory.core import InputError
from maetheory.graph import MaskGraph
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import SHAPES, Objects

MAX_SIDE = 5
_MAX_LAW_ENTRIES = 50_000


@dataclass(frozen=True)
class SmallWorld:
    """Objects of a theorem on a graph, with the joint law of image, view and target.

    Attributes
    ----------
    objects : mapping
        Objects that the theorem needs, without the graph.
    law : ndarray, shape (S, N1, N2), or None
        Law of image, view and target, which sums to one; None if there is no graph, or only the graph is known.
    labels : ndarray of int, shape (S,), or None
    graph : MaskGraph or None
        The mask graph, where the law is unknown.
    """

    objects: Objects
    law: np.ndarray | None = None
    labels: np.ndarray | None = None
    graph: MaskGraph | None = None

    def all_objects(self) -> dict[str, Any]:
        """Objects together with the graph, as :meth:`Theorem.check` takes them."""
        graph = self.graph if self.law is None else _graph_of_law(self.law, self.labels)
        return dict(self.objects) if graph is None else {"graph": graph, **self.objects}

    def everything(self) -> dict[str, Any]:
        """Old name of :meth:`all_objects`; warns."""
        warnings.warn("SmallWorld.everything was renamed; use all_objects", DeprecationWarning, stacklevel=2)
        return self.all_objects()

    def __str__(self) -> str:
        lines = []
        if self.law is not None:
            lines.append(_format_object("joint", self.law.sum(0)))
            if np.count_nonzero(self.law.sum(2)) > len(self.law):
                lines.append(_format_object("images and views", self.law.sum(2)))
            if self.labels is not None:
                lines.append(_format_object("labels", self.labels))
        elif self.graph is not None:
            lines.append(_format_object("joint", self.graph.joint.toarray()))
        return "\n".join(lines + [_format_object(name, value) for name, value in self.objects.items()])


def to_small_world(objects: Objects) -> SmallWorld:
    """Convert objects with a graph to a small world; the law is known if every view has its own image."""
    rest = {name: value for name, value in objects.items() if name != "graph"}
    graph = objects.get("graph")
    if graph is None:
        return SmallWorld(rest)
    n1, n2 = graph.shape
    own_image = graph.image_views.shape == (n1, n1) and graph.image_views.nnz == n1
    if not own_image or n1 * n1 * n2 > _MAX_LAW_ENTRIES or np.any(graph.image_views.diagonal() == 0):
        return SmallWorld(rest, graph=graph)
    law = np.zeros((n1, n1, n2))
    law[np.arange(n1), np.arange(n1)] = graph.joint.toarray()
    return SmallWorld(rest, law, graph.image_labels)


def draw_world(theorem: Theorem, rng: np.random.Generator) -> SmallWorld:
    """Draw a world: one close to equality, one from the theorem's `sample`, or generic objects on a random graph.

    Raises
    ------
    InputError
        If the theorem needs an object of unknown shape and has no ``sample``.
    """
    if theorem.tight is not None and rng.random() < 0.3:
        near = to_small_world(theorem.tight())
        return with_coordinates(
            near, coordinates(near) + 10 ** rng.uniform(-6, 0) * rng.normal(size=coordinates(near).size)
        )
    if theorem.sample is not None:
        return to_small_world(theorem.sample(rng))
    return draw_generic_world(theorem, rng, _draw_law)


def draw_generic_world(
    theorem: Theorem, rng: np.random.Generator, draw_law: Callable[[np.random.Generator], SmallWorld]
) -> SmallWorld:
    """Draw random objects of the shapes that the theorem names, on a graph that `draw_law` draws."""
    shapes = {**SHAPES, **theorem.shapes}
    unknown = [name for name in theorem.objects if name not in shapes]
    if unknown:
        raise InputError(f"{theorem.slug} needs sample= to be searched, because the shape of {unknown[0]} is unknown")
    world = draw_law(rng) if theorem.needs_graph else SmallWorld({})
    sizes = {} if world.law is None else {"N1": world.law.shape[1], "N2": world.law.shape[2]}
    objects = {}
    for name in theorem.objects:
        for axis in shapes[name]:
            sizes.setdefault(axis, int(rng.integers(1, 4)))
        objects[name] = _draw_array(tuple(sizes[axis] for axis in shapes[name]), rng)
    return replace(world, objects=relate_objects(objects, world.law, rng))


def _draw_law(rng: np.random.Generator) -> SmallWorld:
    """Draw a law with one image per view or several; dense, sparse or with separate components."""
    n1, n2 = rng.integers(1, MAX_SIDE + 1, 2)
    joint = rng.random((n1, n2)) ** rng.integers(1, 5) + 1e-3
    if rng.random() < 0.5:
        side = rng.integers(0, min(n1, n2, 3), n1)[:, None] == rng.integers(0, min(n1, n2, 3), n2)[None, :]
        joint = joint * np.where(side, 1.0, 0.0) + 1e-6 * (np.arange(n1)[:, None] % n2 == np.arange(n2) % n1)
    n_images = n1 if rng.random() < 0.6 else int(rng.integers(1, MAX_SIDE))
    share = (
        np.eye(n1)[:, :, None] if n_images == n1 else rng.dirichlet(np.full(n_images, 0.3), (n1, n2)).T.swapaxes(1, 2)
    )
    law = share * joint
    labels = rng.integers(0, rng.integers(1, 4), n_images)
    return _drop_zero_mass(SmallWorld({}, law / law.sum(), labels))


def _draw_array(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    if not shape:
        return float(np.exp(rng.normal()))
    kind = rng.integers(4)
    if kind == 0:
        return rng.integers(-1, 2, shape).astype(float)
    if kind == 1:
        return np.zeros(shape) if rng.random() < 0.5 else np.repeat(rng.normal(size=shape)[:1], shape[0], 0)
    return rng.normal(size=shape) * (1.0 if kind == 2 else 10 ** rng.uniform(-2, 2))


def relate_objects(objects: dict[str, Any], law: np.ndarray | None, rng: np.random.Generator) -> dict[str, Any]:
    """Sometimes make h linear in the features, the targets the conditional mean of h, and ε zero."""
    if {"features", "h"} <= set(objects) and rng.random() < 0.5:
        objects["h"] = objects["features"] @ rng.normal(size=(objects["features"].shape[1], objects["h"].shape[1]))
    if {"h", "targets"} <= set(objects) and law is not None and rng.random() < 0.5:
        joint = law.sum(0)
        objects["targets"] = joint.T @ objects["h"] / joint.sum(0)[:, None]
    if {"h_g", "targets"} <= set(objects) and rng.random() < 0.5:
        objects["h_g"] = objects["targets"].copy()
    return objects


def coordinates(world: SmallWorld) -> np.ndarray:
    """Free parameters of the world as one vector: float entries, logarithms of positive numbers and of the law."""
    parts = [np.ravel(value) for _, value in _float_arrays(world)]
    parts += [np.log([value]) for _, value in _float_numbers(world)]
    if world.law is not None:
        parts.append(np.log(world.law[world.law > 0]))
    return np.concatenate(parts) if parts else np.zeros(0)


def coordinates_of(world: SmallWorld, names: Collection[str]) -> np.ndarray:
    """Which :func:`coordinates` are entries of the objects of these names, boolean; "graph" names the law."""
    parts = [np.full(value.size, name in names) for name, value in _float_arrays(world)]
    parts += [np.array([name in names]) for name, _ in _float_numbers(world)]
    if world.law is not None:
        parts.append(np.full(np.count_nonzero(world.law > 0), "graph" in names))
    return np.concatenate(parts) if parts else np.zeros(0, bool)


def with_coordinates(world: SmallWorld, point: np.ndarray) -> SmallWorld:
    """Return the world whose :func:`coordinates` are `point`."""
    objects, at = dict(world.objects), 0
    for name, value in _float_arrays(world):
        objects[name] = point[at : at + value.size].reshape(value.shape)
        at += value.size
    for name, _ in _float_numbers(world):
        objects[name] = float(np.exp(point[at]))
        at += 1
    if world.law is None:
        return replace(world, objects=objects)
    law = world.law.copy()
    logs = np.clip(point[at:], -30, 30)
    law[law > 0] = np.exp(logs - logs.max())
    return replace(world, objects=objects, law=law / law.sum())


def _float_arrays(world: SmallWorld) -> list[tuple[str, np.ndarray]]:
    return [(n, v) for n, v in world.objects.items() if isinstance(v, np.ndarray) and v.dtype.kind == "f"]


def _float_numbers(world: SmallWorld) -> list[tuple[str, float]]:
    return [(name, value) for name, value in world.objects.items() if isinstance(value, float)]


def simplifications(world: SmallWorld, shapes: Mapping[str, tuple[str, ...]]) -> Iterator[SmallWorld]:
    """Yield the worlds that are one step simpler, largest step first: fewer nodes, a uniform law, rounded arrays."""
    for axis, size in _axis_sizes(world, shapes).items():
        if size > 1:
            yield from (drop_index(world, shapes, axis, index) for index in range(size))
    if world.law is not None:
        flat = (world.law > 0).astype(float)
        yield replace(world, law=flat / flat.sum())
    for name, value in _float_arrays(world):
        for other in (np.zeros_like(value), np.ones_like(value), np.round(value), np.round(value, 1)):
            yield replace(world, objects={**world.objects, name: other})
    for name, value in _float_arrays(world):
        for index in np.ndindex(value.shape):
            for entry in (0.0, np.round(value[index]), np.round(value[index], 1), np.round(value[index], 2)):
                changed = value.copy()
                changed[index] = entry
                yield replace(world, objects={**world.objects, name: changed})


def complexity(world: SmallWorld) -> tuple[int, int, int]:
    """Complexity of a world: how many numbers it has, whether its law is not uniform, and digits of its objects."""
    arrays = [value for _, value in _float_arrays(world)]
    numbers = sum(value.size for value in world.objects.values() if isinstance(value, np.ndarray))
    law = np.zeros(1) if world.law is None else world.law[world.law > 0]
    law_size = 0 if world.law is None else world.law.size
    return numbers + law_size, int(np.ptp(law) > 1e-12), sum(int(_entry_complexity(array).sum()) for array in arrays)


def _entry_complexity(array: np.ndarray) -> np.ndarray:
    """Complexity of each entry: 0 for zero, 1 for one, 2 for an integer, 3–4 for one or two decimals, 5 otherwise."""
    kinds = [array == 0, array == 1, *(array == np.round(array, places) for places in range(3))]
    return np.select(kinds, list(range(5)), default=5)


def _axis_sizes(world: SmallWorld, shapes: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    sizes = {} if world.law is None else dict(zip(("images", "N1", "N2"), world.law.shape))
    for name, value in world.objects.items():
        if isinstance(value, np.ndarray) and name in shapes:
            free = [axis for axis in shapes[name] if world.law is not None or axis not in ("N1", "N2")]
            sizes.update({axis: value.shape[shapes[name].index(axis)] for axis in free})
    return sizes


def drop_index(world: SmallWorld, shapes: Mapping[str, tuple[str, ...]], axis: str, index: int) -> SmallWorld:
    """Remove one image, view, target or column, and then every node that has no mass left."""
    objects = dict(world.objects)
    for name, value in world.objects.items():
        if isinstance(value, np.ndarray):
            places = [place for place, one in enumerate(shapes.get(name, ())) if one == axis]
            for place in places:  # two where rows and columns stand for the same nodes
                objects[name] = np.delete(objects[name], index, place)
    if world.law is None or axis not in ("images", "N1", "N2"):
        return replace(world, objects=objects)
    where = ("images", "N1", "N2").index(axis)
    law = np.delete(world.law, index, where)
    labels = np.delete(world.labels, index) if where == 0 and world.labels is not None else world.labels
    if not law.sum() > 0:
        return world
    return _drop_zero_mass(SmallWorld(objects, law / law.sum(), labels), shapes)


def _drop_zero_mass(world: SmallWorld, shapes: Mapping[str, tuple[str, ...]] | None = None) -> SmallWorld:
    """Remove images, views and targets that have no mass."""
    assert world.law is not None
    for where, axis in enumerate(("images", "N1", "N2")):
        others = tuple(a for a in range(3) if a != where)
        empty = np.flatnonzero(world.law.sum(others) == 0)
        if empty.size:
            return drop_index(world, shapes or {}, axis, int(empty[0]))
    return world


def _graph_of_law(law: np.ndarray, labels: np.ndarray | None) -> MaskGraph:
    joint, views, targets = (sparse.csr_array(law.sum(axis)) for axis in (0, 2, 1))
    return MaskGraph(joint, views, targets, labels)


def _format_object(name: str, value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return f"{name} = {value:.6g}" if isinstance(value, float) else f"{name} = {value}"
    tiny = bool(((value != 0) & (np.abs(value) < 1e-4)).any())
    text = np.array2string(value, precision=4, suppress_small=not tiny, separator=", ", threshold=200)
    return f"{name} = " + text.replace("\n", "\n" + " " * (len(name) + 3))
