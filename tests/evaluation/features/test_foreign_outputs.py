"""A model whose output is no tensor is refused with the function to pass instead."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from maetheory.core import InputError
from maetheory.evaluation import collapse_report, encode

IMAGES = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def tokens_of(images: Tensor) -> Tensor:
    return images.flatten(2)  # (B, 3, 8, 8) -> (B, 3, 64)


OUTPUTS: dict[str, Any] = {
    "dict": lambda images: {"last_hidden_state": tokens_of(images)},
    "tuple": lambda images: (tokens_of(images), None),
    "list": lambda images: [tokens_of(images), "attention"],
    "NoneType": lambda images: None,
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_outputs_that_are_no_tensor_are_refused(kind: str) -> None:
    for call in (lambda: encode(OUTPUTS[kind], IMAGES), lambda: collapse_report(OUTPUTS[kind], IMAGES)):
        with pytest.raises(InputError, match=rf"gave a {kind}: pass a function .* lambda x: model\("):
            call()
    assert encode(lambda x: tokens_of(x), IMAGES).shape == (6, 64)
    assert encode(lambda x: tokens_of(x).numpy(), IMAGES, readout="mean").shape == (6, 64)


def test_a_model_of_transformers_is_refused_and_its_function_is_taken() -> None:
    transformers = pytest.importorskip("transformers", reason="needs transformers: pip install maetheory[hf]")
    config = transformers.ViTConfig(
        hidden_size=24, num_hidden_layers=1, num_attention_heads=3, intermediate_size=48, image_size=8, patch_size=4
    )
    model = transformers.ViTModel(config).eval()
    with pytest.raises(InputError, match=r"gave a BaseModelOutputWithPooling: pass a function .*last_hidden_state"):
        collapse_report(model, IMAGES)
    with torch.no_grad():
        expected = model((IMAGES - 0.5) / 0.5).last_hidden_state[:, 0]
    torch.testing.assert_close(encode(lambda x: model((x - 0.5) / 0.5).last_hidden_state, IMAGES), expected)
