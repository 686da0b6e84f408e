"""Folders, shards and runs are read as one set of weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from reading_checks import refusal_message, same
from safetensors.torch import save_file
from torch import Tensor

from maetheory.checkpoints.reading.checkpoint import read_checkpoint
from maetheory.models import MAEConfig, ViTConfig
from maetheory.training import TrainConfig, checkpointing


def sharded(folder: Path, kind: str) -> dict[str, Tensor]:
    tensors = {name: torch.full((2,), float(i)) for i, name in enumerate("abc")}
    stem, suffix = ("model", ".safetensors") if kind == "safetensors" else ("pytorch_model", ".bin")
    places = {"a": f"{stem}-1{suffix}", "b": f"{stem}-2{suffix}", "c": f"{stem}-1{suffix}"}
    for file in set(places.values()):
        part = {name: tensors[name] for name in places if places[name] == file}
        save_file(part, folder / file) if kind == "safetensors" else torch.save(part, folder / file)
    (folder / f"{stem}{suffix}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    (folder / "config.json").write_text('{"model_type": "vit_mae"}')
    return tensors


@pytest.mark.parametrize("kind", ["safetensors", "torch"])
def test_shards_are_one_set_of_weights(kind: str, tmp_path: Path) -> None:
    tensors = sharded(tmp_path, kind)
    index = next(tmp_path.glob("*.index.json"))
    for path in (tmp_path, index):
        found = read_checkpoint(path)
        assert (found.path, found.container) == (path, f"{kind} shards")
        assert same(dict(sorted(found.tree.items())), tensors)
        assert found.sidecars == {"config.json": {"model_type": "vit_mae"}}
    files = sorted(file for file in tmp_path.iterdir() if file.suffix != ".json")
    lines = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    assert found.sha256 == hashlib.sha256(lines.encode()).hexdigest()


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "anything.ckpt"])
def test_a_folder_with_one_file_of_weights(name: str, tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / name) if "safe" in name else torch.save(
        {"a": torch.ones(2)}, tmp_path / name
    )
    (tmp_path / "preprocessor_config.json").write_text('{"size": 32}')
    (tmp_path / "args.json").write_text('{"backbone": "vit_tiny"}')
    for path in (tmp_path, tmp_path / name):
        found = read_checkpoint(path)
        assert (found.path, found.tree["a"].tolist()) == (path, [1, 1])
        assert found.sidecars == {"preprocessor_config.json": {"size": 32}, "args.json": {"backbone": "vit_tiny"}}


def test_the_newest_complete_step_of_a_run(tmp_path: Path) -> None:
    for step, whole in ((3, True), (20, True), (30, False)):
        folder = tmp_path / f"step-{step:08d}"
        folder.mkdir()
        save_file({"w": torch.full((1,), float(step))}, folder / "weights.safetensors")
        save_file({"m": torch.ones(1)}, folder / "optimizer.safetensors")
        (folder / "config.json").write_text(json.dumps({"step": step}))
        if whole:
            (folder / "state.json").write_text("{}")
    for path, step in ((tmp_path, 20), (tmp_path / "step-00000003", 3)):
        found = read_checkpoint(path)
        assert (found.container, found.tree["w"].item()) == ("maetheory run", step)
        assert found.path == tmp_path / f"step-{step:08d}"
        assert found.sidecars == {"config.json": {"step": step}}


def test_the_run_that_training_writes(tmp_path: Path) -> None:
    vit = ViTConfig(8, 2, 1, width=16, depth=2, heads=2, positions="learned")
    config = TrainConfig(MAEConfig(vit, decoder_width=16, decoder_depth=1, decoder_heads=2))
    model = checkpointing.build_model(config)
    checkpointing.save_checkpoint(tmp_path, 5, config.to_dict(), model, torch.optim.AdamW(model.parameters()), 10)
    found = read_checkpoint(tmp_path)
    assert found.container == "maetheory run"
    assert same({key: found.tree[key] for key in model.state_dict()}, dict(model.state_dict()))
    assert TrainConfig.from_dict(found.sidecars["config.json"]) == config


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"d": "model-1.safetensors"}, "lacks d, one of 1"),
        ({"d": "model-9.safetensors"}, "model-9.safetensors that model.safetensors.index.json lists is missing"),
        ({"d": "../model-1.safetensors"}, "which is not beside it"),
        ({"d": "/etc/passwd"}, "which is not beside it"),
        ({"d": 3}, "lists no weights"),
    ],
)
def test_an_index_that_does_not_fit(change: dict, words: str, tmp_path: Path) -> None:
    sharded(tmp_path, "safetensors")
    index = tmp_path / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    index.write_text(json.dumps({"weight_map": content["weight_map"] | change}))
    assert words in refusal_message(tmp_path)


@pytest.mark.parametrize("number", [str(10**400), "-" + str(10**40), "1e400", "-1e999", "9" * 5000])
@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "args.json"])
def test_numbers_out_of_range_make_a_sidecar_damaged(name: str, number: str, tmp_path: Path) -> None:
    """Integers without a float and floats beyond the largest are refused where the file is read, whatever their key."""
    torch.save({"w": torch.ones(2)}, tmp_path / "pytorch_model.bin")
    (tmp_path / name).write_text(f'{{"a": [{{"b": {number}}}]}}', encoding="utf-8")
    message = refusal_message(tmp_path)
    assert f"{name} is damaged: it holds the number" in message
    assert len(message) < 500


def test_only_arguments_hold_numbers_as_large_as_seeds(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text(json.dumps({"layer_norm_eps": 10**30}), encoding="utf-8")
    assert "config.json is damaged: it holds the number 1000" in refusal_message(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": 2**63 - 1}), encoding="utf-8")
    (tmp_path / "args.json").write_text(json.dumps({"seed": 2**120, "lr": 1e-300}), encoding="utf-8")
    assert read_checkpoint(tmp_path).sidecars["args.json"] == {"seed": 2**120, "lr": 1e-300}
