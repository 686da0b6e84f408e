"""Enclosures contain the value of mpmath at seventy digits, and would not if what makes their radius were dropped.

The worlds have multiple singular values, gaps of 1e-11 and masses of 1e-13. The reference shares no code with the
balls: dense matrices, eigenvalues and least squares of mpmath at a hundred digits, on the weights as they are stored.
"""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import mp
from scipy import sparse

from maetheory.graph import MaskGraph
from maetheory.theory.certified import spectrum
from maetheory.theory.certified.balls import (
    arb_library,
    ball,
    ball_around,
    ball_matrix,
    from_rows,
    nonnegative_sqrt,
    precision,
)
from maetheory.theory.certified.graph import BallGraph, pair_distance
from maetheory.theory.certified.graph_comparison_theorems import GRAPH_COMPARISON_SIDES
from maetheory.theory.certified.labels_and_ranks import sort_descending
from maetheory.theory.certified.probe import BallProbe
from maetheory.theory.certified.probe_bounds import _excess_contrast
from maetheory.theory.certified.spectrum import eigenvalues

DIGITS = 100
TINY = 1e-13
GAP = 1e-11


@pytest.fixture(autouse=True)
def hundred_digits():
    """Context of mpmath with a hundred digits."""
    with mp.workdps(DIGITS):
        yield


def known(value):
    """Ball around a number of mpmath that covers its own error."""
    with precision(500):
        return arb_library().arb(mp.nstr(value, 90), 1e-70)


def holds(found, value):
    return bool(found.overlaps(known(value)))


def exactly(found, value):
    """Whether the midpoint alone is the number."""
    return bool(found.mid().overlaps(known(value)))


def labelled(joint, images):
    """Graph in which image s has these shares of the views, for joint laws whose views are shared by images."""
    views = sparse.csr_array(images)
    joint = np.asarray(joint, float)
    law = views / joint.sum(1) * 1.0
    targets = sparse.csr_array(law.toarray() @ joint)
    return MaskGraph(sparse.csr_array(joint), views, targets, np.arange(len(images)) % 2)


def worlds():
    block = np.array([[0.2, 0.1], [0.1, 0.2], [0.05, 0.05]])
    three = np.kron(np.eye(3), block) / 2.1
    gap = np.array([[0.5, GAP], [0.0, 0.5 - GAP]])
    tiny = np.array([[TINY, 2 * TINY, 0.0], [0.3, 0.2, 0.1], [0.1, TINY, 0.3 - 4 * TINY]])
    together = np.zeros((6, 5))
    together[:3, :2], together[3:5, 2:4] = block / 2, [[0.3, GAP], [0.0, 0.3 - GAP]]
    together[5, 4], together[5, 0] = TINY, TINY
    return {"multiplicity": three, "gap": gap, "mass": tiny, "all of them": together}


NAMES = tuple(worlds())


def world(name):
    """Graph whose images share views, and two features whose columns differ by a ten-thousandth."""
    joint = worlds()[name]
    rng = np.random.default_rng(5)
    shares = rng.dirichlet(np.ones(3), len(joint)).T  # (3, N1)
    features = rng.normal(size=(len(joint), 2))
    features[:, 1] = features[:, 0] + 1e-4 * features[:, 1]
    return labelled(joint, shares * joint.sum(1)), features


def law_of(graph):
    """Joint law, degrees and class law of the views in mpmath, from the stored weights."""
    joint = mp.matrix(graph.joint.toarray().tolist())
    mass = mp.fsum(joint)
    joint = joint / mass
    d1 = [mp.fsum(joint[i, j] for j in range(joint.cols)) for i in range(joint.rows)]
    d2 = [mp.fsum(joint[i, j] for i in range(joint.rows)) for j in range(joint.cols)]
    return joint, d1, d2


def normalised(joint, d1, d2):
    return mp.matrix([[joint[i, j] / mp.sqrt(d1[i] * d2[j]) for j in range(len(d2))] for i in range(len(d1))])


def pair_law(joint, d2):
    n = joint.rows
    return mp.matrix(
        [[mp.fsum(joint[i, t] * joint[j, t] / d2[t] for t in range(len(d2))) for j in range(n)] for i in range(n)]
    )


def squared_singular_values(graph):
    matrix = normalised(*law_of(graph))
    gram = matrix * matrix.T if matrix.rows <= matrix.cols else matrix.T * matrix
    return sorted(mp.eigsy(gram, eigvals_only=True), reverse=True)


def class_law(images, degrees, labels, n_classes):
    """Law of node and class, each node with exactly its degree."""
    weights = images.toarray()
    columns = []
    for node, degree in enumerate(degrees):
        column = [mp.mpf(float(w)) for w in weights[:, node]]
        total = mp.fsum(column)
        columns.append(
            [mp.fsum(w for w, label in zip(column, labels) if label == c) / total * degree for c in range(n_classes)]
        )
    return columns


