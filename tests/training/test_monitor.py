"""The monitor's metrics equal those of the features, and monitoring does not change training."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from maetheory.core import InputError
from maetheory.data import ImageSet, load_images
from maetheory.evaluation import encode
from maetheory.metrics import MOMENT_METRICS, effective_rank, mean_cosine, participation_ratio, umae_uniformity
from maetheory.models import MAEConfig, ViTConfig
from maetheory.training import CollapseMonitor, TrainConfig, TrainStep, load_run, train
from maetheory.training.logbook import read_log

MODEL = MAEConfig(ViTConfig(8, 2, 1, width=16, depth=2, heads=2, positions="learned"), 16, 1, 2)
CONFIG = TrainConfig(MODEL, uniformity_weight=0.1, epochs=1, batch=64, base_lr=4e-3, warmup_epochs=0, log_every=1)


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load_images("digits", limit=192)


def batches(count: int, b: int = 32, d: int = 6) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(b, d, generator=generator) + 0.5 for _ in range(count)]


def test_numbers_are_the_metrics_of_the_last_window() -> None:
    z = batches(12)
    monitor = CollapseMonitor(every=5, window=3)
    found = {step: monitor.update(batch, step) for step, batch in enumerate(z, start=1)}
    assert [step for step, numbers in found.items() if numbers is not None] == [5, 10]
    for step in (5, 10):
        rows, numbers = torch.cat(z[step - 3 : step]).double().numpy(), found[step]
        assert numbers is not None
        measures = (effective_rank, participation_ratio, mean_cosine, umae_uniformity)
        assert {measure.__name__: numbers[measure.__name__] for measure in measures} == pytest.approx(
            {measure.__name__: measure(rows) for measure in measures}, rel=1e-11
        )
        assert (numbers["n"], numbers["d"], numbers["not_finite"]) == (96, 6, 0)
    assert monitor.latest == found[10]


def test_what_is_written_over_the_features_later_is_not_measured() -> None:
    buffer, monitor = batches(1)[0], CollapseMonitor(every=2, window=2)
    wanted = mean_cosine(torch.cat([buffer, buffer.flip(1)]))
    monitor.update(buffer, 1)
    buffer.copy_(buffer.flip(1).clone())
    numbers = monitor.update(buffer, 2)
    assert numbers is not None
    assert numbers["mean_cosine"] == pytest.approx(wanted, rel=1e-12)


def test_windows_may_overlap_and_a_lower_step_begins_anew() -> None:
    z = batches(4)
    monitor = CollapseMonitor(every=1, window=3, metrics=("mean_cosine",))
    numbers = [monitor.update(batch, step) for step, batch in enumerate(z, start=1)]
    assert [number["n"] for number in numbers if number is not None] == [32, 64, 96, 96]
    assert numbers[3] is not None
    assert numbers[3]["mean_cosine"] == pytest.approx(mean_cosine(torch.cat(z[1:])), rel=1e-12)
    again = monitor.update(z[0], 2)
    assert again is not None
    assert again["n"] == 32


def test_a_look_that_was_stepped_over_is_made_up_for() -> None:
    monitor = CollapseMonitor(every=10, window=10, metrics=("mean_cosine",))
    found = [step for step in range(3, 40, 7) if monitor.update(batches(1)[0], step) is not None]
    assert found == [10, 24, 31]
    assert CollapseMonitor(every=10).update(batches(1)[0], 25) is None  # a resumed loop has skipped nothing


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_any_float_format_is_measured_and_none_is_changed(dtype: torch.dtype) -> None:
    z = batches(1, d=16)[0].to(dtype).requires_grad_()  # a power law needs twelve eigenvalues
    numbers = CollapseMonitor(every=1, metrics=tuple(MOMENT_METRICS)).update(z, 1)
    assert numbers is not None
    for name, measure in MOMENT_METRICS.items():
        assert numbers[name] == pytest.approx(float(measure(z.detach().double().numpy())), rel=1e-9)
    assert (z.dtype, z.grad, z.requires_grad) == (dtype, None, True)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_features_that_are_not_finite_are_reported_and_end_nothing(bad: float) -> None:
    monitor = CollapseMonitor(every=1, window=1)
    z = batches(1)[0]
    z[3, 2] = bad
    numbers = monitor.update(z, 1)
    assert numbers is not None
    assert all(math.isnan(numbers[name]) for name in monitor.metrics)
    assert (numbers["n"], numbers["not_finite"]) == (32, 1)
    after = monitor.update(batches(1)[0], 2)
    assert after is not None
    assert math.isfinite(after["effective_rank"])


def test_what_is_undefined_is_nan() -> None:
    numbers = CollapseMonitor(every=1).update(torch.cat([torch.zeros(1, 3), torch.eye(3)]), 1)
    assert numbers is not None
    assert math.isnan(numbers["mean_cosine"])
    assert numbers["effective_rank"] == pytest.approx(3)
    lonely = CollapseMonitor(every=1).update(torch.ones(1, 3), 1)
    assert lonely is not None
    assert math.isnan(lonely["effective_rank"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"every": 0}, "every must be at least 1, but it is 0"),
        ({"window": 0}, "window must be at least 1"),
        ({"metrics": ("rank",)}, "metrics must be among effective_rank, .* but 'rank' was given"),
        ({"readout": "max"}, "the readout must be 'cls', 'mean' or 'pooled'"),
    ],
)
def test_wrong_words(words: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        CollapseMonitor(**words)


def test_wrong_features() -> None:
    with pytest.raises(InputError, match=r"one row per image, \(B, d\), but their shape is \(2, 3, 4\)"):
        CollapseMonitor(every=1).update(torch.ones(2, 3, 4), 1)
    with pytest.raises(InputError, match="the model has no module 'head'; it has 0, 1"):
        CollapseMonitor(features="head").attach(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    with pytest.raises(InputError, match="must be looked for in a model"):
        CollapseMonitor().attach()


@pytest.mark.parametrize("readout", ["cls", "mean"])
def test_a_watched_run_is_the_unwatched_run_bit_for_bit(tmp_path: Path, digits: ImageSet, readout: str) -> None:
    monitor = CollapseMonitor(every=1, window=2, readout=readout, prefix="batch_")  # type: ignore[arg-type]
    states = []
    for name, callbacks in (("alone", []), ("watched", [monitor])):
        torch.manual_seed(3)
        train(CONFIG, digits, out=tmp_path / name, callbacks=callbacks)
        states.append(torch.get_rng_state())
    assert torch.equal(*states)
    alone, watched = (load_run(tmp_path / name)[0].state_dict() for name in ("alone", "watched"))
    assert all(torch.equal(alone[name], watched[name]) for name in alone)
    logs = [read_log(tmp_path / name / "metrics.jsonl") for name in ("alone", "watched")]
    assert [line["loss"] for line in logs[0]] == [line["loss"] for line in logs[1]]
    assert [line.get("batch_n") for line in logs[1]] == [None, 64, 128]
    assert 1 < logs[1][2]["batch_effective_rank"] <= 16


def test_the_hook_sees_the_latent_of_training_and_leaves_with_the_run(tmp_path: Path, digits: ImageSet) -> None:
    monitor = CollapseMonitor(every=3, window=1, metrics=("mean_cosine", "effective_rank"))
    latents: list[Tensor] = []

    def note(train_step: TrainStep) -> None:
        encode(train_step.model, digits)  # features of an evaluation are not the batch's
        if train_step.step == 1:
            train_step.model.register_forward_hook(lambda _, __, out: latents.append(out.latent[:, 0].detach().clone()))

    done = train(CONFIG, digits, out=tmp_path, callbacks=[monitor, note])
    assert monitor.latest is not None
    assert monitor.latest["n"] == 64
    assert monitor.latest["mean_cosine"] == pytest.approx(mean_cosine(latents[-1]), rel=1e-10)
    assert not done.model.get_submodule("encoder.norm")._forward_hooks


def test_micro_batches_of_a_step_are_one_batch(tmp_path: Path, digits: ImageSet) -> None:
    monitor = CollapseMonitor(every=3, window=1)
    train(replace(CONFIG, accumulate=2), digits, out=tmp_path, callbacks=[monitor])
    assert monitor.latest is not None
    assert monitor.latest["n"] == 64


def test_a_function_may_choose_the_features(tmp_path: Path, digits: ImageSet) -> None:
    def features(train_step: TrainStep) -> Tensor:
        torch.rand(3)
        return encode(train_step.model, digits)

    monitor = CollapseMonitor(every=3, window=1, features=features)
    after: list[Tensor] = []
    for name, callbacks in (("alone", []), ("watched", [monitor])):
        torch.manual_seed(0)
        done = train(CONFIG, digits, out=tmp_path / name, callbacks=callbacks)
        after.append(torch.get_rng_state())
    assert torch.equal(*after)
    assert monitor.latest is not None
    assert monitor.latest["effective_rank"] == pytest.approx(effective_rank(encode(done.model, digits)), rel=1e-9)


class Net(nn.Module):
    """Tokens, then a head, with dropout in between, so that an extra forward pass would be noticed."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Linear(4, 8)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.drop(self.tokens(x)))


