"""The spectrum of a sampled mask graph is close to the exact one, except for unseen components and single draws.

Setting
-------
``sampled`` (N1, N2) is an empirical law M̂ on the nodes of M, divided by its sum; Ā̂_M is its normalised matrix with
0^-½ := 0. σ̂_i are its singular values. ``draws`` is a number n of independent pairs.

Assumptions
-----------
``sampled`` is a law. For the second theorem here, a component of M has no mass in it. For the third, view and target
are independent under M, measured as the largest entry of Ā_M − √d₁√d₂ᵀ, so that rare nodes count equally, and n ≥ 2.

Claim
-----
max_i |σ̂_i − σ_i| ≤ ‖Ā̂_M − Ā_M‖₂ (Weyl). An unseen component, however rare, makes that distance at least 1. M̂ is
biased: for independent view and target E Σσ̂² − Σσ² = (E N̂₁ − 1)(E N̂₂ − 1)/(n − 1), N̂ the numbers of nodes seen,
which is about (N₁ − 1)(N₂ − 1)/n. Proof of the second: nothing of M̂ lies in the rows and columns of the unseen
component, and M has no other entries there, so Ā̂_M − Ā_M is the direct sum of a block −Ā_M of norm 1 and the rest. Of
the third: Pearson's statistic of a table with given margins has mean (N̂₁ − 1)(N̂₂ − 1) n/(n − 1), and N̂₁, N̂₂ are
independent.

Slack
-----
That of Weyl's inequality; (‖rest‖₂ − 1)_+ for the rest of Ā̂_M − Ā_M outside of unseen components; zero.

Tight when
----------
The difference has the singular vectors of both, as for a binary symmetric channel; the sampled components differ by at
most 1, as they do unless views were sampled with targets of other components; always.

Reference
---------
Ours; Weyl 1912, and Pearson's statistic under independence.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb, factorial
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from maetheory.core import InputError
from maetheory.graph import MaskGraph
from maetheory.theory.statements.data_processing_shrinks_spectrum import normalised
from maetheory.theory.theorem import ROUNDING_TOLERANCE, Theorem
from maetheory.theory.theorem_objects import Objects

_LAW = "the sample is a law"
_UNSEEN = "a component was never seen"
_INDEPENDENT = "view and target are independent"
_AT_LEAST_TWO = "there are two draws or more"
_MAX_TABLES = 1_000_000


def _is_law(sampled: np.ndarray) -> tuple[bool, str]:
    least, total = float(sampled.min()), float(sampled.sum())
    return least >= 0 and abs(total - 1) <= 1e-9, f"least entry {least:.3g}, sum {total:.10g}"


def _is_unseen(graph: MaskGraph, sampled: np.ndarray) -> tuple[bool, str]:
    seen = np.bincount(graph.components[0], sampled.sum(1)) + np.bincount(graph.components[1], sampled.sum(0))
    return bool((seen == 0).any()), f"{int((seen == 0).sum())} of {len(seen)} components have no mass"


def _is_independent(graph: MaskGraph) -> tuple[bool, str]:
    off = float(np.abs(graph.normalized_matrix.toarray() - np.sqrt(np.outer(*graph.degrees))).max())
    return off <= ROUNDING_TOLERANCE, f"Ā_M is √d₁√d₂ᵀ within {off:.3g}"


def _has_two_draws(draws: int) -> tuple[bool, str]:
    return draws >= 2, f"{draws} draws"


def _normalised_matrices(graph: MaskGraph, sampled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return graph.normalized_matrix.toarray(), normalised(np.maximum(sampled, 0.0))


def _largest_shift(graph: MaskGraph, sampled: np.ndarray) -> float:
    true, found = (np.linalg.svd(matrix, compute_uv=False) for matrix in _normalised_matrices(graph, sampled))
    return float(np.abs(true - found).max())


def _spectral_distance(graph: MaskGraph, sampled: np.ndarray) -> float:
    true, found = _normalised_matrices(graph, sampled)
    return float(np.linalg.norm(found - true, 2))


def contingency_tables(cells: int, draws: int) -> Iterator[tuple[int, ...]]:
    """Yield every contingency table: all ways to distribute `draws` over `cells`."""
    if cells == 1:
        yield (draws,)
        return
    for first in range(draws + 1):
        yield from ((first, *rest) for rest in contingency_tables(cells - 1, draws - first))


def _refuse_if_many_tables(cells: int, draws: int) -> None:
    if not isinstance(draws, int | np.integer):
        raise InputError(f"draws must be a whole number of pairs, but {draws!r} was given")
    number = comb(max(draws, 0) + cells - 1, cells - 1)
    if number > _MAX_TABLES:
        raise InputError(
            f"{draws} draws fill {cells} cells in {number:,} ways, more than the {_MAX_TABLES:,} that are summed: "
            "take fewer draws or a smaller graph"
        )


def expected_square_sum(graph: MaskGraph, draws: int) -> float:
    """Expectation E Σσ̂² over all samples of `draws` pairs, each table weighted by its multinomial probability.

    Raises
    ------
    InputError
        If `draws` is not a whole number, or there are more than a million tables.
    """
    law = graph.joint.toarray()
    _refuse_if_many_tables(law.size, draws)
    total = 0.0
    for counts in contingency_tables(law.size, draws):
        table = np.array(counts).reshape(law.shape)
        ways = factorial(draws) / np.prod([float(factorial(c)) for c in counts])
        total += float(ways * np.prod(law**table)) * float((normalised(table.astype(float)) ** 2).sum())
    return total


def _sampled_energy_bias(graph: MaskGraph, draws: int) -> float:
    return expected_square_sum(graph, draws) - float((graph.normalized_matrix.toarray() ** 2).sum())


def _bias_under_independence(graph: MaskGraph, draws: int) -> float:
    rows, columns = (float((1 - (1 - degrees) ** draws).sum()) for degrees in graph.degrees)
    return (rows - 1) * (columns - 1) / (draws - 1) if draws > 1 else 0.0


def _conform(objects: dict[str, Any]) -> Objects:
    rows = np.abs(objects["sampled"]) + 1e-12
    return {**objects, "sampled": rows / rows.sum()}


def _remove_first_component(objects: dict[str, Any]) -> Objects:
    """Remove the first component from the sample; if it is the only one, the result is zero and not a law."""
    views, targets = objects["graph"].components
    rows = np.abs(objects["sampled"]) * (views > 0)[:, None] * (targets > 0)
    return {**objects, "sampled": rows / rows.sum() if rows.sum() > 0 else rows}


def _two_component_graph() -> MaskGraph:
    return MaskGraph.from_joint([[0.3, 0.0, 0.0], [0.0, 0.2, 0.1], [0.0, 0.1, 0.3]])


def tight() -> Objects:
    """Return a binary symmetric channel of probability 0.8, sampled as one of probability 0.7."""
    return {"graph": MaskGraph.from_joint([[0.4, 0.1], [0.1, 0.4]]), "sampled": np.array([[0.35, 0.15], [0.15, 0.35]])}


def tight_unseen() -> Objects:
    """Return a graph of two components, the second sampled without error and the first never sampled."""
    return {"graph": _two_component_graph(), "sampled": np.array([[0, 0, 0], [0, 2.0, 1.0], [0, 1.0, 3.0]]) / 7}


def tight_bias() -> Objects:
    """Return independent views (two, unequal) and targets (three), with three draws."""
    return {"graph": MaskGraph.from_joint(np.outer([0.3, 0.7], [0.2, 0.3, 0.5])), "draws": 3}


def _broken() -> dict[str, Objects]:
    return {_LAW: {**tight(), "sampled": np.eye(2)}}


def _broken_unseen() -> dict[str, Objects]:
    seen = {"graph": _two_component_graph(), "sampled": np.eye(3) / 3}
    return {_LAW: {**tight_unseen(), "sampled": 2 * tight_unseen()["sampled"]}, _UNSEEN: seen}


def _broken_bias() -> dict[str, Objects]:
    return {_INDEPENDENT: {"graph": tight()["graph"], "draws": 3}, _AT_LEAST_TWO: {**tight_bias(), "draws": 1}}


def _sample_unseen(rng: np.random.Generator) -> Objects:
    joint = block_diag(*(rng.random(rng.integers(1, 4, 2)) + 0.01 for _ in range(rng.integers(2, 4))))
    sampled = rng.random(joint.shape) ** rng.integers(1, 9)  # high powers send views to the targets of others
    return {"graph": MaskGraph.from_joint(joint / joint.sum()), "sampled": sampled}


def _sample_bias(rng: np.random.Generator) -> Objects:
    views, targets = (rng.dirichlet(np.ones(int(n))) * 0.98 + 0.02 / n for n in rng.integers(1, 4, 2))
    return {"graph": MaskGraph.from_joint(np.outer(views, targets)), "draws": int(rng.integers(2, 5))}


THEOREM = Theorem(
    slug="sampled-spectrum-concentrates",
    statement="max_i |σ̂_i - σ_i| <= ‖Ā̂_M - Ā_M‖₂",
    reference="Weyl 1912",
    objects=("sampled",),
    shapes={"sampled": ("N1", "N2")},
    lhs=_largest_shift,
    rhs=_spectral_distance,
    direction="<=",
    scale=lambda: 1.0,
    trivial=1.0,
    assumptions={_LAW: _is_law},
    tight=tight,
    broken=_broken,
    conform=_conform,
)

UNSEEN = Theorem(
    slug="unseen-component-costs-one",
    statement="‖Ā̂_M - Ā_M‖₂ >= 1",
    reference="Ours",
    objects=("sampled",),
    shapes={"sampled": ("N1", "N2")},
    lhs=_spectral_distance,
    rhs=lambda: 1.0,
    assumptions={_LAW: _is_law, _UNSEEN: _is_unseen},
    tight=tight_unseen,
    broken=_broken_unseen,
    sample=_sample_unseen,
    conform=_remove_first_component,
)

BIAS = Theorem(
    slug="sampled-spectrum-is-biased-upward",
    statement="E Σσ̂² - Σσ² == (E N̂₁ - 1)(E N̂₂ - 1)/(n - 1)",
    reference="Ours; Pearson's statistic under independence",
    objects=("draws",),
    lhs=_sampled_energy_bias,
    rhs=_bias_under_independence,
    direction="==",
    scale=lambda: 1.0,
    assumptions={_INDEPENDENT: _is_independent, _AT_LEAST_TWO: _has_two_draws},
    tight=tight_bias,
    broken=_broken_bias,
    sample=_sample_bias,
)
