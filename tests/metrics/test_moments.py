"""Test that moments merge, and that metrics of moments are within their stated squaring error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maetheory import metrics
from maetheory.core import InputError
from maetheory.metrics import Moments, jackknife, singular_values
from maetheory.metrics.moments import leave_one_part_out

FIELDS = ("sum", "second_moment", "direction_sum", "direction_second_moment", "fourth_moment")


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


def test_the_sums_agree_with_their_definitions():
    Z = np.random.default_rng(0).normal(size=(5, 2))
    moments = Moments(2).update(Z)
    unit = [z / np.sqrt(z[0] ** 2 + z[1] ** 2) for z in Z]
    np.testing.assert_allclose(moments.second_moment, sum(np.outer(z, z) for z in Z))
    np.testing.assert_allclose(moments.direction_second_moment, sum(np.outer(u, u) for u in unit))
    np.testing.assert_allclose(moments.sum, sum(Z))
    np.testing.assert_allclose(moments.direction_sum, sum(unit))
    assert moments.fourth_moment == pytest.approx(sum((z @ z) ** 2 for z in Z))
    assert moments.count == moments.n == 5


def test_tiles_add_up_and_the_batch_is_not_modified():
    Z = np.random.default_rng(0).normal(size=(10_000, 4)).astype(np.float32)
    before = Z.copy()
    moments = Moments(4).update(Z)
    np.testing.assert_allclose(moments.second_moment, Z.astype(float).T @ Z.astype(float), rtol=1e-12)
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


def test_tensors_are_accepted():
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


def spectra(kind, n, d, seed=0):
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, d))
    if kind == "power":
        Z *= np.arange(1, d + 1.0) ** -1.2
    if kind == "mean":
        Z = Z * np.arange(1, d + 1.0) ** -1.2 + rng.normal(size=d)
    if kind == "steep":
        Z *= np.arange(1, d + 1.0) ** -6.0
    if kind == "deficient":
        Z = Z[:, :3] @ rng.normal(size=(3, d))
    if kind == "constant":
        Z = np.full((n, d), 0.1)
    return Z.astype(np.float32)


CASES = {
    "effective_rank": metrics.effective_rank,
    "rankme": metrics.rankme,
    "reptrix": lambda Z: metrics.rankme(Z, convention="reptrix"),
    "stable_rank": metrics.stable_rank,
    "participation_ratio": metrics.participation_ratio,
    "corrected": lambda Z: metrics.participation_ratio(Z, convention="corrected"),
    "nesum": metrics.nesum,
    "iso_score": metrics.iso_score,
    "matrix_entropy": metrics.matrix_entropy,
    "entropy of order 2": lambda Z: metrics.matrix_entropy(Z, alpha=2),
    "entropy of order 1/2": lambda Z: metrics.matrix_entropy(Z, alpha=0.5),
    "min-entropy": lambda Z: metrics.matrix_entropy(Z, alpha=np.inf),
    "vendi": metrics.vendi,
    "condition_number": metrics.condition_number,
    "mean_cosine": metrics.mean_cosine,
    "umae_uniformity": metrics.umae_uniformity,
    "unnormalised": lambda Z: metrics.umae_uniformity(Z, normalize=False),
    "self_cluster": metrics.self_cluster,
    "direction_std": metrics.direction_std,
}


@pytest.mark.parametrize("kind", ["even", "power", "mean", "steep", "deficient", "constant"])
@pytest.mark.parametrize("shape", [(3000, 24), (20, 40)])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_every_metric_lies_within_its_stated_squaring_error(kind, shape, precision):
    Z = spectra(kind, *shape)
    moments = Moments(shape[1], precision=precision).update(Z)
    for name, metric in CASES.items():
        exact, found = metric(Z.astype(float)), metric(moments)
        if np.isinf(found) or (kind == "constant" and name in ("reptrix", "participation_ratio", "nesum", "iso_score")):
            continue  # infinite, or 0 / 0, which both sides define as zero
        rounding = 1e-13 * (1 + abs(exact))
        assert abs(found - exact) <= getattr(found, "error", 0.0) + rounding, (name, exact, found)


def test_the_stated_error_is_small_for_a_well_conditioned_spectrum():
    Z = spectra("even", 3000, 24)
    for precision, bound in (("float64", 1e-9), ("float32", 0.02)):
        moments = Moments(24, precision=precision).update(Z)
        for name, metric in CASES.items():
            slow = 1e4 if name == "entropy of order 1/2" else 1  # its modulus of continuity is a square root
            assert metric(moments).error <= slow * bound * max(1, abs(metric(moments))), name


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("kind", ["power", "mean", "deficient", "constant"])
def test_the_squaring_error_holds_in_both_precisions(kind, precision):
    Z = spectra(kind, 20_000, 32)
    moments = Moments(32, precision=precision).update(Z)
    exact = np.linalg.svd(Z.astype(float), compute_uv=False) ** 2
    if kind == "constant":  # here the error of the decomposition exceeds that of the sum
        exact = np.eye(32)[0] * 20_000 * 32 * float(Z[0, 0]) ** 2
    assert np.abs(np.linalg.eigvalsh(moments.second_moment)[::-1] - exact).max() <= moments.error


def test_rows_whose_squares_overflow_float32_are_computed_correctly():
    Z = spectra("even", 50, 4)
    for scale in (1e-25, 1e25):
        moments = Moments(4, precision="float32").update(Z * np.float32(scale))
        assert metrics.effective_rank(moments) == pytest.approx(metrics.effective_rank(Z), rel=1e-6)
        assert metrics.mean_cosine(moments) == pytest.approx(metrics.mean_cosine(Z), abs=1e-6)
    with pytest.raises(InputError, match="overflow"):
        Moments(4).update(np.full((3, 4), 1e80))
    with pytest.raises(InputError, match="precision"):
        Moments(4, precision="float16")


def test_packed_moments_add_up_like_merged_ones():
    Z = spectra("mean", 90, 5)
    parts = [Moments(5).update(part) for part in np.split(Z, 3)]
    summed = Moments.unpack(sum(part.pack() for part in parts))
    same(summed, Moments(5).update(Z))
    assert summed.error == pytest.approx(Moments(5).update(Z).error)
    with pytest.raises(InputError, match="numbers"):
        Moments.unpack(np.zeros(10))


def test_the_cached_spectrum_is_cleared_when_rows_are_added():
    Z = spectra("mean", 90, 5)
    moments = Moments(5).update(Z[:40])
    metrics.effective_rank(moments)
    metrics.nesum(moments)
    moments.update(Z[40:])
    assert metrics.effective_rank(moments) == metrics.effective_rank(Moments(5).update(Z[:40]).update(Z[40:]))
    metrics.nesum(moments)
    moments.merge(Moments(5).update(3 * Z[:7] - 1))
    assert metrics.nesum(moments) == pytest.approx(metrics.nesum(np.concatenate([Z, 3 * Z[:7] - 1])), rel=1e-6)


CENTRED = {
    "participation_ratio": metrics.participation_ratio,
    "nesum": metrics.nesum,
    "iso_score": metrics.iso_score,
    "effective_rank": lambda Z: metrics.effective_rank(Z, convention="centred"),
    "matrix_entropy": lambda Z: metrics.matrix_entropy(Z, convention="centred"),
    "condition_number": lambda Z: metrics.condition_number(Z, convention="centred"),
    "alpha_req": lambda Z: metrics.alpha_req(Z, ranks=(1, 8)).alpha,
}


def two_pass(metric, Z):
    """A metric of rows that were centred with a mean in 80 bits."""
    return metric((Z - Z.astype(np.longdouble).mean(0)).astype(float))


@pytest.mark.parametrize("offset", [0.0, 200.0, 1e7, 1e12])
@pytest.mark.parametrize("name", CENTRED)
@pytest.mark.parametrize("split", [[], [1], [3, 500, 501]])
def test_a_mean_far_larger_than_the_spread_costs_no_digits(offset, name, split):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(9000, 8)) * np.arange(1, 9.0) ** -1 + offset * rng.normal(size=8)
    merged = Moments(8)
    for part in np.split(Z, split):
        merged.merge(Moments(8).update(part))
    found, exact = CENTRED[name](merged), two_pass(CENTRED[name], Z)
    assert found == pytest.approx(exact, rel=1e-9)
    assert abs(found - exact) <= getattr(found, "error", 1e-9) + 1e-9 * (
        offset > 1e7
    )  # ε ‖Z‖_F is no error of a metric
    assert getattr(found, "error", 0.0) < 1e-3 * exact
    assert CENTRED[name](Z) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [200.0, 1e5, 1e7])
def test_products_in_float32_keep_the_spread_of_features_with_a_large_mean(kind, offset):
    Z = (np.random.default_rng(0).normal(size=(5000, 16)) + offset).astype(kind)
    moments = Moments(16, precision="float32").update(Z)
    for name, metric in CENTRED.items():
        found, exact = metric(moments), two_pass(metric, Z.astype(float))
        assert abs(found - exact) <= getattr(found, "error", 1e-3), name
        assert found == pytest.approx(exact, rel=1e-4), name


def test_a_first_row_far_from_all_others_costs_no_digits_of_the_rest():
    rng = np.random.default_rng(0)
    Z = np.concatenate([[np.full(4, 1e6)], rng.normal(size=(999, 4))])
    one_by_one = Moments(4)
    for row in Z:
        one_by_one.update(row[None])
    assert one_by_one.centred_error <= 3 * Moments(4).update(Z).centred_error
    np.testing.assert_allclose(
        np.linalg.eigvalsh(one_by_one.scatter()),
        np.linalg.svd(Z - Z.mean(0), compute_uv=False)[::-1] ** 2,
        atol=one_by_one.centred_error,
    )
    (rest,) = list(leave_one_part_out([Moments(4).update(Z[:1]), Moments(4).update(Z[1:])]))[:1]
    assert metrics.participation_ratio(rest) == pytest.approx(metrics.participation_ratio(Z[1:]), rel=1e-12)


@pytest.mark.parametrize("offset", [1e7, 1e9, 1e12])
def test_zero_is_never_exact_where_packing_about_the_origin_has_lost_the_spread(offset):
    Z = np.random.default_rng(0).normal(size=(1000, 6)) + offset
    moments = Moments(6).update(Z)
    lost = Moments.unpack(moments.pack())
    for name, metric in CENTRED.items():
        found, exact = metric(lost), metric(Z)
        if name != "alpha_req":  # NaN
            assert abs(found - exact) <= found.error or np.isinf(found), name
    centre = Z[:10].mean(0)
    kept = Moments.unpack(sum(Moments(6).update(part).pack(centre) for part in np.split(Z, 4)), centre=centre)
    assert metrics.participation_ratio(kept) == pytest.approx(metrics.participation_ratio(Z), rel=1e-9)
    with pytest.raises(InputError, match="about a centre"):
        Moments.unpack(moments.pack(), centre=centre)


@pytest.mark.parametrize("scale", [0.0, 0.1, 1e9])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_equal_rows_have_no_spread_and_say_so_exactly(scale, precision):
    moments = Moments(3, precision=precision)
    for n in (1, 7, 5000):
        moments.update(np.tile(scale * np.array([1.0, 2.0, -7.0]), (n, 1)))
    assert moments.all_rows_equal
    assert not moments.scatter().any()
    assert repr(metrics.participation_ratio(moments)) == repr(metrics.nesum(moments)) == "0"
    moments.update([[scale, 2 * scale, 1.0]])
    assert not moments.all_rows_equal


def test_a_spread_whose_squares_vanish_is_not_known_to_be_zero():
    Z = 1e-170 * np.random.default_rng(0).normal(size=(50, 3))
    assert metrics.participation_ratio(Moments(3).update(Z)).error == 3.0
    assert metrics.effective_rank(Moments(3).update(Z)).error == 3.0


def test_the_jackknife_of_a_large_mean_is_that_of_the_spread():
    Z = np.random.default_rng(0).normal(size=(400, 6))
    parts, shifted = ([Moments(6).update(part) for part in np.split(rows, 20)] for rows in (Z, Z + 1e8))
    for metric in (metrics.participation_ratio, metrics.nesum):
        one, two = jackknife(metric, parts), jackknife(metric, shifted)
        assert two == pytest.approx(one, rel=1e-6)
        assert two.error == pytest.approx(one.error, rel=1e-6)
        assert one.error > 0.01


def test_a_jackknife_whose_variation_is_below_the_squaring_error_has_a_wider_interval():
    rng = np.random.default_rng(0)
    Z = 1 + 1e-9 * rng.normal(size=(400, 6))
    found = jackknife(metrics.direction_std, [Moments(6).update(part) for part in np.split(Z, 20)])
    assert found.low <= metrics.direction_std(Z) <= found.high
    assert found.error > 1e-9


@pytest.mark.parametrize(
    ("old", "new"),
    [("second", "second_moment"), ("direction_second", "direction_second_moment"), ("fourth", "fourth_moment")],
)
def test_old_attribute_names_warn(old, new):
    moments = Moments(2).update(np.eye(2))
    with pytest.warns(DeprecationWarning, match=f"use Moments.{new}"):
        assert getattr(moments, old) is getattr(moments, new)
