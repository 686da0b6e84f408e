"""Features in outputs of every shape: tensors, dicts, tuples and records, chosen by key, index or function."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from maetheory.core import InputError
from maetheory.evaluation import collapse_report, encode

IMAGES = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
Pair = namedtuple("Pair", ["tokens", "weights"])


@dataclass
class Record:
    tokens: Tensor
    loss: float


def tokens_of(images: Tensor) -> Tensor:
    return images.flatten(2)  # (B, 3, 8, 8) -> (B, 3, 64)


ONE_CANDIDATE: dict[str, Any] = {
    "dict": lambda x: {"last_hidden_state": tokens_of(x)},
    "dict with a mask": lambda x: {"hidden": tokens_of(x), "mask": torch.ones(len(x), 3, dtype=torch.bool)},
    "tuple": lambda x: (tokens_of(x), None),
    "list": lambda x: [tokens_of(x), "attention"],
    "named tuple": lambda x: Pair(tokens_of(x), torch.ones(3)),
    "dataclass": lambda x: Record(tokens_of(x), 0.5),
    "record with several": lambda x: {"last_hidden_state": tokens_of(x), "logits": x[:, :, 0, 0]},
    "array": lambda x: tokens_of(x).numpy(),
}


@pytest.mark.parametrize("kind", ONE_CANDIDATE)
def test_the_only_candidate_is_read(kind: str) -> None:
    torch.testing.assert_close(encode(ONE_CANDIDATE[kind], IMAGES), IMAGES[:, 0].flatten(1))
    torch.testing.assert_close(encode(ONE_CANDIDATE[kind], IMAGES, readout="mean"), IMAGES[:, 1:].flatten(2).mean(1))
    assert set(collapse_report(ONE_CANDIDATE[kind], IMAGES).readout) == {"cls", "mean"}


def several(x: Tensor) -> dict[str, Any]:
    return {"hidden": tokens_of(x), "pooled": x[:, 1].flatten(1), "loss": torch.tensor(0.0)}


PARTS: list[tuple[Any, Any, Tensor]] = [
    (several, "pooled", IMAGES[:, 1].flatten(1)),
    (several, "hidden", IMAGES[:, 0].flatten(1)),
    (several, lambda out: out["hidden"][:, 2], IMAGES[:, 2].flatten(1)),
    (lambda x: tuple(several(x).values()), 1, IMAGES[:, 1].flatten(1)),
    (lambda x: tuple(several(x).values()), -2, IMAGES[:, 1].flatten(1)),
    (lambda x: Pair(tokens_of(x), x[:, 1].flatten(1)), "weights", IMAGES[:, 1].flatten(1)),
    (lambda x: {"cls": x[:, 2].flatten(1), "patches": tokens_of(x)}, "cls", IMAGES[:, 2].flatten(1)),
    (lambda x: Record(tokens_of(x), 0.0), "tokens", IMAGES[:, 1:].flatten(2).flatten(0, 1)),
    (lambda x: x, lambda maps: maps.mean((2, 3)), IMAGES.mean((2, 3))),
]


@pytest.mark.parametrize(("model", "part", "expected"), PARTS)
def test_a_key_index_or_function_chooses_the_part(model: Any, part: Any, expected: Tensor) -> None:
    torch.testing.assert_close(encode(model, IMAGES, readout=part), expected)


def test_without_prefix_tokens_a_chosen_part_is_read_as_its_mean() -> None:
    mean = IMAGES.flatten(2).mean(1)
    torch.testing.assert_close(encode(several, IMAGES, readout="hidden", prefix_tokens=0), mean)
    torch.testing.assert_close(encode(tokens_of, IMAGES, readout="mean", prefix_tokens=2), IMAGES[:, 2].flatten(1))
    with pytest.raises(InputError, match="3 patch tokens and no cls token: read their mean"):
        encode(tokens_of, IMAGES, prefix_tokens=0)
    with pytest.raises(InputError, match="prefix_tokens is 3, but the model gives 3 tokens"):
        encode(tokens_of, IMAGES, prefix_tokens=3)


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (lambda x: None, {}, r"gave a NoneType: pass a function .* lambda x: model\("),
    (lambda x: {"a": "b"}, {}, "gave a dict: pass a function"),
    (
        lambda x: (tokens_of(x), x[:, 0].flatten(1)),
        {},
        r"a tuple of several arrays: 0 \(6, 3, 64\), 1 \(6, 64\); choose one, as readout=0",
    ),
    (several, {"readout": "clss"}, r"no part 'clss': it is a dict of 'hidden' \(6, 3, 64\), 'pooled' \(6, 64\)"),
    (several, {"readout": 7}, "no part 7"),
    (several, {"readout": lambda out: out["nothing"]}, "the readout function failed .* KeyError"),
    (several, {"readout": "loss"}, r"for 6 output 'loss' of the encoder gave \(\)"),
    (several, {"readout": True}, "a key, an index or a function, not True"),
    (lambda x: x, {}, r"gave feature maps of shape \(6, 3, 8, 8\): .*lambda maps: maps.mean"),
    (lambda x: tokens_of(x)[:2], {}, r"for 6 this one gave \(2, 3, 64\)"),
    (lambda x: torch.fft.fft(tokens_of(x)), {}, "features are real numbers"),
    (lambda x: x @ torch.ones(5, 5), {}, r"failed on images of shape 6x3x8x8 in float32 \(RuntimeError: mat1"),
    (torch.nn.Conv2d(1, 2, 3), {}, "failed on images of shape 6x3x8x8 .*expected input"),
    ({"weight": torch.ones(3)}, {}, "this is a dict: weights need their network"),
    ("vit.pth", {}, "'vit.pth' is a path: load it first"),
    (torch.nn.Linear, {}, "Linear is a class: make one first"),
    (None, {}, "this is a NoneType"),
]


@pytest.mark.parametrize(("model", "options", "sentence"), REFUSED)
def test_what_is_no_feature_is_refused_in_a_sentence(model: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        encode(model, IMAGES, **options)


def test_report_reads_the_chosen_part() -> None:
    table = collapse_report(several, IMAGES, readout="pooled", metrics=["mean_cosine"])
    assert table.readout.tolist() == ["output"]
    same = collapse_report(lambda x: x[:, 1].flatten(1), IMAGES, metrics=["mean_cosine"])
    assert table.value[0] == same.value[0]
    tokens = collapse_report(several, IMAGES, readout="hidden", prefix_tokens=0, metrics=["mean_cosine"])
    assert tokens.readout.tolist() == ["mean"]
    assert collapse_report(several, IMAGES, readout=np.int64(0).item(), metrics=["mean_cosine"]).readout[0] == "cls"
