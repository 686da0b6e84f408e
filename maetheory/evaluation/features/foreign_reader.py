"""Read cls, mean and tokens from the output of another library's model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from maetheory.core import InputError
from maetheory.evaluation.features.foreign_model import ForeignModel, stated_patches
from maetheory.evaluation.features.foreign_output import OutputPart, has_part, output_tensor

OUTPUT_READOUT = "output"  # of a model that gives one vector per image
DEFAULT_PREFIX_TOKENS = 1  # the cls token


class ForeignReader:
    """Features of another library's model, batch by batch.

    Parameters
    ----------
    model : ForeignModel
    part : key, index or callable, optional
        Which part of the output is read.
    prefix_tokens : int, optional
        How many tokens stand before the patch tokens.

    Raises
    ------
    InputError
        If `part` is none of these, or `prefix_tokens` is negative.
    """

    def __init__(self, model: ForeignModel, part: OutputPart | None, prefix_tokens: int | None) -> None:
        if part is not None and not callable(part) and (isinstance(part, bool) or not isinstance(part, str | int)):
            raise InputError(
                f"the readout must be 'cls', 'mean', 'tokens', a key, an index or a function, not {part!r}"
            )
        if prefix_tokens is not None and (isinstance(prefix_tokens, bool) or prefix_tokens < 0):
            raise InputError(f"prefix_tokens must be at least 0, but it is {prefix_tokens}")
        self.model, self.part, self.prefix_tokens = model, part, prefix_tokens

    def read(self, images: Tensor, readouts: Sequence[str] | None = None) -> dict[str, Tensor]:
        """Return the features of a batch by readout: (B, d), or (B, v, d) for tokens, float32 on the CPU.

        If the model gives one vector per image, that is the only readout, and it is called "output". Without
        `readouts`, tokens are read as cls and mean, or as mean alone where there are no prefix tokens. Where there are
        none, "cls" of a part that was chosen is the mean of its tokens.
        """
        output = self.model(images)
        if readouts is None or not any(self.part is None and has_part(output, readout) for readout in readouts):
            tensor = output_tensor(output, self.part, len(images))
            if tensor.ndim == 2:
                return {OUTPUT_READOUT: _to_float32_on_cpu(tensor)}
            if readouts is None:
                readouts = ("cls", "mean") if self._num_prefix_tokens(tensor.shape[1], images) else ("mean",)
        return {readout: self._read_one(output, readout, images) for readout in readouts}

    def _read_one(self, output: Any, readout: str, images: Tensor) -> Tensor:
        part = self.part
        if part is None and has_part(output, readout):  # such as {"cls": …, "patches": …}
            part = readout
        tensor = output_tensor(output, part, len(images))
        if tensor.ndim == 3:
            tensor = self._select_readout(tensor, readout, self._num_prefix_tokens(tensor.shape[1], images))
        return _to_float32_on_cpu(tensor)

    def _select_readout(self, tokens: Tensor, readout: str, prefix: int) -> Tensor:
        if readout == "cls" and prefix:
            return tokens[:, 0]
        if readout == "cls" and self.part is None:
            raise InputError(
                f"this model gives {tokens.shape[1]} patch tokens and no cls token: read their mean, readout 'mean'"
            )
        return tokens[:, prefix:] if readout == "tokens" else tokens[:, prefix:].mean(1)  # (B, t, d) -> (B, d)

    def _num_prefix_tokens(self, n_tokens: int, images: Tensor) -> int:
        if self.prefix_tokens is not None:
            if self.prefix_tokens >= n_tokens:
                raise InputError(f"prefix_tokens is {self.prefix_tokens}, but the model gives {n_tokens} tokens only")
            return self.prefix_tokens
        module = self.model.module
        stated: Any = getattr(module, "num_prefix_tokens", None)
        if isinstance(stated, int) and 0 <= stated < n_tokens:
            return stated
        height, width = self.model.input_size(images)
        patches = stated_patches(module, height, width)
        if patches is None:
            if n_tokens < 2:
                raise InputError(
                    "the model gives a single token an image: give prefix_tokens=0 if it is a patch token, or a "
                    "function that returns it as (B, d)"
                )
            return DEFAULT_PREFIX_TOKENS
        if n_tokens < patches and patches % n_tokens == 0:
            return 0  # a hierarchical model merges its patches
        if not patches <= n_tokens < 2 * patches + 2:
            raise InputError(
                f"the model gives {n_tokens} tokens for {patches} patches of its size: give prefix_tokens, the number "
                "of tokens before the patches, or a function that returns features (B, d)"
            )
        return n_tokens - patches


def _to_float32_on_cpu(tensor: Tensor) -> Tensor:
    return tensor.detach().float().cpu().contiguous().clone()  # a view would keep all tokens of the batch alive
