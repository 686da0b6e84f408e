"""Builder of the kernel graph from images and a mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from maetheory.core import Progress, generator, no_progress
from maetheory.data import ImageSet
from maetheory.empirical.kernel.bandwidth import median_heuristic
from maetheory.empirical.kernel.graph import KernelGraph
from maetheory.empirical.kernel.masked_images import mask_images
from maetheory.empirical.kernel.sharded_matrix import make_kernel_matrix
from maetheory.empirical.parallel.process_group import ProcessGroup, run_everywhere


def kernel_graph(
    images: ImageSet | np.ndarray,
    mask: np.ndarray,
    *,
    patch: int,
    labels: np.ndarray | None = None,
    target_mask: np.ndarray | None = None,
    bandwidth: float | None = None,
    factor: float = 0.25,
    device: str | torch.device = "cpu",
    memory_budget: int | None = None,
    scratch_dir: str | Path | None = None,
    seed: int = 0,
    process_group: ProcessGroup | None = None,
    progress: Progress = no_progress,
) -> KernelGraph:
    """Build the mask graph of images under one mask with Gaussian-blurred targets.

    Parameters
    ----------
    images : ImageSet, or array (N, C, H, W)
        uint8 0..255 or float in [0, 1].
    mask : ndarray of bool, shape (p,)
        True = visible; at least one patch is visible and one hidden.
    patch : int
        Side of a patch in pixels.
    labels : ndarray of int, shape (N,), optional
        An ImageSet brings its own.
    target_mask : ndarray of bool, shape (p,), optional
        The patches of the target, for a prefix or a block that predicts another; by default those that are hidden.
    bandwidth : float, optional
        Of the Gaussian, in pixel units; by default `factor` times the median distance of two targets.
    factor : float
        0 gives the identity, infinity joins all images.
    device, memory_budget, scratch_dir, progress
        As for `GaussianKernelMatrix`.
    seed : int
        Chooses the images from which the median is estimated.
    process_group : ProcessGroup, optional
        Processes that all call this with the same arguments and share the kernel matrix.

    Returns
    -------
    KernelGraph

    Raises
    ------
    InputError
        If the mask does not fit the images, is all visible or all hidden, or the bandwidth is negative or too small.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> graph = kernel_graph(rng.random((20, 1, 4, 4)), np.array([True, False, False, True]), patch=2, factor=1.0)
    >>> round(float(graph.spectrum(2).values[0]), 9)
    1.0
    """
    masked = run_everywhere(process_group, lambda: mask_images(images, mask, patch, labels, target_mask))
    if bandwidth is None:
        bandwidth = run_everywhere(
            process_group, lambda: median_heuristic(masked.targets, factor, generator(seed, "median"))
        )
    matrix = make_kernel_matrix(
        masked.targets,
        bandwidth,
        process_group=process_group,
        device=device,
        memory_budget=memory_budget,
        scratch_dir=scratch_dir,
        progress=progress,
    )
    return KernelGraph(matrix, masked.views, masked.labels, masked.mask)
