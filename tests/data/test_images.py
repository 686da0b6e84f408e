"""An ImageSet rejects arrays that are not images, and a limit keeps the classes balanced."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from maetheory.core import InputError
from maetheory.data import ImageSet, load_images
from maetheory.data.images import MAX_CLASSES, class_balanced_indices


def _set(n: int = 6, dtype: type = np.uint8) -> ImageSet:
    pixels = (np.arange(n) % 2)[:, None, None, None] * np.ones((n, 3, 2, 4))
    return ImageSet(pixels.astype(dtype), np.arange(n) % 3, "stripes")


def test_what_it_knows() -> None:
    images = _set()
    assert (len(images), images.shape, images.n_classes) == (6, (6, 3, 2, 4), 3)
    assert repr(images) == "ImageSet('stripes', 6 images of 3x2x4 uint8, 3 classes)"


@pytest.mark.parametrize(
    ("pixels", "labels", "sentence"),
    [
        (np.zeros((2, 3, 4)), [0, 1], r"shape \(N, C, H, W\)"),
        (np.zeros((0, 1, 2, 2)), [], "no side empty"),
        (np.zeros((2, 1, 2, 2), np.int64), [0, 1], "int64"),
        (np.full((2, 1, 2, 2), 1.5), [0, 1], "to 1.5"),
        (np.full((2, 1, 2, 2), -0.1), [0, 1], "from -0.1"),
        (np.full((2, 1, 2, 2), np.nan), [0, 1], "NaN"),
        (np.full((2, 1, 2, 2), np.inf), [0, 1], "to inf"),
        (np.zeros((2, 1, 2, 2)), [0, 1, 1], r"\(2,\), one per image"),
        (np.zeros((2, 1, 2, 2)), [0.0, 1.0], "float64"),
        (np.zeros((2, 1, 2, 2)), [0, -1], "smallest is -1"),
    ],
)
def test_bad_arrays_are_named(pixels: np.ndarray, labels: list[int], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ImageSet(pixels, np.array(labels), "bad")


def test_one_nan_among_many_is_seen() -> None:
    pixels = np.full((3, 1, 4, 4), 0.5, np.float32)
    pixels[1, 0, 2, 3] = np.nan
    with pytest.raises(InputError, match="NaN"):
        ImageSet(pixels, np.zeros(3, int), "bad")


def test_class_names_fix_the_number_of_classes() -> None:
    images = ImageSet(np.zeros((3, 1, 1, 1)), np.array([0, 1, 2]), "named", class_names=("a", "b", "c"))
    assert images.take([0]).n_classes == 3
    with pytest.raises(InputError, match="2 class names cannot name label 2"):
        ImageSet(np.zeros((3, 1, 1, 1)), np.array([0, 1, 2]), "named", class_names=("a", "b"))


def test_take() -> None:
    images = _set()
    assert images.take([4, 1]).labels.tolist() == [1, 1]
    np.testing.assert_array_equal(images.take([5, 0]).images, images.images[[5, 0]])
    np.testing.assert_array_equal(images.take(images.labels == 2).images, images.images[[2, 5]])


@pytest.mark.parametrize("indices", [[], [6], [-7], [0.5], [[0]], [True, False]])
def test_take_refuses(indices: list) -> None:
    with pytest.raises(InputError):
        _set().take(indices)


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "3"])
def test_limit_refuses(limit: object) -> None:
    with pytest.raises(InputError, match="positive integer"):
        _set().limit(limit)  # type: ignore[arg-type]  # wrong types are what is tested


def _round_robin(labels: list[int], limit: int) -> list[int]:
    """Return the same selection by a loop that takes one image of each class in turn."""
    remaining = {label: [i for i, other in enumerate(labels) if other == label] for label in sorted(set(labels))}
    taken: list[int] = []
    while any(remaining.values()) and len(taken) < limit:
        for indices in remaining.values():
            if indices and len(taken) < limit:
                taken.append(indices.pop(0))
    return sorted(taken)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(1, 40))
def test_limit_takes_the_classes_in_turn(labels: list[int], limit: int) -> None:
    assert class_balanced_indices(np.array(labels), limit).tolist() == _round_robin(labels, limit)


def test_limit_is_nested_and_none_keeps_all() -> None:
    images = load_images("digits")
    small, large = (set(class_balanced_indices(images.labels, n).tolist()) for n in (57, 100))
    assert small < large
    assert images.limit(None) is images
    assert np.bincount(images.limit(57).labels).tolist() == [6] * 7 + [5] * 3


def test_digits_are_all_there_once() -> None:
    train, test = load_images("digits"), load_images("digits", split="test")
    assert (len(train), len(test)) == (1437, 360)
    pixels = np.concatenate([train.images, test.images]).reshape(1797, 64) * 16
    labels = np.concatenate([train.labels, test.labels])
    ours = np.column_stack([labels, pixels])
    theirs = np.column_stack([load_digits().target, load_digits().data])
    np.testing.assert_array_equal(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)])


def test_digits_are_stratified() -> None:
    train, test = (np.bincount(load_images("digits", split=split).labels) for split in ("train", "test"))
    assert np.abs(test - (train + test) / 5).max() < 1


def test_digits_split_is_fixed() -> None:
    """The stated rule, every fifth image by class, done the slow way."""
    test, again = load_images("digits", split="test"), load_images("digits", split="val")
    np.testing.assert_array_equal(test.images, again.images)
    whole = load_digits()
    order = sorted(range(1797), key=lambda i: (whole.target[i], i))[::5]
    np.testing.assert_array_equal(test.images[:, 0] * 16, whole.images[sorted(order)])
    assert test.images.dtype == np.float32


def test_limit_reaches_the_loader() -> None:
    assert np.bincount(load_images("digits", split="test", limit=30).labels).tolist() == [3] * 10


def test_unknown_names() -> None:
    with pytest.raises(InputError, match="train, val, test, but 'dev'"):
        load_images("digits", split="dev")
    with pytest.raises(InputError, match="mnist"):
        load_images("mnist")


@pytest.mark.parametrize("label", [1_000_000, 2**40, 2**62])
def test_labels_that_no_classes_have_are_refused(label: int) -> None:
    """Arrays with an entry for each class would take all memory."""
    images = np.zeros((2, 1, 2, 2), np.uint8)
    assert ImageSet(images, np.array([0, MAX_CLASSES - 1]), "black").n_classes == MAX_CLASSES
    with pytest.raises(InputError, match=f"labels are classes 0 to at most 999,999, but the largest is {label}"):
        ImageSet(images, np.array([0, label]), "black")
