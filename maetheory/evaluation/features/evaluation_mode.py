"""Evaluation mode of the module behind an encoder, for as long as its features are computed."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

_WRAPPER_ATTRIBUTES = ("_orig_mod", "_forward_module", "module")
_WRAPPER_CLASSES = ("OptimizedModule", "DataParallel", "DistributedDataParallel", "FullyShardedDataParallel")


def without_wrappers(encoder: Any) -> Any:
    """Return the module inside what torch.compile, DataParallel, DDP and Fabric put around it; others unchanged.

    Examples
    --------
    >>> inner = nn.Linear(2, 2)
    >>> without_wrappers(nn.DataParallel(inner)) is inner
    True
    """
    while isinstance(encoder, nn.Module) and _is_wrapper(encoder):
        encoder = next(getattr(encoder, name) for name in _WRAPPER_ATTRIBUTES if hasattr(encoder, name))
    return encoder


def module_behind(encoder: Any) -> nn.Module | None:
    """Return the module that an encoder is, or whose method or partial call it is; None for any other function.

    Examples
    --------
    >>> linear = nn.Linear(2, 2)
    >>> module_behind(linear.forward) is module_behind(functools.partial(linear)) is linear
    True
    >>> module_behind(lambda images: images) is None
    True
    """
    while isinstance(encoder, functools.partial):
        encoder = encoder.func
    owner = getattr(encoder, "__self__", encoder)
    return owner if isinstance(owner, nn.Module) else None


def modules_in_training(function: Callable[..., Any]) -> list[str]:
    """Return the names of modules in training mode that a function written by the user refers to.

    Examples
    --------
    >>> net = nn.Dropout()
    >>> modules_in_training(lambda images: net(images))
    ['net']
    """
    try:
        variables = inspect.getclosurevars(function)
    except (TypeError, ValueError):  # no Python function
        return []
    named = {**variables.globals, **variables.nonlocals}
    return sorted(name for name, value in named.items() if isinstance(value, nn.Module) and value.training)


@contextmanager
def evaluation_mode(module: nn.Module | None) -> Iterator[None]:
    """Put a module into evaluation mode and let it see whole images; restore every submodule's mode afterwards.

    A masked autoencoder of transformers hides three quarters of the patches in evaluation mode too; inside this context
    its ``config.mask_ratio`` is 0.
    """
    if module is None:
        yield
        return
    training = [(one, one.training) for one in module.modules()]
    masking = [(config, config.mask_ratio) for config in masking_configs(module)]
    module.eval()
    for config, _ in masking:
        config.mask_ratio = 0.0
    try:
        yield
    finally:
        for config, ratio in masking:
            config.mask_ratio = ratio
        for one, was_training in training:
            one.training = was_training


def masking_configs(module: nn.Module) -> list[Any]:
    """Return the configurations inside a module of transformers that make it hide patches."""
    found: dict[int, Any] = {}
    for one in module.modules():
        config = getattr(one, "config", None)
        ratio = getattr(config, "mask_ratio", 0)
        if getattr(config, "model_type", "") and isinstance(ratio, int | float) and ratio > 0:
            found[id(config)] = config
    return list(found.values())


def _is_wrapper(module: nn.Module) -> bool:
    name = type(module).__name__
    return name in _WRAPPER_CLASSES or name in ("_FabricModule",)
