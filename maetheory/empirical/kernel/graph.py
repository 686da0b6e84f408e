"""No two targets of real images coincide, so a kernel lets those that are alike be taken for one another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator

from maetheory.core import Estimate, InputError, Progress, generator, silent
from maetheory.data import ImageSet
from maetheory.empirical.kernel.gaussian_matrix import GaussianKernelMatrix, median_heuristic
from maetheory.empirical.kernel.leave_one_out import leave_one_out_error
from maetheory.empirical.kernel.masked_images import split
from maetheory.empirical.kernel.sharded_matrix import ShardedKernelMatrix, make_kernel_matrix
from maetheory.empirical.parallel.process_group import ProcessGroup, run_everywhere
from maetheory.spectra import Products, Spectrum, certify, tail
from maetheory.spectra.block_golub_kahan import WIDTH, block_golub_kahan_svd

N_GUARD_VECTORS = 16  # values beyond the k-th, so that what is left out lies clearly below it
STEPS = 48  # of Lanczos, which bound what is left out to within two per cent
MAX_BASIS_COLUMNS = 512  # columns of a basis: products are dear, memory is not
TOLERANCE = 1e-8  # of residuals, far below the rounding of the table
MAX_EXACT_IMAGES = 2048  # images whose augmentation graph is written down to take its norm
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class KernelGraph:
    """The mask graph of N images under one mask, its targets blurred by a Gaussian channel.

    View i is image i's own; its target is j with probability k(i, j) / Σ_l k(i, l), k the Gaussian kernel of targets.
    The joint law M is 1/N of that row-stochastic matrix. Blurring is a channel on targets, so every singular value is
    at most that of the unblurred graph, which is the identity (data processing). Bandwidth 0 gives the identity again,
    infinity σ = 1, 0, 0, …; between them the bandwidth decides, and no number here means anything without it. Errors
    are those of rounding: the numbers are of these images under this mask, not of the law they came from.

    Where several processes share the table, methods and properties must be called by all of them, in the same order,
    and the numbers that come back are the same for everyone.

    Attributes
    ----------
    table : GaussianTable or SharedTable
        The kernel k, unnormalised.
    views : ndarray, shape (N, v c)
        Pixels of the visible patches.
    labels : ndarray of int, shape (N,), or None
    mask : ndarray of bool, shape (p,)
        True = visible.
    """

    table: GaussianKernelMatrix | ShardedKernelMatrix
    views: np.ndarray
    labels: np.ndarray | None
    mask: np.ndarray

    @property
    def n(self) -> int:
        """Number of images, views and targets."""
        return self.table.n

    @property
    def bandwidth(self) -> float:
        """Bandwidth b of the kernel, in pixel units of [0, 1]."""
        return self.table.bandwidth

    @cached_property
    def _row_and_column_sums(self) -> tuple[np.ndarray, np.ndarray]:
        """Row sums r of k, and column sums c of k / r; the marginals of M are 1/N and c/N."""

        def sums() -> tuple[np.ndarray, np.ndarray]:
            rows = self.table.times(np.ones(self.n))
            return rows, self.table.times(1 / rows)

        return self.table.together(sums)

    @property
    def degrees(self) -> tuple[np.ndarray, np.ndarray]:
        """Marginals of views, all 1/N, and of targets, each of shape (N,)."""
        return np.full(self.n, 1 / self.n), self._row_and_column_sums[1] / self.n

    @property
    def normalized(self) -> LinearOperator:
        """Ā_M = D₁^-½ M D₂^-½ = diag(1/r) k diag(1/√c), matrix-free, shape (N, N).

        Of a shared table it is taken by all, and multiplied by the first process inside `table.together`.
        """
        rows, columns = self._row_and_column_sums
        root = np.sqrt(columns)

        def forward(x: np.ndarray) -> np.ndarray:  # (N,) or (N, c)
            return (self.table.times((x.T / root).T).T / rows).T

        def backward(y: np.ndarray) -> np.ndarray:
            return (self.table.times((y.T / rows).T).T / root).T

        return LinearOperator(
            (self.n, self.n), dtype=np.float64, matvec=forward, rmatvec=backward, matmat=forward, rmatmat=backward
        )

    def spectrum(self, k: int, *, seed: int = 0) -> Spectrum:
        """Return the k largest singular values of Ā_M with their certificate.

        They are those of the table as it was rounded to float32; `table.rounding` says how far its entries may be from
        the kernel's. The values of a kernel fall slowly, so sixteen more are found: a bound on what lies beyond those
        tells the k largest from the rest, where a bound on the next one would not.

        Raises
        ------
        InputError
            If k is not from 1 to N.
        """
        products = Products(self.normalized)

        def solve() -> Spectrum:
            if not 1 <= k <= self.n:
                raise InputError(f"k must lie between 1 and the {self.n} images, but it is {k}")
            spare = min(k + N_GUARD_VECTORS, self.n)
            found = block_golub_kahan_svd(
                products,
                spare,
                generator(seed, "start"),
                width=min(WIDTH, self.n),
                max_basis_columns=MAX_BASIS_COLUMNS,
                tolerance=TOLERANCE,
            )
            known = certify(products.matrix, found.values, found.left, found.right, seed=seed, steps=STEPS).first(k)
            return replace(known, matvecs=known.matvecs + products.count)

        return self.table.together(solve)

    @property
    def self_pair_fraction(self) -> Estimate:
        """Share of positive pairs that join an image with itself: at 1 the graph joins nothing, at 1/N everything."""
        return Estimate(float(self._self_pair_mass.sum()), self._rounding)

    @cached_property
    def _self_pair_mass(self) -> np.ndarray:
        """Mass of self pairs at each target, Σ_i M(i, j)² / d₂(j), shape (N,)."""
        rows, columns = self._row_and_column_sums
        return self.table.together(lambda: self.table.times(1 / rows**2, power=2)) / columns / self.n

    @cached_property
    def _target_classes(self) -> np.ndarray:
        """Joint law of target and class, (N, r)."""
        labels = self._labels()
        one_hot = (labels[:, None] == np.arange(labels.max() + 1)) / self._row_and_column_sums[0][:, None]
        return self.table.together(lambda: self.table.times(one_hot)) / self.n

    def pair_label_error(self, *, distinct: bool = True) -> Estimate:
        """φ: the probability that two views sharing a target have different labels; lower is better.

        Parameters
        ----------
        distinct : bool
            Whether pairs of an image with itself, which always agree, are left out, as sampling more images would; φ
            of the graph as it stands is ``distinct=False``.

        Raises
        ------
        InputError
            Without labels, or where no two different images meet.
        """
        law = self._target_classes
        value = 1 - float((law**2 / law.sum(1, keepdims=True)).sum())
        if distinct:
            check_shared_targets(self.self_pair_fraction)
        others = 1 - self.self_pair_fraction if distinct else 1.0
        return Estimate(max(value / others, 0.0), self._rounding * (1 + distinct) / others)

    def target_label_error(self) -> Estimate:
        """α₂ of the graph as it stands: the probability that a target's likeliest class is not its image's."""
        value = 1 - float(self._target_classes.max(1).sum())
        return Estimate(max(value, 0.0), self._rounding)

    def view_label_error(self, *, factor: float = 0.25, seed: int = 0) -> Estimate:
        """α, overestimated: how often a kernel vote of the other images' views misses an image's label.

        Each view is its own image's, so α of the graph itself is 0 and says nothing. The vote of all other views,
        weighted by a Gaussian of `factor` times their median distance, errs at least as often as the Bayes label;
        its error here is two binomial standard errors.
        """
        return leave_one_out_error(
            self.views,
            self._labels(),
            factor=factor,
            seed=seed,
            device=self.table.device,
            process_group=self.table.process_group,
        )

    def residual_bound(self, spectrum: Spectrum) -> float:
        """Return φ / (1 − λ_{k+1}), which bounds the probe residual of the first k spectral features (S3 i).

        Parameters
        ----------
        spectrum : Spectrum
            The first k + 1 singular values of this graph; λ = σ². φ is the graph's own, self pairs included.
        """
        return residual_bound(self.pair_label_error(distinct=False), spectrum)

    def tail(self, spectrum: Spectrum, k: int, *, seed: int = 0) -> Estimate:
        """Σ_{i>k} λ_i² = ‖Ā‖_F² − Σ_{i≤k} λ_i², λ = σ².

        The norm is exact for up to 2048 images; for more it comes from random probes (Hutch++), with two standard
        errors.

        Parameters
        ----------
        spectrum : Spectrum
            The first k singular values of this graph, or more.
        k : int
        seed : int
            Draws the probes.
        """
        matrix = self.normalized

        def twice(x: np.ndarray) -> np.ndarray:
            return np.asarray(matrix @ (matrix.T @ x))

        def beyond() -> Estimate:
            whole: Any = (
                twice(np.eye(self.n))
                if self.n <= MAX_EXACT_IMAGES
                else LinearOperator(
                    (self.n, self.n), dtype=np.float64, matvec=twice, rmatvec=twice, matmat=twice, rmatmat=twice
                )
            )
            return tail(whole, spectrum.values[:k] ** 2, seed=seed)

        found = self.table.together(beyond)
        off = 4 * spectrum.enclosure * float((spectrum.values[:k] ** 3).sum())
        return Estimate(found.value, found.error * (1 + found.sampled) + off, found.sampled)

    @property
    def _rounding(self) -> float:
        """Error of a sum of M(i, j)² / d₂(j) over all entries: six relative errors of k, and that of n terms added."""
        return 6 * self.table.rounding + _EPS * self.n

    def _labels(self) -> np.ndarray:
        if self.labels is None:
            raise InputError("this needs labels, but the images were given without")
        return self.labels


def residual_bound(phi: float, spectrum: Spectrum) -> float:
    """Return φ / (1 − λ_{k+1}) of k + 1 singular values, infinite where the last cannot be told from 1."""
    gap = 1 - float(spectrum.values[-1]) ** 2
    return float(phi) / gap if gap > 2 * spectrum.enclosure else float("inf")


def check_shared_targets(self_pair_fraction: float) -> None:
    """Raise InputError where all positive pairs are of an image with itself."""
    if 1 - self_pair_fraction < 1e-9:
        raise InputError(
            "no two images share a target at this bandwidth, so there are no pairs to look at; choose a larger one"
        )


def kernel_graph(
    images: ImageSet | np.ndarray,
    mask: np.ndarray,
    *,
    patch: int,
    labels: np.ndarray | None = None,
    bandwidth: float | None = None,
    factor: float = 0.25,
    device: str | torch.device = "cpu",
    room: int | None = None,
    scratch_dir: str | Path | None = None,
    seed: int = 0,
    process_group: ProcessGroup | None = None,
    progress: Progress = silent,
) -> KernelGraph:
    """Build the blurred mask graph of images under one mask.

    Parameters
    ----------
    images : ImageSet, or array (N, C, H, W)
        uint8 0..255 or float in [0, 1].
    mask : ndarray of bool, shape (p,)
        True = visible; shows and hides at least one patch.
    patch : int
        Side of a patch in pixels.
    labels : ndarray of int, shape (N,), optional
        Those of an ImageSet are its own.
    bandwidth : float, optional
        Of the Gaussian, in pixel units; by default `factor` times the median distance of two targets.
    factor : float
        0 gives the identity, infinity joins everything.
    device, room, scratch, progress
        As for `GaussianKernelMatrix`.
    seed : int
        Which images give the median.
    process_group : Ranks, optional
        Processes that call this together with the same arguments and share the table.

    Returns
    -------
    KernelGraph

    Raises
    ------
    InputError
        If the mask does not fit the images or shows or hides nothing, or the bandwidth is negative.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> graph = kernel_graph(rng.random((20, 1, 4, 4)), np.array([True, False, False, True]), patch=2, factor=1.0)
    >>> round(float(graph.spectrum(2).values[0]), 9)
    1.0
    """
    parts = run_everywhere(process_group, lambda: split(images, mask, patch, labels))
    if bandwidth is None:
        bandwidth = run_everywhere(
            process_group, lambda: median_heuristic(parts.targets, factor, generator(seed, "median"))
        )
    table = make_kernel_matrix(
        parts.targets,
        bandwidth,
        process_group=process_group,
        device=device,
        room=room,
        scratch_dir=scratch_dir,
        progress=progress,
    )
    return KernelGraph(table, parts.views, parts.labels, parts.mask)
