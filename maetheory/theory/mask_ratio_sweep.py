"""Label errors, spectrum and downstream bound of a finite world at every mask ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass

from maetheory.data.finite_world import FiniteWorld
from maetheory.graph import MaskGraph
from maetheory.masks import UniformMasks
from maetheory.theory.theorem_quantities import eigenvalues


@dataclass(frozen=True)
class MaskRatioRow:
    """Label errors, eigenvalues and bound at one mask ratio.

    Attributes
    ----------
    n_visible : int
        Visible patches.
    mask_ratio, alpha, alpha2, phi : float
        Share hidden; label errors of views, of targets and of positive pairs.
    last_eigenvalue, next_eigenvalue, tail : float
        λ_k, λ_{k+1} and Σ_{i>k} λ_i².
    components : int
    sharp_bound : float
        4φ/(1 − λ_{k+1}) + 2α, infinite where λ_{k+1} = 1.
    """

    n_visible: int
    mask_ratio: float
    alpha: float
    alpha2: float
    phi: float
    last_eigenvalue: float
    next_eigenvalue: float
    tail: float
    components: int
    sharp_bound: float


def mask_ratio_sweep(world: FiniteWorld, k: int, positions: str = "kept") -> list[MaskRatioRow]:
    """Return one row per number of visible patches under uniform masks, in ascending order.

    Parameters
    ----------
    world : FiniteWorld
        With labels.
    k : int
        Number of features, at least 1.
    positions : {"kept", "dropped"}

    Examples
    --------
    >>> from maetheory.data import worlds
    >>> rows = mask_ratio_sweep(worlds.mixture(8, 2, 2, 0.1), 2, "dropped")
    >>> [round(row.sharp_bound, 2) for row in rows]
    [0.93, 0.88, 0.33, 0.38, 0.28, 0.51, 0.74]
    """
    return [_mask_ratio_row(world, n_visible, k, positions) for n_visible in range(1, world.n_patches)]


def _mask_ratio_row(world: FiniteWorld, n_visible: int, k: int, positions: str) -> MaskRatioRow:
    law = UniformMasks(world.n_patches, n_visible)
    graph = MaskGraph.enumerate(world, law, positions)
    found = eigenvalues(graph, max(k + 1, min(graph.shape)))
    alpha, alpha2, phi = (e.value for e in (graph.label_error(), graph.target_label_error(), graph.pair_label_error()))
    gap = 1.0 - float(found[k]) if graph.n_components <= k else 0.0
    bound = 4 * phi / gap + 2 * alpha if gap > 0 else math.inf
    tail = float((found[k:] ** 2).sum())
    last, next_one = float(found[k - 1]), float(found[k])
    return MaskRatioRow(n_visible, law.mask_ratio, alpha, alpha2, phi, last, next_one, tail, graph.n_components, bound)
