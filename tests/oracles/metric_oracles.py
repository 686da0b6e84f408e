"""Slow, obvious metrics that share no code with the library: loops, covariance matrices, logarithms by hand."""

from __future__ import annotations

import math

import numpy as np


def spectrum(Z, centred=False):
    Z = np.asarray(Z, dtype=float)
    if centred:
        Z = Z - np.array([sum(column) / len(column) for column in Z.T])
    return np.linalg.svd(Z, full_matrices=False)[1]


def exponential_entropy(values, epsilon=0.0):
    total = math.fsum(values)
    return math.exp(-math.fsum((v / total + epsilon) * math.log(v / total + epsilon) for v in values if v > 0))


def cosine(x, y):
    dot = math.fsum(a * b for a, b in zip(x, y))
    return dot / math.sqrt(math.fsum(a * a for a in x) * math.fsum(b * b for b in y))


def pair_mean(Z, of, diagonal=False):
    n = len(Z)
    terms = [of(Z[i], Z[j]) for i in range(n) for j in range(n) if diagonal or i != j]
    return math.fsum(terms) / len(terms)


def umae(Z, normalize=True, diagonal=False):
    def product(x, y):
        return cosine(x, y) if normalize else math.fsum(a * b for a, b in zip(x, y))

    return pair_mean(Z, lambda x, y: product(x, y) ** 2, diagonal)


def gaussian_uniformity(Z, t=2.0):
    return math.log(pair_mean(Z, lambda x, y: math.exp(-2 * t * (1 - cosine(x, y)))))


def pair_alignment(Z1, Z2, a=2.0):
    return math.fsum((2 - 2 * cosine(x, y)) ** (a / 2) for x, y in zip(Z1, Z2)) / len(Z1)


def participation(Z):
    covariance = np.cov(np.asarray(Z, dtype=float).T)
    covariance = np.atleast_2d(covariance)
    return np.trace(covariance) ** 2 / np.trace(covariance @ covariance)


def stable(Z):
    return float((np.asarray(Z) ** 2).sum() / np.linalg.norm(Z, 2) ** 2)
