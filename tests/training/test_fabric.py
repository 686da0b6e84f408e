"""Training on one process and on two gives the same losses and weights, up to float32 rounding error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from maetheory.training.checkpointing import list_checkpoints, read_checkpoint
from maetheory.training.logbook import read_log

SCRIPT = """
import sys, torch
torch.set_num_threads(1)
from lightning_fabric import Fabric
from maetheory.data import load_images
from maetheory.models import MAEConfig, ViTConfig
from maetheory.training import TrainConfig, train
model = MAEConfig(ViTConfig(8, 2, 1, width=16, depth=2, heads=2, positions="learned"), 16, 1, 2)
config = TrainConfig(model, uniformity_weight=1.0, epochs=1, batch=64, base_lr=4e-3, warmup_epochs=0, log_every=1,
                     mask_law=sys.argv[3], uniformity_form=sys.argv[4])
n = int(sys.argv[1])
fabric = Fabric(accelerator="cpu", devices=n, strategy="ddp" if n > 1 else "auto")
train(config, load_images("digits", limit=192), out=sys.argv[2], fabric=fabric)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("law", "form"),
    [("uniform", "squares"), ("bernoulli", "squares"), ("uniform", "gaussian"), ("uniform", "coding-rate")],
)
def test_three_steps_of_two_processes_are_three_steps_of_one(tmp_path: Path, law: str, form: str) -> None:
    script = tmp_path / "steps.py"
    script.write_text(SCRIPT)
    for n in (1, 2):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(script), str(n), str(tmp_path / str(n)), law, form],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    one, two = (read_log(tmp_path / name / "metrics.jsonl") for name in "12")
    assert len(one) == len(two) == 3
    for a, b in zip(one, two, strict=True):
        assert abs(a["uniformity"]) > 1e-3
        assert json.dumps(a["learning_rate"]) == json.dumps(b["learning_rate"])
        for name in ("loss", "reconstruction", "uniformity"):
            assert a[name] == pytest.approx(b[name], rel=2e-5)
    # Under AdamW rounding errors move weights of zero true gradient (key biases), so gradients' means are compared.
    moments = [read_checkpoint(list_checkpoints(tmp_path / name)[-1]).optimizer for name in "12"]
    names = [name for name in moments[0] if name.startswith("exp_avg.")]
    size = max(float(moments[0][name].abs().max()) for name in names)
    for name in names:
        torch.testing.assert_close(moments[0][name], moments[1][name], atol=2e-5 * size, rtol=0)


@pytest.mark.slow
def test_torchrun_needs_nothing_but_its_own_count(tmp_path: Path) -> None:
    words = [
        "-m",
        "maetheory",
        "train",
        "--epochs",
        "1",
        "--batch",
        "64",
        "--limit",
        "128",
        "--accelerator",
        "cpu",
        "--warmup-epochs",
        "0",
        "--json",
    ]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    losses = []
    for name, start in (("1", []), ("2", torchrun)):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", *start, *words, "--out", str(tmp_path / name)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        losses.append(json.loads(done.stdout)["loss"])  # one document: the first process alone prints
    assert losses[0] == pytest.approx(losses[1], rel=2e-5)
