"""Exact population losses of a feature map on a mask graph.

Every loss is a finite sum, exact up to rounding error. Features are arrays with one row per view or target of the
graph: ``h`` (N1, d), ``h_g`` (N2, d), ``targets`` (N2, d), ``f`` (N1, k). Squares are summed as squares, never as
differences of large numbers, so that a loss of zero is computed as zero. NaN in an argument gives NaN. Every loss
raises `SquaresOverflowError`, an `InputError`, if finite numbers have an infinite loss in float64.

References
----------
Zhang, Wang and Wang 2022, How Mask Matters (Eqs. 2, 4, 11); HaoChen et al. 2021 for the spectral contrastive loss.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import sparse

from maetheory.core import InputError, SquaresOverflowError, as_float64
from maetheory.graph.mask_graph import MaskGraph

_CHUNK = 2**21  # numbers in a chunk of pairs, 16 MiB


def reconstruction_loss(graph: MaskGraph, h: np.ndarray, targets: np.ndarray) -> float:
    """L_MAE(h) = E ‖h(x₁) − x₂‖² (Eq. 2); ≥ 0, lower is better.

    Raises
    ------
    InputError
        Here and below: if the number of rows does not match the graph, or two widths differ.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.5, 0.5]])
    >>> reconstruction_loss(graph, np.array([[0.0]]), np.array([[1.0], [-1.0]]))
    1.0
    """
    h, targets = check_view_features(graph, h), check_target_features(graph, targets)
    return _mean_squared_distance(graph.joint, h, targets)


def asymmetric_alignment(graph: MaskGraph, h: np.ndarray, h_g: np.ndarray) -> float:
    """L_asym(h) = −E h(x₁)ᵀ h_g(x₂) (Eq. 4); lower is better.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.5, 0.5]])
    >>> asymmetric_alignment(graph, np.array([[2.0]]), np.array([[1.0], [3.0]]))
    -4.0
    """
    h, h_g = check_view_features(graph, h), check_target_features(graph, h_g)
    _check_widths(h, h_g)
    with np.errstate(over="ignore", invalid="ignore"):
        found = -float((h * (graph.joint @ h_g)).sum())  # (N1, N2) @ (N2, d) -> (N1, d)
    return _check_finite(found, "the asymmetric alignment", h, h_g)


def alignment_loss(graph: MaskGraph, h: np.ndarray) -> float:
    """L_align(h) = −E h(x₁)ᵀ h(x₁⁺) over mask-induced positive pairs; ≤ 0, lower is better.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.5], [0.5]])
    >>> alignment_loss(graph, np.array([[1.0], [3.0]]))
    -4.0
    """
    return -mean_square(graph.degrees[1], conditional_mean(graph, h))


def positive_pair_distance(graph: MaskGraph, h: np.ndarray) -> float:
    """E ‖h(x₁) − h(x₁⁺)‖² = 2 E ‖h(x₁) − E[h|x₂]‖²; ≥ 0, zero iff h is constant on every component.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.5], [0.5]])
    >>> positive_pair_distance(graph, np.array([[1.0], [3.0]]))
    2.0
    """
    return 2.0 * _mean_squared_distance(graph.joint, check_view_features(graph, h), conditional_mean(graph, h))


def uniformity_loss(graph: MaskGraph, f: np.ndarray) -> float:
    """L_unif(f) = E (f(x₁)ᵀ f(x₁⁻))² = ‖FᵀF‖_F² for an independent x₁⁻ (Eq. 11); ≥ 0, lower is more uniform.

    The exact expectation over two independent views, equal ones included; features are not normalised.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.5], [0.5]])
    >>> uniformity_loss(graph, np.eye(2))
    0.5
    """
    f = check_view_features(graph, f)
    with np.errstate(over="ignore", invalid="ignore"):
        moment = f.T @ (graph.degrees[0][:, None] * f)  # (k, N1) @ (N1, k) -> (k, k)
        found = float((moment**2).sum())
    return _check_finite(found, "the uniformity loss", f)


def spectral_loss(graph: MaskGraph, f: np.ndarray) -> float:
    """L_spec(f) = 2 L_align(f) + L_unif(f) = ‖Ā − FFᵀ‖_F² − ‖Ā‖_F² (HaoChen et al. 2021); lower is better.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.5], [0.5]])
    >>> spectral_loss(graph, np.ones((2, 1)))
    -1.0
    """
    return 2.0 * alignment_loss(graph, f) + uniformity_loss(graph, f)


def conditional_mean(graph: MaskGraph, h: np.ndarray) -> np.ndarray:
    """E[h(x₁) | x₂], shape (N2, d): the mean prediction over the views of each target."""
    return (graph.joint.T @ check_view_features(graph, h)) / graph.degrees[1][:, None]  # (N2, N1) @ (N1, d) -> (N2, d)


def best_prediction(graph: MaskGraph, targets: np.ndarray) -> np.ndarray:
    """E[x₂ | x₁], shape (N1, d): the minimiser of L_MAE over all h."""
    sums = graph.joint @ check_target_features(graph, targets)  # (N1, N2) @ (N2, d) -> (N1, d)
    return sums / graph.degrees[0][:, None]


def irreducible_loss(graph: MaskGraph, targets: np.ndarray) -> float:
    """E Var(x₂ | x₁) = min_h L_MAE(h); ≥ 0, a property of the data and the mask law."""
    return _mean_squared_distance(graph.joint, best_prediction(graph, targets), check_target_features(graph, targets))


def target_variance(graph: MaskGraph, targets: np.ndarray) -> float:
    """Var(x₂) = E ‖x₂ − E x₂‖², the lower bound of the paper on the loss of a constant encoder.

    It depends on the embedding of the targets.
    """
    targets = check_target_features(graph, targets)
    d2 = graph.degrees[1]
    return mean_square(d2, targets - d2 @ targets)


def target_variance_given_mask(graph: MaskGraph, targets: np.ndarray, masks: np.ndarray | None = None) -> float:
    """E_m Var(x₂ | m), the least loss of a constant encoder whose decoder knows the mask.

    It is the same for every embedding of the targets.

    Parameters
    ----------
    graph : MaskGraph
    targets : ndarray, shape (N2, d)
    masks : ndarray of int, shape (N2,), optional
        Index of the mask of each target; by default from the enumerated world.

    Raises
    ------
    InputError
        If `masks` is not given and unknown: the graph was built from a joint law, or positions were dropped.
    """
    targets, d2 = check_target_features(graph, targets), graph.degrees[1]
    groups = graph.target_masks if masks is None else np.unique(masks, return_inverse=True)[1]
    if groups.shape != d2.shape:
        raise InputError(f"masks must hold one number per target, {len(d2)}, but their shape is {groups.shape}")
    member = sparse.csr_array((d2, groups, np.arange(len(d2) + 1)))  # (N2, m)
    mean = (member.T @ targets) / np.bincount(groups, d2)[:, None]  # (m, N2) @ (N2, d) -> (m, d)
    return mean_square(d2, targets - mean[groups])


def mean_square(degrees: np.ndarray, features: np.ndarray) -> float:
    """E ‖f‖² under the marginal `degrees` (N,), with one row of `features` (N, d) per node.

    Examples
    --------
    >>> mean_square(np.array([0.5, 0.5]), np.array([[1.0], [3.0]]))
    5.0
    """
    features = as_float64(features, "features")
    with np.errstate(over="ignore", invalid="ignore"):
        found = float(degrees @ (features**2).sum(1))
    return _check_finite(found, "a mean square", features)


def check_view_features(graph: MaskGraph, h: np.ndarray) -> np.ndarray:
    """Return `h` as a float64 (N1, d) array, or raise InputError."""
    return _check_rows(h, graph.shape[0], "view")


def check_target_features(graph: MaskGraph, h: np.ndarray) -> np.ndarray:
    """Return `h` as a float64 (N2, d) array, or raise InputError."""
    return _check_rows(h, graph.shape[1], "target")


def _check_rows(features: np.ndarray, n: int, what: str) -> np.ndarray:
    features = as_float64(features, f"the array with a row per {what}")
    if features.ndim != 2 or len(features) != n:
        raise InputError(f"this needs one row for each of the graph's {n} {what}s, but its shape is {features.shape}")
    return features


def _check_widths(a: np.ndarray, b: np.ndarray) -> None:
    if a.shape[1] != b.shape[1]:
        raise InputError(
            f"views and targets must have equally many columns, but they have {a.shape[1]} and {b.shape[1]}"
        )


def _mean_squared_distance(joint: sparse.csr_array, a: np.ndarray, b: np.ndarray) -> float:
    """Return Σ M_ij ‖a_i − b_j‖², computed in chunks of pairs to bound the memory."""
    _check_widths(a, b)
    rows = np.repeat(np.arange(joint.shape[0]), np.diff(joint.indptr))
    step, total = max(1, _CHUNK // max(1, a.shape[1])), 0.0
    for start in range(0, joint.nnz, step):
        chunk = slice(start, start + step)
        with np.errstate(over="ignore", invalid="ignore"):
            difference = a[rows[chunk]] - b[joint.indices[chunk]]  # (pairs, d)
            total += float(joint.data[chunk] @ (difference**2).sum(1))
    return _check_finite(total, "a mean squared distance", a, b)


def _check_finite(value: float, what: str, *arrays: np.ndarray) -> float:
    """Return `value`; raise SquaresOverflowError if it is not finite although all arrays are."""
    if not math.isfinite(value) and all(np.isfinite(array).all() for array in arrays):
        raise SquaresOverflowError(what)
    return value