def mislabelled(law, labels):
    return mp.fsum(w for row, label in zip(law, labels) for c, w in enumerate(row) if c != label)


def pair_error(graph):
    joint, d1, d2 = law_of(graph)
    names = graph.view_labels
    disagree = (
        joint[i, t] * joint[j, t] / d2[t]
        for t in range(len(d2))
        for i in range(len(d1))
        for j in range(len(d1))
        if names[i] != names[j]
    )
    return mp.fsum(disagree)


def least_squares(graph, features, rows):
    """Projection of the rows on the features under the law of the views."""
    _, d1, _ = law_of(graph)
    f, y, d = mp.matrix(features.tolist()), mp.matrix(rows), mp.diag(d1)
    return f * mp.inverse(f.T * d * f) * (f.T * d * y)


def residual(graph, features):
    _, d1, _ = law_of(graph)
    one_hot = np.eye(graph.n_classes)[graph.view_labels].tolist()
    missed = mp.matrix(one_hot) - least_squares(graph, features, one_hot)
    return mp.fsum(d * mp.fsum(missed[i, c] ** 2 for c in range(missed.cols)) for i, d in enumerate(d1))


def excess(graph, features):
    joint, d1, d2 = law_of(graph)
    inside = least_squares(graph, features, (mp.diag([1 / d for d in d1]) * pair_law(joint, d2)).tolist())
    energy = mp.fsum(d1[i] * inside[i, j] ** 2 / d1[j] for i in range(len(d1)) for j in range(len(d1)))
    return mp.fsum(v**2 for v in squared_singular_values(graph)[:2]) - energy


def distance(graph, features):
    joint, d1, d2 = law_of(graph)
    law = pair_law(joint, d2)
    f = [[mp.mpf(float(x)) for x in row] for row in features]
    return mp.fsum(
        law[i, j] * mp.fsum((x - y) ** 2 for x, y in zip(f[i], f[j])) for i in range(len(d1)) for j in range(len(d1))
    )


def loewner_gap(graph, channel):
    """Least eigenvalue of Ā_M − Ā_{MK} after 2uuᵀ is added, u = √d₁."""
    joint, d1, d2 = law_of(graph)
    kernel = mp.matrix([[mp.mpf(float(x)) for x in row] for row in channel])
    kernel = mp.diag([1 / mp.fsum(kernel[i, :]) for i in range(kernel.rows)]) * kernel
    after = joint * kernel
    kept = [mp.fsum(after[i, j] for i in range(after.rows)) for j in range(after.cols)]
    fall = pair_law(joint, d2) - pair_law(after, kept)
    n = len(d1)
    lifted = [[fall[i, j] / mp.sqrt(d1[i] * d1[j]) + 2 * mp.sqrt(d1[i] * d1[j]) for j in range(n)] for i in range(n)]
    return min(mp.eigsy(mp.matrix(lifted), eigvals_only=True))


def channel_of(graph):
    return np.random.default_rng(1).dirichlet(np.ones(2), graph.shape[1])


