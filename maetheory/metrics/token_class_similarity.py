"""Token-class alignment similarity (TCAS): how far a tokenizer is from telling classes apart, without training."""

from __future__ import annotations

from typing import Any

import numpy as np

from maetheory.core import InputError, as_numpy


def token_class_similarity(tokens: Any, labels: Any) -> float:
    """Return ``‖C − I‖_F² / r²``, C (r, r) the cosine similarity of the token counts of r classes; lower is better.

    Column c of the counts R says how often each token occurs in the images of class c; columns are brought to unit
    length, R̄, and C = R̄ᵀR̄. It is 0 where no token occurs in two classes, and (r − 1) / r, its maximum, where all
    classes have the same distribution of tokens. Neither the sizes of classes nor tokens' names matter.

    Parameters
    ----------
    tokens : array of int (N,) or (N, p)
        Token of each image, or of each of its p patches.
    labels : array of int (N,)
        Class of each image; at least two classes.

    Returns
    -------
    float
        In [0, (r − 1) / r]. Finitely many images bias it downwards if tokens are rare: tokens that occur once are
        class-wise, whatever they show. Compare tokenizers of one size on the same images.

    Raises
    ------
    InputError
        If tokens and labels are not whole numbers of these shapes, or there are fewer than two classes.

    References
    ----------
    The idea, its name and the distance from the identity over the squared number of classes are of Du, Wang and Wang,
    ICLR 2024 (ClusterMIM). Their normalisation of the counts was not at hand: unit length and the cosine are ours, so
    that values need not equal theirs.

    Examples
    --------
    >>> [round(token_class_similarity(tokens, [0, 0, 1, 1]), 12) for tokens in ([3, 3, 5, 5], [3, 5, 3, 5])]
    [0.0, 0.5]
    """
    codes, classes = as_numpy(tokens, "tokens"), as_numpy(labels, "labels")
    for name, array in (("tokens", codes), ("labels", classes)):
        if array.dtype.kind not in "iu":
            raise InputError(f"{name} must be whole numbers, but their type is {array.dtype}")
    if codes.ndim not in (1, 2) or codes.size == 0 or classes.shape != codes.shape[:1]:
        raise InputError(
            f"tokens must have shape (N,) or (N, p) and labels (N,), but their shapes are {codes.shape} and "
            f"{classes.shape}"
        )
    names, label_of = np.unique(classes, return_inverse=True)
    if len(names) < 2:
        raise InputError("similarities of classes need at least two classes, but there is one")
    known, token_of = np.unique(codes, return_inverse=True)
    counts = np.zeros((len(known), len(names)))
    np.add.at(counts, (token_of.reshape(len(codes), -1), label_of[:, None]), 1.0)
    counts /= np.linalg.norm(counts, axis=0)
    similarity = counts.T @ counts  # (r, tokens) @ (tokens, r)
    np.fill_diagonal(similarity, 0.0)
    return float((similarity**2).sum()) / len(names) ** 2
