"""A monitor serves Lightning and transformers as it is, writes to any sink, and alarms when the rank collapses."""

from __future__ import annotations

import csv
import math
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from maetheory.core import InputError
from maetheory.metrics import effective_rank
from maetheory.training import CollapseMonitor
from maetheory.training.collapse_alarm import CollapseAlarm
from maetheory.training.feature_modules import find_feature_module

X = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
RANK = "effective_rank"


def test_update_compute_and_reset_as_in_torchmetrics() -> None:
    monitor = CollapseMonitor(every=100, window=100)
    for part in X.split(16):
        assert monitor.update(part) is None
    assert monitor.step == 4
    assert monitor.compute()[RANK] == pytest.approx(effective_rank(X), rel=1e-9)
    monitor.reset()
    assert (monitor.step, monitor.latest) == (None, None)
    assert monitor.compute()["n"] == 0
    monitor.update(X[:8])
    assert monitor.compute()["n"] == 8


def of_rank(rank: int) -> Tensor:
    """Rows whose effective rank is exactly `rank`."""
    return torch.eye(16)[:rank].repeat(4, 1)


def test_drawdown_and_alarm_are_among_the_values_and_survive_a_checkpoint() -> None:
    monitor = CollapseMonitor(every=1, window=1, metrics=(RANK,), prefix="z_")
    values: list[Any] = []
    for rank in (4, 10, 4, 4):
        values.append(monitor.update(of_rank(rank)))
        other = CollapseMonitor(every=1, window=1, metrics=(RANK,), prefix="z_")
        other.load_state_dict(monitor.state_dict())
        monitor = other
    assert [round(one["z_effective_rank_drawdown"], 9) for one in values] == [0, 0, 0.6, 0.6]
    assert [one["z_collapse_alarm"] for one in values] == [0, 0, 0, 1]
    again: Any = monitor.update(of_rank(10))
    assert again["z_collapse_alarm"] == 0
    assert "collapse_alarm" not in (CollapseMonitor(every=1, metrics=("mean_cosine",)).update(X) or {})
    later: Any = monitor.update(of_rank(2), step=1)  # a new run
    assert later["z_effective_rank_drawdown"] == 0


def test_each_limit_of_the_alarm_decides() -> None:
    def alarms(ranks: list[float], **options: Any) -> list[float]:
        alarm = CollapseAlarm(**options)
        return [alarm.update(rank)["collapse_alarm"] for rank in ranks]

    assert alarms([10, 4.01, 4.01]) == [0, 0, 0]
    assert alarms([10, 4.0, 4.0]) == [0, 0, 1]
    assert alarms([10, 4.0, 4.01, 4.0]) == [0, 0, 0, 0]
    assert alarms([1.05, 1.05]) == [0, 1]
    assert alarms([1.06, 1.06]) == [0, 0]
    assert alarms([10, 4.0], patience=1) == [0, 1]
    assert alarms([10, math.nan, 4, math.nan, 4]) == [0, 0, 0, 0, 1]
    for options in ({"max_drawdown": 1.0}, {"max_drawdown": 0.0}, {"patience": 0}, {"floor": -1.0}):
        with pytest.raises(InputError, match="an alarm needs"):
            CollapseAlarm(**options)  # type: ignore[arg-type]


