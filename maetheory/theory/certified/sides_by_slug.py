"""The ball-arithmetic sides of every theorem that can be certified, by slug."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from maetheory.theory.certified.components import COMPONENT_SIDES
from maetheory.theory.certified.feature_ranks import RANK_SIDES
from maetheory.theory.certified.gaussian_images import GAUSSIAN_SIDES
from maetheory.theory.certified.graph_comparison_theorems import GRAPH_COMPARISON_SIDES
from maetheory.theory.certified.labels_and_ranks import LABEL_AND_RANK_SIDES
from maetheory.theory.certified.linear_maes import LINEAR_MAE_SIDES
from maetheory.theory.certified.own_statements import OWN_SIDES
from maetheory.theory.certified.paper_statements import PAPER_SIDES
from maetheory.theory.certified.probe_bounds import PROBE_BOUND_SIDES
from maetheory.theory.certified.sampled_graphs import SAMPLED_GRAPH_SIDES
from maetheory.theory.certified.sides import Sides

CERTIFIED_SIDES: Mapping[str, Sides] = MappingProxyType(
    {
        **PAPER_SIDES,
        **OWN_SIDES,
        **GRAPH_COMPARISON_SIDES,
        **LABEL_AND_RANK_SIDES,
        **RANK_SIDES,
        **LINEAR_MAE_SIDES,
        **SAMPLED_GRAPH_SIDES,
        **PROBE_BOUND_SIDES,
        **GAUSSIAN_SIDES,
        **COMPONENT_SIDES,
    }
)
"""The ball version of each theorem that has one, under its slug."""
