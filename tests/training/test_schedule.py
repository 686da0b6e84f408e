"""The learning rate rises linearly to its peak and falls by half a cosine to zero."""

from __future__ import annotations

from itertools import pairwise

import pytest

from maetheory.training import learning_rate


def test_shape() -> None:
    rates = [learning_rate(step, 100, 10, 2.0) for step in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[9] == rates[10] == 2.0
    assert all(b - a == pytest.approx(0.2) for a, b in pairwise(rates[:10]))
    assert all(b < a for a, b in pairwise(rates[10:]))
    assert rates[55] == pytest.approx(1.0)
    assert 0 < rates[-1] < 0.001


def test_no_warmup() -> None:
    assert learning_rate(0, 10, 0, 1.0) == 1.0
