"""The Lightning callback does not change training, logs the metrics, and validates a checkpoint alone."""

from __future__ import annotations

import csv
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from maetheory.core import InputError
from maetheory.metrics import effective_rank, mean_cosine
from maetheory.training import CollapseMonitor

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what other people's imports warn of
    lightning = pytest.importorskip("lightning.pytorch")
    from lightning.pytorch.loggers import CSVLogger

X = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning has much advice


class Net(lightning.LightningModule):  # type: ignore[misc, name-defined]
    """An autoencoder of four numbers, with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(4, 6)
        self.decoder = nn.Sequential(nn.Dropout(0.3), nn.Linear(6, 4))

    def training_step(self, batch: list[Tensor], _: int) -> dict[str, Tensor]:
        z = self.encoder(batch[0])
        return {"loss": (self.decoder(z) - batch[0]).square().mean(), "z": z.detach()}

    def validation_step(self, batch: list[Tensor], _: int) -> dict[str, Tensor]:
        return {"z": self.encoder(batch[0])}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loader() -> DataLoader:
    return DataLoader(TensorDataset(X), batch_size=8)


def trainer(folder: Path, callbacks: list[Any], **words: Any) -> Any:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": CSVLogger(folder)}
    return lightning.Trainer(
        accelerator="cpu",
        devices=1,
        callbacks=callbacks,
        num_sanity_val_steps=1,
        default_root_dir=folder,
        **quiet | words,
    )


def logged(run: Any) -> list[dict[str, float]]:
    with (Path(run.logger.log_dir) / "metrics.csv").open() as file:
        return [{name: float(value) for name, value in line.items() if value} for line in csv.DictReader(file)]


def fitted(folder: Path, monitor: CollapseMonitor | None, features: Any = "encoder", **words: Any) -> tuple[Any, Net]:
    torch.manual_seed(0)
    net = Net()
    run = trainer(folder, [monitor.lightning(features)] if monitor else [], **words)
    run.fit(net, loader(), loader(), ckpt_path=None)
    return run, net


@pytest.mark.parametrize("features", ["encoder", lambda outputs, batch: outputs["z"]])
def test_fit_logs_training_and_validation_and_is_not_changed(tmp_path: Path, features: Any) -> None:
    _, alone = fitted(tmp_path / "alone", None, max_epochs=2, enable_checkpointing=False)
    run, net = fitted(
        tmp_path / "watched", CollapseMonitor(every=5, window=2), features, max_epochs=2, enable_checkpointing=False
    )
    assert all(torch.equal(alone.state_dict()[name], net.state_dict()[name]) for name in alone.state_dict())
    lines = logged(run)
    train = [line for line in lines if "train_n" in line]
    assert [(line["step"], line["train_n"], line["train_d"]) for line in train] == [
        (5, 16, 6),
        (10, 16, 6),
        (15, 16, 6),
    ]
    val = [line for line in lines if "val_n" in line]
    assert [line["val_n"] for line in val] == [64, 64]
    with torch.no_grad():
        assert val[1]["val_mean_cosine"] == pytest.approx(mean_cosine(net.encoder(X)), rel=1e-6)  # logged in float32
    assert run.callback_metrics["val_effective_rank"] > 1
    assert run.callback_metrics["train_effective_rank"] > 1
    assert not net.encoder._forward_hooks


def test_micro_batches_of_a_step_are_one_step(tmp_path: Path) -> None:
    for i, features in enumerate(("encoder", lambda outputs, batch: outputs["z"])):
        run, _ = fitted(
            tmp_path / str(i),
            CollapseMonitor(every=2, window=1),
            features,
            max_epochs=1,
            accumulate_grad_batches=2,
            enable_checkpointing=False,
        )
        train = [line for line in logged(run) if "train_n" in line]
        assert [(line["step"], line["train_n"]) for line in train] == [(2, 16), (4, 16)]


def test_validate_alone_measures_a_checkpoint(tmp_path: Path) -> None:
    _, net = fitted(tmp_path, None, max_epochs=1)
    run = trainer(tmp_path / "again", [CollapseMonitor(prefix="batch_").lightning("encoder")])
    saved = next(tmp_path.rglob("*.ckpt"))
    found = run.validate(Net(), loader(), ckpt_path=saved, verbose=False)[0]
    with torch.no_grad():
        z = net.encoder(X)
    assert found["val_batch_effective_rank"] == pytest.approx(effective_rank(z), rel=1e-6)
    assert (found["val_batch_n"], found["val_batch_d"], found["val_batch_not_finite"]) == (64, 6, 0)
    assert logged(run)[0]["val_batch_effective_rank"] == pytest.approx(effective_rank(z), rel=1e-6)


def test_a_resumed_fit_goes_on_in_the_middle_of_a_window(tmp_path: Path) -> None:
    found = []
    for name, stops in (("whole", (2,)), ("cut", (1, 2))):  # epochs of 8 steps
        saved = None
        for stop in stops:
            monitor = CollapseMonitor(every=16, window=12, metrics=("mean_cosine",))
            torch.manual_seed(0)
            net = Net()
            net.decoder[0].p = 0.0  # Lightning's checkpoints hold no random numbers
            run = trainer(tmp_path / name, [monitor.lightning("encoder")], max_epochs=stop, limit_val_batches=0)
            run.fit(net, loader(), ckpt_path=saved)
            saved = run.checkpoint_callback.best_model_path
        found.append(monitor.latest)
    assert found[0] is not None
    assert found[0]["n"] == 96
    assert found[0] == found[1]


def test_without_lightning_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "maetheory.training.lightning_monitor", None)
    with pytest.raises(InputError, match="pip install lightning"):
        CollapseMonitor().lightning()
