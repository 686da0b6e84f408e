"""Read features from a module's output with a forward hook, or compute them with a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from maetheory.core import InputError
from maetheory.training.feature_modules import find_feature_module

Readout = Literal["cls", "mean", "pooled"]
Features = str | nn.Module | Callable[..., Tensor] | None


@dataclass(frozen=True)
class FeatureSource:
    """Module or function that features come from, and how one vector per image is read from its output.

    Attributes
    ----------
    features : str, nn.Module, callable or None
        The dotted name of a module (``"encoder.norm"``), the module itself, or a function of what
        the callback is given; None looks for the module, see `find_feature_module`.
    readout : "cls", "mean" or "pooled"
        Of tokens (B, t, d) the first, or the mean of those after it; "pooled" takes an output that is one vector per
        image already, such as a ``pooler_output``. An output (B, d) is taken as it is, and of feature maps
        (B, d, h, w) the mean over positions.
    """

    features: Features
    readout: Readout = "cls"

    def __post_init__(self) -> None:
        if self.readout not in ("cls", "mean", "pooled"):
            raise InputError(f"the readout must be 'cls', 'mean' or 'pooled', but it is {self.readout!r}")

    @property
    def uses_hook(self) -> bool:
        """Whether features are read from a module by a hook, rather than computed by a function."""
        return self.features is None or isinstance(self.features, str | nn.Module)

    def attach(self, model: nn.Module | None, callback: Callable[[Tensor], None]) -> RemovableHandle:
        """Call `callback` with the features (B, d) of each forward pass of the module, until the handle is removed."""

        @torch.compiler.disable  # compiled, it would be compiled anew for each number of the step
        def receive(output: Any) -> None:
            callback(self.extract(output))

        if self.features is None:
            if model is None:
                raise InputError("the module of the features must be looked for in a model; give one to attach")
            name, takes_input = find_feature_module(model)
            module = model.get_submodule(name)
            if takes_input:
                return module.register_forward_pre_hook(lambda _, inputs: receive(inputs))
        else:
            module = self._find_feature_module(model)
        return module.register_forward_hook(lambda _, __, output: receive(output))

    def compute(self, *arguments: Any, **named: Any) -> Tensor:
        """Return the features that the function computes, without gradients or random numbers of the run."""
        if self.uses_hook:
            raise InputError(
                "features of a module are read by a hook; to compute them, give a function of the callback's arguments"
            )
        devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices), torch.no_grad():
            return self.extract(self.features(*arguments, **named))  # type: ignore[operator,misc]  # it uses no hook

    def extract(self, output: Any) -> Tensor:
        """Return features (B, d) of a module's output: a tensor, the first of a tuple, or a model's record."""
        tokens = _output_tensor(output, self.readout)
        if tokens.ndim == 2:
            return tokens
        if tokens.ndim == 4 and self.readout != "pooled":
            return tokens.mean(dim=(2, 3))  # (B, d, h, w) -> (B, d)
        if tokens.ndim != 3 or self.readout == "pooled":
            wanted = "(B, d)" if self.readout == "pooled" else "(B, t, d) or (B, d)"
            raise InputError(
                f"the readout {self.readout!r} needs an output {wanted}, but its shape is {tuple(tokens.shape)}"
            )
        return tokens[:, 0] if self.readout == "cls" else tokens[:, 1:].mean(dim=1)  # (B, t, d) -> (B, d)

    def _find_feature_module(self, model: nn.Module | None) -> nn.Module:
        if isinstance(self.features, nn.Module):
            return self.features
        if model is None:
            raise InputError(f"the module {self.features!r} must be looked for in a model; give one to attach")
        modules = dict(model.named_modules())
        for prefix in ("", "module.", "_orig_mod.", "_forward_module."):  # what DDP, compile and Fabric put around
            if prefix + str(self.features) in modules:
                return modules[prefix + str(self.features)]
        raise InputError(f"the model has no module {self.features!r}; it has {', '.join(list(modules)[1:20])}, …")


def _output_tensor(output: Any, readout: str) -> Tensor:
    names = ("pooler_output",) if readout == "pooled" else ("latent", "last_hidden_state")
    for name in names:
        if getattr(output, name, None) is not None:
            return getattr(output, name)
    if isinstance(output, tuple | list) and output:
        output = output[0]
    if not isinstance(output, Tensor):
        raise InputError(
            f"features must be a tensor or the first of a tuple, but the output is a {type(output).__name__}"
        )
    return output