class Encoder(nn.Module):
    """An encoder and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.head = nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (nn.ModuleDict({"encoder": nn.ModuleDict({"norm": nn.LayerNorm(2)})}), ("encoder.norm", False)),
        (nn.ModuleDict({"model": nn.ModuleDict({"encoder": nn.Linear(2, 2)})}), ("model.encoder", False)),
        (nn.ModuleDict({"module": nn.ModuleDict({"fc": nn.Linear(2, 2)})}), ("module.fc", True)),
        (nn.ModuleDict({"norm": nn.Identity(), "classifier": nn.Linear(2, 2)}), ("classifier", True)),
        (Encoder(), ("backbone", False)),
    ],
)
def test_the_module_of_the_features_is_found(model: nn.Module, expected: tuple[str, bool]) -> None:
    assert find_feature_module(model) == expected


def test_features_may_be_the_input_of_a_head_or_the_mean_of_feature_maps() -> None:
    net = nn.ModuleDict({"fc": nn.Linear(4, 2)})
    monitor = CollapseMonitor(every=1).attach(net)
    net.fc(X)  # type: ignore[operator]  # a module of the dict
    monitor.on_train_batch_end()
    assert monitor.latest is not None
    assert (monitor.latest["n"], monitor.latest["d"]) == (64, 4)
    conv = nn.Conv2d(3, 5, 3)
    maps = CollapseMonitor(every=1, features=conv).attach()
    conv(torch.randn(8, 3, 6, 6))
    maps.on_train_batch_end()
    assert maps.latest is not None
    assert (maps.latest["n"], maps.latest["d"]) == (8, 5)
    with pytest.raises(InputError, match="features of this model are is not known; name the module"):
        CollapseMonitor().attach(nn.Sequential(nn.Linear(2, 2)))


def test_hooks_that_are_not_served_do_nothing_and_other_names_are_errors() -> None:
    monitor = CollapseMonitor()
    assert monitor.on_before_zero_grad(None, None) is None
    with pytest.raises(AttributeError, match="no attribute 'atach'"):
        _ = monitor.atach


@pytest.fixture
def lightning() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what other people's imports warn of
        return pytest.importorskip("lightning.pytorch", reason="needs lightning: pip install maetheory[lightning]")


@pytest.mark.filterwarnings("ignore")  # Lightning has much advice
def test_lightning_takes_a_monitor_as_it_is(tmp_path: Path, lightning: Any) -> None:
    class Net(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.encoder = Encoder()

        def training_step(self, batch: list[Tensor], _: int) -> Tensor:
            return self.encoder(batch[0]).square().mean()

        def validation_step(self, batch: list[Tensor], _: int) -> None:
            self.encoder(batch[0])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    def run(callbacks: list[Any], epochs: int, checkpoint: str | None = None) -> Any:
        torch.manual_seed(0)
        trainer = lightning.Trainer(
            accelerator="cpu",
            devices=1,
            callbacks=callbacks,
            max_epochs=epochs,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
        )
        loader = DataLoader(TensorDataset(X), batch_size=8)
        net = Net()
        trainer.fit(net, loader, loader, ckpt_path=checkpoint)
        return trainer, net

    monitor = CollapseMonitor(every=4, log=tmp_path / "values.csv")
    trainer, net = run([monitor], 1)
    assert monitor.latest is not None
    assert (monitor.step, monitor.latest["n"], monitor.latest["d"]) == (8, 64, 2)
    assert float(trainer.callback_metrics["train_effective_rank"]) == pytest.approx(monitor.latest[RANK], rel=1e-6)
    assert {"train_collapse_alarm", "train_effective_rank_drawdown", "val_effective_rank"} <= set(
        trainer.callback_metrics
    )
    _, alone = run([], 1)
    assert all(torch.equal(alone.state_dict()[name], net.state_dict()[name]) for name in alone.state_dict())
    again = CollapseMonitor(every=4)
    run([again], 2, str(next(tmp_path.rglob("*.ckpt"))))
    assert again.step == 16
    with (tmp_path / "values.csv").open() as file:
        assert [line["step"] for line in csv.DictReader(file)] == ["4", "8"]


def test_transformers_takes_a_monitor_as_it_is() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        callbacks = pytest.importorskip(
            "transformers.trainer_callback", reason="needs transformers: pip install maetheory[hf]"
        )
    net, monitor = Encoder(), CollapseMonitor(every=2, window=1)
    handler = callbacks.CallbackHandler([callbacks.DefaultFlowCallback(), monitor], net, None, None, None)
    arguments, state, control = SimpleNamespace(), callbacks.TrainerState(max_steps=3), callbacks.TrainerControl()
    handler.callbacks = [monitor]  # the flow of the real trainer needs real arguments
    handler.on_init_end(arguments, state, control)
    handler.on_train_begin(arguments, state, control)
    for step in range(1, 4):
        handler.on_step_begin(arguments, state, control)
        for part in X[:32].split(16):  # accumulated gradients
            net(part)
            handler.on_substep_end(arguments, state, control)
        state.global_step = step
        handler.on_step_end(arguments, state, control)
    handler.on_train_end(arguments, state, control)
    assert [(line["step"], line["n"]) for line in state.log_history] == [(2, 32), (3, 32)]
    assert state.log_history[0][RANK] == pytest.approx(effective_rank(net.backbone(X[:32]).detach()), rel=1e-6)
    assert not net.backbone._forward_hooks


def test_a_resumed_run_of_transformers_keeps_the_peak_of_its_log_history() -> None:
    state = SimpleNamespace(global_step=4, max_steps=6, log_history=[{"loss": 1.0}])
    state.log_history += [{f"z_{RANK}": rank, "step": step} for step, rank in ((2, 50.0), (4, 3.0))]
    net, monitor = Encoder(), CollapseMonitor(every=1, window=1, metrics=(RANK,), prefix="z_")
    monitor.update(X)  # of another run
    for resumed, drawdown in ((True, 1 - 6 / 50), (False, 0.0)):
        if not resumed:
            state.global_step, state.log_history = 0, []
        monitor.on_train_begin(None, state, None, model=net)
        net.backbone.register_forward_hook(lambda *_: of_rank(6))
        state.global_step += 1
        monitor.attach(net)  # after the hook that replaces the features
        net.backbone(X)
        monitor.on_step_end(None, state, None)
        last = state.log_history[-1]
        assert last[f"z_{RANK}_drawdown"] == pytest.approx(drawdown, abs=1e-9)
        assert last["z_collapse_alarm"] == float(resumed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of transformers, accelerate and the loader of batches
@pytest.mark.parametrize("options", [{}, {"gradient_accumulation_steps": 2, "bf16": True}], ids=["plain", "bf16"])
def test_a_run_of_transformers_trainer_is_watched_and_unchanged(tmp_path: Path, options: dict[str, Any]) -> None:
    transformers = pytest.importorskip("transformers", reason="needs transformers: pip install maetheory[hf]")
    pytest.importorskip("accelerate", reason="needs accelerate, as the Trainer does: pip install accelerate")
    images = torch.randn(64, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    decoder = {f"decoder_{name}": number for name, number in sizes.items()}
    config = transformers.ViTMAEConfig(**sizes, **decoder, image_size=16, patch_size=4)

    def run(*monitors: CollapseMonitor) -> Any:
        transformers.set_seed(0)
        model = transformers.ViTMAEForPreTraining(config)
        arguments = transformers.TrainingArguments(
            output_dir=str(tmp_path),
            max_steps=12,
            per_device_train_batch_size=8,
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            **options,
        )
        data = [{"pixel_values": image} for image in images]
        trainer = transformers.Trainer(model=model, args=arguments, train_dataset=data, callbacks=list(monitors))
        trainer.train()
        return trainer

    monitor = CollapseMonitor(every=5, window=2, log=tmp_path / "values.csv")
    watched, alone = run(monitor), run()
    rows = 16 * options.get("gradient_accumulation_steps", 1)
    logged = [line for line in watched.state.log_history if RANK in line]
    assert [(line["step"], line["n"], line["d"]) for line in logged] == [(5, rows, 32), (10, rows, 32), (12, rows, 32)]
    assert all(1 <= line[RANK] <= rows for line in logged)
    with (tmp_path / "values.csv").open() as file:
        assert [line["step"] for line in csv.DictReader(file)] == ["5", "10", "12"]
    states = (trainer.model.state_dict() for trainer in (watched, alone))
    assert all(torch.equal(one, other) for one, other in zip(*(state.values() for state in states), strict=True))
    assert not any(module._forward_hooks for module in watched.model.modules())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_model_is_compiled_once_while_it_is_watched() -> None:
    from torch._dynamo.utils import counters

    net = Encoder()
    compiled, monitor = torch.compile(net, backend="eager"), CollapseMonitor(every=4, window=2).attach(net)
    graphs = []
    for step in range(12):
        compiled(X + step)
        monitor.on_train_batch_end()
        graphs.append(counters["stats"]["unique_graphs"])
    assert graphs[-1] == graphs[0]
    assert monitor.latest is not None
    assert (monitor.latest["n"], monitor.latest["d"]) == (128, 6)


class Writer:
    """A logger with the methods it is given."""

    def __init__(self, *names: str) -> None:
        self.seen: list[Any] = []
        for name in names:
            setattr(self, name, lambda *values, **named: self.seen.append((values, named)))


def test_values_are_written_to_any_sink(tmp_path: Path) -> None:
    for name in ("log", "log_metrics", "log_dict"):
        writer = Writer(name)
        CollapseMonitor(every=1, log=writer).update(X)
        ((values,), named) = writer.seen[0]
        assert named == {"step": 1}
        assert values[RANK] == pytest.approx(effective_rank(X), rel=1e-9)
    board = Writer("add_scalar", "flush")
    CollapseMonitor(every=1, metrics=(RANK,), log=board).update(X)
    assert [values[0] for values, _ in board.seen if values] == [
        RANK,
        "n",
        "d",
        "not_finite",
        "effective_rank_drawdown",
        "collapse_alarm",
    ]
    steps: list[int] = []
    CollapseMonitor(every=1, log=lambda values, step: steps.append(step)).update(X, step=7)
    assert steps == [7]
    with pytest.raises(InputError, match="but int is none of these"):
        CollapseMonitor(log=3)


def test_a_csv_file_is_continued_and_another_one_is_not_mixed_in(tmp_path: Path) -> None:
    path = tmp_path / "new" / "values.csv"
    for step in (1, 2):
        CollapseMonitor(every=1, metrics=(RANK,), log=path).update(X, step=step)
    lines = path.read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "1", "2"]
    with pytest.raises(InputError, match="has the columns step, effective_rank, n"):
        CollapseMonitor(every=1, metrics=("mean_cosine",), log=path).update(X)
    assert path.read_text().splitlines() == lines


def test_tensorboard_is_written_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard", reason="needs tensorboard: pip install maetheory[tensorboard]")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        CollapseMonitor(every=1, log=tmp_path / "board").update(X)
    assert list((tmp_path / "board").glob("events*"))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"needs tensorboard: pip install 'maetheory\[tensorboard\]'"):
        CollapseMonitor(log=tmp_path / "board")
