"""Two connected mask graphs on which several statements attain equality, and two encoders that no loss tells apart."""

from __future__ import annotations

import numpy as np

from maetheory.core import InputError
from maetheory.graph import MaskGraph


def three_view_graph() -> MaskGraph:
    """Mask graph of three views and three targets: connected, of rank three, no two views with the same targets."""
    return MaskGraph.from_joint([[0.1, 0.2, 0.0], [0.15, 0.05, 0.1], [0.0, 0.1, 0.3]])


def four_view_graph() -> MaskGraph:
    """Mask graph of four views and three targets: connected, of rank three, no two views with the same targets."""
    return MaskGraph.from_joint([[0.2, 0.05, 0.0], [0.1, 0.15, 0.05], [0.0, 0.1, 0.15], [0.1, 0.0, 0.1]])


def equal_loss_encoders(flip: float = 0.1) -> tuple[MaskGraph, np.ndarray, np.ndarray]:
    """Graph of augmented images and two encoders, both of minimal spectral loss; one knows the classes, one does not.

    Four images are the corners of a square, the targets of the graph; an augmentation, a view, flips each of the two
    coordinates of its image with probability `flip`. The class of a view is its first coordinate. Both coordinates have
    the same eigenvalue, so that a constant and one coordinate minimise the spectral contrastive loss whichever
    coordinate it is: a linear probe on the first has residual 0, and on the second ½, with a tie on every view. So the
    loss alone guarantees nothing below ½ here, and the bound φ / (1 − λ_{k+1}) is ½: the second encoder attains it, and
    the first is as far from it as can be.

    Parameters
    ----------
    flip : float, default 0.1
        Strictly between 0 and ½.

    Returns
    -------
    graph : MaskGraph
        The joint law of an augmentation and its image, with labels of the augmentations.
    informed, uninformed : ndarray, shape (4, 2)
        Features of the two encoders.

    Raises
    ------
    InputError
        If `flip` is out of range.

    References
    ----------
    The point is of Saunshi et al. 2022, Understanding Contrastive Learning Requires Incorporating Inductive Biases; the
    example is ours, with the loss of HaoChen et al. 2021.

    Examples
    --------
    >>> from maetheory.graph.functionals import spectral_loss
    >>> from maetheory.theory.exact_probe import probe_residual
    >>> graph, informed, uninformed = equal_loss_encoders()
    >>> [round(spectral_loss(graph, features), 12) for features in (informed, uninformed)]
    [-1.4096, -1.4096]
    >>> [round(probe_residual(graph, features), 12) for features in (informed, uninformed)]
    [0.0, 0.5]
    """
    if not 0 < flip < 0.5:
        raise InputError(f"flip must lie strictly between 0 and 0.5, but {flip} was given")
    kept = np.array([[1 - flip, flip], [flip, 1 - flip]])
    graph = MaskGraph.from_joint(np.kron(kept, kept) / 4, labels=[0, 0, 1, 1])
    first, second = np.array([1.0, 1.0, -1.0, -1.0]), np.array([1.0, -1.0, 1.0, -1.0])
    informed, uninformed = (np.stack([np.ones(4), (1 - 2 * flip) * axis], axis=1) for axis in (first, second))
    return graph, informed, uninformed
