"""Test mean class distances and their errors against loops over pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.metrics import class_distances

LABELS = np.array([0, 2, 2, 0, 5, 5, 5, 0, 2, 5, 2])


def by_pairs(views: list[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Return intra, inter and their ratio by a loop over masks and pairs."""
    found: dict[bool, list[float]] = {True: [], False: []}
    for Z in views:
        for i in range(len(labels)):
            for j in range(i):
                found[bool(labels[i] == labels[j])].append(float(np.sqrt(np.square(Z[i] - Z[j]).sum())))
    intra, inter = np.mean(found[True]), np.mean(found[False])
    return np.array([intra, inter, intra / inter])


def values(found: object) -> np.ndarray:
    return np.array([getattr(found, name).value for name in ("intra", "inter", "ratio")])


def errors(found: object) -> np.ndarray:
    return np.array([getattr(found, name).error for name in ("intra", "inter", "ratio")])


@pytest.fixture(scope="module")
def views() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(len(LABELS), d)) + 7 for d in (3, 5, 1)]


def test_values_and_errors_agree_with_loops_over_pairs_and_over_left_out_images_and_masks(views):
    found = class_distances(views, LABELS)
    np.testing.assert_allclose(values(found), by_pairs(views, LABELS), rtol=1e-10)
    n, m = len(LABELS), len(views)
    images = [by_pairs([np.delete(Z, i, 0) for Z in views], np.delete(LABELS, i)) for i in range(n)]
    masks = [by_pairs(views[:t] + views[t + 1 :], LABELS) for t in range(m)]
    square = sum((g - 1) * np.var(left, axis=0) for g, left in ((n, images), (m, masks)))
    np.testing.assert_allclose(errors(found), 2 * np.sqrt(square), rtol=1e-8)


def test_many_images_go_through_tiles():
    rng = np.random.default_rng(1)
    Z, labels = rng.normal(size=(2100, 2)), np.arange(2100) % 3
    distances = np.linalg.norm(Z[:, None] - Z, axis=2)
    same = (labels[:, None] == labels) & ~np.eye(len(Z), dtype=bool)
    expected = distances[same].mean(), distances[labels[:, None] != labels].mean()
    np.testing.assert_allclose(values(class_distances([Z], labels))[:2], expected, rtol=1e-10)


def test_classes_with_the_same_points_have_equal_intra_and_inter_distances():
    """Each point occurs in both classes, so every pair of different points is counted in intra and in inter."""
    points, n = np.random.default_rng(2).normal(size=(200, 4)), 200
    found = class_distances([np.vstack([points, points])], np.repeat([0, 1], n))
    assert found.ratio.value == pytest.approx(n / (n - 1), rel=1e-7)  # of n² inter pairs, n are of length 0


def test_classes_that_are_points_are_at_distance_zero_from_themselves():
    centres = np.array([[0.0, 0.0], [3.0, 4.0]])
    found = class_distances([centres[np.arange(8) % 2]], np.arange(8) % 2)
    np.testing.assert_allclose(values(found), (0, 5, 0), atol=1e-7)
    np.testing.assert_allclose(errors(found), 0, atol=1e-7)


def test_the_error_is_the_spread_over_samples_and_not_that_of_independent_pairs():
    rng, labels = np.random.default_rng(3), np.arange(60) % 3
    found, naive = [], []
    for _ in range(150):
        Z = rng.normal(size=(60, 3)) + np.eye(3)[labels]
        one = class_distances([Z], labels)
        found.append([*values(one), *errors(one)])
        distances = np.linalg.norm(Z[:, None] - Z, axis=2)
        between = distances[np.triu(labels[:, None] != labels)]
        naive.append(2 * between.std() / np.sqrt(len(between)))
    spread, error = 2 * np.std(found, axis=0)[:3], np.mean(found, axis=0)[3:]
    assert (
        np.abs(error / spread - 1) < 0.25
    ).all()  # 150 draws give a spread to 6 %, and the jackknife is biased upwards
    assert np.mean(naive) < 0.5 * spread[1]


