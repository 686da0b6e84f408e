"""Masked coefficients of Gaussian images against quadrature, closed forms and exact worlds of bits."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product
from math import factorial

import numpy as np
import pytest

from maetheory.core import generator
from maetheory.data.worlds import FiniteWorld, independent
from maetheory.graph import MaskGraph
from maetheory.masks import ListedMasks, RotatedLaw, UniformMasks
from maetheory.theory import Verdict, certify, check
from maetheory.theory.statements.gaussian_components_are_independent import gaussian_energy

GAUSSIAN, CORRELATED = (
    "gaussian-components-are-independent",
    "correlated-coefficients-of-gaussians-are-predictable",
)
HADAMARD = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])


def hermite(z, degree):
    """Orthonormal Hermite polynomials of degree 0 to `degree`, at each point."""
    values = [np.ones_like(z), z]
    for n in range(1, degree):
        values.append(z * values[-1] - n * values[-2])
    return [one / np.sqrt(factorial(n)) for n, one in enumerate(values)]


def whitened(rows):
    return np.linalg.inv(np.linalg.cholesky(rows @ rows.T)) @ rows


def energy_by_quadrature(coefficients, visible, degree=12, nodes=30):
    """Σ_{i≥2} σ_i² as the sum of squared moments of products of Hermite polynomials of view and of target."""
    grid, weight = np.polynomial.hermite_e.hermegauss(nodes)
    z = np.array(list(product(grid, repeat=coefficients.shape[1]))).T  # (n, points)
    mass = np.prod(np.array(list(product(weight / weight.sum(), repeat=len(z)))), axis=1)
    sides = []
    for rows in (coefficients[visible], coefficients[~visible]):
        ones = [hermite(one, degree) for one in whitened(rows) @ z]
        orders = (order for order in product(range(degree + 1), repeat=len(ones)) if sum(order) <= degree)
        sides.append([np.prod([one[n] for one, n in zip(ones, order)], axis=0) for order in orders])
    moments = (np.array(sides[0]) * mass) @ np.array(sides[1]).T
    return float((moments**2).sum() - 1)


@pytest.mark.parametrize("seed", range(2))
def test_quadrature_over_hermite_polynomials_gives_the_energy(seed):
    rng = generator(seed, "Gaussian images")
    factor, basis = (np.eye(3) + 0.2 * rng.normal(size=(3, 3)) for _ in range(2))  # images are factorᵀ g
    visible = np.array([True, False, True])
    found = gaussian_energy(factor, basis, visible)
    assert 0.01 < found < 1  # then ρ² < ½, and what degree 12 leaves out is below ½¹³
    assert float(found) == pytest.approx(energy_by_quadrature(basis @ factor.T, visible), abs=2e-4)


@pytest.mark.parametrize(("n", "v", "r"), [(4, 1, 0.5), (6, 3, 0.2), (5, 4, 0.8)])
def test_equicorrelated_patches_have_one_canonical_correlation(n, v, r):
    covariance = np.full((n, n), r) + (1 - r) * np.eye(n)
    square = v * (n - v) * r**2 / ((1 + (v - 1) * r) * (1 + (n - v - 1) * r))
    factor = np.linalg.cholesky(covariance).T
    found = gaussian_energy(factor, np.eye(n), np.arange(n) < v)
    assert float(found) == pytest.approx(1 / (1 - square) - 1, rel=1e-12)
    whole = gaussian_energy(factor, np.linalg.eigh(covariance)[1].T, np.arange(n) < v)
    assert float(whole) == pytest.approx(0, abs=1e-13)


def test_the_assumption_decides_from_both_sides():
    rng = generator(0, "tilt")
    factor, visible = rng.normal(size=(6, 3)), np.array([True, False, False])
    basis = np.linalg.svd(factor)[2]
    assert check(GAUSSIAN, factor=factor, basis=basis, visible=visible).verdict is Verdict.TIGHT
    tilted = basis + 1e-6 * rng.normal(size=(3, 3))
    found = check(GAUSSIAN, factor=factor, basis=tilted, visible=visible)
    assert found.verdict is Verdict.INAPPLICABLE
    assert 0 < found.lhs < 1e-9
    assert check(CORRELATED, factor=factor, basis=tilted, visible=visible).verdict is Verdict.HOLDS


def test_what_rounding_makes_of_a_coefficient_without_variance_decides_nothing():
    factor = np.array([[1.0, 2.0], [0.1, 0.2]])  # the second component has no variance
    found = check(GAUSSIAN, factor=factor, basis=np.linalg.svd(factor)[2], visible=np.array([True, False]))
    assert found.verdict in {Verdict.INAPPLICABLE, Verdict.UNDECIDED}
    assert gaussian_energy(factor, np.eye(2), np.array([True, False])).error == np.inf
    alone = gaussian_energy(np.array([[1.0, 0.0]]), np.eye(2), np.array([True, False]))
    assert float(alone) == 0
    assert alone.error < 1e-12


def test_what_is_proved_is_what_is_checked():
    pytest.importorskip("flint")
    world = {"factor": np.array([[2.0, 1, 0], [0, 1, 1], [0, 0, 1]]), "visible": np.array([True, False, False])}
    found, proved = (act(CORRELATED, **world, basis=np.eye(3)) for act in (check, certify))
    assert proved.verdict is found.verdict is Verdict.HOLDS
    assert float(found.lhs) == pytest.approx(float(proved.lhs.mid), rel=1e-12)
    # covariance [[4,2,0],[2,2,1],[0,1,2]]: det 4, view 4, target 3, so 4·3/4 − 1 = 2; r² = 4/8
    assert (round(proved.lhs.mid, 12), round(proved.rhs.mid, 12)) == (2.0, 1.0)


def exact_joint(states, basis, visible):
    """Joint law of visible and hidden coefficients of equally likely images, in fractions."""
    joint = Counter()
    for image in states:
        coefficients = [sum(int(b) * int(x) for b, x in zip(row, image)) for row in basis]
        view = tuple(c for c, seen in zip(coefficients, visible) if seen)
        target = tuple(c for c, seen in zip(coefficients, visible) if not seen)
        joint[view, target] += Fraction(1, len(states))
    return joint


def marginals(joint):
    views, targets = Counter(), Counter()
    for (view, target), mass in joint.items():
        views[view] += mass
        targets[target] += mass
    return views, targets


def test_independent_bits_in_a_hadamard_basis_have_uncorrelated_components_that_depend():
    """Same covariance as Gaussians of which nothing is learnt; the parity of one coefficient is that of the others."""
    bits, visible = list(product([0, 1], repeat=4)), np.array([True, True, False, False])
    coefficients = np.array([[sum(b * x for b, x in zip(row, image)) for row in HADAMARD.tolist()] for image in bits])
    centred = 2 * coefficients - coefficients.sum(0) // 8
    assert (centred.T @ centred == 64 * np.eye(4, dtype=int)).all()  # uncorrelated, exactly
    joint = exact_joint(bits, HADAMARD, visible)
    views, targets = marginals(joint)
    energy = sum(mass**2 / (views[view] * targets[target]) for (view, target), mass in joint.items()) - 1
    assert energy > 1  # the parity alone gives 1, for a Gaussian it were 0
    assert all((view[0] - target[0]) % 2 == 0 for view, target in joint)
    world = independent(4, 2)
    world = FiniteWorld(world.states, np.full(16, 1 / 16), None, world.values)
    law = RotatedLaw(ListedMasks(visible[None]), HADAMARD, np.array([0, 1]))
    graph = MaskGraph.enumerate(world, law)
    assert graph.spectrum(2).values[1] == pytest.approx(1)
    assert float((graph.normalized_matrix.toarray() ** 2).sum() - 1) == pytest.approx(float(energy), rel=1e-12)


@pytest.mark.parametrize("visible", [(True, False, False, False), (True, False, True, False)])
def test_rotated_bits_of_distinct_sizes_are_no_gaussians_and_teach_nothing_either(visible):
    """PCA finds the bits again, and they are independent: what is not Gaussian need not be learnt."""
    sizes = np.array([1, 2, 4, 8])
    images = np.array([HADAMARD @ (sizes * signs) for signs in product([-1, 1], repeat=4)])
    moments = np.linalg.eigh(images.T @ images / 16)
    np.testing.assert_allclose(np.sort(4 * sizes**2.0), moments[0], rtol=1e-12)
    joint = exact_joint(images, HADAMARD, visible)
    views, targets = marginals(joint)
    assert all(mass == views[view] * targets[target] for (view, target), mass in joint.items())
    assert len(joint) == len(views) * len(targets)
    world = FiniteWorld(images + 15, np.full(16, 1 / 16), None, np.arange(-15, 16))
    law = RotatedLaw(ListedMasks(np.array([visible])), HADAMARD, world.values)
    np.testing.assert_allclose(MaskGraph.enumerate(world, law).spectrum(2).values, [1, 0], atol=1e-12)
    pixels = MaskGraph.enumerate(world, UniformMasks(4, 1)).spectrum(8).values
    assert pixels[-1] > 0.3  # masked pixels do teach something: λ beyond the four masks