class Notes:
    """Fabric logger that stores what it is given."""

    name = version = root_dir = log_dir = group_separator = None

    def __init__(self) -> None:
        self.lines: list[tuple[int, dict[str, float]]] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.lines.append((step or 0, dict(metrics)))


def fabric_run(monitor: CollapseMonitor | None, by_call: bool = False) -> tuple[dict[str, Tensor], Notes]:
    torch.manual_seed(0)
    notes = Notes()
    fabric = Fabric(accelerator="cpu", devices=1, callbacks=[monitor] if monitor else None, loggers=notes)  # type: ignore[arg-type]
    net = Net()
    model, optimizer = fabric.setup(net, torch.optim.SGD(net.parameters(), lr=0.1))
    if monitor:
        monitor.attach(model, fabric)
    for _ in range(4):
        x = torch.randn(16, 5, 4)
        out = model(x)
        fabric.backward(out.square().mean())
        optimizer.step()
        optimizer.zero_grad()
        if by_call:
            fabric.call("on_train_batch_end", outputs=x[:, 0], batch=x)
        else:
            fabric.call("on_train_batch_end", out, x, 0)
    return net.state_dict(), notes


def test_fabric_calls_the_monitor_and_logs_its_numbers() -> None:
    alone, _ = fabric_run(None)
    watched, notes = fabric_run(CollapseMonitor(every=2, window=2, features="tokens", readout="mean"))
    assert all(torch.equal(alone[name], watched[name]) for name in alone)
    assert [(step, line["n"], line["d"]) for step, line in notes.lines] == [(2, 32, 8), (4, 32, 8)]
    chosen, notes = fabric_run(CollapseMonitor(every=4, features=lambda outputs, batch: outputs), by_call=True)
    assert all(torch.equal(alone[name], chosen[name]) for name in alone)
    assert [(step, line["n"], line["d"]) for step, line in notes.lines] == [(4, 64, 4)]


