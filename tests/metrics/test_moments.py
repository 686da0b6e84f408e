import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maetheory.core import InputError
from maetheory.metrics import Moments, singular_values

FIELDS = ("sum", "second", "direction_sum", "direction_second", "fourth")


def same(a, b):
    assert (a.count, a.zero_rows) == (b.count, b.zero_rows)
    for field in FIELDS:
        np.testing.assert_allclose(getattr(a, field), getattr(b, field), rtol=1e-12, atol=1e-11)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=4), st.integers(0, 2**32 - 1))
def test_any_split_merges_to_all_at_once(cuts, seed):
    Z = np.random.default_rng(seed).normal(size=(40, 3))
    Z[::7] = 0
    merged = Moments(3)
    for part in np.split(Z, sorted(cuts)):
        merged.merge(Moments(3).update(part))
    same(merged, Moments(3).update(Z))


def test_the_sums_are_what_they_say():
    Z = np.random.default_rng(0).normal(size=(5, 2))
    moments = Moments(2).update(Z)
    unit = [z / np.sqrt(z[0] ** 2 + z[1] ** 2) for z in Z]
    np.testing.assert_allclose(moments.second, sum(np.outer(z, z) for z in Z))
    np.testing.assert_allclose(moments.direction_second, sum(np.outer(u, u) for u in unit))
    np.testing.assert_allclose(moments.sum, sum(Z))
    np.testing.assert_allclose(moments.direction_sum, sum(unit))
    assert moments.fourth == pytest.approx(sum((z @ z) ** 2 for z in Z))
    assert moments.count == moments.n == 5


def test_tiles_add_up_and_the_batch_is_left_alone():
    Z = np.random.default_rng(0).normal(size=(10_000, 4)).astype(np.float32)
    before = Z.copy()
    moments = Moments(4).update(Z)
    np.testing.assert_allclose(moments.second, Z.astype(float).T @ Z.astype(float), rtol=1e-12)
    np.testing.assert_array_equal(Z, before)


def test_a_refused_batch_adds_nothing():
    moments = Moments(2).update(np.eye(2))
    with pytest.raises(InputError, match="1 of its 2 rows"):
        moments.update([[1.0, 2.0], [np.nan, 0.0]])
    with pytest.raises(InputError, match="3 columns"):
        moments.update(np.ones((2, 3)))
    with pytest.raises(InputError, match="dimensions"):
        moments.merge(Moments(3))
    with pytest.raises(InputError, match="positive"):
        Moments(0)
    same(moments, Moments(2).update(np.eye(2)))


def test_tensors_are_taken_by_their_methods():
    torch = pytest.importorskip("torch")
    Z = torch.randn(20, 3, dtype=torch.bfloat16, requires_grad=True)
    same(Moments(3).update(Z), Moments(3).update(Z.detach().double().numpy()))


@pytest.mark.parametrize("shape", [(500, 30), (20, 30), (4000, 8)])
@pytest.mark.parametrize("power", [0.0, 1.0, 6.0])
@pytest.mark.parametrize("centred", [False, True])
def test_the_squaring_error_is_as_stated(shape, power, centred):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=shape) * np.arange(1, shape[1] + 1.0) ** -power + rng.normal(size=shape[1])
    moments = Moments(shape[1]).update(Z)
    gap = singular_values(moments, centred=centred) ** 2 - singular_values(Z, centred=centred) ** 2
    assert np.abs(gap).max() <= moments.error
    assert moments.error <= 1e-11 * np.square(Z).sum()
