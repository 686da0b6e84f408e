"""Mask graphs of images whose targets are blurred by a Gaussian kernel.

Read `masked_images` (pixels of visible and hidden patches), `points` (their check and centring), `gaussian_matrix` (the
kernel matrix in tiles), `graph` (the kernel graph: spectrum, label errors, bound) and `build_graph`. `leave_one_out`
estimates the label error α of views, `bandwidth` sets the kernel's width, and `sharded_matrix` distributes the tiles
over a process group. `nearest_neighbours` and `nearest_neighbour_graph` truncate the kernel to the nearest targets;
`graph_summary` and `mask_average` average the quantities of a graph over masks.

>>> import numpy as np
>>> images, mask = np.random.default_rng(0).random((20, 1, 4, 4)), np.array([True, False, False, True])
>>> round(float(kernel_graph(images, mask, patch=2).spectrum(2).values[0]), 9)
1.0
"""

from maetheory.empirical.kernel.build_graph import kernel_graph
from maetheory.empirical.kernel.gaussian_matrix import GaussianKernelMatrix
from maetheory.empirical.kernel.graph import KernelGraph
from maetheory.empirical.kernel.mask_average import KernelAverage, average_over_masks
from maetheory.empirical.kernel.nearest_neighbour_graph import NeighbourGraph, neighbour_graph
from maetheory.empirical.kernel.sharded_matrix import ShardedKernelMatrix

__all__ = [
    "GaussianKernelMatrix",
    "KernelAverage",
    "KernelGraph",
    "NeighbourGraph",
    "ShardedKernelMatrix",
    "average_over_masks",
    "kernel_graph",
    "neighbour_graph",
]
