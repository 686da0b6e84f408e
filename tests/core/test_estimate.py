"""An Estimate behaves as a float and keeps its error through copies and pickles."""

from __future__ import annotations

import pickle

import pytest

from maetheory.core import Estimate


def test_is_a_float_with_an_interval() -> None:
    x = Estimate(2.0, 0.5, sampled=True)
    assert x == 2.0
    assert isinstance(x, float)
    assert (x.low, x.high, x.value, x.sampled) == (1.5, 2.5, 2.0, True)
    assert type(x + 1) is float


def test_survives_pickling() -> None:
    x = pickle.loads(pickle.dumps(Estimate(2.0, 0.5, sampled=True)))
    assert (x.value, x.error, x.sampled) == (2.0, 0.5, True)


def test_prints_its_error() -> None:
    assert repr(Estimate(0.125)) == "0.125"
    assert f"{Estimate(0.125, 0.1):.2f}" == "0.12"


def test_refuses_a_negative_error() -> None:
    with pytest.raises(ValueError, match="never negative"):
        Estimate(1.0, -1.0)
