"""Statements about masked autoencoders: one theorem, with its variants, per module.

The name of a module is its claim. Its docstring has six headings (Setting, Assumptions, Claim, Slack, Tight when,
Reference), and it defines one :class:`~maetheory.theory.theorem.Theorem` or several closely related ones, with a world
where equality holds (or the reason why there is none) and, for each assumption, a world where only that one fails. The
room is a flat list, as long as there are statements.

Read :mod:`reconstruction_is_alignment_plus_bias` first: most bounds of the paper are weaker forms of this identity.
:data:`THEOREMS` lists all of them in reading order, the paper's first:

>>> next(iter(THEOREMS))
'reconstruction-bounds-asymmetric-alignment'
>>> print(THEOREMS["alignment-split"].statement)
L_MAE(h) == ½ E‖h - h⁺‖² + E‖E[h | x₂] - x₂‖²
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from maetheory.theory.statements import (
    asymmetric_alignment_bounds_alignment,
    certificate_bounds_downstream_error,
    data_processing_shrinks_spectrum,
    downstream_error_averages_over_components,
    effective_rank_grows_with_uniformity,
    excess_factorisation_bounded_by_umae,
    excess_loss_bounds_downstream_error,
    factorisation_bounds_probe_residual,
    full_collapse_costs_variance,
    gaussian_components_are_independent,
    label_error_alone_is_not_enough,
    label_error_grows_with_mask_ratio,
    linear_decoders_keep_the_top_singular_directions,
    linear_mae_is_reduced_rank_regression,
    linear_mae_on_all_pixels_is_a_generalised_eigenproblem,
    mask_ratio_duality,
    pair_error_bounded_by_label_errors,
    pair_error_lower_bound,
    perfect_alignment_is_constant_on_components,
    probe_residual_bounds_downstream_error,
    reconstruction_bounds_alignment,
    reconstruction_bounds_asymmetric_alignment,
    reconstruction_bounds_encoder_alignment,
    reconstruction_bounds_encoder_alignment_sharply,
    reconstruction_is_alignment_plus_bias,
    reconstruction_is_irreducible_loss_plus_excess,
    sampled_spectrum_concentrates,
    shared_linear_mae_is_regression_row_by_row,
    spectral_contrast_is_factorisation,
    spectral_features_bound_downstream_error,
    umae_bounded_by_graph_tail,
    umae_bounds_downstream_error,
    umae_bounds_spectral_contrast,
    uniformity_approximates_coding_rate,
    votes_beat_views_when_errors_scatter,
)
from maetheory.theory.theorem import Check, Theorem
from maetheory.theory.theorem_names import find_theorem

_PAPER_THEOREMS: tuple[Theorem, ...] = (
    reconstruction_bounds_asymmetric_alignment.THEOREM,
    asymmetric_alignment_bounds_alignment.THEOREM,
    reconstruction_bounds_alignment.THEOREM,
    reconstruction_bounds_encoder_alignment.THEOREM,
    full_collapse_costs_variance.THEOREM,
    full_collapse_costs_variance.GIVEN_THE_MASK,
    spectral_contrast_is_factorisation.THEOREM,
    spectral_contrast_is_factorisation.MINIMUM,
    umae_bounds_spectral_contrast.THEOREM,
    umae_bounded_by_graph_tail.THEOREM,
    factorisation_bounds_probe_residual.THEOREM,
    probe_residual_bounds_downstream_error.VIEW_ERROR,
    probe_residual_bounds_downstream_error.IMAGE_ERROR,
    umae_bounds_downstream_error.THEOREM,
    umae_bounds_downstream_error.VACUITY,
    pair_error_bounded_by_label_errors.THEOREM,
)
_OWN_THEOREMS: tuple[Theorem, ...] = (
    reconstruction_is_alignment_plus_bias.THEOREM,
    reconstruction_bounds_encoder_alignment_sharply.THEOREM,
    excess_factorisation_bounded_by_umae.THEOREM,
    reconstruction_is_irreducible_loss_plus_excess.THEOREM,
    perfect_alignment_is_constant_on_components.THEOREM,
    perfect_alignment_is_constant_on_components.CONVERSE,
    perfect_alignment_is_constant_on_components.RANK,
    effective_rank_grows_with_uniformity.THEOREM,
    effective_rank_grows_with_uniformity.EFFECTIVE_RANK,
    effective_rank_grows_with_uniformity.PARTICIPATION_RATIO,
    effective_rank_grows_with_uniformity.STABLE_RANK,
    spectral_features_bound_downstream_error.THEOREM,
    downstream_error_averages_over_components.THEOREM,
    excess_loss_bounds_downstream_error.THEOREM,
    certificate_bounds_downstream_error.THEOREM,
    votes_beat_views_when_errors_scatter.THEOREM,
    label_error_alone_is_not_enough.THEOREM,
    pair_error_lower_bound.THEOREM,
    data_processing_shrinks_spectrum.THEOREM,
    data_processing_shrinks_spectrum.BOTH_SIDES,
    data_processing_shrinks_spectrum.PAIR_ERROR,
    linear_decoders_keep_the_top_singular_directions.THEOREM,
    linear_decoders_keep_the_top_singular_directions.GIVEN_FEATURES,
    linear_decoders_keep_the_top_singular_directions.LOSS,
    linear_mae_is_reduced_rank_regression.THEOREM,
    shared_linear_mae_is_regression_row_by_row.THEOREM,
    shared_linear_mae_is_regression_row_by_row.MASK_BY_MASK,
    linear_mae_on_all_pixels_is_a_generalised_eigenproblem.LOSS,
    linear_mae_on_all_pixels_is_a_generalised_eigenproblem.THEOREM,
    uniformity_approximates_coding_rate.THEOREM,
    uniformity_approximates_coding_rate.FROM_ABOVE,
    mask_ratio_duality.THEOREM,
    label_error_grows_with_mask_ratio.THEOREM,
    sampled_spectrum_concentrates.THEOREM,
    sampled_spectrum_concentrates.UNSEEN,
    sampled_spectrum_concentrates.BIAS,
    gaussian_components_are_independent.THEOREM,
    gaussian_components_are_independent.IN_ANY_BASIS,
)

THEOREMS: Mapping[str, Theorem] = MappingProxyType(
    {theorem.slug: theorem for theorem in _PAPER_THEOREMS + _OWN_THEOREMS}
)
"""Every theorem under its slug, in reading order: first the theorems of the paper, then our own."""


def check(slug: str | Theorem, graph: Any = None, **objects: Any) -> Check:
    """Check one theorem on one world.

    Parameters
    ----------
    slug : str or Theorem
        A key of :data:`THEOREMS`, a number of the paper such as "3.4", or a theorem of your own.
    graph : MaskGraph, optional
        The world's mask graph; nearly every theorem needs one.
    **objects
        What the theorem names in ``THEOREMS[slug].objects``: ``h (N1, d)``, ``h_g (N2, d)``, ``targets (N2, d)``,
        ``features (N1, k)``, …

    Returns
    -------
    Check
        Both sides, the slack (>= 0 iff the claim holds, whichever way it points), the assumptions and the verdict.

    Raises
    ------
    InputError
        If the slug is unknown, or an object is missing, unknown or of the wrong shape.

    Examples
    --------
    >>> from maetheory.graph import MaskGraph
    >>> graph = MaskGraph.from_joint([[0.25, 0.25], [0.0, 0.5]], labels=[0, 1])
    >>> check("pair-error-bounded-by-label-errors", graph).verdict
    <Verdict.HOLDS: 'HOLDS'>
    """
    theorem = slug if isinstance(slug, Theorem) else find_theorem(THEOREMS, slug)
    return theorem.check(graph, **objects)


__all__ = ["THEOREMS", "check"]
