"""Planted falsehoods: every theorem with a wrong constant, term or direction, by name.

A change is a new right side, or fields of :class:`maetheory.theory.Theorem` to replace. What is planted here has to be
found by the search (``test_planted_falsehoods.py``), which says of every theorem that its search could have found
something.
"""

from __future__ import annotations

from dataclasses import replace

from maetheory.theory import THEOREMS
from planted import own_theorems, paper_theorems, splits_and_optima
from planted.changes import under_the_uniform_law

FALSE = {**paper_theorems.FALSE, **splits_and_optima.FALSE, **own_theorems.FALSE}
"""Slug and change by name."""

BLIND_TO_THE_LAW = {
    "umae-bounded-by-graph-tail": "vacuous under every law",
    "umae-bounds-downstream-error": "vacuous under every law",
    "umae-downstream-bound-exceeds-six": "six is reached under no law",
    "probe-residual-bounds-view-error": "a residual that counts for too little is made up for by its factor two",
    "label-error-grows-with-mask-ratio": "a graph from a joint law has one image per view, so its left side is 0",
    "data-processing-shrinks-spectrum": "true of every law, and its right side is 0",
    "channels-on-both-sides-shrink-singular-values": "true of every law, and its right side is 0",
}
"""Theorems on graphs that survive the uniform law in place of the true one, with the reason."""

_OF_THE_LEFT = ("mask-ratio-duality", "unseen-component-costs-one")

OTHER_LAW = {
    slug: {side: under_the_uniform_law(slug, side)}
    for slug, theorem in THEOREMS.items()
    if theorem.needs_graph and slug not in BLIND_TO_THE_LAW
    for side in ["lhs" if slug in _OF_THE_LEFT else "rhs"]
}
"""Change by slug: the uniform law on the side that knows the law."""


def plant(slug, change):
    """The theorem with the change, and without the terms and the trivial bound that belong to the true version."""
    fields = change if isinstance(change, dict) else {"rhs": change}
    return replace(THEOREMS[slug], **{"slug": "planted", "terms": None, "trivial": None, **fields})
