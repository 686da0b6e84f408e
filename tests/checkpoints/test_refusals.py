"""Incomplete, ambiguous and other files raise an error that says why, and choices among weights are reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from maetheory.checkpoints import Encoder, EncoderConfig, LoadReport, load_checkpoint, load_contents
from maetheory.checkpoints.dialects.dialect import Dialect
from maetheory.checkpoints.dialects.mae import MAE_DIALECTS
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError
from maetheory.models.positions import sincos_positions

CONFIG = EncoderConfig(16, 4, 3, 24, 2, 3, 24, 48)


def state(seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(value.shape, generator=generator) for name, value in Encoder(CONFIG).state_dict().items()}


def contents(tree: Any, **more: Any) -> CheckpointContents:
    return CheckpointContents(Path("file.pth"), "torch zip", "0" * 64, (), tree, **more)


def loaded(tree: Any, **options: Any) -> tuple[Encoder, LoadReport]:
    mae = {} if "dialects" in options else {"dialects": MAE_DIALECTS, "dialect": "facebookresearch/mae"}
    return load_contents(contents(tree), **{"heads": 3, **mae, **options})


def same(encoder: Encoder, tensors: dict[str, Tensor]) -> bool:
    found = encoder.state_dict()
    return found.keys() == tensors.keys() and all(torch.equal(found[name], value) for name, value in tensors.items())


def test_missing_and_unexpected_names_are_listed() -> None:
    less = {name: value for name, value in state().items() if not name.startswith("blocks.1.norm2")}
    more = less | {f"adapter.{i:02}": torch.zeros(2) for i in range(12)}
    with pytest.raises(InputError) as error:
        loaded({"model": more})
    assert "2 are missing: blocks.1.norm2.bias, blocks.1.norm2.weight" in str(error.value)
    assert "12 are unexpected: adapter.00, " in str(error.value)
    assert "adapter.09 …" in str(error.value)
    assert "adapter.10" not in str(error.value)
    wrong = state() | {"norm.weight": torch.zeros(7)}
    with pytest.raises(InputError, match=r"norm\.weight must hold real numbers of shape \(24,\), but .* \(7,\)"):
        loaded({"model": wrong})
    with pytest.raises(InputError, match=r"torch\.int64"):
        loaded({"model": state() | {"norm.weight": torch.zeros(24, dtype=torch.int64)}})


def test_a_bias_that_no_block_has_is_zero_and_one_that_some_lack_is_missing() -> None:
    without = {name: value for name, value in state().items() if not name.endswith("attn.proj.bias")}
    encoder, report = loaded({"model": without})
    assert same(encoder, {name: without.get(name, torch.zeros_like(value)) for name, value in state().items()})
    assert any("leaves out 2 biases" in note for note in report.notes)
    with pytest.raises(InputError, match=r"1 are missing: blocks\.0\.attn\.proj\.bias"):
        loaded({"model": {name: value for name, value in state().items() if name != "blocks.0.attn.proj.bias"}})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(value: float) -> None:
    broken = state()
    broken["blocks.1.mlp.fc1.weight"][3, 2] = value
    with pytest.raises(InputError, match=r"1 tensors of this file hold NaN or infinity, among them blocks\.1\.mlp"):
        loaded({"model": broken})


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        (
            {f"layer{i}.0.conv1.weight": torch.zeros(4, 4, 3, 3) for i in range(4)},
            "a convolutional network (layer0.0.conv1.weight …), not a Vision Transformer",
        ),
        ({"state_dict": {"bert.embeddings.word_embeddings.weight": torch.zeros(9, 4)}}, "a text model (bert."),
        (
            {"model": {"layers.0.blocks.0.attn.qkv.weight": torch.zeros(9, 4), "norm.weight": torch.zeros(2)}},
            "hierarchical transformer such as Swin (layers.0",
        ),
        ({"epoch": 3, "loss": 0.5}, "holds no named tensors, only epoch, loss"),
        ([1, 2], "holds no named tensors, only list"),
        (
            {"some": {"w": torch.zeros(2)}},
            "1 tensors at some (w …) that are no Vision Transformer of a known dialect; tried were maetheory, U-MAE",
        ),
    ],
)
def test_other_networks_are_named_in_the_error(tree: Any, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        loaded(tree, dialect=None)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_wrappers_come_off_and_are_reported() -> None:
    for wrap, taken in (
        (lambda name: f"module.{name}", ("module.",)),
        (lambda name: f"_orig_mod.module.module.{name}", ("_orig_mod.", "module.", "module.")),
        (lambda name: name.replace("blocks.", "blocks._orig_mod."), ("_orig_mod.",)),
    ):
        encoder, report = loaded({"model": {wrap(name): value for name, value in state().items()}})
        assert same(encoder, state())
        assert report.wrappers == taken


def test_half_precision_becomes_single_and_is_noted() -> None:
    encoder, report = loaded({"model": {name: value.half() for name, value in state().items()}})
    assert same(encoder, {name: value.half().float() for name, value in state().items()})
    assert "float16 weights became float32" in report.notes


def test_averaged_weights_are_reported_and_others_can_be_chosen() -> None:
    dialect = Dialect(
        "plain", "nobody", (r"cls_token",), state_dict_paths=("model_ema", "model"), prefixes=("", "teacher.")
    )
    tree = {"model": state(0), "model_ema": state(1), "student": {f"momentum.{k}": v for k, v in state(2).items()}}
    encoder, report = loaded(tree, dialects=(dialect,))
    assert same(encoder, state(1))
    assert report.weights == "model_ema, a running average of the trained weights"
    assert any("model (" in note and "weights= (--weights) chooses" in note for note in report.notes)
    encoder, report = loaded(tree, dialects=(dialect,), weights="model")
    assert same(encoder, state(0))
    assert report.weights == "model"
    encoder, report = loaded(tree, dialects=(dialect,), weights="student.momentum")
    assert same(encoder, state(2))
    assert report.weights.startswith("student.momentum, a running average")
    assert same(loaded(tree, dialects=(dialect,), weights="momentum")[0], state(2))
    with pytest.raises(InputError, match=r"no weights 'head'; it holds model \(\d+ tensors\), model_ema"):
        loaded(tree, dialects=(dialect,), weights="head")


def test_two_dialects_that_disagree_need_a_name() -> None:
    one = Dialect("one", "nobody", (r"cls_token",), state_dict_paths=("model",))
    flipped = Dialect(
        "flipped",
        "nobody",
        (r"cls_token",),
        state_dict_paths=("model",),
        convert=lambda tensors: {name: -value for name, value in tensors.items()},
    )
    with pytest.raises(InputError, match=r"as one and as flipped, and they differ: pass dialect= \(--dialect\)"):
        loaded({"model": state()}, dialects=(one, flipped))
    assert same(loaded({"model": state()}, dialects=(one, flipped), dialect="one")[0], state())
    assert loaded({"model": state()}, dialects=(one, one))[1].dialect == "one"
    with pytest.raises(InputError, match="there is no dialect 'latin'; the dialects are: one, flipped"):
        loaded({"model": state()}, dialects=(one, flipped), dialect="latin")


def test_resized_positions_are_described() -> None:
    encoder, report = loaded({"model": state()}, image_size=32)
    table = state()["pos_embed"]
    picture = table[:, 1:].reshape(1, 4, 4, 24).permute(0, 3, 1, 2)
    plain = F.interpolate(picture, (8, 8), mode="bicubic", align_corners=False).flatten(2).mT
    torch.testing.assert_close(encoder.pos_embed, torch.cat([table[:, :1], plain], 1))
    assert report.notes[-1] == "positions of 4 x 4 patches became 8 x 8: bicubic interpolation without antialiasing"
    assert (report.config.image_size, report.sources["image_size"]) == (32, "argument")
    assert encoder(torch.rand(1, 3, 32, 32)).shape == (1, 65, 24)
    soft = Dialect("soft", "nobody", (r"cls_token",), state_dict_paths=("model",), antialias=True)
    smaller = F.interpolate(picture, (3, 3), mode="bicubic", align_corners=False, antialias=True).flatten(2).mT
    encoder, report = loaded({"model": state()}, dialects=(soft,), image_size=12)
    torch.testing.assert_close(encoder.pos_embed[:, 1:], smaller)
    assert "with antialiasing" in report.notes[-1]
    with pytest.raises(InputError, match="4 does not divide 30"):
        loaded({"model": state()}, image_size=30)


@pytest.mark.parametrize("order", ["MAE's", "MoCo-v3's"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sines_and_cosines_are_recomputed(order: str, dtype: torch.dtype) -> None:
    def ordered(grid: int) -> Tensor:
        table = sincos_positions(24, grid, grid)
        return table if order == "MAE's" else torch.cat([table[..., 12:], table[..., :12]], 2)

    encoder, report = loaded({"model": state() | {"pos_embed": ordered(4).to(dtype)}}, image_size=24)
    assert torch.equal(encoder.pos_embed, ordered(6))
    assert f"sines and cosines in {order} order, computed anew exactly" in report.notes[-1]


def test_an_unknown_device_is_refused(tmp_path: Path) -> None:
    torch.save({"model": state()}, tmp_path / "file.pth")
    with pytest.raises(InputError, match="the device 'abacus' cannot be used"):
        load_checkpoint(tmp_path / "file.pth", heads=3, device="abacus")


def test_relative_positions_are_of_one_size() -> None:
    dialect = Dialect("relative", "nobody", (r"cls_token",), state_dict_paths=("model",))
    tensors = Encoder(replace(CONFIG, positions="relative", position_prefix=0)).state_dict()
    assert loaded({"model": tensors}, dialects=(dialect,))[1].config.image_size == 16
    with pytest.raises(InputError, match="relative positions are of one image size only, 16, but"):
        loaded({"model": tensors}, dialects=(dialect,), image_size=32)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("head.bias", torch.zeros(5)),
        ("head.bias", torch.zeros(())),
        ("head.0.running_mean", torch.zeros(24)),  # without the variance
        ("fc_norm.weight", torch.zeros(24)),  # without the bias
    ],
)
def test_a_head_that_is_not_whole_is_set_aside(name: str, value: torch.Tensor, tmp_path: Path) -> None:
    state = Encoder(EncoderConfig(8, 2, 3, 24, 2, 3, 24, 48)).state_dict()
    probe = {"head.1.weight": torch.zeros(3, 24), "head.1.bias": torch.zeros(3)}
    plain = {"head.weight": torch.zeros(3, 24), "head.bias": torch.zeros(3)}
    torch.save({**state, **(probe if "head.0" in name else plain), name: value}, tmp_path / "a.pth")
    encoder, report = load_checkpoint(tmp_path / "a.pth", heads=3)
    assert encoder.head is None
    assert report.head is None
    assert sum(report.left.values()) == (2 if name == "head.bias" else 3)
