"""Pickled modules and stored configurations are believed before tables, and images that are not square are refused."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from maetheory.checkpoints import inspect_checkpoint, load_checkpoint

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

from parity import FIVE, loaded, peer, same_states
from timm.layers.activations import QuickGELU

WIDE: dict[str, Any] = {"embed_dim": 192, "num_heads": 6, "depth": 1}  # a table of widths says three heads


class Classifier(nn.Module):
    """Encoder under a name of its own, with a layer after it."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.trunk = encoder
        self.fc = nn.Linear(192, 3)


PICKLED: dict[str, Any] = {
    "module": lambda model: model,
    "module in a dict": lambda model: {"model": model, "epoch": 3},
    "module in parallel": lambda model: nn.DataParallel(model),
    "module in a module": lambda model: Classifier(model),
    "module in a module in a dict": lambda model: {"net": nn.DataParallel(Classifier(model))},
}


@pytest.mark.parametrize("layout", PICKLED)
def test_a_pickled_module_is_believed(layout: str, tmp_path: Path) -> None:
    model = peer(**WIDE, norm_layer=FIVE, act_layer=QuickGELU)
    encoder, report = loaded(tmp_path, PICKLED[layout](model))
    same_states(encoder, model)
    config = report.config
    assert (config.heads, config.eps, config.activation) == (6, 1e-5, "quick-gelu")
    for name in ("heads", "eps", "activation", "image_size"):
        assert report.sources[name] == "stated in the file: the pickled module"
    (note,) = report.notes
    assert note.startswith("the file does not state mean and std")


STORED: dict[str, Any] = {
    "args": lambda values: {"args": argparse.Namespace(**values)},
    "hyper_parameters": lambda values: {"hyper_parameters": values},
    "config": lambda values: {"config": {"encoder": values, "decoder": {"num_heads": 2}}},
}


@pytest.mark.parametrize("place", STORED)
def test_stored_arguments_are_believed(place: str, tmp_path: Path) -> None:
    model = peer(**WIDE, norm_layer=FIVE)
    values = {"num_heads": 6, "layer_norm_eps": 1e-5, "img_size": 16, "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    tree = {"state_dict": model.state_dict(), **STORED[place](values)}
    encoder, report = loaded(tmp_path, tree)
    same_states(encoder, model, ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)))
    for name in ("heads", "eps", "mean", "std", "image_size"):
        assert report.sources[name].startswith(f"stated in the file: {place}.")
    assert [note.partition(":")[0] for note in report.notes] == ["the file does not state the activation"]
    assert loaded(tmp_path, tree, heads=3)[1].config.heads == 3


def test_the_heads_of_another_network_are_not_believed(tmp_path: Path) -> None:
    model = peer(embed_dim=192, num_heads=3, depth=1)
    tree = {"state_dict": model.state_dict(), "config": {"text_config": {"num_heads": 6}, "decoder": {"num_heads": 2}}}
    assert loaded(tmp_path, tree)[1].sources["heads"] == "assumed: the table of widths"
    tree["config"] = {"num_heads": 5}  # does not divide 192
    assert loaded(tmp_path, tree)[1].config.heads == 3


def test_images_that_are_not_square_are_never_read_as_square_in_silence(tmp_path: Path) -> None:
    model = peer(img_size=(8, 32), depth=1)
    report = loaded(tmp_path, model.state_dict(), heads=4)[1]
    assert report.sources["image_size"].startswith("assumed: 17 rows of positions")
    assert any("the file does not state that images are square: 16 x 16 assumed" in note for note in report.notes)
    for tree in (
        model,
        {"state_dict": model.state_dict(), "args": argparse.Namespace(img_size=[8, 32])},
        {"state_dict": model.state_dict(), "hyper_parameters": {"model": {"image_size": (8, 32)}}},
    ):
        encoder, report = loaded(tmp_path, tree, heads=4)
        assert report.config.image_size == (8, 32)
        assert report.sources["image_size"].startswith("stated in the file")
        same_states(encoder, model, images=torch.rand(2, 3, 8, 32))
    same_states(
        loaded(tmp_path, model.state_dict(), heads=4, image_size=(8, 32))[0], model, images=torch.rand(2, 3, 8, 32)
    )
    for record in ({"model_args": {"img_size": [8, 32]}}, {"pretrained_cfg": {"input_size": [3, 8, 32]}}):
        torch.save(model.state_dict(), tmp_path / "checkpoint.pth")
        (tmp_path / "config.json").write_text(json.dumps({"architecture": "vit_tiny_patch16_224", **record}))
        assert load_checkpoint(tmp_path, heads=4)[1].config.image_size == (8, 32)


def test_a_report_says_where_each_value_comes_from(tmp_path: Path) -> None:
    torch.save({"state_dict": peer(**WIDE).state_dict(), "args": {"num_heads": 6}}, tmp_path / "checkpoint.pth")
    text = str(inspect_checkpoint(tmp_path / "checkpoint.pth"))
    assert "heads            6 (stated in the file: args.num_heads)" in text
    assert "(assumed: ImageNet's, as most do)" in text
    assert "note               the file does not state mean and std: " in text
