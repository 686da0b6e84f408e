"""Leave-one-out error of a Gaussian-kernel classifier on views, an upper estimate of the label error α.

No classifier of a view errs less often than the Bayes label, whose error is α.
"""

from __future__ import annotations

import numpy as np
import torch

from maetheory.core import Estimate, generator
from maetheory.empirical.kernel.bandwidth import median_heuristic
from maetheory.empirical.kernel.sharded_matrix import make_kernel_matrix
from maetheory.empirical.parallel.process_group import ProcessGroup


def leave_one_out_error(
    views: np.ndarray,
    labels: np.ndarray,
    *,
    factor: float,
    seed: int,
    device: str | torch.device,
    process_group: ProcessGroup | None = None,
) -> Estimate:
    """Fraction of images whose label does not win the kernel-weighted vote of all other images; ties are errors.

    Parameters
    ----------
    views : ndarray, shape (N, q)
    labels : ndarray of int, shape (N,)
    factor : float
        Width of the Gaussian weights, as a multiple of the median distance of two views.
    seed : int
        Chooses the images from which the median is estimated.
    device : str or torch.device
        Where the weights are computed.
    process_group : ProcessGroup, optional
        Processes that all have the views and share the work.

    Returns
    -------
    Estimate
        With two binomial standard errors over images.

    Examples
    --------
    >>> views, labels = np.array([[0.0], [0.1], [1.0], [1.1]]), np.array([0, 0, 1, 1])
    >>> leave_one_out_error(views, labels, factor=0.1, seed=0, device="cpu")
    0 (sampled)
    """
    width = median_heuristic(views, factor, generator(seed, "views"))
    matrix = make_kernel_matrix(views, width, device=device, cache=False, process_group=process_group)

    def error_rate() -> float:
        one_hot = (labels[:, None] == np.arange(labels.max() + 1)).astype(np.float64)  # (N, r)
        votes = matrix.matmul(one_hot) - one_hot  # the diagonal of the kernel is 1: each image's vote for itself
        own = votes[np.arange(len(labels)), labels]
        others = np.where(one_hot > 0, -np.inf, votes).max(1)
        return float(np.mean(own <= np.maximum(others, 0.0)))

    error = matrix.run_on_root(error_rate)
    return Estimate(error, 2 * float(np.sqrt(error * (1 - error) / len(labels))), sampled=True)
