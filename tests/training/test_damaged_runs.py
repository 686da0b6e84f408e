"""A run is resumed from whole files only: what is damaged is named, and an older whole checkpoint is offered."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from maetheory.core import InputError
from maetheory.data import ImageSet, load_images
from maetheory.models import PRESETS
from maetheory.training import TrainConfig, TrainStep, load_run, train
from maetheory.training.checkpointing import list_checkpoints
from maetheory.training.logbook import read_log

SMALL = replace(PRESETS["digits"], encoder=replace(PRESETS["digits"].encoder, width=16, depth=1), decoder_width=16)
CONFIG = TrainConfig(SMALL, epochs=3, batch=16, warmup_epochs=1, log_every=1, save_seconds=0.0)
STEPS = 12


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load_images("digits", limit=64)


@pytest.fixture(scope="module")
def half_done(tmp_path_factory: pytest.TempPathFactory, digits: ImageSet) -> Path:
    """A run that was stopped after its sixth step, with the checkpoints of steps 5 and 6."""
    out = tmp_path_factory.mktemp("runs") / "half"

    def stop(train_step: TrainStep) -> None:
        if train_step.step == 7:
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        train(CONFIG, digits, out=out, callbacks=[stop])
    assert [path.name for path in list_checkpoints(out)] == ["step-00000005", "step-00000006"]
    return out


@pytest.fixture
def run(half_done: Path, tmp_path: Path) -> Path:
    shutil.copytree(half_done, tmp_path / "run")
    return tmp_path / "run"


def all_bytes(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def refused(run: Path, digits: ImageSet, match: str) -> str:
    """Return the sentence with which a run is refused; no file changes."""
    before = all_bytes(run)
    with pytest.raises(InputError, match=match) as error:
        train(CONFIG, digits, out=run, resume=True)
    assert all_bytes(run) == before
    return str(error.value)


def rewrite_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rewrite_tensors(path: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        *(
            ({"step": step}, "step in .*state.json must be an integer")
            for step in ("x", -5, 0, 1e30, 10**30, True, None)
        ),
        ({"step": 7}, "says step 7, but its folder is of step 6"),
        ({"images": "x"}, "images in .*state.json must be an integer"),
        ({"threads": 10**6}, "threads in .*state.json must be an integer"),
        ({"precision": 32}, "precision in .*state.json must be a text"),
        ({"format": "other"}, "has the format 'other'"),
        ({"optimizer_tensors": 3}, "optimizer.safetensors holds [0-9]+ tensors of 3 that were saved"),
    ],
)
def test_a_state_that_cannot_be_is_refused(run: Path, digits: ImageSet, changes: dict[str, Any], word: str) -> None:
    rewrite_json(run / "step-00000006/state.json", **changes)
    sentence = refused(run, digits, word)
    assert f"{run}/step-00000005 is whole: delete {run}/step-00000006 and resume" in sentence


@pytest.mark.parametrize("name", ["state.json", "config.json", "weights.safetensors", "optimizer.safetensors"])
@pytest.mark.parametrize("damage", ["binary", "empty", "cut", "list", "pipe"])
def test_a_damaged_file_is_named(run: Path, digits: ImageSet, name: str, damage: str) -> None:
    path = run / "step-00000006" / name
    content = path.read_bytes()
    new = {"binary": bytes(range(256)), "empty": b"", "cut": content[: len(content) // 2], "list": b"[5]"}
    if damage == "pipe":
        path.unlink()
        os.mkfifo(path)
    else:
        path.write_bytes(new[damage])
    sentence = refused(run, digits, f"step-00000006/{name}")
    assert "step-00000005 is whole" in sentence
    with pytest.raises(InputError, match=name):
        load_run(run) if name != "optimizer.safetensors" else load_run(path.parent)


def test_the_older_checkpoint_continues_bit_for_bit(run: Path, digits: ImageSet, tmp_path: Path) -> None:
    (run / "step-00000006/weights.safetensors").write_bytes(b"")
    refused(run, digits, "delete")
    shutil.rmtree(run / "step-00000006")
    train(CONFIG, digits, out=run, resume=True)
    train(CONFIG, digits, out=tmp_path / "whole")
    for name in ("weights", "optimizer"):
        one, two = (out / f"step-{STEPS:08d}/{name}.safetensors" for out in (run, tmp_path / "whole"))
        assert one.read_bytes() == two.read_bytes()
    assert read_log(run / "metrics.jsonl") == read_log(tmp_path / "whole" / "metrics.jsonl")


def test_where_no_checkpoint_is_whole_none_is_offered(run: Path, digits: ImageSet) -> None:
    for folder in list_checkpoints(run):
        rewrite_tensors(folder / "optimizer.safetensors", lambda tensors: tensors.popitem())
    assert "no other checkpoint of this run is whole" in refused(run, digits, "optimizer.safetensors lacks")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda t: t.update({"mask_token": torch.zeros(1, 1, 4)}), "must have shape"),
        (lambda t: t.update({"mask_token": t["mask_token"].double()}), "must be torch.float32"),
        (lambda t: t.update({"mask_token": t["mask_token"].int()}), "must be torch.float32"),
        (lambda t: t["mask_token"].fill_(float("nan")), "not finite"),
        (lambda t: t.pop("mask_token"), "lacks mask_token"),
        (lambda t: t.update({"a\nb": torch.zeros(1)}), r"holds, beside those of the model, a\\nb"),
    ],
)
def test_weights_of_another_model_are_refused(
    run: Path, digits: ImageSet, change: Callable[[dict[str, Tensor]], object], word: str
) -> None:
    path = run / "step-00000006/weights.safetensors"
    rewrite_tensors(path, change)
    refused(run, digits, word)
    with pytest.raises(InputError, match=word):
        load_run(run)


def without_every_second_parameter(tensors: dict[str, Tensor]) -> None:
    names = sorted({key.partition(".")[2] for key in tensors})
    for key in [key for key in tensors if names.index(key.partition(".")[2]) % 2]:
        del tensors[key]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda t: [t.pop(key) for key in list(t) if key.startswith("exp_avg_sq")], "lacks exp_avg_sq"),
        (without_every_second_parameter, "tensors of [0-9]+ that were saved"),
        (lambda t: t.clear(), "holds 0 tensors"),
        (lambda t: t.pop("exp_avg.mask_token"), "lacks exp_avg.mask_token"),
        (lambda t: t.pop("step.mask_token"), "lacks step.mask_token"),
        (lambda t: t.update({"exp_avg.mask_token": torch.zeros(3)}), "must have shape"),
        (lambda t: t.update({"exp_avg.mask_token": t["exp_avg.mask_token"].double()}), "must be torch.float32"),
        (lambda t: t["exp_avg.mask_token"].fill_(float("inf")), "not finite"),
        (lambda t: t["exp_avg_sq.mask_token"].fill_(-1.0), "mean of squares"),
        (lambda t: t["step.mask_token"].fill_(7.0), "must be 1 to 6"),
        (lambda t: t["step.mask_token"].fill_(float("nan")), "must be 1 to 6"),
        (lambda t: t.update({"step.mask_token": torch.full((1,) * 60, 6.0)}), "must be 1 to 6"),
        (lambda t: [t[key].fill_(5.0) for key in t if key.startswith("step.")], "is of step 5"),
        (lambda t: t.update({f"{k}.x": torch.zeros(1) for k in ("exp_avg", "exp_avg_sq", "step")}), "beside those"),
    ],
)
def test_an_optimiser_that_is_not_whole_is_refused(
    run: Path, digits: ImageSet, change: Callable[[dict[str, Tensor]], object], word: str
) -> None:
    rewrite_tensors(run / "step-00000006/optimizer.safetensors", change)
    assert "step-00000005 is whole" in refused(run, digits, word)


def test_the_count_decides_where_each_parameter_left_is_whole(run: Path, digits: ImageSet) -> None:
    """An older version recorded no count: missing moments are said, and the run goes on."""
    rewrite_tensors(run / "step-00000006/optimizer.safetensors", without_every_second_parameter)
    rewrite_json(run / "step-00000006/state.json", optimizer_tensors=None)
    with pytest.warns(UserWarning, match="holds no moments of .* in all.; an older version wrote it"):
        assert train(CONFIG, digits, out=run, resume=True).steps == STEPS


@pytest.mark.parametrize("line", ["5", "{}", "[]", '{"step": "x", "loss": 1}', '{"step": -5, "loss": 1}', "garbage"])
@pytest.mark.parametrize("number", [1, 3])
def test_a_damaged_log_line_is_named_and_stays(run: Path, digits: ImageSet, line: str, number: int) -> None:
    log = run / "metrics.jsonl"
    lines = log.read_text().splitlines()
    lines[number - 1] = line
    log.write_text("\n".join(lines) + "\n")
    refused(run, digits, f"line {number} of .*metrics.jsonl.*move the file away")


def test_a_run_goes_on_without_its_earlier_log(run: Path, digits: ImageSet) -> None:
    (run / "metrics.jsonl").rename(run / "old.jsonl")
    train(CONFIG, digits, out=run, resume=True)
    assert [record["step"] for record in read_log(run / "metrics.jsonl")] == list(range(7, STEPS + 1))


def test_an_integer_beyond_all_numbers_is_refused(run: Path, digits: ImageSet) -> None:
    (run / "metrics.jsonl").write_text(json.dumps({"step": 1, "loss": 10**400}) + "\n")
    refused(run, digits, "loss in line 1 of .*metrics.jsonl is too large a number: 1000")


@pytest.mark.parametrize("name", ["weights", "optimizer"])
def test_more_tensors_than_models_have_are_refused_by_their_number(run: Path, digits: ImageSet, name: str) -> None:
    entry = '":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    header = ("{" + ",".join(f'"t{i}{entry}' for i in range(20_002)) + "}").encode()
    (run / f"step-00000006/{name}.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    assert "step-00000005 is whole" in refused(run, digits, "it names more than 20000 tensors")


@pytest.mark.parametrize("field", [{"loss": "x"}, {"loss": None}, {"epoch": []}, {"loss": True}])
def test_numbers_of_the_log_are_numbers(run: Path, digits: ImageSet, field: dict[str, Any]) -> None:
    log = run / "metrics.jsonl"
    lines = log.read_text().splitlines()
    lines[0] = json.dumps(json.loads(lines[0]) | field)
    log.write_text("\n".join(lines) + "\n")
    refused(run, digits, "in line 1 of .*metrics.jsonl must be a number")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"epochs": "x"}, "another kind|epochs"),
        ({"epochs": -1}, "epochs must be at least 1"),
        ({"epochs": 1e30}, "another kind"),
        ({"model": 5}, "another kind|model"),
        ({"model": {"encoder": {"image_size": 10**12, "patch": 1}}}, "differ"),
        ({"seed": 1}, "seed differ"),
    ],
)
def test_a_damaged_recipe_is_refused(run: Path, digits: ImageSet, changes: dict[str, Any], word: str) -> None:
    rewrite_json(run / "step-00000006/config.json", **changes)
    refused(run, digits, word)


@pytest.mark.parametrize(
    "encoder",
    [
        {"image_size": 10**9},
        {"depth": 10**9},
        {"width": 10**9, "heads": 1},
        {"mlp_ratio": 1e30},
        {"depth": 2},
        {"channels": -1},
        {"depth": -1},
        {"depth": 1.0},
    ],
)
def test_a_model_larger_than_its_weights_is_not_built(run: Path, encoder: dict[str, Any]) -> None:
    path = run / "step-00000006/config.json"
    record = json.loads(path.read_text())
    record["model"]["encoder"] |= encoder
    path.write_text(json.dumps(record))
    with pytest.raises(InputError, match="step-00000006"):
        load_run(run)


def test_a_step_beyond_the_last_one_is_refused(run: Path, digits: ImageSet) -> None:
    folder = (run / "step-00000006").rename(run / "step-00000013")
    rewrite_json(folder / "state.json", step=13)
    refused(run, digits, "is of step 13, but its recipe ends after step 12")


def test_leftovers_of_killed_runs_are_swept(run: Path, digits: ImageSet) -> None:
    for name in (".step-00000007.part", "step-00000003", "step-00000099"):
        (run / name).mkdir()
        (run / name / "weights.safetensors").write_bytes(b"half")
    (run / ".metrics.x1.part.jsonl").write_text("half")
    kept = [run / "step-notes", run / "notes.txt"]
    kept[0].mkdir()
    kept[1].write_text("mine")
    train(CONFIG, digits, out=run, resume=True)
    left = {path.name for path in run.iterdir()}
    assert left == {"metrics.jsonl", "step-notes", "notes.txt", "step-00000011", "step-00000012"}


def test_the_only_weights_are_not_swept(run: Path, digits: ImageSet) -> None:
    for folder in list_checkpoints(run):
        (folder / "state.json").unlink()
    before = all_bytes(run)
    for resume in (False, True):
        with pytest.raises(InputError, match=r"holds weights but no state.json.*move it away"):
            train(CONFIG, digits, out=run, resume=resume)
    assert all_bytes(run) == before
