"""An interrupted and resumed run equals the uninterrupted one, bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from maetheory.core import InputError
from maetheory.data import ImageSet, load_images
from maetheory.models import MAEConfig, ViTConfig
from maetheory.training import TrainConfig, TrainStep, load_run, make_fabric, masked_modelling, train
from maetheory.training.checkpointing import build_model, list_checkpoints, read_checkpoint, run_precision
from maetheory.training.logbook import read_log
from maetheory.training.task import step_generator

MODEL = MAEConfig(
    ViTConfig(8, 2, 1, width=16, depth=2, heads=2, positions="learned"),
    decoder_width=16,
    decoder_depth=1,
    decoder_heads=2,
)
WIDER = MAEConfig(
    ViTConfig(8, 2, 1, width=32, depth=2, heads=2, positions="learned"),
    decoder_width=32,
    decoder_depth=1,
    decoder_heads=2,
)
CONFIG = TrainConfig(MODEL, uniformity_weight=0.1, epochs=3, batch=64, base_lr=4e-3, warmup_epochs=1, log_every=1)


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load_images("digits", limit=256)


def same_weights(a: Path, b: Path) -> bool:
    one, two = (load_run(path)[0].state_dict() for path in (a, b))
    return all(torch.equal(one[name], two[name]) for name in one)


class StopAt:
    """Callback that sends Ctrl-C during a given step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, train_step: TrainStep) -> None:
        if train_step.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("objective", ["mae", "simmim"])
def test_resumed_is_uninterrupted_bit_for_bit(tmp_path: Path, digits: ImageSet, objective: str) -> None:
    config = replace(CONFIG, objective=objective)
    train(config, digits, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt, match="stopped after step 5 of 12; resume"):
        train(config, digits, out=tmp_path / "cut", callbacks=[StopAt(5)])
    train(config, digits, out=tmp_path / "cut", resume=True)
    assert same_weights(tmp_path / "whole", tmp_path / "cut")
    logs = [read_log(tmp_path / name / "metrics.jsonl") for name in ("whole", "cut")]
    assert logs[0] == logs[1]
    assert [line["step"] for line in logs[0]] == list(range(1, 13))


def test_ctrl_c_in_the_last_step_is_heard(tmp_path: Path, digits: ImageSet) -> None:
    with pytest.raises(KeyboardInterrupt, match="stopped after step 12 of 12"):
        train(CONFIG, digits, out=tmp_path, callbacks=[StopAt(12)])
    done = train(CONFIG, digits, out=tmp_path, resume=True)
    assert done.loss == read_log(tmp_path / "metrics.jsonl")[-1]["loss"]


def test_what_a_kill_left_is_swept(tmp_path: Path, digits: ImageSet) -> None:
    (tmp_path / ".step-00000007.part").mkdir()
    train(CONFIG, digits, out=tmp_path)
    assert not list(tmp_path.glob(".*part"))


@pytest.mark.parametrize("objective", ["mae", "simmim"])
def test_uniformity_of_means_leaves_padding_and_hidden_places_out(
    tmp_path: Path, digits: ImageSet, objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []

    def note(z: torch.Tensor, **_: object) -> torch.Tensor:
        seen.append(z.detach())
        return z.sum() * 0

    monkeypatch.setattr("maetheory.training.masked_modelling.uniformity_penalty", note)
    masks: list[torch.Tensor] = []
    draw = masked_modelling.sample_masks
    monkeypatch.setattr(masked_modelling, "sample_masks", lambda *words: masks.append(draw(*words)) or masks[-1])
    config = replace(
        CONFIG,
        objective=objective,
        mask_law="bernoulli",
        uniformity_readout="mean",
        epochs=1,
        batch=256,
        save_seconds=0.0,
    )
    train(config, digits, out=tmp_path)
    order = torch.randperm(256, generator=step_generator(0, 0, "cpu"))
    pixels, model = torch.from_numpy(digits.images)[order], build_model(config)
    with torch.no_grad():
        for i in (0, 100, 255):
            row = masks[0][i : i + 1]
            tokens = model.encode(pixels[i : i + 1], row)[0, 1:]
            one = tokens[row[0]] if objective == "simmim" else tokens
            torch.testing.assert_close(seen[0][i], one.mean(0), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "changes",
    [
        {"uniformity_form": "gaussian", "uniformity_convention": "authors"},
        {"uniformity_form": "coding-rate"},
        {"uniformity_normalize": False},
    ],
)
def test_the_recipe_says_what_is_weighed(
    tmp_path: Path, digits: ImageSet, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments: list[dict[str, object]] = []
    monkeypatch.setattr(
        masked_modelling, "uniformity_penalty", lambda z, **words: arguments.append(words) or z.sum() * 0 + 2
    )
    config = replace(CONFIG, epochs=1, batch=256, **changes)  # type: ignore[arg-type]
    train(config, digits, out=tmp_path)
    assert arguments == [
        {
            "form": config.uniformity_form,
            "normalize": config.uniformity_normalize,
            "convention": config.uniformity_convention,
        }
    ]
    (line,) = read_log(tmp_path / "metrics.jsonl")
    assert line["uniformity"] == 2
    assert line["loss"] == pytest.approx(line["reconstruction"] + 0.2)


def test_kill_9_loses_at_most_the_last_interval(tmp_path: Path, digits: ImageSet) -> None:
    config = replace(CONFIG, epochs=10, save_seconds=0.0)
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    script = (
        "import sys, json, torch; torch.set_num_threads(1)\n"
        "from maetheory.data import load_images\n"
        "from maetheory.training import TrainConfig, train\n"
        "config = TrainConfig.from_dict(json.load(open(sys.argv[1])))\n"
        "train(config, load_images('digits', limit=256), out=sys.argv[2])\n"
    )
    out = tmp_path / "cut"
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "config.json"), str(out)])
    deadline = time.monotonic() + 120
    while len(read_log(out / "metrics.jsonl")) < 12:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    logged = read_log(out / "metrics.jsonl")[-1]["step"]
    assert load_run(out)[2] >= logged - 1
    train(config, digits, out=out, resume=True)
    train(config, digits, out=tmp_path / "whole")
    assert same_weights(tmp_path / "whole", out)
    assert [line["step"] for line in read_log(out / "metrics.jsonl")] == list(range(1, 41))


