"""What other images say of an image's label is never better than the best guess."""

from __future__ import annotations

import numpy as np
import torch

from maetheory.core import Estimate, generator
from maetheory.empirical.kernel.gaussian_matrix import median_heuristic
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
    """Share of images whose label does not win a kernel vote of all other images; ties count as errors.

    Parameters
    ----------
    views : ndarray, shape (N, q)
    labels : ndarray of int, shape (N,)
    factor : float
        Width of the Gaussian weights, as a share of the median distance of two views.
    seed : int
        Which images give the median.
    process_group : Ranks, optional
        Processes that all have the views and share the work.

    Returns
    -------
    Estimate
        With two binomial standard errors over images.

    Examples
    --------
    >>> leave_one_out_error(np.array([[0.0], [0.1], [1.0], [1.1]]), np.array([0, 0, 1, 1]), factor=0.1, seed=0, device="cpu")
    0 (sampled)
    """
    width = median_heuristic(views, factor, generator(seed, "views"))
    table = make_kernel_matrix(views, width, device=device, keep=False, process_group=process_group)

    def lost() -> float:
        one_hot = (labels[:, None] == np.arange(labels.max() + 1)).astype(np.float64)  # (N, r)
        votes = table.times(one_hot) - one_hot  # without its own
        own = votes[np.arange(len(labels)), labels]
        others = np.where(one_hot > 0, -np.inf, votes).max(1)
        return float(np.mean(own <= np.maximum(others, 0.0)))

    share = table.together(lost)
    return Estimate(share, 2 * float(np.sqrt(share * (1 - share) / len(labels))), sampled=True)
