"""Fine-tuning: initial weights, layer-wise learning rates, augmentation, and exact resumption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from maetheory.checkpoints import load_checkpoint
from maetheory.core import InputError
from maetheory.data import ImageSet, load_images
from maetheory.evaluation import FinetuneConfig, encode, finetune, linear_probe
from maetheory.evaluation.probes.augmentation import (
    draw_mixing_map,
    mix_images,
    mixing_partners,
    shift_and_flip,
    soft_targets,
)
from maetheory.evaluation.probes.classifier import as_encoder, classifier_with_new_head
from maetheory.evaluation.probes.finetune_task import FinetuneTask
from maetheory.evaluation.probes.layer_decay import param_groups_layer_decay
from maetheory.models import MAE, MAEConfig, ViTConfig
from maetheory.training import TrainConfig, TrainStep, load_run, train
from maetheory.training.checkpointing import list_checkpoints, read_checkpoint
from maetheory.training.logbook import read_log

MODEL = MAEConfig(ViTConfig(8, 2, 1, width=16, depth=2, heads=2, positions="learned"), 16, 1, 2)
CONFIG = FinetuneConfig(epochs=2, batch=32, base_lr=4e-3, warmup_epochs=0.5, crop=1, flip=True, log_every=1)


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load_images("digits", limit=128)


@pytest.fixture
def model() -> MAE:
    torch.manual_seed(0)
    return MAE(MODEL)


def weights(out: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(list_checkpoints(out)[-1]).weights


def test_layers_learn_at_the_rates_of_the_table(model: MAE) -> None:
    encoder = classifier_with_new_head(as_encoder(model), 10, "mean", 0).encoder
    table = {
        "cls_token": (0.125, 0),
        "pos_embed": (0.125, 0),
        "patch_embed.proj.weight": (0.125, 1),
        "patch_embed.proj.bias": (0.125, 0),
        "blocks.0.norm1.weight": (0.25, 0),
        "blocks.0.norm1.bias": (0.25, 0),
        "blocks.0.attn.qkv.weight": (0.25, 1),
        "blocks.0.mlp.fc2.bias": (0.25, 0),
        "blocks.1.attn.proj.weight": (0.5, 1),
        "blocks.1.norm2.bias": (0.5, 0),
        "fc_norm.weight": (1, 0),
        "head.weight": (1, 1),
        "head.bias": (1, 0),
    }
    groups = param_groups_layer_decay(encoder, 2, layer_decay=0.5, weight_decay=0.3)
    found = {id(p): (g["lr_scale"], g["weight_decay"] / 0.3) for g in groups for p in g["params"]}
    names = dict(encoder.named_parameters())
    assert {name: found[id(names[name])] for name in table} == table
    assert len(found) == len(names) == sum(len(group["params"]) for group in groups)


def test_the_optimiser_moves_each_layer_by_its_rate(tmp_path: Path, digits: ImageSet, model: MAE) -> None:
    config = replace(CONFIG, epochs=1, batch=128, warmup_epochs=0, weight_decay=0.0, layer_decay=0.1, readout="cls")
    start = as_encoder(model).state_dict()
    finetune(model, digits, digits, config, out=tmp_path)  # one step: Adam's first moves every weight by its rate
    peak = config.base_lr * 128 / 256
    for name, rate in (("blocks.0.attn.proj.weight", 0.01), ("blocks.1.mlp.fc1.weight", 0.1), ("norm.weight", 1.0)):
        gone = (weights(tmp_path)[f"encoder.{name}"] - start[name]).abs().median()
        assert float(gone) == pytest.approx(rate * peak, rel=0.2)  # behind so small a head Adam's ε of 1e-8 shows


def test_a_new_head_reads_the_right_tokens(digits: ImageSet, model: MAE) -> None:
    images = torch.from_numpy(digits.images[:5])
    for readout in ("cls", "mean"):
        first = classifier_with_new_head(as_encoder(model), 10, readout, 3).eval()  # type: ignore[arg-type]
        head = first.encoder.head
        tokens = model.eval().encoder.hidden_states(images)[-1]
        norm = torch.nn.LayerNorm(16, 1e-6) if readout == "mean" else model.encoder.norm  # a new norm of the mean
        read = norm(tokens[:, 1:].mean(1)) if readout == "mean" else norm(tokens)[:, 0]
        with torch.no_grad():
            torch.testing.assert_close(first(images), head(read), atol=1e-7, rtol=1e-4)


def test_dropped_branches_are_left_out_and_kept_ones_are_rescaled(digits: ImageSet, model: MAE) -> None:
    classifier = classifier_with_new_head(as_encoder(model), 10, "cls", 0)
    task = FinetuneTask(replace(CONFIG, drop_path=0.5), as_encoder(model), 10)
    kept = task.random_draws(0, 4000, torch.device("cpu"))[0]
    assert kept.shape == (4000, 2, 2)
    assert bool((kept[:, 0] == 1).all())  # the first block is never left out
    assert set(kept[:, 1].unique().tolist()) == {0.0, 2.0}
    assert abs(float(kept[:, 1].mean()) - 1) < 5 / np.sqrt(8000)
    images, encoder = torch.from_numpy(digits.images[:2]), classifier.encoder
    embedded, first, _ = encoder.hidden_states(images)
    none = torch.stack([torch.zeros(2, 2), torch.tensor([[1.0, 1.0], [0.0, 0.0]])])
    states = list(encoder.iter_hidden_states(images, branch_factors=none))
    torch.testing.assert_close(states[-1][0], embedded[0])
    torch.testing.assert_close(states[-1][1], first[1])
    block, x = encoder.blocks[0], embedded
    x = x + 2 * block.attn(block.norm1(x), None)
    twice = list(
        encoder.iter_hidden_states(images, branch_factors=torch.tensor([[[2.0, 3.0], [0.0, 0.0]]]).expand(2, -1, -1))
    )
    torch.testing.assert_close(twice[1], x + 3 * block.mlp(block.norm2(x)))


def test_shift_and_flip_agree_with_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(1, 256, (6, 2, 4, 5), dtype=np.uint8)
    corners, flipped = rng.integers(3, size=(6, 2)), np.array([0, 1, 0, 1, 1, 0], bool)
    found = shift_and_flip(torch.from_numpy(images), torch.from_numpy(corners), torch.from_numpy(flipped), 1).numpy()
    for i, (top, left) in enumerate(corners):
        window = np.pad(images[i], ((0, 0), (1, 1), (1, 1)))[:, top : top + 4, left : left + 5]
        np.testing.assert_array_equal(found[i], window[:, :, ::-1] if flipped[i] else window)


def test_mixtures_and_their_labels_agree() -> None:
    assert mixing_partners(5).tolist() == [1, 0, 3, 2, 4]
    assert mixing_partners(4).tolist() == [1, 0, 3, 2]
    rng = np.random.default_rng(0)
    lams = np.array([draw_mixing_map(rng, 8, mixup=0.8, cutmix=0)[0, 0] for _ in range(3000)])
    assert abs(lams.mean() - 0.5) < 5 * np.sqrt(1 / (4 * 2.6 * 3000))  # Beta(a, a): mean 1/2, variance 1/(4(2a + 1))
    assert lams.var() == pytest.approx(1 / (4 * 2.6), rel=0.1)
    boxes = [draw_mixing_map(rng, 16, mixup=0, cutmix=1.0) for _ in range(500)]
    for box in boxes:
        rows, columns = (np.flatnonzero((box == 0).any(axis)) for axis in (1, 0))
        assert (box == 0).sum() == len(rows) * len(columns)  # one rectangle
    assert 0.6 < np.mean([box.mean() for box in boxes]) < 0.8  # half, more where the edge cuts the box
    assert (draw_mixing_map(rng, 4, mixup=0, cutmix=0) == 1).all()
    both = [draw_mixing_map(rng, 16, mixup=0.8, cutmix=1.0) for _ in range(400)]
    assert abs(np.mean([len(np.unique(one)) == 2 or one.max() in (0, 1) for one in both]) - 0.5) < 5 * 0.5 / 20
    images = torch.from_numpy(rng.random((2, 1, 16, 16)))
    one = torch.from_numpy(boxes[0]).double()
    torch.testing.assert_close(mix_images(images, one.expand(2, -1, -1))[0], one * images[0] + (1 - one) * images[1])
    targets = soft_targets(torch.tensor([0, 2]), torch.tensor([0.75, 0.75]), 4, 0.2)
    torch.testing.assert_close(targets, torch.tensor([[0.65, 0.05, 0.25, 0.05], [0.25, 0.05, 0.65, 0.05]]))


class StopAt:
    """Press Ctrl-C while a given step is under way."""

    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, train_step: TrainStep) -> None:
        if train_step.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


def test_resumed_is_uninterrupted_and_loads_like_any_checkpoint(tmp_path: Path, digits: ImageSet, model: MAE) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    whole = finetune(model, digits, digits, CONFIG, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt, match="stopped after step 3 of 8; resume"):
        finetune(model, digits, digits, CONFIG, out=tmp_path / "cut", callbacks=[StopAt(3)])
    cut = finetune(model, digits, digits, CONFIG, out=tmp_path / "cut", resume=True)
    one, two = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert cut.accuracy == whole.accuracy
    assert read_log(tmp_path / "whole" / "metrics.jsonl") == read_log(tmp_path / "cut" / "metrics.jsonl")
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    again, report = load_checkpoint(tmp_path / "whole")
    images = torch.from_numpy(digits.images[:7])
    with torch.no_grad():
        torch.testing.assert_close(again.logits(images), whole.encoder.logits(images), rtol=0, atol=0)
    assert (report.dialect, report.head.classes, report.head.readout) == ("maetheory", 10, "mean")  # type: ignore[union-attr]
    with pytest.raises(InputError, match="masked image modelling"):
        load_run(tmp_path / "whole")
    with pytest.raises(InputError, match=r"another configuration \(layer_decay differ"):
        finetune(model, digits, digits, replace(CONFIG, layer_decay=1.0), out=tmp_path / "cut", resume=True)
    torch.manual_seed(1)
    with pytest.raises(InputError, match=r"another configuration \(start differ"):
        finetune(MAE(MODEL), digits, digits, CONFIG, out=tmp_path / "cut", resume=True)
    with pytest.raises(InputError, match="of another kind"):
        train(TrainConfig(MODEL), digits, out=tmp_path / "cut", resume=True)


SCRIPT = """
import sys, torch
torch.set_num_threads(1)
from lightning_fabric import Fabric
from maetheory.data import load_images
from maetheory.evaluation import FinetuneConfig, finetune
from maetheory.models import MAE, MAEConfig, ViTConfig
torch.manual_seed(0)
model = MAE(MAEConfig(ViTConfig(8, 2, 1, width=16, depth=2, heads=2, positions="learned"), 16, 1, 2))
config = FinetuneConfig(epochs=1, batch=32, base_lr=4e-3, warmup_epochs=0, crop=1, flip=True, log_every=1)
n, digits = int(sys.argv[1]), load_images("digits", limit=96)
fabric = Fabric(accelerator="cpu", devices=n, strategy="ddp" if n > 1 else "auto")
finetune(model, digits, digits, config, out=sys.argv[2], fabric=fabric)
"""


@pytest.mark.slow
def test_two_processes_are_one(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(SCRIPT)
    for n in "12":
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(tmp_path / "steps.py"), n, str(tmp_path / n)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    one, two = (read_log(tmp_path / n / "metrics.jsonl") for n in "12")
    assert [line["step"] for line in two] == [1, 2, 3]
    for a, b in zip(one, two, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=2e-5)


@pytest.mark.slow
def test_fine_tuning_beats_the_linear_probe(tmp_path: Path) -> None:
    images, test = load_images("digits"), load_images("digits", split="test")
    start = TrainConfig(MODEL, epochs=20, batch=64, base_lr=4e-3, warmup_epochs=1)
    pretrained = train(start, images, out=tmp_path / "mae").model
    z, z_test = (encode(pretrained, each, readout="mean") for each in (images, test))
    frozen = linear_probe(z, images.labels, z_test, test.labels).accuracy
    config = FinetuneConfig(epochs=30, batch=64, base_lr=8e-3, warmup_epochs=2, layer_decay=0.75, mixup=0, cutmix=0)
    tuned = finetune(pretrained, images, test, config, out=tmp_path / "tuned").accuracy
    assert tuned.low > frozen.value


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"readout": "max"}, "'mean' or 'cls'"),
        ({"layer_decay": 0.0}, "layer_decay"),
        ({"drop_path": 1.0}, "drop_path"),
        ({"smoothing": -0.1}, "smoothing"),
        ({"mixup": -1.0}, "mixup"),
        ({"crop": -1}, "crop"),
        ({"epochs": 0}, "epochs"),
    ],
)
def test_invalid_configurations_are_refused(change: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        FinetuneConfig(**change)  # type: ignore[arg-type]


def test_unfit_images_and_models_are_refused(tmp_path: Path, digits: ImageSet, model: MAE) -> None:
    colour = ImageSet(np.zeros((4, 2, 8, 8), np.uint8), np.array([0, 1, 0, 1]), "two channels")
    with pytest.raises(InputError, match="of 1 channels"):
        finetune(model, colour, colour, CONFIG, out=tmp_path / "a")
    two = digits.labels < 2
    few = ImageSet(digits.images[two], digits.labels[two], "zeros and ones")
    with pytest.raises(InputError, match="test images have 10 classes, but there are 2"):
        finetune(model, few, digits, CONFIG, out=tmp_path / "a")
    with pytest.raises(InputError, match="even number of them, but it has 15"):
        finetune(model, digits, digits, replace(CONFIG, batch=30, accumulate=2), out=tmp_path / "a")
    with pytest.raises(InputError, match="at least two classes"):
        finetune(model, few.take(few.labels < 1), few, CONFIG, out=tmp_path / "a")
    with pytest.raises(InputError, match="takes an Encoder"):
        finetune(torch.nn.Linear(2, 2), digits, digits, CONFIG, out=tmp_path / "a")  # type: ignore[arg-type]


def test_config_survives_json() -> None:
    assert FinetuneConfig(**json.loads(json.dumps(CONFIG.to_dict()))) == CONFIG
