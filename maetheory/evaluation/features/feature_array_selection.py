"""Which array of a file holds the features."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from maetheory.core import InputError, printable
from maetheory.data.npy_headers import NpyHeader

FEATURE_NAMES = re.compile(
    r"(.*[._/])?(\w*features?|feats?|\w*embeddings?|\w*embeds?|emb|embs|z|zs|reps?|representations?|latents?|hidden"
    r"|last_hidden_state|pooler_output|x_norm_clstoken|x_norm_patchtokens|activations?|codes)(_(train|val|test))?",
    re.IGNORECASE,
)
PARAMETER_NAMES = re.compile(r"(.*\.)?(weight|bias|running_mean|running_var|\w*_token|pos_embed|\w*embeddings?\.\w+)$")
_MAX_LISTED = 12
_MIN_ROWS = 3


def arrays_of_tree(tree: Any, named: str | None = None) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file of PyTorch that can be features, by name; none if it holds weights.

    Parameters
    ----------
    tree : nested dicts and lists of tensors
        As `read_checkpoint` returns it.
    named : str, optional
        A name that the caller gave: then every array is a candidate.

    Examples
    --------
    >>> import torch
    >>> sorted(arrays_of_tree({"features": torch.zeros(5, 3), "labels": torch.zeros(5)}))
    ['features']
    >>> arrays_of_tree({"fc.weight": torch.zeros(5, 3), "fc.bias": torch.zeros(5)})
    {}
    >>> arrays_of_tree([torch.zeros(4, 3), torch.zeros(2, 3)])[""].shape
    (6, 3)
    >>> list(arrays_of_tree((torch.zeros(5, 3), torch.zeros(5))))
    ['0']
    >>> sorted(arrays_of_tree({split: {"features": torch.zeros(5, 3)} for split in ("train", "test")}))
    ['test/features', 'train/features']
    """
    if isinstance(tree, Tensor | np.ndarray):
        return {"": _as_array(tree)}
    if isinstance(tree, list | tuple):
        joined = _array_of_list(list(tree))
        return joined or arrays_of_tree({str(i): value for i, value in enumerate(tree)}, named)
    if not isinstance(tree, Mapping):
        return {}
    if tree and all(isinstance(value, Mapping) for value in tree.values()):  # such as {"train": {"features": …}}
        tree = {f"{name}/{inner}": value for name, part in tree.items() for inner, value in part.items()}
    tensors = {str(name): value for name, value in tree.items() if isinstance(value, Tensor | np.ndarray)}
    lists = {
        str(name): joined[""]
        for name, value in tree.items()
        if isinstance(value, list | tuple) and (joined := _array_of_list(list(value)))
    }
    if named is not None:
        return {**{name: _as_array(one) for name, one in tensors.items()}, **lists}
    if any(PARAMETER_NAMES.fullmatch(name) for name in tensors):
        return {}
    matrices = {
        name: _as_array(one) for name, one in tensors.items() if one.ndim in (2, 3) and _is_floating(one)
    } | lists
    named_so = {name: one for name, one in matrices.items() if FEATURE_NAMES.fullmatch(name)}
    if named_so:
        return named_so
    if len({len(one) for one in tensors.values() if one.ndim}) == 1:
        if matrices:
            return matrices if all(len(one) >= _MIN_ROWS for one in matrices.values()) else {}
        return _rows_by_name(tensors)
    return {}


def choose_array(path: Path, arrays: Mapping[str, NDArray[Any] | NpyHeader], array: str | None) -> str:
    """Return the name of the features among the arrays of a file.

    Raises
    ------
    InputError
        If there is no array of the given name; or without one, if none or several can be features: the sentence lists
        the names and shapes.
    """
    listed = ", ".join(f"{printable(name)} {one.shape}" for name, one in list(arrays.items())[:_MAX_LISTED]) + (
        ", …" if len(arrays) > _MAX_LISTED else ""
    )
    if array is not None:
        if array not in arrays:
            raise InputError(f"{path} has no array {array!r}; it holds {listed}")
        return array
    candidates = [name for name, one in arrays.items() if one.ndim in (2, 3) and one.dtype.kind == "f"]
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise InputError(
            f"{path} holds no floating-point array of shape (n, d) that could be features, but {listed or 'nothing'}"
        )
    raise InputError(
        f"{path} holds several arrays that could be features, {listed}: choose one by its name, --array NAME"
    )


def _array_of_list(values: list[Any]) -> dict[str, NDArray[Any]]:
    """Return batches (b, d) joined, or vectors (d,) stacked; nothing for any other list."""
    if not values or not all(isinstance(one, Tensor | np.ndarray) and _is_floating(one) for one in values):
        return {}
    arrays = [_as_array(one) for one in values]
    if len({one.shape[1:] for one in arrays}) == 1 and all(one.ndim in (2, 3) for one in arrays):
        return {"": np.concatenate(arrays)}
    if len({one.shape for one in arrays}) == 1 and arrays[0].ndim == 1 and len(arrays) >= _MIN_ROWS:
        return {"": np.stack(arrays)}
    return {}


def _rows_by_name(tensors: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the vectors of a dict from the names of images to vectors as one array."""
    vectors = [_as_array(one) for one in tensors.values() if one.ndim == 1 and _is_floating(one)]
    if len(vectors) != len(tensors) or len(vectors) < _MIN_ROWS or len(vectors[0]) < 2:
        return {}
    return {"": np.stack(vectors)}


def _is_floating(value: Any) -> bool:
    return value.is_floating_point() if isinstance(value, Tensor) else value.dtype.kind == "f"


def _as_array(value: Any) -> NDArray[Any]:
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        return (value.float() if value.is_floating_point() and value.element_size() < 4 else value).numpy()
    return np.asarray(value)
