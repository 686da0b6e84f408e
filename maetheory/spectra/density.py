"""Spectral density by stochastic Lanczos quadrature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from maetheory.core import Estimate, InputError, Progress, generator, no_progress
from maetheory.spectra.counting_operator import Array, CountingOperator, GramOperator
from maetheory.spectra.lanczos import lanczos

PROBES = 16
STEPS = 48


@dataclass(frozen=True)
class Curve:
    """Values at points of an axis, each with its standard error: three arrays of one shape."""

    at: Array
    value: Array
    error: Array


@dataclass(frozen=True)
class SpectralDensity:
    """Stochastic estimate of the distribution of singular values from r Gauss quadrature rules.

    Attributes
    ----------
    nodes, weights : (r, m) arrays
        One Gauss rule per probe vector: nodes are singular values, and the weights of a row sum to 1.
    n_values : int
        Number of singular values, min(N1, N2).
    matvecs : int
        Number of products.
    """

    nodes: Array
    weights: Array
    n_values: int
    matvecs: int

    def sum(self, function: Callable[[Array], Array]) -> Estimate:
        """Estimate Σ f(σᵢ) over all singular values; `error` is one standard error.

        The quadrature is exact when f is a polynomial in σ² of degree below twice the number of steps.
        """
        samples = self.n_values * np.sum(self.weights * function(self.nodes), axis=1)  # (r,)
        return Estimate(float(samples.mean()), float(_standard_error(samples)), sampled=True)

    def histogram(self, edges: Array) -> Curve:
        """Estimate the number of singular values in each bin [edge, next edge); `at` are the midpoints, (len − 1,).

        A value on the border of two bins may be counted in either, because nodes carry a rounding error.
        """
        edges = np.asarray(edges, dtype=np.float64)
        samples = self.n_values * np.stack(
            [np.histogram(nodes, edges, weights=weights)[0] for nodes, weights in zip(self.nodes, self.weights)]
        )  # (r, bins)
        return Curve((edges[1:] + edges[:-1]) / 2, samples.mean(axis=0), _standard_error(samples))

    def smooth(self, at: Array, width: float) -> Curve:
        """Estimate the density at points, smoothed with a Gaussian kernel of standard deviation `width`.

        The integral over the whole line is 1. The resolution is about the norm divided by the number of Lanczos steps.
        """
        at = np.asarray(at, dtype=np.float64)
        distance = (at[None, :, None] - self.nodes[:, None, :]) / width  # (r, points, m)
        kernel = np.exp(-(distance**2) / 2) / (width * np.sqrt(2 * np.pi))
        samples = np.sum(kernel * self.weights[:, None, :], axis=2)  # (r, points)
        return Curve(at, samples.mean(axis=0), _standard_error(samples))


def spectral_density(
    operator: Any, *, probes: int = PROBES, steps: int = STEPS, seed: int = 0, progress: Progress = no_progress
) -> SpectralDensity:
    """Estimate the density of all singular values of B by stochastic Lanczos quadrature.

    Parameters
    ----------
    operator : (N1, N2) sparse matrix, array or LinearOperator
        The matrix B.
    probes : int, default 16
        Number of random probe vectors r, at least 2; standard errors are proportional to 1 / √r.
    steps : int, default 48
        Lanczos steps m per probe vector, two products each.
    seed : int, default 0
        Draws the probe vectors.
    progress : Progress
        Called after each probe vector.

    Returns
    -------
    SpectralDensity
        Its methods `sum`, `histogram` and `smooth` return estimates with standard errors.

    Raises
    ------
    InputError
        If `probes` is below 2 or `steps` below 1.

    References
    ----------
    Ubaru, Chen and Saad 2017, Fast Estimation of tr(f(A)) via Stochastic Lanczos Quadrature; Lin, Saad and Yang 2016,
    Approximating Spectral Densities of Large Matrices.

    Examples
    --------
    >>> found = spectral_density(np.diag([1.0, 1.0, 0.5, 0.5]), probes=64)
    >>> total = found.sum(lambda s: s**0)
    >>> round(total.value, 9), bool(abs(found.sum(np.square) - 2.5) < 5 * found.sum(np.square).error)
    (4.0, True)
    """
    if probes < 2 or steps < 1:
        raise InputError(f"probes is {probes} and steps {steps}, but at least 2 and at least 1 are expected")
    products = CountingOperator(operator)
    gram = GramOperator(products.tall)
    n_values = gram.shape[1]
    nodes, weights = np.zeros((2, probes, min(steps, n_values)))
    for j in range(probes):
        start = generator(seed, "density", j).standard_normal(n_values)
        rule = lanczos(gram.matvec, start, steps)
        nodes[j, : len(rule.nodes)] = np.sqrt(rule.nodes.clip(min=0.0))
        weights[j, : len(rule.nodes)] = rule.weights
        progress(j + 1, probes, "random probes")
    return SpectralDensity(nodes, weights, n_values, products.matvecs)


def _standard_error(samples: Array) -> Array:
    return np.asarray(samples.std(axis=0, ddof=1) / np.sqrt(len(samples)))
