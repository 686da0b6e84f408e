"""Bayes labels of the nodes of a mask graph, and the probabilities that labels disagree."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from maetheory.core import Estimate

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


def pair_label_disagreement(joint: sparse.csr_array, labels: np.ndarray) -> Estimate:
    """Probability φ that two views sharing a target, drawn independently given it, have different labels.

    For each target, the rounding error of its mass minus the mass of one class is at most ε times the number of its
    views.
    """
    law = (joint.T @ _one_hot(labels)).toarray()  # (N2, N1) @ (N1, r) -> (N2, r)
    degree = law.sum(1, keepdims=True)  # (N2, 1)
    value = float((law * (degree - law) / degree).sum())
    if value == 0.0:
        return Estimate(0.0)
    views_per_target = int(np.bincount(joint.indices).max())
    return Estimate(value, _EPS * (views_per_target + 4 * law.shape[1] + law.size * value))


def _one_hot(labels: np.ndarray) -> sparse.csr_array:
    """Return the one-hot encoding of labels, shape (N, r)."""
    n = len(labels)
    return sparse.csr_array((np.ones(n), labels, np.arange(n + 1)), shape=(n, int(labels.max()) + 1))
