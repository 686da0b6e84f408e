"""Training with sharded weights (FSDP) equals training without, and so do its checkpoints."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file
from torch import Tensor

from maetheory.core import InputError
from maetheory.data import load_images
from maetheory.models import MAEConfig, ViTConfig
from maetheory.training import CollapseMonitor, TrainConfig, TrainStep, make_fabric, train
from maetheory.training.checkpointing import list_checkpoints, read_checkpoint
from maetheory.training.logbook import read_log

BATCH, STEPS, CUT = 64, 6, 3
# Means over a batch and a step's gradients are summed in another order: each step adds up to BATCH eps, relatively.
TOLERANCE = STEPS * BATCH * torch.finfo(torch.float32).eps  # 4.6e-5
MODEL = MAEConfig(ViTConfig(8, 2, 1, width=16, depth=2, heads=2, positions="learned"), 16, 2, 2)
PLAIN = TrainConfig(MODEL, uniformity_weight=1.0, epochs=2, batch=BATCH, base_lr=4e-3, warmup_epochs=0, log_every=1)
CONFIGS = {
    "plain": PLAIN,
    "padded": replace(PLAIN, mask_law="bernoulli", uniformity_form="coding-rate", clip=0.5, accumulate=2),
    "simmim": replace(
        PLAIN, model=replace(MODEL, encoder=replace(MODEL.encoder, positions="sincos")), objective="simmim"
    ),
}
SCRIPT = """
import json, os, shutil, signal, sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from maetheory.core import InputError
from maetheory.data import load_images
from maetheory.training import CollapseMonitor, TrainConfig, make_fabric, train

torch.set_num_threads(1)
folder, rank, digits, said = Path(sys.argv[1]), int(os.environ["RANK"]), load_images("digits", limit=192), {}

def stop(train_step):
    if train_step.step == 3 and rank == 1:  # one process is interrupted, all must stop
        os.kill(os.getpid(), signal.SIGINT)

def check_weights(train_step):
    if train_step.step == train_step.total:
        said["own"] = sum(weight.to_local().numel() for weight in train_step.model.parameters())
        said["all"] = sum(weight.numel() for weight in train_step.model.parameters())
        save_file(train_step.full_model().state_dict(), folder / f"whole-{rank}.safetensors")

def misuse(train_step):
    train_step.model.encode(torch.from_numpy(digits.images[:2]))

for job in json.loads((folder / "jobs.json").read_text()):
    if "start" in job:
        if rank == 0:
            shutil.copytree(folder / job["start"], folder / job["name"])
        torch.distributed.barrier()
    callbacks = [CollapseMonitor(every=1, window=1, metrics=("effective_rank",))]
    named = {"stop": stop, "check_weights": check_weights, "misuse": misuse}
    callbacks += [named[name] for name in job.get("callbacks", ())]
    try:
        train(TrainConfig.from_dict(job["config"]), digits, out=folder / job["name"], resume="start" in job,
              fabric=make_fabric("cpu", strategy=job["strategy"]), callbacks=callbacks)
    except (KeyboardInterrupt, InputError) as error:
        said[job["name"]] = str(error)
