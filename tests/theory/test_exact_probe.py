"""Test which votes the error of the image error covers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from maetheory.theory import exact_probe


@pytest.mark.parametrize(("gap", "covered"), [(2e-13, 1.0), (2e-12, 0.0), (1e-16, 0.0)])
def test_the_two_largest_shares_of_a_vote_decide_wherever_they_stand(
    gap: float, covered: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tie within 1e-12, but not within rounding error, is the error, whichever classes it is between."""
    rng = np.random.default_rng(0)
    share = np.array([0.3, 0.3 - gap, *np.linspace(0, 0.002, 400)])  # so many that no small array is sorted whole
    shares = np.array([rng.permutation(share) for _ in range(40)])
    graph = SimpleNamespace(image_labels=np.zeros(40, int), image_views=SimpleNamespace(nnz=40))
    monkeypatch.setattr(exact_probe, "_vote_shares", lambda *_: (np.full(40, 1 / 40), shares))
    assert exact_probe.measured_image_error(graph, shares).error == pytest.approx(covered, abs=1e-12)  # type: ignore[arg-type]  # what it reads of a graph
