"""The principal components of Gaussian images are independent, so that hiding some of them leaves nothing to predict.

Setting
-------
Images x = ``factor``ᵀ g with g standard normal, so x ~ N(0, C) with C = ``factor``ᵀ ``factor``. The rows of ``basis``
are vectors; the coefficients of an image in them are split in two: those that ``visible`` marks are the view, the
others the target. R is the correlation matrix of the coefficients, ρ_j are the canonical correlations of view and
target, and σ_i the singular values of their joint law. By Mehler's formula the σ's are all products Π_j ρ_j^{n_j}, so
Σ_{i≥2} σ_i² = Π_j 1/(1 − ρ_j²) − 1 = det R_VV det R_HH / det R − 1, which is e^{2I} − 1 for their mutual information I.
It is 0 iff σ = 1, 0, 0, …, so that nothing about the target can be predicted from the view.

Assumptions
-----------
``principal components``: the vectors are orthogonal eigenvectors of C, read as: neither two vectors nor two
coefficients correlate. The second claim has none.

Claim
-----
Claim (i): Σ_{i≥2} σ_i² = 0 for principal components, whatever is hidden. Proof: uncorrelated Gaussians are
independent. Claim (ii): in any basis Σ_{i≥2} σ_i² ≥ max r²/(1 − r²) over the correlations r of a visible and a hidden
coefficient. Proof: by data processing no σ_i rises when all other coefficients are forgotten, and two Gaussians have
σ_i = |r|^{i−1}. So a masked autoencoder of Gaussian images learns from masked coefficients iff a hidden one
correlates with a visible one. What masked principal components teach on real images (PMAE) is therefore what is not
Gaussian in them. The converse fails: images that are not Gaussian may have independent components, too (bits of
distinct sizes, rotated).

Slack
-----
None in (i). In (ii) what the pair does not tell: it is 0 iff all other coefficients add nothing.

Tight when
----------
Claim (i) always; claim (ii) where no more than one hidden coefficient correlates with a visible one, and neither with
any other.

Reference
---------
Ours, on masked principal components (Bizeul et al. 2025, arXiv 2502.06314, of which only the abstract was at hand);
the spectrum of Gaussians is Mehler's.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from maetheory.core import Estimate
from maetheory.theory.theorem import ROUNDING_TOLERANCE, Theorem
from maetheory.theory.theorem_objects import Objects

PRINCIPAL = "principal components"
_EPS = float(np.finfo(float).eps)


def gaussian_energy(factor: np.ndarray, basis: np.ndarray, visible: np.ndarray) -> Estimate:
    """Sum Σ_{i≥2} σ_i² of squared singular values between visible and hidden coefficients of Gaussian images.

    Parameters
    ----------
    factor : ndarray, shape (n, D)
        Images are factorᵀ g with g standard normal; centred images over √n give the Gaussian of their covariance.
    basis : ndarray, shape (D, D)
        Vectors as rows.
    visible : ndarray of bool, shape (D,)

    Returns
    -------
    Estimate
        At least 0, infinite where the view determines a coefficient of the target; with its rounding error.

    Examples
    --------
    >>> factor, shown = np.array([[1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]), np.array([True, False])
    >>> round(gaussian_energy(factor, np.eye(2), shown), 12)  # correlation 1/3: 1/(1 - 1/9) - 1
    0.125
    >>> round(gaussian_energy(factor, np.array([[1.0, 1.0], [1.0, -1.0]]), shown), 12)
    0.0
    """
    correlations, noise = _correlations(factor, basis)
    seen = np.asarray(visible).astype(bool)
    parts = (correlations, correlations[np.ix_(seen, seen)], correlations[np.ix_(~seen, ~seen)])
    (sign, whole), (_, view), (_, target) = (np.linalg.slogdet(part) for part in parts)
    energy = math.inf if sign <= 0 else max(math.expm1(min(view + target - whole, 700.0)), 0.0)
    least = float(np.linalg.eigvalsh(correlations)[0])
    unknown = noise * len(correlations)
    if least <= 2 * unknown:
        return Estimate(energy, math.inf)
    return Estimate(energy, (1 + energy) * math.expm1(3 * len(correlations) * unknown / (least - unknown)))


def largest_cross_correlation(factor: np.ndarray, basis: np.ndarray, visible: np.ndarray) -> Estimate:
    """Largest r²/(1 − r²) over the correlations r of a visible and a hidden coefficient; 0 if none is hidden."""
    correlations, noise = _correlations(factor, basis)
    seen = np.asarray(visible).astype(bool)
    largest = float(np.abs(correlations[np.ix_(seen, ~seen)]).max(initial=0.0))
    rest = (1 - largest) * (1 + largest)
    if rest <= 4 * noise:
        return Estimate(largest**2 / rest if rest > 0 else math.inf, math.inf)
    return Estimate(largest**2 / rest, 2 * noise * largest / (rest - 2 * noise) ** 2 + noise**2)


def _correlations(factor: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, float]:
    """Correlation matrix of the coefficients, (D, D), and a bound on the rounding error of its entries.

    A coefficient without variance correlates with none. One whose variance is mostly rounding error has an error
    near one.
    """
    coefficients = factor @ basis.T  # (n, D) @ (D, D) -> (n, D)
    sizes = np.linalg.norm(coefficients, axis=0)
    units = np.divide(coefficients, sizes, out=np.zeros_like(coefficients), where=sizes > 0)
    found = units.T @ units
    np.fill_diagonal(found, 1.0)
    terms = np.linalg.norm(factor) * np.linalg.norm(basis, axis=1)
    lost = np.divide(terms, sizes, out=np.zeros_like(terms), where=sizes > 0).max(initial=1.0)
    return found, 2 * _EPS * sum(factor.shape) * float(lost)


def _are_principal(factor: np.ndarray, basis: np.ndarray) -> tuple[bool, str]:
    coefficients, _ = _correlations(factor, basis)
    vectors, _ = _correlations(np.eye(basis.shape[1]), basis)
    off = [float(np.abs(one - np.eye(len(one))).max(initial=0.0)) for one in (vectors, coefficients)]
    words = f"two vectors correlate by up to {off[0]:.3g}, two coefficients by up to {off[1]:.3g}, 0 is needed"
    return max(off) <= ROUNDING_TOLERANCE, words


def use_principal_components(world: dict[str, Any]) -> Objects:
    """Replace the basis by the principal components of the images."""
    return {**world, "basis": np.linalg.svd(world["factor"])[2]}


def _world() -> dict[str, Any]:
    """Covariance with the eigenvectors of a Hadamard matrix and the eigenvalues 16, 36, 4, 1, in integers."""
    hadamard = np.array([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
    factor = np.array([[2.0], [3], [1], [0.5]]) * hadamard
    return {"factor": factor, "basis": hadamard, "visible": np.array([True, False, True, False])}


def tight() -> Objects:
    """Return correlated images of four pixels in their principal components, of which two are hidden."""
    return _world()


def broken() -> dict[str, Objects]:
    """Return the same images in pixels, which correlate."""
    return {PRINCIPAL: {**_world(), "basis": np.eye(4)}}


def tight_in_any_basis() -> Objects:
    """Return three coefficients, of which a visible one and a hidden one correlate by 3/5."""
    factor = np.array([[1.0, 0, 0], [0.75, 1, 0], [0, 0, 2]]).T
    return {"factor": factor, "basis": np.eye(3), "visible": np.array([True, False, True])}


def _draw(rng: np.random.Generator) -> dict[str, Any]:
    """Draw Gaussian images that are correlated, in a random basis of vectors or in pixels."""
    d = int(rng.integers(2, 6))
    factor = rng.normal(size=(d + int(rng.integers(0, 4)), d)) @ rng.normal(size=(d, d))
    basis = np.eye(d) if rng.random() < 0.5 else rng.normal(size=(d, d))
    return {"factor": factor, "basis": basis, "visible": rng.permutation(np.arange(d) < rng.integers(1, d))}


def _sample(rng: np.random.Generator) -> Objects:
    return use_principal_components(_draw(rng))


_SHAPES = {"factor": ("n", "D"), "basis": ("D", "D"), "visible": ("D",)}

THEOREM = Theorem(
    slug="gaussian-components-are-independent",
    statement="Σ_{i>=2} σ_i² == 0 for Gaussian images of which principal components are hidden",
    reference="Ours, on Bizeul et al. 2025",
    objects=("factor", "basis", "visible"),
    shapes=_SHAPES,
    lhs=gaussian_energy,
    rhs=lambda: 0.0,
    direction="==",
    scale=lambda: 1.0,
    assumptions={PRINCIPAL: _are_principal},
    needs_graph=False,
    tight=tight,
    broken=broken,
    sample=_sample,
    conform=use_principal_components,
)

IN_ANY_BASIS = Theorem(
    slug="correlated-coefficients-of-gaussians-are-predictable",
    statement="Σ_{i>=2} σ_i² >= max r²/(1 - r²) over visible and hidden coefficients of Gaussian images",
    reference="Ours, on Bizeul et al. 2025",
    objects=("factor", "basis", "visible"),
    shapes=_SHAPES,
    lhs=gaussian_energy,
    rhs=largest_cross_correlation,
    trivial=0.0,
    needs_graph=False,
    tight=tight_in_any_basis,
    sample=_draw,
)
