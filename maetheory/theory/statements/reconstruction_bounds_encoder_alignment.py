"""Under a bi-Lipschitz decoder the reconstruction loss bounds the alignment of the encoder's features.

Setting
-------
h = g∘f: the encoder f gives ``features`` (N1, k), the decoder g turns them into the predictions ``h`` (N1, d). ε is the
autoencoding error of ``h_g``, measured.

Assumptions
-----------
``bi-Lipschitz decoder``: ‖f − f⁺‖² ≤ L ‖h − h⁺‖² on every positive pair, with a finite L. Only this lower half of the
paper's assumption is used, and only where two views share a target. Without ``lipschitz`` the least such L is measured,
which is infinite if g merges two views of one target that f separates.

Claim
-----
L_MAE(h) ≥ (1/4L) E‖f(x₁) − f(x₁⁺)‖² − ε = (1/2L)(L_align(f) + E‖f‖²) − ε.

Slack
-----
That of the bound without the encoder (theorem 3.4) plus ¼ E‖h − h⁺‖² − (1/4L) E‖f − f⁺‖².

Tight when
----------
Only where theorem 3.4 is tight: h is aligned and exact, and ε = 0; then f is aligned too and both sides are 0.
There is no non-degenerate tight example.

Reference
---------
Zhang, Wang and Wang 2022, theorem 3.5 and equation 8; constants ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from maetheory.graph import MaskGraph
from maetheory.graph.functionals import mean_square, positive_pair_distance
from maetheory.theory.statements import reconstruction_bounds_alignment as without_encoder
from maetheory.theory.theorem import ROUNDING_TOLERANCE, Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import autoencoding_error, pair_lipschitz


def _measured_or_one(least: float) -> float:
    return least or 1.0


DECODER_CONSTANT: Mapping[str, Callable[..., float]] = {"least": pair_lipschitz, "lipschitz": _measured_or_one}
"""L as given, or the smallest that is valid on the positive pairs (1 if any is); measured once per check."""


def bi_lipschitz(least: float, lipschitz: float) -> tuple[bool, str]:
    """Assumption: ‖f − f⁺‖² ≤ L ‖h − h⁺‖² on every positive pair, with a finite L."""
    if not math.isfinite(least):
        return False, "L = ∞: the decoder merges two views of one target that the encoder separates"
    return least <= lipschitz * (1 + ROUNDING_TOLERANCE), f"L = {lipschitz:.6g}, at least {least:.6g} is needed"


def _rhs(graph: MaskGraph, features: np.ndarray, h_g: np.ndarray, targets: np.ndarray, lipschitz: float) -> float:
    return positive_pair_distance(graph, features) / (4 * lipschitz) - autoencoding_error(graph, h_g, targets)


def _scale(graph: MaskGraph, features: np.ndarray, h_g: np.ndarray, targets: np.ndarray, lipschitz: float) -> float:
    """Size of the terms that cancel, each a mean square of differences."""
    return positive_pair_distance(graph, features) / (4 * lipschitz) + autoencoding_error(graph, h_g, targets)


def _size(
    graph: MaskGraph, features: np.ndarray, h: np.ndarray, h_g: np.ndarray, targets: np.ndarray, lipschitz: float
) -> float:
    (d1, d2), size = graph.degrees, features / math.sqrt(lipschitz)
    return mean_square(d1, h) + mean_square(d2, h_g) + mean_square(d2, targets) + mean_square(d1, size)


def tight() -> Objects:
    """Return the degenerate equality: h constant on each of two components and exact, f = h."""
    world = without_encoder.tight()
    return {**world, "features": world["h"]}


def broken() -> dict[str, Objects]:
    """Return a decoder that maps all features to the one target, while the encoder separates two views."""
    graph = MaskGraph.from_joint([[0.5], [0.5]])
    zeros = np.zeros((2, 1))
    world = {"graph": graph, "features": np.array([[1.0], [-1.0]]), "h": zeros, "h_g": zeros[:1], "targets": zeros[:1]}
    return {"bi-Lipschitz decoder": world}


THEOREM = Theorem(
    slug="reconstruction-bounds-encoder-alignment",
    statement="L_MAE(h) >= E‖f - f⁺‖² / 4L - ε",
    reference="Zhang, Wang and Wang 2022, theorem 3.5, equation 8 (constants ours)",
    objects=("features", "h", "h_g", "targets"),
    optional=("lipschitz",),
    derived=DECODER_CONSTANT,
    lhs=without_encoder.THEOREM.lhs,
    rhs=_rhs,
    assumptions={"bi-Lipschitz decoder": bi_lipschitz},
    scale=_scale,
    size=_size,
    offsets=(("targets", "h", "h_g"), ("features",)),
    trivial=0.0,
    tight=tight,
    never_tight="its slack is at least that of reconstruction-bounds-alignment, so equality needs both sides to be 0",
    broken=broken,
)
