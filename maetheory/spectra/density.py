"""Where all singular values lie, seen through a few random vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from maetheory.core import Estimate, InputError, Progress, generator, silent
from maetheory.spectra.counting_operator import Array, Products
from maetheory.spectra.lanczos import lanczos

PROBES = 16
STEPS = 48


@dataclass(frozen=True)
class Curve:
    """Numbers along an axis, each with its standard error: three arrays of one shape."""

    at: Array
    value: Array
    error: Array


@dataclass(frozen=True)
class SpectralDensity:
    """The singular values of a matrix as r random vectors see them.

    Attributes
    ----------
    nodes, weights : (r, m) arrays
        One Gauss rule per vector: nodes are singular values, the weights of a row sum to 1.
    count : int
        How many singular values there are, min(N1, N2).
    matvecs : int
        Products spent.
    """

    nodes: Array
    weights: Array
    count: int
    matvecs: int

    def sum(self, function: Callable[[Array], Array]) -> Estimate:
        """Estimate Σ f(σᵢ) over all singular values; `error` is one standard error.

        The rule itself is exact where f is a polynomial in σ² of degree below twice the steps.
        """
        seen = self.count * np.sum(self.weights * function(self.nodes), axis=1)  # (r,)
        return Estimate(float(seen.mean()), float(_standard_error(seen)), sampled=True)

    def counts(self, edges: Array) -> Curve:
        """Estimate how many singular values lie in each bin [edge, next edge); `at` are the middles, shape (len − 1,).

        A value on the border of two bins may be counted in either: nodes are exact to round-off only.
        """
        edges = np.asarray(edges, dtype=np.float64)
        seen = self.count * np.stack(
            [np.histogram(nodes, edges, weights=weights)[0] for nodes, weights in zip(self.nodes, self.weights)]
        )  # (r, bins)
        return Curve((edges[1:] + edges[:-1]) / 2, seen.mean(axis=0), _standard_error(seen))

    def smooth(self, at: Array, width: float) -> Curve:
        """Estimate the density at points, each singular value spread to a Gaussian of standard deviation `width`.

        The integral over the whole line is 1. Steps resolve features no finer than about the norm over their number.
        """
        at = np.asarray(at, dtype=np.float64)
        apart = (at[None, :, None] - self.nodes[:, None, :]) / width  # (r, points, m)
        bumps = np.exp(-(apart**2) / 2) / (width * np.sqrt(2 * np.pi))
        seen = np.sum(bumps * self.weights[:, None, :], axis=2)  # (r, points)
        return Curve(at, seen.mean(axis=0), _standard_error(seen))


def density(
    operator: Any, *, probes: int = PROBES, steps: int = STEPS, seed: int = 0, progress: Progress = silent
) -> SpectralDensity:
    """Estimate the density of all singular values of B by stochastic Lanczos quadrature.

    Parameters
    ----------
    operator : (N1, N2) sparse matrix, array or LinearOperator
        The matrix B.
    probes : int, default 16
        Random vectors r; standard errors fall like 1 / √r. At least 2.
    steps : int, default 48
        Lanczos steps m per vector, two products each.
    seed : int, default 0
        Draws the vectors.
    progress : Progress
        Told after each vector.

    Returns
    -------
    Density
        Gauss rules; their `sum`, `counts` and `smooth` carry standard errors.

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
    >>> seen = density(np.diag([1.0, 1.0, 0.5, 0.5]), probes=64)
    >>> total = seen.sum(lambda s: s**0)
    >>> round(total.value, 9), bool(abs(seen.sum(np.square) - 2.5) < 5 * seen.sum(np.square).error)
    (4.0, True)
    """
    if probes < 2 or steps < 1:
        raise InputError(f"probes is {probes} and steps {steps}, but at least 2 and at least 1 are expected")
    products = Products(operator)
    turned = products if products.shape[0] >= products.shape[1] else products.transposed
    count = turned.shape[1]
    nodes, weights = np.zeros((2, probes, min(steps, count)))
    for j in range(probes):
        start = generator(seed, "density", j).standard_normal(count)
        rule = lanczos(lambda x: turned.backward(turned.forward(x)), start, steps)
        nodes[j, : len(rule.nodes)] = np.sqrt(rule.nodes.clip(min=0.0))
        weights[j, : len(rule.nodes)] = rule.weights
        progress(j + 1, probes, "random vectors seen")
    return SpectralDensity(nodes, weights, count, products.count)


def _standard_error(seen: Array) -> Array:
    return np.asarray(seen.std(axis=0, ddof=1) / np.sqrt(len(seen)))
