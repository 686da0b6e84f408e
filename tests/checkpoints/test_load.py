"""A loaded encoder computes the same tokens as the code that wrote the file, after every block."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from maetheory.checkpoints import Encoder, LoadReport, inspect_checkpoint, load_checkpoint
from maetheory.data import ImageSet, load_images
from maetheory.evaluation import encode
from maetheory.masks import BernoulliMasks
from maetheory.metrics import rankme
from maetheory.models import MAEConfig, ViTConfig
from maetheory.training import TrainConfig, load_run, train

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

from mae_peers import MAE_ViT, ViT_Classifier, facebook, facebook_decoder, randomized, timm_states

IMAGENET_MEAN_STD = (
    torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1),
    torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1),
)
IMAGES = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(1))
STANDARDIZED = (IMAGES - IMAGENET_MEAN_STD[0]) / IMAGENET_MEAN_STD[1]


def close(ours: Tensor, theirs: Tensor) -> None:
    """Compare tokens within float32's ε times a few hundred terms a sum and some dozen successive sums."""
    torch.testing.assert_close(ours, theirs, rtol=0, atol=3e-5 * float(theirs.abs().max()))


def same_states(encoder: Encoder, peer: Any) -> None:
    with torch.no_grad():
        ours = encoder.hidden_states(IMAGES)
        theirs = timm_states(peer, STANDARDIZED)
        assert len(ours) == len(theirs) == 4
        for one, other in zip(ours, theirs):
            close(one, other)
        close(encoder(IMAGES), peer.norm(theirs[-1]))


def saved(tmp_path: Path, tree: Any) -> Path:
    torch.save(tree, tmp_path / "checkpoint.pth")
    return tmp_path / "checkpoint.pth"


def loaded(tmp_path: Path, tree: Any, **options: Any) -> tuple[Encoder, LoadReport]:
    encoder, report = load_checkpoint(saved(tmp_path, tree), **options)
    assert not encoder.training
    assert {value.dtype for value in encoder.state_dict().values() if value.is_floating_point()} == {torch.float32}
    json.dumps(report.to_dict())
    return encoder, report


def test_pretrained_mae_with_and_without_its_decoder(tmp_path: Path) -> None:
    peer = facebook()
    state = peer.state_dict()
    arguments = argparse.Namespace(model="mae_vit_base_patch16", mask_ratio=0.75, norm_pix_loss=True, blr=1.5e-4)
    whole = {"model": state | facebook_decoder(), "optimizer": {}, "epoch": 399, "scaler": {}, "args": arguments}
    encoder, report = loaded(tmp_path, whole, heads=4)
    same_states(encoder, peer)
    assert report.dialect == "facebookresearch/mae"
    assert report.decoder == "whole"
    assert report.left == {"the decoder": len(facebook_decoder())}
    assert report.trained == {
        "model": "mae_vit_base_patch16",
        "epoch": 399,
        "blr": 1.5e-4,
        "mask_ratio": 0.75,
        "norm_pix_loss": True,
    }
    assert "argparse.Namespace" in report.globals
    encoder, report = loaded(tmp_path, {"model": state}, heads=4)
    same_states(encoder, peer)
    assert report.decoder == "absent: it cannot reconstruct"
    assert report.sources["heads"] == "argument"


def test_heads_from_the_model_name(tmp_path: Path) -> None:
    peer = facebook(width=384, heads=6)
    args = argparse.Namespace(model="mae_vit_small_patch4")
    encoder, report = loaded(tmp_path, {"model": peer.state_dict(), "args": args})
    assert (report.config.heads, report.sources["heads"]) == (
        6,
        "assumed: args.model, mae_vit_small_patch4, though other code of that name has 8 or 12",
    )
    same_states(encoder, peer)
    assert loaded(tmp_path, {"model": peer.state_dict()})[1].sources["heads"] == "assumed: the table of widths"


@pytest.mark.parametrize("pool", ["token", "avg"])
def test_fine_tuned_mae(pool: str, tmp_path: Path) -> None:
    peer = facebook(classes=7, pool=pool)
    encoder, report = loaded(tmp_path, {"model": peer.state_dict()}, heads=4)
    same_states(encoder, peer)
    with torch.no_grad():
        close(encoder.logits(IMAGES), peer(STANDARDIZED))
    assert report.head is not None
    assert (report.head.classes, report.head.readout) == (7, "mean" if pool == "avg" else "cls")
    assert report.config.norm == ("pooled" if pool == "avg" else "final")


def test_a_linear_probe_brings_its_batch_norm(tmp_path: Path) -> None:
    peer = facebook()
    norm = torch.nn.BatchNorm1d(48, affine=False, eps=1e-6)
    norm.running_mean, norm.running_var = torch.randn(48), torch.rand(48) + 0.5
    head = torch.nn.Sequential(norm, torch.nn.Linear(48, 7)).eval()
    state = {f"head.{name}": value for name, value in head.state_dict().items()}
    encoder, report = loaded(tmp_path, {"model": peer.state_dict() | state}, heads=4)
    with torch.no_grad():
        close(encoder.logits(IMAGES), head(peer.norm(timm_states(peer, STANDARDIZED)[-1])[:, 0]))
    assert report.head is not None
    assert report.head.classes == 7


