"""Hypotheses about mask laws: which graph quantities predict the accuracy of a probe, and with which sign.

The directions were written down before the accuracies they are compared with were measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import final


@final
@dataclass(frozen=True)
class Hypothesis:
    """Direction in which a score of a mask law is said to predict probe accuracy.

    Attributes
    ----------
    direction : int
        1: a higher score predicts a better probe; -1: a worse one.
    why : str
        The reason, with its source.
    """

    direction: int
    why: str


GRAPH_HYPOTHESES: Mapping[str, Hypothesis] = MappingProxyType(
    {
        "pair_label_error": Hypothesis(
            -1, "views of different classes that share a target are pulled together (the paper, S3)"
        ),
        "view_label_error": Hypothesis(
            -1, "no feature of views recovers the label information that a view lacks (the paper, S3)"
        ),
        "connectivity": Hypothesis(+1, "masking should connect the graph, so a smaller λ₂ is better (the paper)"),
        "next_eigenvalue": Hypothesis(
            -1, "with a large λ_{k+1}, k features leave out a direction as connected as theirs (S3 i)"
        ),
        "residual_bound": Hypothesis(-1, "φ/(1 − λ_{k+1}) bounds the probe's residual (S3 i)"),
        "certificate": Hypothesis(-1, "the sharpest bound of the residual (S3 iii)"),
        "image_bound": Hypothesis(-1, "4φ/(1 − λ_{k+1}) + 2α bounds the error on images (S3 i)"),
    }
)
"""Hypotheses about the fields of `GraphScores`."""

HYPOTHESES: Mapping[str, Hypothesis] = MappingProxyType(
    {f"{source} {name}": one for source in ("tokens", "kernel") for name, one in GRAPH_HYPOTHESES.items()}
    | {
        "mask_ratio": Hypothesis(+1, "baseline: with more hidden patches the task is harder"),
        "relative_distance": Hypothesis(-1, "baseline: the paper's ratio of intra- to inter-class distance of views"),
        "linear_mae_kept_share": Hypothesis(
            +1,
            "k linear features then keep most of what linear prediction finds under the law and leave out little, as "
            "with a small λ_{k+1} (Bisulco et al. 2025, theorem 1; as a score ours)",
        ),
    }
)
"""Hypotheses about every score of `LawScores`."""