def test_readouts() -> None:
    def seen(module: nn.Module, readout: Any, *given: Tensor) -> Tensor:
        monitor = CollapseMonitor(every=1, features=module, readout=readout).attach()
        module(*given)
        monitor.detach()
        return monitor.state_dict()["batches"][0][1]

    class Record(nn.Module):
        def forward(self, x: Tensor) -> Any:
            record = type("Output", (), {})()
            record.last_hidden_state, record.pooler_output = x, 2 * x[:, 0]
            return record

    class Pair(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, None]:
            return x, None

    x = torch.randn(3, 5, 2)
    assert torch.equal(seen(nn.Identity(), "cls", x), x[:, 0])
    assert torch.equal(seen(nn.Identity(), "mean", x), x[:, 1:].mean(1))
    assert torch.equal(seen(nn.Identity(), "pooled", x[:, 0]), x[:, 0])
    assert torch.equal(seen(Record(), "pooled", x), 2 * x[:, 0])
    assert torch.equal(seen(Record(), "cls", x), x[:, 0])
    assert torch.equal(seen(Pair(), "cls", x), x[:, 0])
    with pytest.raises(InputError, match=r"'pooled' needs an output \(B, d\), but its shape is \(3, 5, 2\)"):
        seen(nn.Identity(), "pooled", x)


def test_a_module_that_never_trains_is_told_of() -> None:
    net = Net()
    monitor = CollapseMonitor(every=1, features="tokens").attach(net)
    net.eval()(torch.randn(2, 5, 4))
    with pytest.warns(UserWarning, match="received no features up to step 1: 'tokens' did not run in training"):
        monitor.on_train_batch_end()
    assert monitor.latest is not None
    assert monitor.latest["n"] == 0


def test_a_saved_window_goes_on() -> None:
    z = batches(8)
    whole, cut, later = (CollapseMonitor(every=8, window=4) for _ in range(3))
    for step, batch in enumerate(z, start=1):
        wanted = whole.update(batch, step)
        if step <= 6:
            cut.update(batch, step)
        if step == 6:
            later.load_state_dict(cut.state_dict())
        if step > 6:
            found = later.update(batch, step)
    assert found == wanted
    assert found is not None
    assert found["n"] == 128


Z = torch.randn(4, 24, 7, generator=torch.Generator().manual_seed(0)) + 0.3
Z[1, 20, 2] = math.nan
SCRIPT = """
import json, sys, torch
torch.set_num_threads(1)
from lightning_fabric import Fabric
from maetheory.training import CollapseMonitor
fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp")
fabric.launch()
share = (slice(0, 16), slice(16, 24))[fabric.global_rank]
monitor = CollapseMonitor(every=2, window=1)
found = [monitor.update(batch[share], step) for step, batch in enumerate(torch.load(sys.argv[1]), 1)]
if fabric.global_rank == 1:  # every process has the values, the last one too
    print(json.dumps(found))
"""


@pytest.mark.slow
def test_two_processes_see_the_batch_of_one(tmp_path: Path) -> None:
    script, rows = tmp_path / "steps.py", tmp_path / "rows.pt"
    script.write_text(SCRIPT)
    torch.save(Z, rows)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(rows)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    two = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("[")))
    monitor = CollapseMonitor(every=2, window=1)
    for found, wanted in zip(two, [monitor.update(batch, step) for step, batch in enumerate(Z, 1)], strict=True):
        assert (found is None) == (wanted is None)
        assert wanted is None or found == pytest.approx(wanted, rel=1e-12, nan_ok=True)
    assert (two[1]["not_finite"], two[3]["not_finite"], two[3]["n"]) == (1, 0, 24)
    assert math.isnan(two[1]["effective_rank"])
    assert math.isfinite(two[3]["effective_rank"])
