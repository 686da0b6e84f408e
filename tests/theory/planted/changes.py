"""Changes that make a true right side false: another factor, an added or dropped term, another law."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS


def scaled(slug, factor):
    return lambda **world: factor * THEOREMS[slug].check(**world).rhs


def shifted(slug, term):
    return lambda **world: THEOREMS[slug].check(**world).rhs + term(**world)


def without_term(slug, name):
    def rhs(**world):
        found = THEOREMS[slug].check(**world)
        return found.rhs - found.terms[name]

    return rhs


def under_the_uniform_law(slug, side):
    """One side of a theorem with a graph in which all views and targets are independent and equally likely."""
    theorem = THEOREMS[slug]

    def changed(**world):
        graph = world["graph"]
        labels = None if graph.image_labels is None else graph.view_labels
        flat = MaskGraph.from_joint(np.full(graph.shape, 1 / np.prod(graph.shape)), labels)
        return getattr(replace(theorem, assumptions={}).check(**{**world, "graph": flat}), side)

    return changed