def test_a_cut_log_line_is_set_aside_and_a_half_checkpoint_is_swept(tmp_path: Path, digits: ImageSet) -> None:
    train(CONFIG, digits, out=tmp_path)
    whole = (tmp_path / "metrics.jsonl").read_bytes()
    with (tmp_path / "metrics.jsonl").open("a") as log:
        log.write('{"step": 13, "lo')
    (tmp_path / "step-00000099").mkdir()
    assert load_run(tmp_path)[2] == 12
    with pytest.warns(UserWarning, match="last line of .*metrics.jsonl was cut"):
        assert train(CONFIG, digits, out=tmp_path, resume=True).steps == 12
    assert (tmp_path / "metrics.jsonl").read_bytes() == whole
    assert (tmp_path / "metrics.jsonl.torn").read_text() == '{"step": 13, "lo\n'
    assert not (tmp_path / "step-00000099").exists()


def test_gradient_accumulation_is_one_large_batch(tmp_path: Path, digits: ImageSet) -> None:
    plain = replace(CONFIG, uniformity_weight=0.0, clip=0.5)
    train(plain, digits, out=tmp_path / "one")
    train(replace(plain, accumulate=4), digits, out=tmp_path / "four")
    one, four = (load_run(tmp_path / name)[0].state_dict() for name in ("one", "four"))
    for name in one:
        torch.testing.assert_close(one[name], four[name], atol=2e-4, rtol=0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_learns_more_than_the_mean_image(tmp_path: Path) -> None:
    digits = load_images("digits")
    for objective in ("mae", "simmim"):
        config = replace(
            CONFIG, model=WIDER, objective=objective, uniformity_weight=0.0, mask_ratio=0.5, epochs=30, base_lr=2e-2
        )
        train(config, digits, out=tmp_path / objective)
        log = read_log(tmp_path / objective / "metrics.jsonl")
        pixels = 2 * digits.images.astype(np.float64) / (255 if digits.images.dtype == np.uint8 else 1) - 1
        best_constant = {"mae": pixels.var(0).mean(), "simmim": np.abs(pixels - np.median(pixels, 0)).mean()}
        assert log[-1]["loss"] < 0.85 * best_constant[objective]


def test_callback_numbers_are_logged(tmp_path: Path, digits: ImageSet) -> None:
    train(
        CONFIG, digits, out=tmp_path, callbacks=[lambda train_step: {"answer": 42.0} if train_step.step == 6 else None]
    )
    assert [line.get("answer") for line in read_log(tmp_path / "metrics.jsonl")].index(42.0) == 5


def test_nan_stops_with_the_step_and_the_last_good_checkpoint(tmp_path: Path, digits: ImageSet) -> None:
    def poison(train_step: TrainStep) -> None:
        if train_step.step == 4:
            with torch.no_grad():
                train_step.model.encoder.cls_token.fill_(float("nan"))  # type: ignore[union-attr]

    with pytest.raises(InputError, match=r"not finite at step 4.*last good checkpoint is .*step-00000003"):
        train(replace(CONFIG, save_seconds=0.0), digits, out=tmp_path / "often", callbacks=[poison])
    with pytest.raises(InputError, match=r"loss is nan at step 4.*no checkpoint before it"):
        train(CONFIG, digits, out=tmp_path / "never", callbacks=[poison])
    tmp_path /= "often"
    assert all(
        torch.isfinite(value).all() for value in load_run(list_checkpoints(tmp_path)[0])[0].state_dict().values()
    )


def test_refusals(tmp_path: Path, digits: ImageSet) -> None:
    train(CONFIG, digits, out=tmp_path / "a")
    with pytest.raises(InputError, match="already holds a run"):
        train(CONFIG, digits, out=tmp_path / "a")
    with pytest.raises(InputError, match=r"another configuration \(base_lr differ"):
        train(replace(CONFIG, base_lr=1.0), digits, out=tmp_path / "a", resume=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        train(CONFIG, digits, out=tmp_path / "file" / "below")
    with pytest.raises(InputError, match="takes images of shape"):
        train(replace(CONFIG, model=MAEConfig()), digits, out=tmp_path / "b")
    with pytest.raises(InputError, match="holds no training checkpoint"):
        load_run(tmp_path / "b")


def test_a_run_keeps_its_precision(tmp_path: Path, digits: ImageSet) -> None:
    """A checkpoint records its precision and is not resumed with another one, which would give other weights."""
    few = replace(CONFIG, epochs=1)
    for name in ("bf16-mixed", "32-true"):
        train(few, digits, out=tmp_path / name, fabric=make_fabric("cpu", precision=name))
        assert run_precision(tmp_path / name) == name
    assert not same_weights(tmp_path / "bf16-mixed", tmp_path / "32-true")
    with pytest.raises(InputError, match="was made with precision bf16-mixed, not 32-true"):
        train(few, digits, out=tmp_path / "bf16-mixed", resume=True, fabric=make_fabric("cpu"))


def test_what_an_older_run_did_not_record_stays_unknown(tmp_path: Path, digits: ImageSet) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, digits, out=tmp_path, callbacks=[StopAt(5)])
    state = list_checkpoints(tmp_path)[-1] / "state.json"
    state.write_text(json.dumps({k: v for k, v in json.loads(state.read_text()).items() if k != "precision"}))
    train(CONFIG, digits, out=tmp_path, resume=True, fabric=make_fabric("cpu", precision="bf16-mixed"))
    assert run_precision(tmp_path) is None


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true"])
def test_resumed_is_uninterrupted_in_every_precision(tmp_path: Path, digits: ImageSet, precision: str) -> None:
    def fabric() -> Fabric:
        return make_fabric("cpu", precision=precision)

    train(CONFIG, digits, out=tmp_path / "whole", fabric=fabric())
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, digits, out=tmp_path / "cut", fabric=fabric(), callbacks=[StopAt(5)])
    train(CONFIG, digits, out=tmp_path / "cut", fabric=fabric(), resume=True)
    one, two = (read_checkpoint(list_checkpoints(tmp_path / name)[-1]).weights for name in ("whole", "cut"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_scaled_loss_is_refused(tmp_path: Path, digits: ImageSet) -> None:
    fabric = make_fabric("cpu", precision="bf16-mixed")
    fabric.strategy.precision.scaler = object()  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="take bf16-mixed or 32-true"):
        train(CONFIG, digits, out=tmp_path, fabric=fabric)


def test_full_disk_leaves_the_last_checkpoint_whole(
    tmp_path: Path, digits: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, digits, out=tmp_path, callbacks=[StopAt(5)])

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("maetheory.checkpoints.reading.safetensors_files.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        train(CONFIG, digits, out=tmp_path, resume=True)
    assert load_run(tmp_path)[2] == 5
    assert not list(tmp_path.glob(".*part"))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"mask_ratio": 0.0}, "between 0 and 1"),
        ({"mask_ratio": 1.0}, "between 0 and 1"),
        ({"mask_ratio": 0.99}, "nothing visible"),
        ({"mask_law": "stripes"}, "mask law"),
        ({"objective": "gan"}, "objective"),
        ({"epochs": 0}, "epochs"),
        ({"accumulate": 3}, "accumulate"),
        ({"uniformity_weight": -1.0}, "negative"),
        ({"uniformity_weight": float("nan")}, "negative"),
        ({"uniformity_readout": "max"}, "uniformity readout must be 'cls' or 'mean'"),
        ({"uniformity_convention": "ours"}, "uniformity convention"),
        ({"uniformity_form": "cubes"}, "uniformity form must be one of squares, gaussian, coding-rate"),
        ({"uniformity_form": "gaussian", "uniformity_normalize": False}, "falls without bound"),
        ({"uniformity_form": "coding-rate", "uniformity_normalize": False}, "falls without bound"),
        ({"base_lr": 0.0}, "base_lr"),
        ({"beta2": 1.0}, "beta2"),
        ({"seed": -1}, "seed"),
    ],
)
def test_impossible_recipes(change: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        replace(CONFIG, **change)  # type: ignore[arg-type]


def test_config_survives_json() -> None:
    assert TrainConfig.from_dict(json.loads(json.dumps(CONFIG.to_dict()))) == CONFIG


def test_a_recipe_lists_its_own_fields_before_those_of_every_recipe() -> None:
    own, shared = ["model", "objective"], ["seed", "log_every", "save_seconds"]
    names = list(CONFIG.to_dict())
    assert (names[:2], names[-3:]) == (own, shared)  # the order of published ledgers
    assert sorted(names) == sorted(field.name for field in fields(TrainConfig))
