"""Features or tokens in the output of a foreign model: a tensor, or the part of a dict, tuple or record."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from maetheory.core import InputError, first_error_line, printable

OutputPart = str | int | Callable[[Any], Any]
TOKENS_KEY = "last_hidden_state"  # name of the tokens in the records of transformers
_MAX_LISTED = 12


def output_tensor(output: Any, part: OutputPart | None, n_images: int) -> Tensor:
    """Return the features (B, d) or tokens (B, t, d) in the output of a model for B images.

    Parameters
    ----------
    output : Tensor or array, or mapping, tuple, list or dataclass of them
    part : str, int or callable, optional
        The key or attribute, the position, or a function of the output. By default the output itself, its
        ``last_hidden_state``, or its only floating-point array of such a shape.
    n_images : int

    Raises
    ------
    InputError
        If there is no such part, several could be meant, or it has another shape.

    Examples
    --------
    >>> output = {"tokens": torch.zeros(2, 5, 3), "logits": torch.zeros(2, 10)}
    >>> output_tensor(output, "tokens", 2).shape
    torch.Size([2, 5, 3])
    >>> output_tensor(output, None, 2)
    Traceback (most recent call last):
    maetheory.core.errors.InputError: the output of this encoder is a dict of several arrays: 'tokens' (2, 5, 3),
    'logits' (2, 10); choose one, as readout='tokens', or give a function of the output that returns (B, d)
    """
    chosen, name = (output, "this one") if part is None else _select_part(output, part)
    if part is None and _as_tensor(output) is None:
        chosen = _only_candidate(output, n_images)
    tensor = _as_tensor(chosen)
    if tensor is None:
        raise InputError(
            f"an encoder gives a tensor of features (B, d) or tokens (B, t, d), but {name} gave a "
            f"{_type_name(chosen)}: pass a function that standardises images in [0, 1] and picks the tokens, as "
            "lambda x: model((x - mean) / std).last_hidden_state"
        )
    if tensor.ndim == 4 and len(tensor) == n_images:
        raise InputError(
            f"{name} gave feature maps of shape {tuple(tensor.shape)}: choose how they become one vector an image, as "
            "readout=lambda maps: maps.mean((2, 3)) for (B, d, h, w), or maps.mean((1, 2)) for (B, h, w, d)"
        )
    if tensor.ndim not in (2, 3) or len(tensor) != n_images:
        raise InputError(
            f"an encoder gives features (B, d) or tokens (B, t, d) of B images, but for {n_images} "
            f"{name} gave {tuple(tensor.shape)}"
        )
    if tensor.is_complex():
        raise InputError(f"features are real numbers, but {name} gave complex ones")
    return tensor


def has_part(output: Any, name: str) -> bool:
    """Return whether an output is a container with an array of this name."""
    return not isinstance(output, Tensor | np.ndarray) and _as_tensor(_parts_by_name(output).get(name)) is not None


def _select_part(output: Any, part: OutputPart) -> tuple[Any, str]:
    """Return a part of an output and what to call it in an error."""
    if callable(part):
        try:
            return part(output), "the readout function"
        except Exception as error:
            raise InputError(
                f"the readout function failed on an output that is a {_type_name(output)}: {error_line(error)}"
            ) from error
    parts = _parts_by_name(output)
    if isinstance(part, int) and not isinstance(part, bool) and -len(parts) <= part < len(parts):
        return list(parts.values())[part], f"output {part} of the encoder"
    if part in parts:
        return parts[part], f"output {part!r} of the encoder"
    raise InputError(
        f"the output of this encoder has no part {part!r}: it is a {_type_name(output)}"
        + (f" of {_join_part_names(parts)}" if parts else "")
    )


def _only_candidate(output: Any, n_images: int) -> Any:
    """Return the tokens of a record, or the only part that can be features."""
    parts = _parts_by_name(output)
    if TOKENS_KEY in parts and _as_tensor(parts[TOKENS_KEY]) is not None:
        return parts[TOKENS_KEY]
    candidates = {
        name: tensor
        for name, value in parts.items()
        if (tensor := _as_tensor(value)) is not None
        and tensor.ndim in (2, 3, 4)
        and len(tensor) == n_images
        and tensor.is_floating_point()
    }
    if len(candidates) == 1:
        return next(iter(candidates.values()))
    if candidates:
        first = next(iter(candidates))
        raise InputError(
            f"the output of this encoder is a {_type_name(output)} of several arrays: {_join_part_names(candidates)}; "
            f"choose one, as readout={first!r}, or give a function of the output that returns (B, d)"
        )
    return output


def _parts_by_name(output: Any) -> dict[Any, Any]:
    """Return the parts of an output by key, name or position; none if it is no container."""
    if isinstance(output, Mapping):
        return dict(output)
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        return {field.name: getattr(output, field.name) for field in dataclasses.fields(output)}
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return output._asdict()  # type: ignore[attr-defined]  # a named tuple
    if isinstance(output, tuple | list):
        return dict(enumerate(output))
    return {} if isinstance(output, Tensor | np.ndarray) else dict(vars(output)) if hasattr(output, "__dict__") else {}


def _as_tensor(value: Any) -> Tensor | None:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return torch.from_numpy(np.ascontiguousarray(value))
    if hasattr(value, "__array__") and not isinstance(value, type):
        try:
            array = np.asarray(value)
        except (TypeError, ValueError):
            return None
        return torch.from_numpy(array.copy()) if array.dtype.kind in "fiub" else None
    return None


def _join_part_names(parts: Mapping[Any, Any]) -> str:
    shown = [f"{_printable_name(name)} {_shape_text(value)}" for name, value in list(parts.items())[:_MAX_LISTED]]
    return ", ".join(shown) + (", …" if len(parts) > _MAX_LISTED else "")


def _printable_name(name: Any) -> str:
    return repr(printable(name)) if isinstance(name, str) else str(name)


def _shape_text(value: Any) -> str:
    tensor = _as_tensor(value)
    return f"({_type_name(value)})" if tensor is None else str(tuple(tensor.shape))


def _type_name(value: Any) -> str:
    return type(value).__name__


def error_line(error: BaseException) -> str:
    """Return the type and the first line of an error."""
    kind, line = type(error).__name__, first_error_line(error, 300)
    return kind if line == kind else f"{kind}: {line}"
