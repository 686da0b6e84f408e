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
    shares = [v / total + epsilon for v in values]
    return math.exp(-math.fsum(p * math.log(p) for p in shares if p > 0))


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


def tsitsulin_self_cluster(Z):
    W = np.array([z / math.sqrt(math.fsum(z * z)) for z in np.asarray(Z, dtype=float)])
    n, d = W.shape
    expected = n + n * (n - 1) / d
    return ((np.abs(W @ W.T) ** 2).sum() - expected) / (n**2 - expected)


def published_iso_score(Z):
    """The seven steps of Rudman et al. 2022, Algorithm 1, in their order."""
    variances = np.linalg.eigvalsh(np.cov(np.asarray(Z, dtype=float).T))
    d = len(variances)
    normed = math.sqrt(d) * variances / np.linalg.norm(variances)
    defect = np.linalg.norm(normed - np.ones(d)) / math.sqrt(2 * (d - math.sqrt(d)))
    used = (d - defect**2 * (d - math.sqrt(d))) ** 2 / d**2
    return (d * used - 1) / (d - 1)


def gram_entropy(Z, alpha=1.0):
    K = np.asarray(Z) @ np.asarray(Z).T
    values = [v for v in np.linalg.eigvalsh(K / np.trace(K)) if v > 1e-14]
    if alpha == 1:
        return -math.fsum(v * math.log(v) for v in values)
    return math.log(math.fsum(v**alpha for v in values)) / (1 - alpha)


def projection_coherence(Z):
    Z = np.asarray(Z, dtype=float)
    hat = Z @ np.linalg.pinv(Z)
    return len(Z) / round(np.trace(hat)) * max(np.diag(hat))


def two_nearest(Z):
    Z = np.unique(np.asarray(Z, dtype=float), axis=0)
    ratios = []
    for i in range(len(Z)):
        near = sorted(math.dist(Z[i], Z[j]) for j in range(len(Z)) if j != i)
        ratios.append(near[1] / near[0])
    return sorted(ratios)


def facco_slope(Z, discard=0.1, first=1):
    ratios = two_nearest(Z)
    n = len(ratios)
    points = [(math.log(r), -math.log(1 - (i + first) / n)) for i, r in enumerate(ratios[: int(n * (1 - discard))])]
    return math.fsum(x * y for x, y in points) / math.fsum(x * x for x, _ in points)


def kernel_cka(X, Y):
    n = len(X)
    H = np.eye(n) - 1 / n
    K, L = H @ X @ X.T @ H, H @ Y @ Y.T @ H
    return np.trace(K @ L) / math.sqrt(np.trace(K @ K) * np.trace(L @ L))


def song_hsic(K, L):
    """The mean over all ordered quadruples of different rows that Song et al. 2012, Theorem 2, estimate HSIC by."""
    n, terms = len(K), []
    for i in range(n):
        for j in set(range(n)) - {i}:
            for q in set(range(n)) - {i, j}:
                for r in set(range(n)) - {i, j, q}:
                    terms.append(K[i, j] * (L[i, j] + L[q, r] - 2 * L[i, q]))
    return math.fsum(terms) / len(terms)


def debiased_cka(X, Y):
    K, L = X @ X.T, Y @ Y.T
    return song_hsic(K, L) / math.sqrt(song_hsic(K, K) * song_hsic(L, L))


def discriminant_rank(Z, delta=1e-4, epsilon=1e-8, absolute=False):
    Z = np.asarray(Z, dtype=float)
    n, q, d = Z.shape
    means = [sum(views) / q for views in Z]
    grand = sum(means) / n
    between = sum(np.outer(m - grand, m - grand) for m in means) / (n - 1)
    within = sum(np.outer(z - means[i], z - means[i]) for i in range(n) for z in Z[i]) / (n * (q - 1))
    values, vectors = np.linalg.eigh(within + delta * np.eye(d))
    root = vectors @ np.diag(values**-0.5) @ vectors.T
    shares = np.maximum(np.linalg.eigvalsh(root @ between @ root), 0)
    shares = (shares + epsilon) / (shares + epsilon).sum() if absolute else shares / shares.sum() + epsilon
    return math.exp(-math.fsum(p * math.log(p) for p in shares))


def weighted_slope(values, first, last):
    """The weighted least squares of ln l on ln i through its normal equations."""
    A = np.array([[math.log(i), 1.0] for i in range(first, last + 1)])
    W = np.diag([1 / i for i in range(first, last + 1)])
    y = np.log(values[first - 1 : last])
    return -np.linalg.solve(A.T @ W @ A, A.T @ W @ y)[0]


def confusion(Z):
    n, q, _ = Z.shape
    views = [(i, Z[i, j]) for i in range(n) for j in range(q)]
    wrong = 0
    for a, (image, z) in enumerate(views):
        others = [(cosine(z, y), other) for b, (other, y) in enumerate(views) if b != a]
        wrong += max(others)[1] != image
    return wrong / len(views)
