"""Linear probe in ball arithmetic, with the rank of the features decided exactly.

Features are stored in floats, hence rational, so that linear dependence among their columns is decided exactly. The
float probe ignores directions below rounding error; here they count, because the claim is about the features as stored.
With G = FᵀF = Σ d₁ ffᵀ and B = FᵀY = Σ d₁ f 1[y]ᵀ, P_F Y has the rows √d₁ fᵀG⁻¹B, so that no square root is needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from maetheory.theory.certified.balls import (
    Ball,
    BallMatrix,
    arb_library,
    ball,
    ball_matrix,
    ball_sum,
    rescale,
    solve_or_undecided,
)
from maetheory.theory.certified.graph import BallGraph, mean_square

_TIE_TOLERANCE = 1e-12
_NO_CLASS = -1
_UNDECIDED_CLASS = -2
PROJECTION_FAILED = "the features are too close to dependent to project on them"


def independent_columns(features: np.ndarray) -> list[int]:
    """Indices of the first columns that span all columns of a float matrix, decided exactly.

    Examples
    --------
    >>> independent_columns(np.array([[1.0, 2.0, 0.1], [0.5, 1.0, 0.0]]))
    [0, 2]
    """
    n, k = features.shape
    rationals = [as_rational(x) for x in features.ravel()]
    denominator = max((x.denominator for x in rationals), default=1)
    whole = arb_library().fmpz_mat(n, k, [int(x * denominator) for x in rationals])
    reduced, _, rank = whole.rref()
    return [next(j for j in range(k) if reduced[i, j] != 0) for i in range(rank)]


def as_rational(number: Any) -> Fraction:
    """Return a stored number (a float, long double, integer or fraction) as the rational number that it is."""
    return Fraction(*number.as_integer_ratio()) if hasattr(number, "as_integer_ratio") else Fraction(int(number))


@dataclass(frozen=True, eq=False)
class BallProbe:
    """Least-squares probe on a graph: scores, predicted classes and errors.

    Attributes
    ----------
    graph : BallGraph
        With labels on the images.
    features : ndarray, shape (N1, k)
    """

    graph: BallGraph
    features: np.ndarray

    @cached_property
    def indicator(self) -> BallMatrix:
        """One-hot labels 1[y(x₁) = c] of the views, shape (N1, r); InputError without labels."""
        return ball_matrix(np.eye(self.graph.float_graph.n_classes)[self.graph.float_graph.view_labels])

    @cached_property
    def scores(self) -> BallMatrix:
        """Scores fᵀG⁻¹B of the least-squares head for every view, shape (N1, r).

        Raises
        ------
        UndecidedError
            If the Gram matrix cannot be inverted at this precision.
        """
        return project_on_features(self.graph, self.features, self.indicator)

    @cached_property
    def predicted(self) -> list[int]:
        """Class of each view; −1 for a tie, −2 if the balls do not decide."""
        return [winning_class(row) for row in self.scores.tolist()]

    @cached_property
    def image_votes(self) -> list[tuple[Ball, int]]:
        """Mass of each image and the class of its vote, with −1 and −2 as in `predicted`."""
        labels = self.graph.float_graph.image_labels
        assert labels is not None, "the indicator raises first if there are no labels"
        votes = [[ball(0)] * (self.graph.float_graph.n_classes + 1) for _ in labels]  # the last is for no class
        unknown = [False] * len(labels)
        for image, view, w in self.graph.image_views():
            votes[image][self.predicted[view]] += w
            unknown[image] |= self.predicted[view] == _UNDECIDED_CLASS
        masses = [ball_sum(row) for row in votes]
        shares = ([vote / mass for vote in row] for row, mass in zip(votes, masses))
        return [
            (mass, _UNDECIDED_CLASS if lost else winning_class(share))
            for mass, share, lost in zip(masses, shares, unknown)
        ]

    def residual(self) -> Ball:
        """Probe residual ‖(I − P_F)Y‖_F², computed as E‖1[y] − score‖²."""
        return mean_square(self.graph.degrees[0], self.indicator - self.scores)

    def view_error(self) -> Ball:
        """View error Pr[prediction ≠ y(x₁)]; the ball covers both cases for a view of undecided class."""
        return _error_mass(zip(self.graph.degrees[0], self.predicted), self.graph.float_graph.view_labels)

    def image_error(self) -> Ball:
        """Image error Pr[p_f(x̄) ≠ y(x̄)] for the vote p_f of an image's views."""
        labels = self.graph.float_graph.image_labels
        assert labels is not None
        return _error_mass(self.image_votes, labels)

    def error_shares(self) -> list[tuple[Ball, Ball]]:
        """Mass of each image and the share of its views that are misclassified."""
        labels = self.graph.float_graph.image_labels
        assert labels is not None, "the indicator raises first if there are no labels"
        masses, wrong = ([ball(0)] * len(labels) for _ in range(2))
        for image, view, w in self.graph.image_views():
            masses[image] += w
            wrong[image] += _error_mass([(w, self.predicted[view])], labels[image : image + 1])
        return [(mass, lost / mass) for mass, lost in zip(masses, wrong)]

    def count_ties(self, include_images: bool) -> tuple[int, Ball]:
        """Number of views (and of images, on request) without a unique class, and their mass."""
        found = [*zip(self.graph.degrees[0], self.predicted), *(self.image_votes if include_images else [])]
        tied = [mass for mass, choice in found if choice < 0]
        return len(tied), ball_sum(tied)


def project_on_features(graph: BallGraph, features: np.ndarray, rows: BallMatrix) -> BallMatrix:
    """Projection of `rows` (N1, r) on the features, in the inner product weighted by the law of the views."""
    columns = independent_columns(features)
    if not columns:
        return rows * 0
    basis = ball_matrix(features[:, columns])  # (N1, rank)
    weighted = rescale(basis, graph.degrees[0]).transpose()  # (rank, N1)
    return basis * solve_or_undecided(weighted * basis, weighted * rows, PROJECTION_FAILED)


def winning_class(row: list[Ball]) -> int:
    """Column of the largest score; −1 if two are within 1e-12 of it, −2 if the balls do not decide.

    Examples
    --------
    >>> winning_class([ball(0.2), ball(0.8)]), winning_class([ball(0.5), ball(0.5)])
    (1, -1)
    """
    best = max(range(len(row)), key=lambda c: float(row[c]))
    leads = [row[best] - other for c, other in enumerate(row) if c != best]
    if not all(lead > _TIE_TOLERANCE or lead <= _TIE_TOLERANCE for lead in leads):
        return _UNDECIDED_CLASS
    return best if all(lead > _TIE_TOLERANCE for lead in leads) else _NO_CLASS


def _error_mass(chosen: Iterable[tuple[Ball, int]], labels: np.ndarray) -> Ball:
    return ball_sum(
        mass.union(ball(0)) if choice == _UNDECIDED_CLASS else mass
        for (mass, choice), label in zip(chosen, labels)
        if choice != label
    )