QUANTITIES = {
    "leading eigenvalues": (
        lambda balls, features: balls.leading_square_sum(2),
        lambda graph, features: mp.fsum(v**2 for v in squared_singular_values(graph)[:2]),
    ),
    "second singular value": (
        lambda balls, features: nonnegative_sqrt(balls.eigenvalue(1)),
        lambda graph, features: mp.sqrt(squared_singular_values(graph)[1]),
    ),
    "α": (
        lambda balls, features: balls.label_error(),
        lambda graph, features: mislabelled(
            class_law(graph.image_views, law_of(graph)[1], graph.image_labels, 2), graph.view_labels
        ),
    ),
    "α₂": (
        lambda balls, features: balls.target_label_error(),
        lambda graph, features: mislabelled(
            class_law(graph.image_targets, law_of(graph)[2], graph.image_labels, 2), graph.target_labels
        ),
    ),
    "φ": (lambda balls, features: balls.pair_label_error(), lambda graph, features: pair_error(graph)),
    "probe residual": (
        lambda balls, features: BallProbe(balls, features).residual(),
        residual,
    ),
    "excess contrast": (lambda balls, features: _excess_contrast(balls, {"features": features}, 2), excess),
    "pair distance": (lambda balls, features: pair_distance(balls, ball_matrix(features)), distance),
    "Loewner gap": (
        lambda balls, features: GRAPH_COMPARISON_SIDES["data-processing-shrinks-spectrum"].lhs(
            balls, ball_matrix(channel_of(balls))
        ),
        lambda graph, features: loewner_gap(graph, channel_of(graph)),
    ),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_the_value_in_mpmath_is_enclosed_and_is_not_the_midpoint(quantity, name):
    graph, features = world(name)
    of_balls, in_mpmath = QUANTITIES[quantity]
    value = in_mpmath(graph, features)
    for bits in (53, 106, 159):
        with precision(bits):
            found = of_balls(BallGraph(graph), features)
        assert holds(found, value)
        assert value < 1e-60 or not exactly(found, value)
        assert bits == 53 or float(found.rad()) < 2.0 ** (60 - bits)


@pytest.mark.parametrize("name", NAMES)
def test_every_eigenvalue_in_mpmath_is_enclosed_in_order(name):
    graph, _ = world(name)
    values = squared_singular_values(graph)
    for bits in (53, 106):
        with precision(bits):
            found = BallGraph(graph).eigenvalues
        assert len(found) == len(values)
        assert all(holds(ball_of_value, value) for ball_of_value, value in zip(found, values))
        assert max(float(ball_of_value.rad()) for ball_of_value in found) < 2.0 ** (16 - bits)


@pytest.mark.parametrize(
    ("matrix", "vectors"),
    [
        ([[1, 0], [0, 0]], lambda angle: [[mp.cos(angle), -mp.sin(angle)], [mp.sin(angle), mp.cos(angle)]]),
        ([[0, 1], [1, 0]], lambda angle: [[1, 0], [0, 1]]),
    ],
    ids=["turned by a small angle", "turned by 45 degrees"],
)
def test_what_the_vectors_leave_off_the_diagonal_is_in_the_radius(monkeypatch, matrix, vectors):
    """The vectors are orthogonal and wrong: without the residual ‖XᵀSX − diag t‖ the values are missed."""
    monkeypatch.setattr(spectrum, "_MAX_NEWTON_STEPS", 0)
    with precision(106):
        start = from_rows([[known(x).mid() for x in row] for row in vectors(mp.mpf("1e-3"))], 2, 2)
        found, used = eigenvalues(ball_matrix(np.array(matrix, float)), start)
        assert used == start
    for ball_of_value, value in zip(found, sorted(mp.eigsy(mp.matrix(matrix), eigvals_only=True), reverse=True)):
        assert holds(ball_of_value, value)
        assert not exactly(ball_of_value, value)
        off = abs(float(ball_of_value.mid()) - float(value))
        assert off > 0.9e-6  # far beyond 106 bits: it is the residual that covers it
        assert float(ball_of_value.rad()) < 2.0


@pytest.mark.parametrize("stretch", [1e-3, -1e-3])
def test_what_the_vectors_lack_of_orthonormal_is_in_the_radius(monkeypatch, stretch):
    """The vectors are eigenvectors and too long: XᵀSX is diagonal, and ‖XᵀX − I‖ alone covers the error."""
    monkeypatch.setattr(spectrum, "_MAX_NEWTON_STEPS", 0)
    with precision(106):
        start = from_rows([[ball(1), ball(0)], [ball(0), ball(1 + stretch)]], 2, 2)
        found, _ = eigenvalues(ball_matrix(np.diag([3.0, 2.0])), start)
    assert [holds(value, exact) for value, exact in zip(found, (3, 2))] == [True, True]
    assert abs(float(found[1].mid()) - 2) > 1e-3
    assert float(found[1].rad()) < 0.01
    with precision(53):
        assert not ball_around(found[1].mid(), found[1].rad() / 3).contains(ball(2))


def test_vectors_in_any_order_give_descending_values(monkeypatch):
    monkeypatch.setattr(spectrum, "_MAX_NEWTON_STEPS", 0)
    with precision(53):
        swapped = ball_matrix(np.eye(3)[::-1])
        found, _ = eigenvalues(ball_matrix(np.diag([5.0, 1.0, 3.0])), swapped)
        assert [float(value) for value in found] == [5.0, 3.0, 1.0]


def test_masses_whose_order_is_open_are_enclosed_in_either_order():
    with precision(53):
        wide, narrow = ball_around(ball(0.4), ball(0.2)), ball(0.5)
        first, second = sort_descending([wide, narrow])
        for larger, smaller in ((0.6, 0.5), (0.5, 0.2), (0.5, 0.4)):
            assert first.contains(ball(larger))
            assert second.contains(ball(smaller))


@pytest.mark.parametrize("square", ["1e-13", "2e-26", "0.3"])
def test_roots_of_balls_that_contain_negative_numbers_contain_the_root(square):
    value = mp.mpf(square)
    with precision(53):
        wide = ball_around(ball(0), 2 * known(value).abs_upper())
        narrow = ball_around(known(value).mid(), ball(2.0**-60) * float(value))
        for found in (nonnegative_sqrt(wide), nonnegative_sqrt(narrow)):
            assert holds(found, mp.sqrt(value))
            assert not exactly(found, mp.sqrt(value))
            assert found.lower() >= 0
