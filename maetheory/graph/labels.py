"""Bayes labels of the nodes of a mask graph, and the probabilities that labels disagree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from maetheory.core import Estimate, InputError
from maetheory.data.finite_world import MAX_CLASSES

TIE = 1e-12
_EPS = float(np.finfo(float).eps)


def class_law(image_views: sparse.csr_array, image_labels: np.ndarray) -> np.ndarray:
    """Joint law of a node and the label of its image, shape (N, r), from the joint law of image and node, (S, N)."""
    return (image_views.T @ _one_hot(image_labels)).toarray()  # (N, S) @ (S, r) -> (N, r)


def bayes_labels(law: np.ndarray) -> np.ndarray:
    """Most probable class of each node; ties, within 1e-12 of the largest posterior, go to the lowest class.

    Examples
    --------
    >>> bayes_labels(np.array([[0.2, 0.2], [0.1, 0.5]])).tolist()
    [0, 1]
    """
    near_best = law >= law.max(1, keepdims=True) - TIE * law.sum(1, keepdims=True)
    return near_best.argmax(1)


def label_disagreement(law: np.ndarray, labels: np.ndarray, n_terms: int) -> Estimate:
    """Probability that the label of a node differs from the label of its image.

    It is a sum of `n_terms` non-negative numbers, so its relative rounding error is at most ε·n_terms, and zero is
    exact.
    """
    others = np.where(np.arange(law.shape[1]) == labels[:, None], 0.0, law)  # (N, r)
    value = float(others.sum())
    return Estimate(value, _EPS * n_terms * value)


def pair_label_disagreement(joint: sparse.csr_array, labels: np.ndarray, terms_per_entry: int = 1) -> Estimate:
    """Probability φ that two views sharing a target, drawn independently given it, have different labels.

    The mass of the other classes is a sum of masses and no difference, so the rounding error is relative: ε times the
    number of views of a target and of summands, also those of an entry of the joint law, which stands in three factors.
    """
    law = (joint.T @ _one_hot(labels)).toarray()  # (N2, N1) @ (N1, r) -> (N2, r)
    below, above = np.cumsum(law, 1), np.cumsum(law[:, ::-1], 1)[:, ::-1]  # (N2, r)
    others = np.pad(below[:, :-1], ((0, 0), (1, 0))) + np.pad(above[:, 1:], ((0, 0), (0, 1)))
    value = float((law * (others / below[:, -1:])).sum())  # the product of two masses could underflow
    views_per_target = int(np.bincount(joint.indices).max(initial=0))
    terms = 2 * views_per_target + 4 * law.shape[1] + law.size + 2 * (terms_per_entry - 1)
    return Estimate(value, _EPS * terms * value)


def _one_hot(labels: np.ndarray) -> sparse.csr_array:
    """Return the one-hot encoding of labels, shape (N, r)."""
    n = len(labels)
    return sparse.csr_array((np.ones(n), labels, np.arange(n + 1)), shape=(n, int(labels.max()) + 1))


def check_labels(labels: Sequence[int] | np.ndarray | None, n: int, each: str = "row of joint") -> np.ndarray | None:
    """Return `n` labels as integers (None as None), or raise InputError if they are not classes counted from 0."""
    if labels is None:
        return None
    labels = np.asarray(labels)
    if (
        labels.shape != (n,)
        or not np.issubdtype(labels.dtype, np.integer)
        or not 0 <= labels.min() <= labels.max() < MAX_CLASSES
    ):
        raise InputError(
            f"labels must be {n} integers from 0 to {MAX_CLASSES - 1}, one per {each}, "
            f"but they are {labels.dtype} of shape {labels.shape}"
        )
    return labels.astype(np.int64)
