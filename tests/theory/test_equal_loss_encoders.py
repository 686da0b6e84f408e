"""Two encoders that no loss tells apart: both are minimal, and a probe finds the classes in one alone."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.graph.functionals import positive_pair_distance, spectral_loss, uniformity_loss
from maetheory.theory import Verdict, check
from maetheory.theory.exact_probe import image_error, view_error
from maetheory.theory.example_graphs import equal_loss_encoders

CORNERS = [(a, b) for a in (0, 1) for b in (0, 1)]


@pytest.mark.parametrize("flip", [0.02, 0.1, 0.4])
def test_losses_are_equal_and_minimal_and_probes_are_not(flip):
    graph, informed, uninformed = equal_loss_encoders(flip)
    joint = np.array(
        [[np.prod([flip if x != y else 1 - flip for x, y in zip(p, q)]) / 4 for q in CORNERS] for p in CORNERS]
    )
    np.testing.assert_allclose(graph.joint.toarray(), joint, rtol=1e-14)
    for loss in (spectral_loss, positive_pair_distance, uniformity_loss):
        assert loss(graph, informed) == pytest.approx(loss(graph, uninformed), rel=1e-13)
    for features, residual in ((informed, 0.0), (uninformed, 0.5)):
        minimum = check("spectral-contrast-is-bounded-by-eigenvalues", graph, features=features)
        bound = check("spectral-features-bound-downstream-error", graph, features=features)
        assert minimum.verdict is Verdict.TIGHT
        assert all(one.holds for one in bound.assumptions)
        assert bound.lhs == pytest.approx(residual, abs=1e-14)
        assert bound.rhs == pytest.approx(0.5, rel=1e-12)
    assert view_error(graph, informed) == image_error(graph, informed) == 0.0
    assert view_error(graph, uninformed) == image_error(graph, uninformed) == 1.0  # ties on all images are errors


def test_the_loss_by_loops_over_pairs():
    graph, informed, uninformed = equal_loss_encoders(0.1)
    for f in (informed, uninformed):
        law = graph.joint.toarray()
        pairs = law @ np.diag(1 / law.sum(0)) @ law.T  # two views of one target
        pull = sum(pairs[i, j] * f[i] @ f[j] for i in range(4) for j in range(4))
        push = sum((f[i] @ f[j]) ** 2 for i in range(4) for j in range(4)) / 16
        assert spectral_loss(graph, f) == pytest.approx(-2 * pull + push, rel=1e-13)


@pytest.mark.parametrize("flip", [0.0, 0.5, -0.1, np.nan])
def test_a_probability_out_of_range_is_named(flip):
    with pytest.raises(InputError, match=r"strictly between 0 and 0\.5"):
        equal_loss_encoders(flip)