def test_umae_online_probe_is_unused(tmp_path: Path) -> None:
    peer = facebook()
    probe = {
        "fc_norm.weight": torch.ones(48),
        "fc_norm.bias": torch.zeros(48),
        "fc.weight": torch.zeros(7, 48),
        "fc.bias": torch.zeros(7),
    }
    encoder, report = loaded(tmp_path, {"model": peer.state_dict() | facebook_decoder() | probe}, heads=4)
    same_states(encoder, peer)
    assert report.dialect == "U-MAE"
    assert report.left["the online probe"] == 4
    assert report.head is None


@pytest.mark.parametrize("pickled", ["autoencoder", "classifier"])
def test_pickled_modules_state_their_heads(pickled: str, tmp_path: Path) -> None:
    whole = randomized(MAE_ViT(width=72, heads=3))
    module = whole if pickled == "autoencoder" else randomized(ViT_Classifier(whole.encoder), 1)
    encoder, report = loaded(tmp_path, module)
    images = IMAGES[:, :, :8, :8]
    with torch.no_grad():
        close(encoder(images), whole.encoder(2 * images - 1).permute(1, 0, 2))
    assert report.dialect == "IcarusWizard/MAE"
    assert report.container == "whole-module pickle"
    config, eps = report.config, whole.encoder.transformer[0].norm1.eps  # of timm's taste in each of its years
    assert (config.heads, config.eps, config.final_eps, config.position_prefix) == (3, eps, 1e-5, 0)
    assert report.sources["heads"] == report.sources["eps"] == "stated in the file: the pickled module"
    assert report.decoder == ("whole" if pickled == "autoencoder" else "absent: it cannot reconstruct")
    if pickled == "classifier":
        with torch.no_grad():
            close(encoder.logits(images), module(2 * images - 1))


@pytest.mark.parametrize("objective", ["mae", "simmim"])
def test_runs_of_ours(objective: Any, tmp_path: Path) -> None:
    model = MAEConfig(ViTConfig(16, 4, 3, width=24, depth=2, heads=3, eps=1e-5, mean=0.4, std=0.3), 16, 1, 2)
    rng = np.random.default_rng(0)
    images = ImageSet(rng.integers(0, 256, (40, 3, 16, 16), dtype=np.uint8), np.arange(40) % 2, "noise")
    train(TrainConfig(model, objective=objective, epochs=2, batch=20, warmup_epochs=0), images, out=tmp_path)
    peer = load_run(tmp_path)[0]
    encoder, report = load_checkpoint(tmp_path)
    assert (report.dialect, report.container, report.decoder) == ("maetheory", "maetheory run", "whole")
    assert (
        report.sources["heads"] == report.sources["eps"] == report.sources["mean"] == "stated in the file: config.json"
    )
    assert (report.trained["objective"], report.trained["mask_ratio"], report.trained["step"]) == (objective, 0.75, 4)
    mask = torch.from_numpy(BernoulliMasks(16, 0.5).sample(np.random.default_rng(1), 5))
    with torch.no_grad():
        for visible in (None, mask):
            for one, other in zip(encoder.hidden_states(IMAGES, visible), peer.encoder.hidden_states(IMAGES, visible)):
                torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    torch.testing.assert_close(encode(encoder, images, readout="mean"), encode(peer, images, readout="mean"))


def real(folder: Path, name: str, n: int) -> tuple[Encoder, ImageSet]:
    encoder, _ = load_checkpoint(folder / "checkpoints" / "cifar10-vit-tiny" / f"vit-t-classifier-{name}.pt")
    return encoder, load_images(folder / "cifar-10-batches-bin", split="test", limit=n)


def accuracy_of(encoder: Encoder, test: ImageSet) -> float:
    """Test accuracy of a file's own classifier."""
    parts = [torch.from_numpy(test.images[i : i + 100]) for i in range(0, len(test), 100)]
    with torch.no_grad():
        predicted = torch.cat([encoder.logits(part).argmax(1) for part in parts])
    return float((predicted.numpy() == test.labels).mean())


def test_a_real_file_classifies_real_images(real_data: Path) -> None:
    assert accuracy_of(*real(real_data, "mae_284_epochs", 100)) == pytest.approx(0.8, abs=0.011)  # one on the fence


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "accuracy", "cls", "mean"), [("mae_284_epochs", 0.8142, 39.2, 41.3), ("from_scratch", 0.7285, 40.1, 51.3)]
)
def test_real_files_reach_their_accuracy(real_data: Path, name: str, accuracy: float, cls: float, mean: float) -> None:
    encoder, test = real(real_data, name, 10_000)
    hits, cls_rows, mean_rows = 0, [], []
    for start in range(0, 10_000, 100):  # one pass for all three
        with torch.no_grad():
            tokens = encoder(torch.from_numpy(test.images[start : start + 100]))
            predicted = encoder.head(tokens[:, 0]).argmax(1)  # type: ignore[misc]  # the head may be None
        hits += int((predicted.numpy() == test.labels[start : start + 100]).sum())
        cls_rows.append(tokens[:, 0])
        mean_rows.append(tokens[:, 1:].mean(1))
    assert hits / 10_000 == pytest.approx(accuracy, abs=2e-4)
    for rows, rank in ((cls_rows, cls), (mean_rows, mean)):
        assert float(rankme(torch.cat(rows).double().numpy())) == pytest.approx(rank, abs=0.06)


def test_inspecting_gives_the_same_report(tmp_path: Path) -> None:
    path = saved(tmp_path, {"model": facebook().state_dict()})
    report = inspect_checkpoint(path, heads=4)
    assert report == load_checkpoint(path, heads=4)[1]
    text = str(report)
    assert report.sha256 in text
    assert "heads            4 (argument)" in text
    assert "cannot reconstruct" in text
