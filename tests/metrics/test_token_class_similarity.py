"""Token-class similarity: loops over classes, its two ends, and the order of tokenizers on digits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from maetheory.core import InputError, generator
from maetheory.data import load_images
from maetheory.empirical import fit_codebook
from maetheory.empirical.tokens.codebook import pixels_as_float64
from maetheory.graph import MaskGraph
from maetheory.masks import patchify
from maetheory.metrics import token_class_similarity


def by_loops(tokens, labels):
    classes = sorted(set(labels.tolist()))
    counts = [{} for _ in classes]
    for row, label in zip(tokens.tolist(), labels.tolist()):
        for token in row:
            here = counts[classes.index(label)]
            here[token] = here.get(token, 0) + 1
    total = 0.0
    for i, one in enumerate(counts):
        for j, other in enumerate(counts):
            cosine = sum(n * other.get(token, 0) for token, n in one.items()) / np.sqrt(
                sum(n * n for n in one.values()) * sum(n * n for n in other.values())
            )
            total += (cosine - (i == j)) ** 2
    return total / len(classes) ** 2


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_loop_over_classes_and_tokens(seed):
    rng = generator(seed, "tokens")
    tokens, labels = rng.integers(-3, 9, (40, 5)), rng.integers(0, 4, 40) * 7
    assert token_class_similarity(tokens, labels) == pytest.approx(by_loops(tokens, labels), rel=1e-12)


def test_class_wise_tokens_give_zero_and_one_distribution_for_all_classes_the_maximum():
    labels = np.array([0, 0, 0, 1, 2, 2])
    assert token_class_similarity(2 * labels + np.array([0, 1, 0, 1, 0, 1]), labels) == 0.0
    same = np.repeat([[0, 1, 1, 5]], 6, 0)
    assert token_class_similarity(same, labels) == pytest.approx(2 / 3, rel=1e-12)


def test_names_of_tokens_and_sizes_of_classes_do_not_matter():
    rng = generator(0, "tokens")
    tokens, labels = rng.integers(0, 6, (30, 4)), np.repeat([0, 1, 2], 10)
    value, names = token_class_similarity(tokens, labels), rng.permutation(6) * 10**9
    assert token_class_similarity(names[tokens], 5 - labels) == pytest.approx(value, rel=1e-12)
    more = np.concatenate([tokens, tokens[:10], tokens[:10]])  # the first class three times
    assert token_class_similarity(more, np.r_[labels, np.zeros(20, int)]) == pytest.approx(value, rel=1e-12)


def test_one_token_an_image_is_a_column_of_tokens():
    tokens, labels = np.array([3, 3, 1, 0, 1]), np.array([0, 0, 1, 1, 0])
    assert token_class_similarity(tokens, labels) == token_class_similarity(tokens[:, None], labels)
    assert token_class_similarity(tokens, labels) == pytest.approx(2 * (1 / np.sqrt(10)) ** 2 / 4, rel=1e-12)


def test_it_orders_tokenizers_of_digits_as_the_pair_label_error_does():
    """Views are images and targets tokens. Measured on these eight: Spearman's correlation is above 0.9."""
    images = load_images("digits", limit=200)
    similarity, phi = [], []
    for patch in (2, 4):
        patches = pixels_as_float64(patchify(images.images, patch))
        for size in (2, 4, 8, 16):
            tokens = fit_codebook(images, patch, size).codes(patches)
            joint = np.zeros((len(tokens), size))
            np.add.at(joint, (np.arange(len(tokens))[:, None], tokens), 1 / tokens.size)
            similarity.append(token_class_similarity(tokens, images.labels))
            phi.append(float(MaskGraph.from_joint(joint, images.labels).pair_label_error()))
    assert spearmanr(similarity, phi).statistic > 0.9
    shuffled = generator(0, "labels").permutation(images.labels)
    assert token_class_similarity(tokens, shuffled) > 2 * similarity[-1]


@pytest.mark.parametrize(
    ("tokens", "labels", "words"),
    [
        ([0.5, 1.0], [0, 1], "tokens must be whole numbers, but their type is float64"),
        ([0, 1], [0.0, 1.0], "labels must be whole numbers"),
        ([0, 1], [0, 0], "at least two classes"),
        ([[0, 1]], [0, 1], r"\(1, 2\) and \(2,\)"),
        (np.zeros((2, 2, 2), int), [0, 1], r"\(2, 2, 2\)"),
        (np.zeros((2, 0), int), [0, 1], r"\(2, 0\)"),
    ],
)
def test_bad_arguments_are_named(tokens, labels, words):
    with pytest.raises(InputError, match=words):
        token_class_similarity(tokens, labels)
