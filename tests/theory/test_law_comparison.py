"""The comparison of prediction laws holds the numbers of their graphs."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.data import worlds
from maetheory.graph import MaskGraph
from maetheory.masks import MixtureOfRatios, PrefixMasks, TokenizedLaw, UniformMasks
from maetheory.theory import check
from maetheory.theory.law_comparison import compare_laws
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser

WORLD = worlds.mixture(4, 2, 2, 0.15)
LAWS = {
    "masks": UniformMasks(4, 2),
    "prefix": PrefixMasks(4, 2, "rest"),
    "ratios": MixtureOfRatios(4, (0.25, 0.75)),
    "tokens": TokenizedLaw(UniformMasks(4, 2), target_tokens=(0, 0)),
}


@pytest.mark.parametrize("positions", ["kept", "dropped"])
def test_rows_are_the_numbers_of_the_graphs_and_bounds_hold(positions):
    numbers, spectra = compare_laws(WORLD, LAWS, 2, positions)
    for row in numbers.itertuples():
        graph = MaskGraph.enumerate(WORLD, LAWS[row.law], positions)
        assert (row.components, row.alpha) == (graph.n_components, float(graph.label_error()))
        assert row.phi == float(graph.pair_label_error())
        assert row.residual <= row.bound + 1e-9
        assert row.residual_by_component <= row.bound_by_component + 1e-9
        own = spectra[spectra.law == row.law].eigenvalue.sort_values(ascending=False).to_numpy()
        dense = np.linalg.svd(graph.normalized_matrix.toarray(), compute_uv=False) ** 2
        size = min(len(own), len(dense))
        np.testing.assert_allclose(own[:size], dense[:size], atol=1e-12)
        if np.isfinite(row.bound):
            found = check("spectral-features-bound-downstream-error", graph, features=minimiser(graph, 2))
            assert (row.residual, row.bound) == pytest.approx((float(found.lhs), float(found.rhs)))


def test_visible_shares_and_features_are_those_of_the_laws():
    numbers = compare_laws(WORLD, LAWS, 2)[0].set_index("law")
    assert numbers.visible.drop("tokens").tolist() == pytest.approx([0.5, 0.5, 0.5])
    assert np.isnan(numbers.visible["tokens"])
    # masks and ratios have a component for each mask, with two classes each; one token tells the mask alone
    assert numbers.features.tolist() == [12, 2, 16, 6]


def test_a_world_without_labels_and_no_feature_are_refused():
    with pytest.raises(InputError, match="this world has none"):
        compare_laws(worlds.FiniteWorld(WORLD.states, WORLD.probability, None, WORLD.values), LAWS, 1)
    with pytest.raises(InputError, match="k must be at least 1"):
        compare_laws(WORLD, LAWS, 0)
