"""The U-MAE loss is an upper bound of the spectral contrastive loss, up to ε.

Setting
-------
L_U-MAE(h) = L_MAE(h) + λ L_unif(f) with h = g∘f; the weight λ is 1/(4L) unless ``weight`` is given. ε is the plain
autoencoding error of ``h_g``, measured. One f serves in the decoder, in the alignment and in the penalty.

Assumptions
-----------
``bi-Lipschitz decoder``: ‖f − f⁺‖² ≤ L ‖h − h⁺‖² on every positive pair, with a finite L; measured if not given.

Claim
-----
L_U-MAE(h) ≥ (1/4L) L_spec(f) + (1/2L) E‖f‖² − ε at λ = 1/(4L). For any λ, with w = 4Lλ, the first term becomes
(1/4Lw) L_spec(√w f) = (1/4L)(2 L_align(f) + w L_unif(f)).

Slack
-----
That of the bound on encoder alignment (theorem 3.5): the penalty is on both sides and cancels.

Tight when
----------
As for theorem 3.5, only if h is aligned and exact and ε = 0: then L_MAE = 0 and both sides equal the penalty. There is
no tight example with L_MAE > 0.

Reference
---------
Zhang, Wang and Wang 2022, on the way to theorem 4.2; constants ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from maetheory.graph import MaskGraph
from maetheory.graph.functionals import mean_square, positive_pair_distance, uniformity_loss
from maetheory.theory.statements import reconstruction_bounds_encoder_alignment as encoder_alignment
from maetheory.theory.statements.reconstruction_bounds_encoder_alignment import DECODER_CONSTANT, bi_lipschitz
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects
from maetheory.theory.theorem_quantities import autoencoding_error, umae_loss


def _default_weight(lipschitz: float) -> float:
    return 0.25 / lipschitz


DEFAULT_CONSTANTS: Mapping[str, Callable[..., float]] = {**DECODER_CONSTANT, "weight": _default_weight}
"""Defaults where they are not given: L measured and λ = 1/(4L)."""


def _rhs(
    graph: MaskGraph, features: np.ndarray, h_g: np.ndarray, targets: np.ndarray, lipschitz: float, weight: float
) -> float:
    pull = positive_pair_distance(graph, features) / (4 * lipschitz)  # (L_align(f) + E‖f‖²) / 2L
    return pull + _penalty(graph, features, weight) - autoencoding_error(graph, h_g, targets)


def _scale(graph: MaskGraph, features: np.ndarray, h_g: np.ndarray, targets: np.ndarray, lipschitz: float) -> float:
    """Size of the terms that cancel; the penalty is the same on both sides."""
    return positive_pair_distance(graph, features) / (4 * lipschitz) + autoencoding_error(graph, h_g, targets)


def _penalty(graph: MaskGraph, features: np.ndarray, weight: float) -> float:
    """Uniformity penalty λ L_unif(f): a bound without the theorem, because L_MAE is not negative."""
    return weight * uniformity_loss(graph, features)


def _size(
    graph: MaskGraph, features: np.ndarray, h: np.ndarray, h_g: np.ndarray, targets: np.ndarray, lipschitz: float
) -> float:
    """Mean square of what is subtracted: predictions, targets and features over 2L."""
    d1, d2 = graph.degrees
    pull = mean_square(d1, features) / (2 * lipschitz)
    return mean_square(d1, h) + mean_square(d2, h_g) + mean_square(d2, targets) + pull


def tight() -> Objects:
    """Return the degenerate equality: all errors 0, f = h, both sides equal to the penalty."""
    return encoder_alignment.tight()


def broken() -> dict[str, Objects]:
    """Return a decoder that merges two views which the encoder separates."""
    return encoder_alignment.broken()


THEOREM = Theorem(
    slug="umae-bounds-spectral-contrast",
    statement="L_U-MAE(h) >= L_spec(f) / 4L + E‖f‖² / 2L - ε at λ = 1/4L",
    reference="Zhang, Wang and Wang 2022, section 4 (constants ours)",
    objects=("features", "h", "h_g", "targets"),
    optional=("lipschitz", "weight"),
    derived=DEFAULT_CONSTANTS,
    lhs=umae_loss,
    rhs=_rhs,
    assumptions={"bi-Lipschitz decoder": bi_lipschitz},
    scale=_scale,
    size=_size,
    common=_penalty,
    offsets=(("targets", "h", "h_g"),),
    trivial=_penalty,
    tight=tight,
    never_tight="the penalty cancels; what is left is the bound of encoder alignment, where both sides must be 0",
    broken=broken,
)
