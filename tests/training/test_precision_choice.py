"""Precision "auto": what the times of steps choose, what a run's folder chooses, and that nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from maetheory.core import InputError
from maetheory.data import load_images
from maetheory.experiments import experiment, run
from maetheory.experiments.precision import choose_experiment_precision
from maetheory.models import PRESETS, bfloat16
from maetheory.training import TrainConfig, choose_run_precision, make_fabric, precision_choice, train
from maetheory.training.fabric import fabric_precision

CONFIG = TrainConfig(PRESETS["digits"], epochs=1, batch=16)


@pytest.fixture
def processor_with_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision_choice, "has_bfloat16_products", lambda device: True)


def steps_that_take(seconds: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    def step(trial: precision_choice._Trial, n: int) -> float:
        return seconds[fabric_precision(trial.fabric)] * n

    monkeypatch.setattr(precision_choice._Trial, "step", step)


@pytest.mark.usefixtures("processor_with_bfloat16")
@pytest.mark.parametrize(("seconds", "chosen"), [(0.949, "bf16-mixed"), (0.951, "32-true"), (1.5, "32-true")])
def test_bfloat16_is_chosen_where_it_saves_a_twentieth(
    seconds: float, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps_that_take({"32-true": 1.0, "bf16-mixed": seconds}, monkeypatch)
    monkeypatch.setattr(precision_choice, "MIN_ROUNDS", 5)
    choice = precision_choice.choose_precision(precision_choice.MaskedModellingTask(CONFIG), (1, 8, 8), seconds=0)
    assert choice.precision == chosen
    assert choice.ratio == pytest.approx(seconds)
    assert f"takes {seconds:.2f} times as long in bf16-mixed as in 32-true" in str(choice)


@pytest.mark.usefixtures("processor_with_bfloat16")
@pytest.mark.parametrize(("seconds_per_image", "n"), [(0.02, 8), (0.01, 16), (0.001, 64)])
def test_as_few_images_are_measured_as_make_a_step_long_enough(
    seconds_per_image: float, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps_that_take({"32-true": seconds_per_image, "bf16-mixed": seconds_per_image}, monkeypatch)
    config = TrainConfig(PRESETS["digits"], epochs=1, batch=64)
    task = precision_choice.MaskedModellingTask(config)
    assert precision_choice.choose_precision(task, (1, 8, 8), seconds=0).n_images == n


@pytest.mark.usefixtures("processor_with_bfloat16")
def test_a_measurement_draws_nothing_from_the_global_generator() -> None:
    before = torch.get_rng_state()
    choice = choose_run_precision(CONFIG, accelerator="cpu")
    assert torch.equal(torch.get_rng_state(), before)
    assert choice.ratio is not None
    assert choice.ratio > 0


def test_a_processor_without_bfloat16_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision_choice, "has_bfloat16_products", lambda device: False)
    steps_that_take({}, monkeypatch)
    choice = choose_run_precision(CONFIG, accelerator="cpu")
    assert (choice.precision, choice.ratio) == ("32-true", None)
    assert str(choice) == "precision 32-true: this device has no bfloat16 products"


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_run_goes_on_in_the_precision_it_began_with(
    precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(CONFIG, load_images("digits", limit=16), out=tmp_path, fabric=make_fabric("cpu", precision=precision))
    steps_that_take({}, monkeypatch)
    assert choose_run_precision(CONFIG, tmp_path, "cpu").precision == precision


def test_an_experiment_goes_on_in_the_precision_of_its_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digits = experiment("digits")
    cell = next(cell for cell in digits.cells if cell.trained)
    folder = tmp_path / "runs" / f"{cell.name.lower()}-seed0"
    train(CONFIG, load_images("digits", limit=16), out=folder, fabric=make_fabric("cpu", precision="bf16-mixed"))
    steps_that_take({}, monkeypatch)
    choice = choose_experiment_precision(digits, tmp_path)
    assert choice.precision == "bf16-mixed"
    assert str(tmp_path) in str(choice)


def test_processes_that_might_choose_differently_are_refused() -> None:
    with pytest.raises(InputError, match="there are 2: give 32-true or bf16-mixed by name"):
        choose_run_precision(CONFIG, accelerator="cpu", devices=2)


def test_the_list_of_flags_decides_alone_whether_to_measure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bfloat16, "CPU_INFO", tmp_path / "nothing")
    bfloat16._cpu_has_bfloat16_products.cache_clear()
    assert choose_run_precision(CONFIG, accelerator="cpu").ratio is None
    bfloat16._cpu_has_bfloat16_products.cache_clear()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_bfloat16_changes_rank_and_probe_by_less_than_seeds_do(tmp_path: Path) -> None:
    """Three seeds of MAE, trained for ten epochs in each precision."""
    digits = experiment("digits").with_epochs(10)
    digits = replace(digits, cells=tuple(cell for cell in digits.cells if cell.name == "MAE"))
    ledgers = {
        precision: run(digits, out=tmp_path / precision, precision=precision, device="cpu", workers=1)
        for precision in ("32-true", "bf16-mixed")
    }
    assert set(ledgers["bf16-mixed"].precision) == {"bf16-mixed"}
    for readout, metric in (("cls", "effective_rank"), ("mean", "linear_probe")):
        exact, rounded = (
            frame[(frame.readout == readout) & (frame.metric == metric)].sort_values("seed").value.to_numpy()
            for frame in ledgers.values()
        )
        assert (exact != rounded).any()
        assert abs(exact.mean() - rounded.mean()) < 2 * exact.std(ddof=1)
