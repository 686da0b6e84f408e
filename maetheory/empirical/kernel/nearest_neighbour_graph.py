"""Sparse mask graph: each target is blurred over its k nearest targets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import LinearOperator

from maetheory.core import Estimate, InputError, Progress, generator, no_progress
from maetheory.data import ImageSet
from maetheory.empirical.kernel.bandwidth import median_heuristic
from maetheory.empirical.kernel.graph import check_shared_targets, residual_bound
from maetheory.empirical.kernel.leave_one_out import leave_one_out_error
from maetheory.empirical.kernel.masked_images import mask_images, require_labels
from maetheory.empirical.kernel.nearest_neighbours import nearest_neighbours
from maetheory.graph import MaskGraph
from maetheory.spectra import Spectrum

CHUNK_ROWS = 1024  # of the augmentation graph, formed at a time
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class NeighbourGraph:
    """Sparse mask graph of N images under one mask, each target blurred over its nearest targets.

    View i belongs to image i; its target is one of the `neighbours` targets nearest to that of image i, **itself
    included**, with probabilities proportional to a Gaussian of their distance: the truncated kernel graph. One
    neighbour gives the identity, N neighbours give the kernel graph, and an infinite bandwidth gives equal weights.
    Neighbourhood is not mutual, so M is not symmetric, but blurring is a channel on targets all the same. Components,
    spectrum with certificate and label errors are the exact ones of `MaskGraph`.

    Attributes
    ----------
    graph : MaskGraph
        Its joint law M is sparse, with `neighbours` entries in a row, or fewer where a weight is zero.
    views : ndarray, shape (N, v c)
        Pixels of the visible patches.
    mask : ndarray of bool, shape (p,)
        True = visible.
    neighbours : int
        Number of targets over which a target is blurred, itself included.
    bandwidth : float
        Of the Gaussian, in pixel units of [0, 1].
    device : torch.device
        Where distances of views are computed.
    """

    graph: MaskGraph
    views: np.ndarray
    mask: np.ndarray
    neighbours: int
    bandwidth: float
    device: torch.device

    @property
    def n(self) -> int:
        """Number of images, views and targets."""
        return self.graph.shape[0]

    @property
    def labels(self) -> np.ndarray | None:
        """Class of each image."""
        return self.graph.image_labels

    @property
    def degrees(self) -> tuple[np.ndarray, np.ndarray]:
        """Marginals of views, all 1/N, and of targets, each of shape (N,)."""
        return self.graph.degrees

    @property
    def normalized(self) -> LinearOperator:
        """Ā_M = D₁^-½ M D₂^-½, shape (N, N)."""
        return self.graph.normalized

    @property
    def n_components(self) -> int:
        """Number of connected components, the multiplicity of σ = 1."""
        return self.graph.n_components

    def spectrum(self, k: int, *, seed: int = 0) -> Spectrum:
        """Return the k largest singular values of Ā_M, component by component, with their certificate."""
        return self.graph.spectrum(k, seed=seed)

    @cached_property
    def self_pair_fraction(self) -> Estimate:
        """Fraction of positive pairs whose two views come from one image: 1 without blur, 1/N with infinite blur."""
        square = self.graph.joint.power(2)
        value = float((square @ (1 / self.degrees[1])).sum())
        return Estimate(value, _EPS * square.nnz * value)

    def pair_label_error(self, *, distinct: bool = True) -> Estimate:
        """φ of pairs of two different images, or with ``distinct=False`` of all pairs, as for `KernelGraph`.

        Raises
        ------
        InputError
            Without labels, or if no two different images share a target.
        """
        own = self.graph.pair_label_error()
        if not distinct:
            return own
        check_shared_targets(self.self_pair_fraction)
        others = 1 - self.self_pair_fraction.value
        return Estimate(own.value / others, (own.error + own.value / others * self.self_pair_fraction.error) / others)

    def target_label_error(self) -> Estimate:
        """α₂ of this graph: the probability that a target's most probable class is not its image's."""
        return self.graph.target_label_error()

    def view_label_error(self, *, factor: float = 0.25, seed: int = 0) -> Estimate:
        """Upper estimate of α: the leave-one-out error of a kernel-weighted vote of views, as for `KernelGraph`."""
        labels = require_labels(self.labels)
        return leave_one_out_error(self.views, labels, factor=factor, seed=seed, device=self.device)

    def residual_bound(self, spectrum: Spectrum) -> float:
        """Return φ / (1 − λ_{k+1}), as for `KernelGraph`."""
        return residual_bound(self.pair_label_error(distinct=False), spectrum)

    def tail_energy(self, spectrum: Spectrum, k: int, *, seed: int = 0) -> Estimate:
        """Σ_{i>k} λ_i² = ‖Ā‖_F² − Σ_{i≤k} λ_i², up to rounding error and enclosure; `seed` is not used."""
        matrix = self.graph.normalized_matrix
        whole = sum(
            float(((matrix[start : start + CHUNK_ROWS] @ matrix.T).data ** 2).sum())
            for start in range(0, self.n, CHUNK_ROWS)
        )
        values = spectrum.values[:k]
        error = 4 * spectrum.enclosure_radius * float((values**3).sum()) + _EPS * self.n * whole
        return Estimate(max(whole - float((values**4).sum()), 0.0), error)


def neighbour_graph(
    images: ImageSet | np.ndarray,
    mask: np.ndarray,
    *,
    neighbours: int,
    patch: int,
    labels: np.ndarray | None = None,
    target_mask: np.ndarray | None = None,
    bandwidth: float | None = None,
    factor: float = 0.25,
    device: str | torch.device = "cpu",
    seed: int = 0,
    progress: Progress = no_progress,
) -> NeighbourGraph:
    """Build the sparse mask graph of images under one mask, each target blurred over its nearest targets.

    Parameters
    ----------
    images, mask, patch, labels, target_mask, bandwidth, factor, device, seed, progress
        As for `kernel_graph`; an infinite bandwidth or factor gives equal weights.
    neighbours : int
        Number of targets over which a target is blurred, from 1 (itself) to N. Ties go to the target itself, then to
        the lower index.

    Returns
    -------
    NeighbourGraph

    Raises
    ------
    InputError
        If mask or labels do not fit the images, the bandwidth is negative, or the number of neighbours is out of range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> mask = np.array([True, False, False, True])
    >>> neighbour_graph(rng.random((20, 1, 4, 4)), mask, neighbours=1, patch=2).n_components
    20
    """
    masked = mask_images(images, mask, patch, labels, target_mask)
    if bandwidth is None:
        bandwidth = median_heuristic(masked.targets, factor, generator(seed, "median"))
    if not bandwidth >= 0:
        raise InputError(f"the bandwidth must not be negative, but it is {bandwidth}")
    indices, squared_distances = nearest_neighbours(masked.targets, neighbours, device=device, progress=progress)
    weights = _row_weights(squared_distances, bandwidth)
    n = len(indices)
    joint = sparse.csr_array(
        (weights.ravel() / n, indices.ravel(), np.arange(0, indices.size + 1, neighbours)), shape=(n, n)
    )
    graph = MaskGraph.from_joint(joint, masked.labels)
    return NeighbourGraph(graph, masked.views, masked.mask, neighbours, float(bandwidth), torch.device(device))


def _row_weights(squared_distances: np.ndarray, bandwidth: float) -> np.ndarray:
    """Gaussian weights, normalised to sum to one in each row, (N, neighbours)."""
    with np.errstate(over="ignore"):  # an overflowing ratio of distance to bandwidth gives weight 0
        weights = (
            (squared_distances == 0).astype(float)
            if bandwidth == 0
            else np.exp(-0.5 * (squared_distances / bandwidth) / bandwidth)
        )
    return weights / weights.sum(1, keepdims=True)
