"""Mask graph of N images under one mask whose targets are blurred by a Gaussian kernel.

No two targets of real images coincide. A Gaussian channel on targets gives images with similar targets a target in
common.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator

from maetheory.core import Estimate, InputError, generator
from maetheory.empirical.kernel.gaussian_matrix import GaussianKernelMatrix
from maetheory.empirical.kernel.leave_one_out import leave_one_out_error
from maetheory.empirical.kernel.masked_images import require_labels
from maetheory.empirical.kernel.sharded_matrix import ShardedKernelMatrix
from maetheory.spectra import CountingOperator, Spectrum, certify, tail_energy
from maetheory.spectra.block_golub_kahan import BLOCK_SIZE, block_golub_kahan_svd

N_GUARD_VECTORS = 16  # values beyond the k-th, so that the bound on the others lies clearly below the k-th
LANCZOS_STEPS = 48  # bound the largest value not found to within two per cent
MAX_BASIS_COLUMNS = 512  # a large basis saves products, which cost more than its memory
RESIDUAL_TOLERANCE = 1e-8  # far below the rounding error of the kernel matrix
MAX_EXACT_IMAGES = 2048  # images whose augmentation graph is formed densely for its norm
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class KernelGraph:
    """Mask graph of N images under one mask, targets blurred by a Gaussian channel.

    View i belongs to image i; its target is j with probability k(i, j) / Σ_l k(i, l), k the Gaussian kernel of targets.
    The joint law M is 1/N of that row-stochastic matrix. Blurring is a channel on targets, so every singular value is
    at most that of the unblurred graph, which is the identity (data processing inequality). Bandwidth 0 gives the
    identity, bandwidth infinity the singular values 1, 0, 0, …; in between all numbers depend on the bandwidth. Errors
    are rounding errors: the numbers describe these images under this mask, not the distribution of images.

    If a process group shares the kernel matrix, all processes must call methods and properties, in the same order; the
    returned numbers are the same on every process.

    Attributes
    ----------
    kernel_matrix : GaussianKernelMatrix or ShardedKernelMatrix
        The kernel k, unnormalised.
    views : ndarray, shape (N, v c)
        Pixels of the visible patches.
    labels : ndarray of int, shape (N,), or None
    mask : ndarray of bool, shape (p,)
        True = visible.
    """

    kernel_matrix: GaussianKernelMatrix | ShardedKernelMatrix
    views: np.ndarray
    labels: np.ndarray | None
    mask: np.ndarray

    @property
    def n(self) -> int:
        """Number of images, views and targets."""
        return self.kernel_matrix.n

    @property
    def bandwidth(self) -> float:
        """Bandwidth b of the kernel, in pixel units of [0, 1]."""
        return self.kernel_matrix.bandwidth

    @cached_property
    def _row_and_column_sums(self) -> tuple[np.ndarray, np.ndarray]:
        """Row sums r of k, and column sums c of k / r; the marginals of M are 1/N and c/N."""

        def sums() -> tuple[np.ndarray, np.ndarray]:
            rows = self.kernel_matrix.matmul(np.ones(self.n))
            return rows, self.kernel_matrix.matmul(1 / rows)

        return self.kernel_matrix.run_on_root(sums)

    @property
    def degrees(self) -> tuple[np.ndarray, np.ndarray]:
        """Marginals of views, all 1/N, and of targets, each of shape (N,)."""
        return np.full(self.n, 1 / self.n), self._row_and_column_sums[1] / self.n

    @property
    def normalized(self) -> LinearOperator:
        """Ā_M = D₁^-½ M D₂^-½ = diag(1/r) k diag(1/√c), matrix-free, shape (N, N).

        With a process group, all processes access the property; only the root multiplies, inside
        `kernel_matrix.run_on_root`.
        """
        rows, columns = self._row_and_column_sums
        root = np.sqrt(columns)

        def forward(x: np.ndarray) -> np.ndarray:  # (N,) or (N, c)
            return (self.kernel_matrix.matmul((x.T / root).T).T / rows).T

        def backward(y: np.ndarray) -> np.ndarray:
            return (self.kernel_matrix.matmul((y.T / rows).T).T / root).T

        return LinearOperator(
            (self.n, self.n), dtype=np.float64, matvec=forward, rmatvec=backward, matmat=forward, rmatmat=backward
        )

    def spectrum(self, k: int, *, seed: int = 0) -> Spectrum:
        """Return the k largest singular values of Ā_M with their certificate.

        They are those of the matrix rounded to float32; `kernel_matrix.rounding_error` bounds the error of its entries.
        The values of a kernel fall slowly, so sixteen more are computed: a bound on the values beyond those separates
        the k largest from the rest, where a bound on the (k + 1)-th would not.

        Raises
        ------
        InputError
            If k is not from 1 to N.
        """
        products = CountingOperator(self.normalized)

        def certified_spectrum() -> Spectrum:
            if not 1 <= k <= self.n:
                raise InputError(f"k must lie between 1 and the {self.n} images, but it is {k}")
            found = block_golub_kahan_svd(
                products,
                min(k + N_GUARD_VECTORS, self.n),
                generator(seed, "start"),
                block_size=min(BLOCK_SIZE, self.n),
                max_basis_columns=MAX_BASIS_COLUMNS,
                tolerance=RESIDUAL_TOLERANCE,
            )
            certified = certify(
                products.matrix, found.values, found.left, found.right, seed=seed, steps=LANCZOS_STEPS
            ).first(k)
            return replace(certified, matvecs=certified.matvecs + products.matvecs)

        return self.kernel_matrix.run_on_root(certified_spectrum)

    @property
    def self_pair_fraction(self) -> Estimate:
        """Fraction of positive pairs whose two views come from one image: 1 without blur, 1/N with infinite blur."""
        return Estimate(float(self._self_pair_mass.sum()), self._rounding_error)

    @cached_property
    def _self_pair_mass(self) -> np.ndarray:
        """Mass of self pairs at each target, Σ_i M(i, j)² / d₂(j), shape (N,)."""
        rows, columns = self._row_and_column_sums
        squares = self.kernel_matrix.run_on_root(lambda: self.kernel_matrix.matmul(1 / rows**2, power=2))
        return squares / columns / self.n

    @cached_property
    def _target_classes(self) -> np.ndarray:
        """Joint law of target and class, (N, r)."""
        labels = require_labels(self.labels)
        one_hot = (labels[:, None] == np.arange(labels.max() + 1)) / self._row_and_column_sums[0][:, None]
        return self.kernel_matrix.run_on_root(lambda: self.kernel_matrix.matmul(one_hot)) / self.n

    def pair_label_error(self, *, distinct: bool = True) -> Estimate:
        """φ: the probability that two views sharing a target have different labels; lower is better.

        Parameters
        ----------
        distinct : bool
            Whether to leave out pairs of an image with itself, which always agree and become rare as more images are
            sampled. ``distinct=False`` gives φ of this graph itself.

        Raises
        ------
        InputError
            Without labels, or if no two different images share a target.
        """
        law = self._target_classes
        value = 1 - float((law**2 / law.sum(1, keepdims=True)).sum())
        if distinct:
            check_shared_targets(self.self_pair_fraction)
        others = 1 - self.self_pair_fraction if distinct else 1.0
        return Estimate(max(value / others, 0.0), self._rounding_error * (1 + distinct) / others)

    def target_label_error(self) -> Estimate:
        """α₂ of this graph: the probability that a target's most probable class is not its image's."""
        value = 1 - float(self._target_classes.max(1).sum())
        return Estimate(max(value, 0.0), self._rounding_error)

    def view_label_error(self, *, factor: float = 0.25, seed: int = 0) -> Estimate:
        """Upper estimate of α: the leave-one-out error of a kernel-weighted vote of the other images' views.

        Each view belongs to one image, so α of this graph is 0 and carries no information. The vote is weighted by a
        Gaussian of `factor` times the median distance of views; it errs at least as often as the Bayes label. The error
        given here is two binomial standard errors.
        """
        return leave_one_out_error(
            self.views,
            require_labels(self.labels),
            factor=factor,
            seed=seed,
            device=self.kernel_matrix.device,
            process_group=self.kernel_matrix.process_group,
        )

    def residual_bound(self, spectrum: Spectrum) -> float:
        """Return φ / (1 − λ_{k+1}), which bounds the probe residual of the first k spectral features (S3 i).

        Parameters
        ----------
        spectrum : Spectrum
            The first k + 1 singular values of this graph; λ = σ². φ is that of this graph, self pairs included.
        """
        return residual_bound(self.pair_label_error(distinct=False), spectrum)

    def tail_energy(self, spectrum: Spectrum, k: int, *, seed: int = 0) -> Estimate:
        """Σ_{i>k} λ_i² = ‖Ā‖_F² − Σ_{i≤k} λ_i², λ = σ².

        The norm is exact for up to 2048 images; for more it is estimated from random probes (Hutch++), with two
        standard errors.

        Parameters
        ----------
        spectrum : Spectrum
            The first k singular values of this graph, or more.
        k : int
        seed : int
            Draws the probes.
        """
        matrix = self.normalized

        def augmentation_graph(x: np.ndarray) -> np.ndarray:
            return np.asarray(matrix @ (matrix.T @ x))

        def estimate() -> Estimate:
            whole: Any = (
                augmentation_graph(np.eye(self.n))
                if self.n <= MAX_EXACT_IMAGES
                else _symmetric_operator(self.n, augmentation_graph)
            )
            return tail_energy(whole, spectrum.values[:k] ** 2, seed=seed)

        found = self.kernel_matrix.run_on_root(estimate)
        enclosure_error = 4 * spectrum.enclosure_radius * float((spectrum.values[:k] ** 3).sum())
        return Estimate(found.value, found.error * (1 + found.sampled) + enclosure_error, found.sampled)

    @property
    def _rounding_error(self) -> float:
        """Error of a sum of M(i, j)² / d₂(j) over all entries: six relative errors of k, and that of adding n terms."""
        return 6 * self.kernel_matrix.rounding_error + _EPS * self.n


def residual_bound(phi: float, spectrum: Spectrum) -> float:
    """Return φ / (1 − λ_{k+1}) from k + 1 singular values, infinite where the last cannot be told from 1."""
    gap = 1 - float(spectrum.values[-1]) ** 2
    return float(phi) / gap if gap > 2 * spectrum.enclosure_radius else float("inf")


def check_shared_targets(self_pair_fraction: float) -> None:
    """Raise InputError if all positive pairs are of an image with itself."""
    if 1 - self_pair_fraction < 1e-9:
        raise InputError("no two images share a target at this bandwidth, so φ is undefined; choose a larger one")


def _symmetric_operator(n: int, product: Any) -> LinearOperator:
    return LinearOperator((n, n), dtype=np.float64, matvec=product, rmatvec=product, matmat=product, rmatmat=product)