(folder / f"said-{rank}.json").write_text(json.dumps(said))
"""


def one(name: str, out: Path, *callbacks: Any, resume: bool = False) -> None:
    """Train on one process."""
    watch = CollapseMonitor(every=1, window=1, metrics=("effective_rank",))
    train(
        CONFIGS[name],
        load_images("digits", limit=192),
        out=out,
        resume=resume,
        callbacks=[watch, *callbacks],
        fabric=make_fabric("cpu"),
    )


def stop(train_step: TrainStep) -> None:
    if train_step.step == CUT:
        os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of one process, and of two processes with and without sharded weights."""
    folder = tmp_path_factory.mktemp("runs")
    for name in CONFIGS:
        one(name, folder / f"{name}-one")
    with pytest.raises(KeyboardInterrupt):
        one("plain", folder / "cut-one", stop)
    plain = CONFIGS["plain"].to_dict()
    jobs: list[dict[str, Any]] = [
        {
            "name": f"{name}-{strategy}",
            "config": config.to_dict(),
            "strategy": strategy,
            "callbacks": ["check_weights"] if (name, strategy) == ("plain", "fsdp") else [],
        }
        for name, config in CONFIGS.items()
        for strategy in ("ddp", "fsdp")
    ]
    jobs += [
        {"name": "cut-fsdp", "config": plain, "strategy": "fsdp", "callbacks": ["stop"]},
        {"name": "fsdp-then-fsdp", "start": "cut-fsdp", "config": plain, "strategy": "fsdp"},
        {"name": "fsdp-then-ddp", "start": "cut-fsdp", "config": plain, "strategy": "ddp"},
        {"name": "one-then-fsdp", "start": "cut-one", "config": plain, "strategy": "fsdp"},
        {"name": "misuse", "config": plain, "strategy": "fsdp", "callbacks": ["misuse"]},
    ]
    (folder / "jobs.json").write_text(json.dumps(jobs))
    (folder / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc_per_node=2",
            str(folder / "script.py"),
            str(folder),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shutil.copytree(folder / "cut-fsdp", folder / "fsdp-then-one")
    one("plain", folder / "fsdp-then-one", resume=True)
    return folder


def same_run(a: Path, b: Path) -> None:
    """Compare losses and monitored metrics of each step, and the optimiser state after the last."""
    logs = [read_log(path / "metrics.jsonl") for path in (a, b)]
    assert len(logs[0]) == len(logs[1]) == STEPS
    for x, y in zip(*logs, strict=True):
        assert x["learning_rate"] == y["learning_rate"]
        monitored = x.keys() & y.keys() & {"effective_rank"}  # the monitor skips the first step of a run or resumption
        assert monitored or x["step"] in (1, CUT + 1)
        for name in ("loss", "reconstruction", "uniformity", *monitored):
            assert x[name] == pytest.approx(y[name], rel=TOLERANCE)
    # As in test_fabric: AdamW moves weights of zero true gradient by rounding errors alone, so moments are compared.
    left, right = (read_checkpoint(list_checkpoints(path)[-1]).optimizer for path in (a, b))
    assert left.keys() == right.keys()
    size = max(float(value.abs().max()) for name, value in left.items() if name.startswith("exp_avg."))
    for name, value in left.items():
        if name.startswith(("exp_avg.", "step.")):
            torch.testing.assert_close(value, right[name], atol=TOLERANCE * size, rtol=0)


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
@pytest.mark.parametrize("name", CONFIGS)
def test_two_processes_are_one(runs: Path, name: str, strategy: str) -> None:
    same_run(runs / f"{name}-one", runs / f"{name}-{strategy}")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fsdp-then-one", "fsdp-then-ddp", "one-then-fsdp"])
def test_a_cut_run_goes_on_under_another_strategy(runs: Path, name: str) -> None:
    assert (
        list_checkpoints(runs / "cut-fsdp")[-1].name == list_checkpoints(runs / "cut-one")[-1].name == f"step-{CUT:08d}"
    )
    same_run(runs / "plain-one", runs / name)


@pytest.mark.slow
def test_a_cut_run_that_goes_on_as_it_was_is_uninterrupted_bit_for_bit(runs: Path) -> None:
    whole, cut = (read_checkpoint(list_checkpoints(runs / name)[-1]) for name in ("plain-fsdp", "fsdp-then-fsdp"))
    assert equal(whole.weights, cut.weights)
    assert equal(whole.optimizer, cut.optimizer)


@pytest.mark.slow
def test_each_process_holds_its_part_and_can_ask_for_the_whole(runs: Path) -> None:
    said = [json.loads((runs / f"said-{rank}.json").read_text()) for rank in range(2)]
    assert said[0]["own"] + said[1]["own"] == said[0]["all"]
    # What has one row, tokens and positions, is the first process's: 4 (16 + 1) and 2 rows of width 16 at most.
    assert said[0]["own"] - said[1]["own"] <= 2 * (16 + 1 + 1) * 16
    weights = read_checkpoint(list_checkpoints(runs / "plain-fsdp")[-1]).weights
    for rank in range(2):
        assert equal(load_file(runs / f"whole-{rank}.safetensors"), weights)
        assert said[rank]["misuse"].endswith("take its full_model() in place of its model")
        assert said[rank]["cut-fsdp"] == f"stopped after step {CUT} of {STEPS}; resume to go on"


def test_a_strategy_that_cannot_be_is_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match="must be one of auto, ddp, fsdp, but it is 'zero'"):
        make_fabric("cpu", strategy="zero")
    with pytest.raises(InputError, match="fsdp shares the weights among processes, so it needs at least 2"):
        make_fabric("cpu", strategy="fsdp")
    with pytest.raises(InputError, match=r"does not support .*16-mixed"):
        make_fabric("cpu", 2, strategy="fsdp", precision="16-mixed")
    assert type(make_fabric("cpu", strategy="ddp").strategy).__name__ == "SingleDeviceStrategy"


def test_fabrics_own_sharding_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lightning_fabric.strategies import FSDPStrategy

    fabric = Fabric(accelerator="cpu", devices=1)
    monkeypatch.setattr(fabric, "_strategy", FSDPStrategy())
    monkeypatch.setattr(fabric, "launch", lambda: None)
    with pytest.raises(InputError, match="take make_fabric"):
        train(CONFIGS["plain"], load_images("digits", limit=192), out=tmp_path, fabric=fabric)
