"""Hiding ρ of an image and hiding 1 − ρ of it build the same graph, read from its two sides.

Setting
-------
``complement`` is the graph of the same images under masks of ratio 1 − ρ. α and α₂ are the Bayes label errors of views
and of targets.

Assumptions
-----------
The complement has the law of the transposed graph. So it is for uniform and for Bernoulli masks, not for blocks. Views
may be numbered otherwise, so equal shapes, sorted degrees and sorted joint masses are what is compared.

Claim
-----
M_{1−ρ} = M_ρᵀ up to numbering: the same singular values, hence the same tail, the same number of components, and
α₂(ρ) = α(1−ρ), α(ρ) = α₂(1−ρ). Proof: under these laws the set of seen patches at 1 − ρ is distributed as the set of
hidden patches at ρ. So no part of a bound that reads only the spectrum can prefer ρ to 1 − ρ.

Slack
-----
Zero.

Tight when
----------
Always.

Reference
---------
Ours, on the mask ratio of Zhang, Wang and Wang 2022.
"""

from __future__ import annotations

import numpy as np

from maetheory.data import worlds
from maetheory.graph import MaskGraph
from maetheory.masks import BernoulliMasks, BlockMasks, UniformMasks
from maetheory.theory.theorem import Objects, Theorem


def _singular(graph: MaskGraph) -> np.ndarray:
    return np.linalg.svd(graph.normalized_matrix.toarray(), compute_uv=False)


def _terms(graph: MaskGraph, complement: MaskGraph) -> dict[str, float]:
    """Largest differences of the quantities that are dual; the common singular values are compared."""
    one, two = _singular(graph), _singular(complement)
    size = max(len(one), len(two))
    apart = np.pad(one, (0, size - len(one))) - np.pad(two, (0, size - len(two)))
    found = {
        "singular values": float(np.abs(apart).max()),
        "components": float(abs(graph.n_components - complement.n_components)),
    }
    if graph.image_labels is not None and complement.image_labels is not None:
        found["alpha"] = abs(graph.label_error() - complement.target_label_error())
        found["alpha2"] = abs(graph.target_label_error() - complement.label_error())
    return found


def _largest_difference(graph: MaskGraph, complement: MaskGraph) -> float:
    return max(_terms(graph, complement).values())


def _is_transposed(graph: MaskGraph, complement: MaskGraph) -> tuple[bool, str]:
    if graph.shape != complement.shape[::-1]:
        return False, f"the graphs are {graph.shape} and {complement.shape}"
    if graph.joint.nnz != complement.joint.nnz:
        return False, f"they have {graph.joint.nnz} and {complement.joint.nnz} edges"
    mine, other = (graph.joint.data, *graph.degrees), (complement.joint.data, *complement.degrees[::-1])
    off = max(float(np.abs(np.sort(a) - np.sort(b)).max()) for a, b in zip(mine, other, strict=True))
    return off <= 1e-12, f"sorted masses and degrees agree within {off:.3g}"


def _pair(world: worlds.FiniteWorld, visible: int, positions: str = "kept") -> Objects:
    n = world.n_patches
    seen, hidden = UniformMasks(n, visible), UniformMasks(n, n - visible)
    return {
        "graph": MaskGraph.enumerate(world, seen, positions),
        "complement": MaskGraph.enumerate(world, hidden, positions),
    }


def tight() -> Objects:
    """Return two noisy classes of three patches, one patch seen and two."""
    return _pair(worlds.mixture(3, 2, 2, 0.2), 1)


def _broken() -> dict[str, Objects]:
    world = worlds.mixture(4, 2, 2, 0.2)
    graphs = [MaskGraph.enumerate(world, BlockMasks((1, 4), visible)) for visible in (1, 3)]
    return {"the complement has the law of the transposed graph": {"graph": graphs[0], "complement": graphs[1]}}


def _sample(rng: np.random.Generator) -> Objects:
    n, alphabet = int(rng.integers(2, 5)), int(rng.integers(2, 4))
    states = int(rng.integers(1, min(12, alphabet**n) + 1))
    world = worlds.random(n, alphabet, int(rng.integers(1, 4)), int(rng.integers(2**31)), states)
    positions = str(rng.choice(["kept", "dropped"]))
    if rng.random() < 0.5:
        return _pair(world, int(rng.integers(1, n)), positions)
    p = float(rng.uniform(0.05, 0.95))
    laws = BernoulliMasks(n, p), BernoulliMasks(n, 1 - p)
    graph, complement = (MaskGraph.enumerate(world, law, positions) for law in laws)
    return {"graph": graph, "complement": complement}


THEOREM = Theorem(
    slug="mask-ratio-duality",
    statement="largest difference of σ_i, components, α(ρ) - α₂(1-ρ) and α₂(ρ) - α(1-ρ) == 0",
    reference="Ours",
    objects=("complement",),
    lhs=_largest_difference,
    rhs=lambda: 0.0,
    direction="==",
    scale=lambda: 1.0,
    terms=_terms,
    assumptions={"the complement has the law of the transposed graph": _is_transposed},
    tight=tight,
    broken=_broken,
    sample=_sample,
)