def test_the_error_is_infinite_when_all_images_are_equal_without_one_mask():
    rng = np.random.default_rng(0)
    labels = np.arange(10) % 2
    found = class_distances([rng.normal(size=(10, 3)), np.zeros((10, 3))], labels)
    assert 0 < found.ratio.value < 2
    assert found.ratio.error == np.inf


def test_incomparable_inputs_are_refused():
    Z = np.arange(8.0).reshape(4, 2)
    with pytest.raises(InputError, match="at least two classes, but every label is 3"):
        class_distances([Z], np.full(4, 3))
    with pytest.raises(InputError, match="two images of each class, but class 7 has 1"):
        class_distances([Z], np.array([0, 0, 0, 7]))
    with pytest.raises(InputError, match=r"shape \(4, d\), a row per label, but one has \(3, 2\)"):
        class_distances([Z[:3]], np.array([0, 0, 1, 1]))
    with pytest.raises(InputError, match="at least one view"):
        class_distances([], np.array([0, 0, 1, 1]))
    with pytest.raises(InputError, match="NaN or infinity"):
        class_distances([Z * np.nan], np.array([0, 0, 1, 1]))
    with pytest.raises(InputError, match="all images look alike"):
        class_distances([np.ones((4, 2))], np.array([0, 0, 1, 1]))


def test_the_error_of_a_difference_leaves_out_an_image_or_a_mask_of_both(views):
    others = [Z[:, :1] for Z in views]
    difference = class_distances(views, LABELS).difference(class_distances(others, LABELS))
    assert difference.value == pytest.approx((by_pairs(views, LABELS) - by_pairs(others, LABELS))[2])
    images, masks = ([left(views)[2] - left(others)[2] for left in ways] for ways in (_images(), _masks()))
    assert difference.error == pytest.approx(
        2 * np.sqrt(sum((len(g) - 1) * np.var(g) for g in (images, masks))), rel=1e-6
    )
    own = class_distances(views, LABELS)
    assert own.difference(own).error == 0
    assert own.difference(class_distances(views[:1], LABELS)).error > 0
    with pytest.raises(InputError, match="11 images under 3 and 11 images under 2"):
        own.difference(class_distances(views[:2], LABELS))


def test_old_names_warn(views):
    found = class_distances(views, LABELS)
    with pytest.warns(DeprecationWarning, match=r"use ClassDistances\.ratio"):
        assert found.relative is found.ratio
    with pytest.warns(DeprecationWarning, match=r"use ClassDistances\.difference"):
        assert found.change(found) == found.difference(found)


def _images():
    return [
        lambda views, i=i: by_pairs([np.delete(Z, i, 0) for Z in views], np.delete(LABELS, i))
        for i in range(len(LABELS))
    ]


def _masks():
    return [lambda views, t=t: by_pairs(views[:t] + views[t + 1 :], LABELS) for t in range(3)]


@pytest.mark.parametrize("width", [1e-3, 1e-7, 1e-10, 1e-13])
def test_distances_within_classes_that_are_nearly_points_keep_their_digits(width):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 8)
    centres = np.array([[1.0, 1.0], [-1.0, -1.0], [-1.0, -1.0]])  # two classes at one place, the third far away
    rows = centres[labels] + np.where(labels == 2, 1.0, width)[:, None] * rng.normal(size=(24, 2))
    found = class_distances([rows], labels)
    pairs = [(i, j) for i in range(24) for j in range(i) if labels[i] == labels[j] < 2]
    narrow = class_distances([rows[labels < 2]], labels[labels < 2])
    exact = np.mean([math.dist(rows[i], rows[j]) for i, j in pairs])
    assert narrow.intra.value == pytest.approx(exact, rel=1e-5)
    assert narrow.ratio.error < narrow.ratio.value
    assert found.inter.value > 1


@pytest.mark.parametrize("size", [1e-200, 1e-160, 1e160, 1e200])
def test_distances_scale_with_features_of_any_size(size):
    rows, labels = np.random.default_rng(1).normal(size=(10, 3)), np.repeat([0, 1], 5)
    plain, scaled = (class_distances([one], labels) for one in (rows, size * rows))
    assert scaled.intra.value == pytest.approx(size * plain.intra.value, rel=1e-12)
    assert scaled.ratio.value == pytest.approx(plain.ratio.value, rel=1e-12)
