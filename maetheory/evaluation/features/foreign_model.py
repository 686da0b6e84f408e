"""Models of other libraries: what they state about their images and tokens, and one call that gives features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from maetheory.core import InputError
from maetheory.evaluation.features.evaluation_mode import masking_configs, module_behind, modules_in_training
from maetheory.evaluation.features.foreign_output import error_line
from maetheory.evaluation.features.input_images import resize_to_encoder, to_unit_interval

ChannelValues = float | Sequence[float]
HEAD_NAMES = ("fc", "head", "heads", "classifier")


class AssumptionWarning(UserWarning):
    """Warning about what was assumed of a model or of images that another library made."""


@dataclass(frozen=True)
class ForeignModel:
    """A module or function of another library, called on images in [0, 1].

    Attributes
    ----------
    function : callable
        Called with a tensor (B, C, H, W) on the device and in the number format of the module.
    module : nn.Module, optional
        The module behind the function.
    mean, std : float or one number a channel, optional
        Applied to images in [0, 1] before the call.
    notes : tuple of str
        What was done, such as that the head was left out.
    assumptions : tuple of str
        What may be wrong, such as that no mean and std were applied.
    """

    function: Callable[[Tensor], Any]
    module: nn.Module | None
    mean: ChannelValues | None
    std: ChannelValues | None
    notes: tuple[str, ...]
    assumptions: tuple[str, ...]

    @classmethod
    def of(
        cls, encoder: Any, mean: ChannelValues | None = None, std: ChannelValues | None = None, *, whole: bool = False
    ) -> ForeignModel:
        """Return how an encoder of another library is called.

        Parameters
        ----------
        encoder : nn.Module or callable
        mean, std
            As for `encode`.
        whole : bool
            Whether to call a model of transformers as it is, rather than the vision model without its head.
        """
        function, notes, assumptions = encoder, [], []
        if isinstance(encoder, nn.Module) and not whole:
            function = _headless(encoder)
            if function is not encoder:
                notes.append(
                    f"features were read from the {type(function).__name__} inside the {type(encoder).__name__}, "
                    "without its head"
                )
        module = module_behind(function)
        if module is None:
            in_training = modules_in_training(function)
            if in_training:
                assumptions.append(
                    f"the function refers to {', '.join(in_training)} in training mode, whose dropout and batch norm "
                    "then depend on the batch: call .eval() first"
                )
        else:
            notes += _module_notes(module)
            if mean is None and std is None:
                assumptions += _note_on_missing_mean(module)
            if function is module and not whole:
                assumptions += _note_on_head(module)
        return cls(function, module, mean, std, tuple(notes), tuple(assumptions))

    def __call__(self, images: Tensor) -> Any:
        """Return the output for images (B, C, H, W), uint8 or float in [0, 1].

        Raises
        ------
        InputError
            If the model fails on them; the sentence names its error.
        """
        parameter = _first_floating(self.module)
        device = torch.device("cpu") if parameter is None else parameter.device
        inputs = to_unit_interval(_fit_to_module(images.to(device), self.module))
        if self.mean is not None or self.std is not None:
            inputs = (inputs - _per_channel(self.mean, 0.0, inputs)) / _per_channel(self.std, 1.0, inputs)
        if parameter is not None:
            inputs = inputs.to(parameter.dtype)
        try:
            return self.function(inputs)
        except InputError:
            raise
        except Exception as error:
            raise InputError(self._failure(inputs, error)) from error

    def input_size(self, images: Tensor) -> tuple[int, int]:
        """Return the height and width in pixels at which the module sees the images."""
        size = stated_size(self.module)
        return size if size is not None and size[0] == size[1] else (images.shape[2], images.shape[3])

    def _failure(self, inputs: Tensor, error: Exception) -> str:
        shape = "x".join(map(str, inputs.shape))
        if isinstance(error, torch.OutOfMemoryError) or "alloc" in str(error):
            return f"the encoder ran out of memory on {shape} pixels ({error_line(error)}); give a smaller batch"
        return (
            f"the encoder failed on images of shape {shape} in {str(inputs.dtype).removeprefix('torch.')} "
            f"({error_line(error)}); pass a function from images in [0, 1] to features, as "
            "lambda x: model((x - mean) / std)"
        )


def stated_patches(module: nn.Module | None, height: int, width: int) -> int | None:
    """Return the number of patches into which a module divides images, None if it does not state a patch size."""
    size = _height_and_width(_stated_attribute(module, "patch_size"))
    return None if size is None else (height // size[0]) * (width // size[1])


def stated_size(module: nn.Module | None) -> tuple[int, int] | None:
    """Return the height and width of the images that a module takes, None if it does not state them."""
    size = _stated_attribute(module, "image_size")
    if size is None and getattr(getattr(module, "patch_embed", None), "strict_img_size", True):
        size = getattr(getattr(module, "patch_embed", None), "img_size", None)
    return _height_and_width(size)


def stated_channels(module: nn.Module | None) -> int | None:
    """Return the number of channels that a module takes, None if it does not state it."""
    channels = _stated_attribute(module, "num_channels")
    if channels is None:
        channels = getattr(getattr(getattr(module, "patch_embed", None), "proj", None), "in_channels", None)
    return channels if isinstance(channels, int) else None


def check_is_encoder(encoder: Any) -> None:
    """Raise `InputError` if features cannot come from this object."""
    if isinstance(encoder, str) or hasattr(encoder, "__fspath__"):
        raise InputError(
            f"an encoder is a model, but {str(encoder)!r} is a path: load it first, encoder, report = "
            "load_checkpoint(path)"
        )
    if isinstance(encoder, dict):
        raise InputError(
            "an encoder is a model, but this is a dict: weights need their network; save them to a file and give the "
            "encoder of load_checkpoint(path)"
        )
    if not callable(encoder):
        raise InputError(f"an encoder is a model or a function of images, but this is a {type(encoder).__name__}")
    if isinstance(encoder, type):
        raise InputError(f"an encoder is a model, but {encoder.__name__} is a class: make one first")


def _headless(module: nn.Module) -> Any:
    """Return the vision model inside a model of transformers, or its model without the head; others unchanged."""
    if not getattr(getattr(module, "config", None), "model_type", ""):
        return module
    vision = getattr(module, "vision_model", None)
    if isinstance(vision, nn.Module) and hasattr(module, "text_model"):
        return vision
    base = getattr(module, "base_model", module)
    return base if isinstance(base, nn.Module) else module


def _module_notes(module: nn.Module) -> list[str]:
    notes = []
    if module.training:
        notes.append("the model was in training mode; it was measured in evaluation mode and has its mode back")
    if ratios := [config.mask_ratio for config in masking_configs(module)]:
        notes.append(
            f"the model hides {ratios[0]:.0%} of the patches at random (config.mask_ratio); its features were read "
            "from whole images"
        )
    return notes


def _note_on_head(module: nn.Module) -> list[str]:
    """Return that the output of a module is that of its classification head, nothing without one."""
    for name in HEAD_NAMES:
        layers = [one for one in getattr(module, name, nn.Identity()).modules() if isinstance(one, nn.Linear)]
        if layers:
            return [
                f"the {type(module).__name__} ends with a head ({name}), so its {layers[-1].out_features} outputs may "
                "be logits rather than features: give model.forward_features where there is one, or replace the head "
                "by nn.Identity()"
            ]
    return []


def _note_on_missing_mean(module: nn.Module) -> list[str]:
    if not _usually_standardised(module):
        return []
    stated = getattr(module, "pretrained_cfg", None) or {}
    known = f" (its pretrained_cfg states mean {stated['mean']} and std {stated['std']})" if "mean" in stated else ""
    return [
        f"no mean and std were applied to the images in [0, 1] that a {type(module).__name__} was given{known}: give "
        "mean and std if it was trained with them"
    ]


def _usually_standardised(module: nn.Module) -> bool:
    """Return whether a module is a model of timm or transformers, whose images are standardised outside of it."""
    return hasattr(module, "pretrained_cfg") or bool(getattr(getattr(module, "config", None), "model_type", ""))


def _stated_attribute(module: nn.Module | None, name: str) -> Any:
    config = getattr(module, "config", None)
    value = getattr(config, name, None)
    if value is None:
        value = getattr(getattr(config, "vision_config", None), name, None)
    if value is None and name == "patch_size":
        value = getattr(getattr(module, "patch_embed", None), name, None)
    return value


def _height_and_width(size: Any) -> tuple[int, int] | None:
    if isinstance(size, int) and size > 0:
        return size, size
    if isinstance(size, list | tuple) and len(size) == 2 and all(isinstance(one, int) and one > 0 for one in size):
        return size[0], size[1]
    return None


def _fit_to_module(images: Tensor, module: nn.Module | None) -> Tensor:
    """Return images of the size and channels that a module states; square sizes only, others as they are."""
    size, channels = stated_size(module), stated_channels(module)
    if size is None or size[0] != size[1] or images.ndim != 4:
        return images
    channels = images.shape[1] if channels is None else channels
    if images.shape[1:] == (channels, *size):
        return images
    return resize_to_encoder(images, size[0], channels)


def _first_floating(module: nn.Module | None) -> Tensor | None:
    if module is None:
        return None
    tensors = (*module.parameters(), *module.buffers())
    return next((tensor for tensor in tensors if tensor.is_floating_point()), None)


def _per_channel(values: ChannelValues | None, default: float, images: Tensor) -> Tensor:
    """Return a mean or standard deviation in the shape (1, C or 1, 1, 1)."""
    numbers = np.atleast_1d(np.asarray(default if values is None else values, np.float64))
    if numbers.ndim != 1 or len(numbers) not in (1, images.shape[1]) or not np.isfinite(numbers).all():
        raise InputError(
            f"mean and std need one number, or one for each of the {images.shape[1]} channels, but {values!r} was given"
        )
    if default == 1.0 and (numbers <= 0).any():
        raise InputError(f"std must be positive, but {values!r} was given")
    return torch.tensor(numbers, dtype=images.dtype, device=images.device).reshape(1, -1, 1, 1)
