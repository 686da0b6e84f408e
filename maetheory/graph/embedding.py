"""Spectral embedding of views as a scikit-learn transformer, with Nyström extension to new views."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from maetheory.core import InputError
from maetheory.graph.mask_graph import MaskGraph


class MaskGraphEmbedding(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Spectral embedding of the views of a mask graph.

    The i-th feature of a view is σ_i u_i(x₁)/√d₁(x₁), with (σ_i, u_i, v_i) the singular triplets of D₁^-½ M D₂^-½.
    These features minimise the spectral contrastive loss, and a linear map of them predicts the labels with an error
    of at most φ/(1 − σ²_{k+1}). The first feature is constant on a connected graph. Because
    D₁^-½ M D₂^-½ v_i = σ_i u_i, a feature is the mean of v_i(x₂)/√d₂(x₂) over the targets of the view, so a view
    outside the graph is embedded from its targets alone (Nyström).

    Parameters
    ----------
    k : int, default 2
        Number of features, from 1 to min(N1, N2).
    seed : int, default 0
        Seed of `MaskGraph.spectrum`; clones of the estimator give the same features.

    Attributes
    ----------
    embedding_ : ndarray (N1, k)
        Features of the views of the graph.
    target_embedding_ : ndarray (N2, k)
        v_i(x₂)/√d₂(x₂); the features of a view are their means over its targets.
    singular_values_ : ndarray (k,)
        σ, descending.
    n_features_in_ : int
        N2.

    References
    ----------
    HaoChen et al. 2021, Provable Guarantees for Self-Supervised Deep Learning with Spectral Contrastive Loss; Bengio et
    al. 2004, Out-of-Sample Extensions for LLE, Isomap, MDS, Eigenmaps, and Spectral Clustering.

    Examples
    --------
    >>> joint = np.array([[0.2, 0.1, 0.0], [0.2, 0.0, 0.0], [0.0, 0.0, 0.5]])
    >>> layout = MaskGraphEmbedding(k=3).fit(joint)
    >>> layout.singular_values_.round(3)
    array([1.   , 1.   , 0.408])
    >>> unseen = [[3.0, 1.0, 0.0]]  # counts of the targets of a new view, a mixture of the first two
    >>> np.allclose(layout.transform(unseen), (3 * layout.embedding_[0] + layout.embedding_[1]) / 4)
    True
    """

    def __init__(self, k: int = 2, *, seed: int = 0) -> None:
        self.k = k
        self.seed = seed

    def fit(self, X: Any, y: Any = None) -> Self:
        """Compute the singular vectors of a mask graph.

        Parameters
        ----------
        X : MaskGraph, or array or sparse array, shape (N1, N2)
            The graph, or its joint law as for `MaskGraph.from_joint`.
        y : ignored

        Raises
        ------
        InputError
            If the joint law is invalid, or k is out of range.
        """
        graph = X if isinstance(X, MaskGraph) else MaskGraph.from_joint(X)
        found = graph.spectrum(self.k, seed=self.seed)
        views, targets = graph.degrees
        self.embedding_ = found.left * found.values / np.sqrt(views)[:, None]
        self.target_embedding_ = found.right / np.sqrt(targets)[:, None]
        self.singular_values_ = found.values
        self.n_features_in_ = graph.shape[1]
        return self

    def fit_transform(self, X: Any, y: Any = None, **_: Any) -> np.ndarray:
        """Fit, and return the features of the views of the graph, (N1, k); arguments and errors as for `fit`."""
        return self.fit(X).embedding_

    def transform(self, X: Any) -> np.ndarray:
        """Return the features of views, each given by its distribution over the targets of the fitted graph.

        Parameters
        ----------
        X : MaskGraph, or array or sparse array, shape (n, N2)
            Rows of joint probabilities, conditional probabilities or counts; only their proportions matter.

        Returns
        -------
        ndarray (n, k)
            For the fitted graph equal to `embedding_` up to rounding error.

        Raises
        ------
        InputError
            If a row does not have N2 entries, or is zero, or has a negative or non-finite entry.
        """
        check_is_fitted(self)
        rows = _check_view_rows(X.joint if isinstance(X, MaskGraph) else X, self.n_features_in_)
        mass = np.asarray(rows.sum(axis=1))
        return np.asarray(rows @ self.target_embedding_) / mass[:, None]  # (n, N2) @ (N2, k) -> (n, k)

    @property
    def _n_features_out(self) -> int:
        return len(self.singular_values_)


def _check_view_rows(X: Any, n_targets: int) -> sparse.csr_array:
    rows = sparse.csr_array(X if sparse.issparse(X) else np.atleast_2d(np.asarray(X, dtype=float)))
    if rows.shape[1] != n_targets:
        raise InputError(
            f"views must be rows over the {n_targets} targets of the fitted graph, but their shape is {rows.shape}"
        )
    if not np.isfinite(rows.data).all() or (rows.data < 0).any():
        raise InputError("views must be finite and non-negative rows, but one has a negative or non-finite entry")
    empty = np.flatnonzero(np.asarray(rows.sum(axis=1)) == 0)
    if empty.size:
        raise InputError(f"each view must have a target of the fitted graph, but row {empty[0]} is zero")
    return rows
