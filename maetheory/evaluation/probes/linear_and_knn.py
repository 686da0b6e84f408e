"""Linear and k-nearest-neighbour probes of frozen features."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from maetheory.core import Estimate, InputError

MAX_ITERATIONS = 1000
RECIPE = (
    "standardised features, multinomial logistic regression, L2 with C = 1, L-BFGS, "
    f"at most {MAX_ITERATIONS} iterations"
)


class ProbeResult(NamedTuple):
    """Result of a probe.

    Attributes
    ----------
    accuracy : Estimate
        On the test images, 0 to 1, with two binomial standard errors.
    recipe : str
    correct : tuple of bool
        For each test image, in order, whether its prediction is right: what a comparison of two models on the same
        images is paired by.
    """

    accuracy: Estimate
    recipe: str
    correct: tuple[bool, ...]


def linear_probe(Z: Any, y: Any, Z_test: Any, y_test: Any, *, C: float = 1.0) -> ProbeResult:
    """Train a linear classifier on frozen features and test it.

    Parameters
    ----------
    Z, Z_test : array or tensor, shapes (N, d) and (M, d)
    y, y_test : array of int, shapes (N,) and (M,)
    C : float
        Inverse strength of the L2 penalty.

    Returns
    -------
    ProbeResult

    Raises
    ------
    InputError
        If lengths or widths differ, a feature is not finite, or there is only one class.

    Examples
    --------
    >>> Z, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
    >>> float(linear_probe(Z, y, Z, y).accuracy)
    1.0
    """
    features, labels, test, truth = check_probe_data(Z, y, Z_test, y_test)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=MAX_ITERATIONS, tol=1e-4))
    recipe = RECIPE.replace("C = 1", f"C = {C:g}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the recipe states it
        model.fit(features, labels)
    if model[-1].n_iter_.max() >= MAX_ITERATIONS:
        recipe += " (not converged)"
    return probe_result(model.predict(test) == truth, recipe)


def knn_probe(Z: Any, y: Any, Z_test: Any, y_test: Any, *, k: int = 20) -> ProbeResult:
    """Classify test features by a vote of their `k` nearest neighbours in cosine distance.

    Arguments, result and errors are those of `linear_probe`.
    """
    features, labels, test, truth = check_probe_data(Z, y, Z_test, y_test)
    k = min(k, len(labels))
    model = KNeighborsClassifier(n_neighbors=k)
    hits = model.fit(normalize(features), labels).predict(normalize(test)) == truth
    return probe_result(hits, f"{k} nearest neighbours, cosine distance, majority vote")


def check_probe_data(*values: Any) -> tuple[np.ndarray, ...]:
    """Return Z, y, Z_test, y_test as arrays, features in float64; errors are those of `linear_probe`."""
    Z, y, Z_test, y_test = (np.asarray(v.detach().cpu() if hasattr(v, "detach") else v) for v in values)
    for name, features, labels in (("Z", Z, y), ("Z_test", Z_test, y_test)):
        if features.ndim != 2 or len(features) != len(labels):
            raise InputError(
                f"{name} must be (N, d) with one label a row, but it is {features.shape} with {len(labels)} labels"
            )
        bad = int((~np.isfinite(features)).any(1).sum())
        if bad:
            raise InputError(f"{bad} rows of {name} hold NaN or infinity")
    if Z.shape[1] != Z_test.shape[1] or not len(Z_test):
        raise InputError(f"Z_test must be (M, {Z.shape[1]}) with M at least 1, as wide as Z, but it is {Z_test.shape}")
    if len(np.unique(y)) < 2:
        raise InputError("a probe needs at least two classes, but y holds one")
    return Z.astype(np.float64), y, Z_test.astype(np.float64), y_test


def probe_result(hits: np.ndarray, recipe: str) -> ProbeResult:
    """Return the result of a probe from whether each prediction (M,) is right."""
    return ProbeResult(accuracy_estimate(hits), recipe, tuple(hits.tolist()))


def accuracy_estimate(hits: np.ndarray) -> Estimate:
    """Return the fraction of hits (M,), with two binomial standard errors."""
    share = float(np.mean(hits))
    return Estimate(share, 2 * float(np.sqrt(share * (1 - share) / len(hits))), sampled=True)
