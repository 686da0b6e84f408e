"""A target may be taken for its nearest neighbours only, and then the graph of real images is sparse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import LinearOperator

from maetheory.core import Estimate, InputError, Progress, generator, silent
from maetheory.data import ImageSet
from maetheory.empirical.kernel.gaussian_matrix import median_heuristic
from maetheory.empirical.kernel.graph import check_shared_targets, residual_bound
from maetheory.empirical.kernel.leave_one_out import leave_one_out_error
from maetheory.empirical.kernel.masked_images import split
from maetheory.empirical.kernel.nearest_neighbours import nearest
from maetheory.graph import MaskGraph
from maetheory.spectra import Spectrum

CHUNK_ROWS = 1024  # of the augmentation graph, written down at a time
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class NeighbourGraph:
    """The mask graph of N images under one mask, each target blurred to its nearest ones.

    View i is image i's own; its target is one of the `neighbours` targets nearest to i's own, **itself included**, with
    probabilities in proportion to a Gaussian of their distance: the kernel graph, cut. One neighbour gives the
    identity, N give the kernel graph, and an infinite bandwidth equal weights. Neighbourhood is not mutual, but M need
    not be symmetric: it is a channel on targets all the same. What `MaskGraph` knows is exact: components, the
    spectrum with its certificate, label errors.

    Attributes
    ----------
    graph : MaskGraph
        M sparse, with `neighbours` entries in a row, or fewer where a weight is zero.
    views : ndarray, shape (N, v c)
        Pixels of the visible patches.
    mask : ndarray of bool, shape (p,)
        True = visible.
    neighbours : int
        How many targets a target may be taken for, itself included.
    bandwidth : float
        Of the Gaussian, in pixel units of [0, 1].
    device : torch.device
        Where views are compared.
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
        """Share of positive pairs that join an image with itself: at 1 the graph joins nothing, at 1/N everything."""
        square = self.graph.joint.power(2)
        value = float((square @ (1 / self.degrees[1])).sum())
        return Estimate(value, _EPS * square.nnz * value)

    def pair_label_error(self, *, distinct: bool = True) -> Estimate:
        """φ, as for `KernelGraph`: of pairs of two images, or with ``distinct=False`` of all pairs.

        Raises
        ------
        InputError
            Without labels, or where no two different images meet.
        """
        own = self.graph.pair_label_error()
        if not distinct:
            return own
        check_shared_targets(self.self_pair_fraction)
        others = 1 - self.self_pair_fraction.value
        return Estimate(own.value / others, (own.error + own.value / others * self.self_pair_fraction.error) / others)

    def target_label_error(self) -> Estimate:
        """α₂ of the graph as it stands: the probability that a target's likeliest class is not its image's."""
        return self.graph.target_label_error()

    def view_label_error(self, *, factor: float = 0.25, seed: int = 0) -> Estimate:
        """α, overestimated by the vote of all other images' views, as for `KernelGraph`."""
        if self.labels is None:
            raise InputError("this needs labels, but the images were given without")
        return leave_one_out_error(self.views, self.labels, factor=factor, seed=seed, device=self.device)

    def residual_bound(self, spectrum: Spectrum) -> float:
        """Return φ / (1 − λ_{k+1}), as for `KernelGraph`."""
        return residual_bound(self.pair_label_error(distinct=False), spectrum)

    def tail(self, spectrum: Spectrum, k: int, *, seed: int = 0) -> Estimate:
        """Σ_{i>k} λ_i² = ‖Ā‖_F² − Σ_{i≤k} λ_i², exact up to rounding and enclosure; `seed` is not used."""
        matrix = self.graph.normalized_matrix
        whole = sum(
            float(((matrix[start : start + CHUNK_ROWS] @ matrix.T).data ** 2).sum())
            for start in range(0, self.n, CHUNK_ROWS)
        )
        values = spectrum.values[:k]
        off = 4 * spectrum.enclosure * float((values**3).sum()) + _EPS * self.n * whole
        return Estimate(max(whole - float((values**4).sum()), 0.0), off)


def neighbour_graph(
    images: ImageSet | np.ndarray,
    mask: np.ndarray,
    *,
    neighbours: int,
    patch: int,
    labels: np.ndarray | None = None,
    bandwidth: float | None = None,
    factor: float = 0.25,
    device: str | torch.device = "cpu",
    seed: int = 0,
    progress: Progress = silent,
) -> NeighbourGraph:
    """Build the mask graph of images under one mask, each target blurred to its nearest ones.

    Parameters
    ----------
    images, mask, patch, labels, bandwidth, factor, device, seed, progress
        As for `kernel_graph`; an infinite bandwidth or factor gives equal weights.
    neighbours : int
        How many targets a target may be taken for, from 1 (itself) to N. Ties go to the lower index, itself first.

    Returns
    -------
    NeighbourGraph

    Raises
    ------
    InputError
        If mask or labels do not fit the images, the bandwidth is negative, or there are not so many neighbours.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> mask = np.array([True, False, False, True])
    >>> neighbour_graph(rng.random((20, 1, 4, 4)), mask, neighbours=1, patch=2).n_components
    20
    """
    parts = split(images, mask, patch, labels)
    if bandwidth is None:
        bandwidth = median_heuristic(parts.targets, factor, generator(seed, "median"))
    if not bandwidth >= 0:
        raise InputError(f"the bandwidth must not be negative, but it is {bandwidth}")
    indices, squared_distances = nearest(parts.targets, neighbours, device=device, progress=progress)
    weights = _row_weights(squared_distances, bandwidth)
    n = len(indices)
    joint = sparse.csr_array(
        (weights.ravel() / n, indices.ravel(), np.arange(0, indices.size + 1, neighbours)), shape=(n, n)
    )
    graph = MaskGraph.from_joint(joint, parts.labels)
    return NeighbourGraph(graph, parts.views, parts.mask, neighbours, float(bandwidth), torch.device(device))


def _row_weights(squared_distances: np.ndarray, bandwidth: float) -> np.ndarray:
    """Gaussian weights that sum to one in each row, (N, neighbours)."""
    with np.errstate(over="ignore"):  # far apart beside a tiny bandwidth: weight 0
        weights = (
            (squared_distances == 0).astype(float)
            if bandwidth == 0
            else np.exp(-0.5 * (squared_distances / bandwidth) / bandwidth)
        )
    return weights / weights.sum(1, keepdims=True)
