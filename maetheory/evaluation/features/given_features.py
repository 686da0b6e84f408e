"""Features that are given as an array, without the model that computed them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from maetheory.core import InputError, printable
from maetheory.core.memory import check_memory

FEATURES_READOUT = "features"
NO_NETWORK = (
    "the features came without their network: there is no initialisation to compare with, so the answers rest on "
    "absolute values and on shuffled columns"
)
MAX_DIMENSIONS_PER_ROW = 10
"""Dimensions for each image, beyond which an array is rather transposed."""
_MAX_LISTED = 8
_SECOND_MOMENT_BYTES = 16  # per pair of dimensions, in float64: the sum and its decomposition


def is_feature_array(value: Any) -> bool:
    """Return whether a value is an array of numbers rather than a model."""
    return isinstance(value, np.ndarray | Tensor | pd.DataFrame) and not isinstance(value, torch.nn.Parameter)


def check_features(features: Any, what: str = "the array") -> tuple[NDArray[np.floating[Any]], tuple[str, ...]]:
    """Return features as a NumPy array (n, d) of float32 or float64, and notes on what a reader should know.

    Parameters
    ----------
    features : array, tensor or DataFrame, shape (n, d)
        Floating point of any width; one row per image.
    what : str
        How errors call it.

    Raises
    ------
    InputError
        If it is not a matrix of finite floating-point numbers with at least three rows.

    Examples
    --------
    >>> rows, notes = check_features(np.eye(4)[:, :3] + np.arange(4.0)[:, None])
    >>> rows.shape, notes
    ((4, 3), ())
    >>> check_features(np.zeros((5, 197, 768)))
    Traceback (most recent call last):
    maetheory.core.errors.InputError: the array has shape (5, 197, 768), but features are one row per image, (n, d): of
    tokens (n, t, d) take the cls token, Z[:, 0], or the mean of the patches, Z[:, 1:].mean(1)
    """
    if isinstance(features, pd.DataFrame):
        features = _numbers_of_frame(features, what)
    if isinstance(features, Tensor):
        features = _numpy_of_tensor(features, what)
    _check_matrix(features, what)
    d = features.shape[1]
    check_memory(_SECOND_MOMENT_BYTES * d**2, f"the second moments of {d} dimensions in {what}", "take fewer columns")
    rows = np.ascontiguousarray(features if features.dtype in (np.float32, np.float64) else _to_native_float(features))
    finite = np.isfinite(rows).all(1)
    if not finite.all():
        bad = np.flatnonzero(~finite)
        raise InputError(
            f"{what} holds NaN or infinity in {len(bad)} of {len(rows)} rows, first in row {bad[0]}; features are "
            "finite"
        )
    return rows, _notes_on_rows(rows)


def reduce_tokens(
    tokens: NDArray[np.floating[Any]], readout: str | None, prefix_tokens: int | None, what: str
) -> tuple[NDArray[np.floating[Any]], str]:
    """Return one row per image of tokens (n, t, d), and a sentence that says which.

    Parameters
    ----------
    tokens : ndarray, shape (n, t, d)
    readout : "cls", "mean" or "tokens", optional
        Required.
    prefix_tokens : int, optional
        Tokens before the patches; 1 by default.
    what : str

    Raises
    ------
    InputError
        If no readout is given, or it is another, or there are not so many tokens.
    """
    t = tokens.shape[1]
    prefix = 1 if prefix_tokens is None else prefix_tokens
    if readout not in ("cls", "mean", "tokens"):
        raise InputError(
            f"{what} holds tokens of shape {tokens.shape}: choose a readout, cls (the first token), mean (of the "
            "tokens after the prefix tokens, by default one) or tokens (each as a row)"
        )
    if not 0 <= prefix < t:
        raise InputError(f"prefix_tokens must lie in 0 to {t - 1} for {t} tokens, but it is {prefix}")
    if readout == "cls":
        if not prefix:
            raise InputError(f"with prefix_tokens 0, {what} has no cls token: choose the readout mean")
        return tokens[:, 0], f"of {t} tokens a row, the first was read as the cls token"
    patches = tokens[:, prefix:]  # (n, t, d) -> (n, v, d)
    if readout == "mean":
        return patches.mean(1), f"of {t} tokens a row, the mean of the last {t - prefix} was read"
    return patches.reshape(-1, tokens.shape[2]), f"each of the last {t - prefix} of {t} tokens a row was read as a row"


def _check_matrix(features: Any, what: str) -> None:
    if not isinstance(features, np.ndarray):
        raise InputError(f"features are an array (n, d), but {what} is a {type(features).__name__}")
    if features.dtype.kind in "iub":
        raise InputError(
            f"features are floating-point numbers, but {what} holds {features.dtype}: if these are labels, pixels or "
            "token numbers, they are no features; if they are quantised features, give them as float32"
        )
    if features.dtype.kind == "c":
        raise InputError(f"features are real numbers, but {what} holds complex ones")
    if features.dtype.kind != "f":
        raise InputError(f"features are numbers, but {what} holds {features.dtype}")
    if features.ndim == 3 and 0 not in features.shape:
        raise InputError(
            f"{what} has shape {features.shape}, but features are one row per image, (n, d): of tokens (n, t, d) take "
            "the cls token, Z[:, 0], or the mean of the patches, Z[:, 1:].mean(1)"
        )
    if features.ndim == 4 and 0 not in features.shape:
        raise InputError(
            f"{what} has shape {features.shape}, but features are one row per image, (n, d): images (N, C, H, W) need "
            "an encoder, and feature maps (n, d, h, w) become features by Z.mean((2, 3))"
        )
    if features.ndim != 2 or 0 in features.shape:
        raise InputError(f"{what} has shape {features.shape}, but features are one row per image, (n, d)")
    if len(features) < 3:
        raise InputError(
            f"collapse is a matter of how images differ, so at least 3 rows are needed, but {what} has {len(features)}"
        )


def _notes_on_rows(rows: NDArray[np.floating[Any]]) -> tuple[str, ...]:
    n, d = rows.shape
    notes = []
    if constant := int((rows == rows[0]).all(0).sum()):
        notes.append(f"{constant} of {d} columns are constant over all rows")
    if zero := int((rows == 0).all(1).sum()):
        notes.append(f"{zero} of {n} rows are zero, and have no direction")
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    if d > 1 and np.allclose(lengths, 1, rtol=0, atol=1e-3) and constant < d:
        notes.append("all rows have length 1, so they were normalised: lengths of the features are not known")
    if d > MAX_DIMENSIONS_PER_ROW * n:
        notes.append(
            f"the array looks transposed: its {n} rows have {d} columns, more than {MAX_DIMENSIONS_PER_ROW} for each "
            "row; rows are images, so transpose it if its columns are"
        )
    elif n < d:
        notes.append(f"{n} rows of {d} dimensions: rows are images, so transpose the array if these are the columns")
    return tuple(notes)


def _to_native_float(features: NDArray[Any]) -> NDArray[Any]:
    """Return float16 as float32, and longer or byte-swapped floats as float64."""
    return features.astype(np.float32 if features.dtype.itemsize < 4 else np.float64)


def _numpy_of_tensor(features: Tensor, what: str) -> Any:
    if features.is_sparse or features.layout != torch.strided:
        features = features.to_dense()
    if features.device.type == "meta":
        raise InputError(f"{what} is on the meta device and holds no numbers")
    features = features.detach().cpu().resolve_conj()
    if features.dtype == torch.bfloat16 or (features.is_floating_point() and features.element_size() < 2):
        features = features.float()
    return features.numpy()


def _numbers_of_frame(frame: pd.DataFrame, what: str) -> NDArray[Any]:
    """Return the numbers of a DataFrame whose columns all hold floating-point numbers."""
    others = [name for name, kind in zip(frame.columns, frame.dtypes, strict=True) if getattr(kind, "kind", "O") != "f"]
    if others:
        shown = ", ".join(printable(str(name)) for name in others[:_MAX_LISTED]) + (
            ", …" if len(others) > _MAX_LISTED else ""
        )
        raise InputError(
            f"features are floating-point numbers, but {len(others)} of {len(frame.columns)} columns of {what} hold "
            f"others: {shown}; drop them"
        )
    return frame.to_numpy(np.float64)
