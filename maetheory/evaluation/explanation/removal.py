"""Probes of features before and after directions are projected out of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.model_selection import StratifiedKFold

from maetheory.core import Estimate, Progress, no_progress
from maetheory.evaluation.probes import ProbeResult, knn_probe, linear_probe
from maetheory.evaluation.probes.linear_and_knn import accuracy_estimate

PROBES: Mapping[str, Callable[[Any, Any, Any, Any], ProbeResult]] = {"linear": linear_probe, "knn": knn_probe}
HALVES = 2
LEVEL = 0.95
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class RemovalEffect:
    """Accuracy of a probe after directions were projected out, and its change.

    Attributes
    ----------
    removed : str
        "1", "2", … for one direction, "first m" for all, "content-free subspace", or "nothing".
    probe : "linear" or "knn"
    accuracy : Estimate
        After the removal, 0 to 1, ± two binomial standard errors.
    change : float
        Accuracy after minus before, on the same images; above 0 is a gain.
    low, high : float
        Interval of the change that holds for all removals and probes of one readout together with 95 % (Bonferroni),
        paired over images (Agresti and Min 2005). The trained probes are taken as they are.
    """

    removed: str
    probe: str
    accuracy: Estimate
    change: float = 0.0
    low: float = 0.0
    high: float = 0.0

    @property
    def outcome(self) -> str:
        """Whether the probe "gains" or "loses" beyond the interval, else "undecided"."""
        return "gains" if self.low > 0 else "loses" if self.high < 0 else "undecided"


def usable_labels(labels: NDArray[np.integer] | None) -> NDArray[np.intp] | None:
    """Return the positions of images whose class has at least two; None without labels or with fewer than 2 classes."""
    if labels is None:
        return None
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    kept = np.flatnonzero(counts[inverse] >= HALVES)
    return kept if len(np.unique(labels[kept])) >= 2 else None


def project_out(Z: Floats, directions: Floats) -> Floats:
    """Return features (n, d) without their components along orthonormal directions (d, r): Z (I − V Vᵀ).

    The mean is not subtracted, so that the map is linear and can follow the encoder, as in SOAP (arXiv 2604.00172).

    Examples
    --------
    >>> project_out(np.array([[3.0, 4.0]]), np.array([[1.0], [0.0]])).tolist()
    [[0.0, 4.0]]
    """
    return Z - (Z @ directions) @ directions.T


def removal_effects(
    Z: Floats,
    labels: NDArray[np.integer],
    removals: Mapping[str, Floats],
    *,
    seed: int = 0,
    progress: Progress = no_progress,
) -> list[RemovalEffect]:
    """Return the accuracy of a linear probe and of k-NN without and with directions.

    The images are split into two halves with equal classes; a probe trained on each half classifies the other, so that
    every image is tested once.

    Parameters
    ----------
    Z : ndarray (n, d)
    labels : ndarray of int (n,)
        At least two classes, each of two images or more.
    removals : mapping from name to ndarray (d, r)
        Orthonormal directions to project out.
    seed : int
        Seed of the halves.
    progress : Progress

    Returns
    -------
    list of RemovalEffect
        For each probe, "nothing" and then every removal.
    """
    Z = np.asarray(Z, dtype=np.float64)
    splitter = StratifiedKFold(HALVES, shuffle=True, random_state=seed)
    halves = list(splitter.split(Z, labels))
    looks = len(PROBES) * len(removals)
    found, total = [], len(PROBES) * (len(removals) + 1)
    for probe in PROBES:
        before = _hits(probe, Z, labels, halves)
        found.append(RemovalEffect("nothing", probe, accuracy_estimate(before)))
        progress(len(found), total, "probing")
        for name, directions in removals.items():
            after = _hits(probe, project_out(Z, directions), labels, halves)
            change = float(after.mean() - before.mean())
            low, high = paired_interval(before, after, looks)
            found.append(RemovalEffect(name, probe, accuracy_estimate(after), change, low, high))
            progress(len(found), total, "probing")
    return found


def paired_interval(before: NDArray[np.bool_], after: NDArray[np.bool_], looks: int = 1) -> tuple[float, float]:
    """Return the interval of the change of an accuracy on the same images (Agresti and Min 2005).

    One half is added to each of the four counts of right and wrong, so that the interval has a width even where no
    image changes.

    Parameters
    ----------
    before, after : ndarray of bool (n,)
        Whether each image is classified rightly.
    looks : int, default 1
        Number of intervals that hold together with 95 %.

    Examples
    --------
    >>> right = np.arange(100) < 60
    >>> [round(end, 3) for end in paired_interval(right, right)]
    [-0.019, 0.019]
    """
    n = len(before) + 2
    gained, lost = float((after & ~before).sum()) + 0.5, float((before & ~after).sum()) + 0.5
    centre = (gained - lost) / n
    quantile = float(norm.ppf(1 - (1 - LEVEL) / (2 * looks)))
    error = quantile * float(np.sqrt(((gained + lost) / n - centre**2) / n))
    return centre - error, centre + error


def _hits(
    probe: str, Z: Floats, labels: NDArray[np.integer], halves: list[tuple[NDArray[np.intp], NDArray[np.intp]]]
) -> NDArray[np.bool_]:
    """Return whether each image is classified rightly by the probe that was trained on the other half."""
    hits = np.zeros(len(Z), dtype=bool)
    for train, test in halves:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of features that a removal left constant
            result = PROBES[probe](Z[train], labels[train], Z[test], labels[test])
        hits[test] = result.correct
    return hits
