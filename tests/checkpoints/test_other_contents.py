"""Files that people have and that are no encoder here are named, with what to do; none is read as something else."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from maetheory.checkpoints import Encoder, EncoderConfig, inspect_checkpoint, load_checkpoint
from maetheory.checkpoints.reading import read_checkpoint
from maetheory.core import InputError

STATE = Encoder(EncoderConfig(8, 2, 3, 24, 2, 3, 24, 48)).state_dict()
LORA = {"attn.qkv.lora_A.default.weight": torch.zeros(2, 24), "attn.qkv.lora_B.default.weight": torch.zeros(72, 2)}


def prefixed(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in state.items()}


def without(*names: str) -> dict[str, Tensor]:
    return {name: value for name, value in STATE.items() if name not in names}


TREES: dict[str, tuple[Any, str]] = {
    "ZeRO-3": (
        {"module": {name: torch.empty(0) for name in STATE}},
        "without values, as DeepSpeed ZeRO-3 .* zero_to_fp32",
    ),
    "FSDP": (
        {"model": {"_fsdp_wrapped_module._flat_param": torch.zeros(9)}},
        "flattened into vectors; save .*FULL_STATE",
    ),
    "adapter": (prefixed(LORA, "base_model.model.blocks.0."), r"adapters \(LoRA .* merge them with merge_and_unload"),
    "adapted model": ({**STATE, **prefixed(LORA, "blocks.0.")}, r"adapters \(LoRA"),
    "int8": (
        {name: value.to(torch.int8) for name, value in STATE.items()},
        "quantised to integers; save .* floating point",
    ),
    "bitsandbytes": ({**STATE, "blocks.0.attn.qkv.SCB": torch.ones(72)}, "quantised to integers"),
    "data2vec 2": (
        {"model": {**STATE, "modality_encoders.IMAGE.extra_tokens": torch.zeros(1, 1, 24)}, "cfg": {}},
        "fairseq's data2vec 2.0",
    ),
    "MultiMAE": ({**without("patch_embed.proj.weight"), "input_adapters.rgb.proj.bias": torch.zeros(24)}, "MultiMAE"),
    "VideoMAE": (
        {**STATE, "patch_embed.proj.weight": torch.zeros(24, 3, 2, 2, 2)},
        "videos, whose patches have a length",
    ),
    "SatMAE groups": (
        {**without("patch_embed.proj.weight"), "patch_embed.0.proj.weight": torch.zeros(24, 2, 2, 2)},
        r"patch embedding for each group of channels \(SatMAE\)",
    ),
    "ConvMAE": (
        {"patch_embed1.proj.weight": torch.zeros(8, 3, 4, 4), "blocks1.0.a": torch.zeros(3)},
        "stages of several",
    ),
    "hierarchical": (
        {"blocks.0.norm1.weight": torch.zeros(8), "blocks.1.norm1.weight": torch.zeros(16)},
        r"stages of several widths \(ConvMAE, Hiera",
    ),
    "Hiera of Hugging Face": (
        {f"hiera.encoder.stages.{i}.layers.0.layernorm_before.weight": torch.zeros(8 + 8 * i) for i in range(2)},
        "stages of several widths",
    ),
    "MViT": (
        {
            **{f"blocks.{i}.norm1.weight": torch.zeros(8 + 8 * i) for i in range(2)},
            "blocks.0.attn.rel_pos_h": torch.zeros(5, 8),
        },
        "stages of several widths",
    ),
    "VideoMAE's code for images": (
        {
            **prefixed(without("pos_embed", "cls_token"), "encoder."),
            "decoder.blocks.0.norm1.weight": torch.ones(12),
            "encoder_to_decoder.weight": torch.zeros(12, 24),
        },
        r"fixed positions are no part of the file .* add the table to the state dict as encoder\.pos_embed",
    ),
    "volumes": (
        {
            "patch_embedding.patch_embeddings.weight": torch.zeros(24, 1, 2, 2, 2),
            "blocks.0.norm1.weight": torch.ones(8),
        },
        "or of volumes, whose patches have a depth",
    ),
    "prompts": ({**STATE, "prompt_embeddings": torch.zeros(1, 9, 24)}, "prompt tokens or bottlenecks"),
    "AdaptFormer": ({**STATE, "blocks.0.adaptmlp.up_proj.weight": torch.zeros(24, 4)}, "prompt tokens or bottlenecks"),
    "LoRA of queries": ({**STATE, "blocks.0.attn.qkv.linear_a_q.weight": torch.zeros(4, 24)}, r"adapters \(LoRA"),
    "float8 with factors": ({**STATE, "blocks.0.attn.qkv.weight_scale_inv": torch.ones(1)}, "factors of their own"),
    "MAGE": ({**without("patch_embed.proj.weight"), "token_emb.word_embeddings.weight": torch.zeros(9, 24)}, "MAGE"),
    "BEiT-3": ({f"beit3.encoder.layers.{i}.self_attn.q_proj.A.weight": torch.ones(8, 8) for i in range(9)}, "BEiT-3"),
    "CroCo": ({f"enc_blocks.{i}.norm1.weight": torch.ones(8) for i in range(9)}, "CroCo, DUSt3R or MASt3R"),
    "RADIO": ({**without("pos_embed"), "patch_generator.pos_embed": torch.zeros(1, 9, 24)}, "a generator of its own"),
    "Scale-MAE": ({"model": {**STATE, "fcn_high.layers.0.weight": torch.zeros(8, 8, 1, 1)}}, "Scale-MAE, whose pos"),
    "ViTDet": (
        {"model": {**prefixed(STATE, "backbone.net."), "backbone.simfp_2.0.weight": torch.zeros(24, 12, 2, 2)}},
        "attend within windows that no tensor shows",
    ),
    "AST": (
        {**prefixed(STATE, "module.v."), "module.mlp_head.0.weight": torch.ones(24)},
        "patches overlap by a stride that no tensor shows",
    ),
    "SAM": ({**STATE, "blocks.0.attn.rel_pos_h": torch.zeros(5, 8)}, "Segment Anything"),
    "differential": ({**STATE, "blocks.0.attn.lambda_q1": torch.zeros(8)}, "differential attention"),
    "optimiser": ({"state": {0: {"step": 1}}, "param_groups": []}, "state of an optimiser and no weights"),
    "PaddlePaddle": ({**STATE, "StructuredToParameterName@@": {}, "cls_token": 0}, r"PaddlePaddle, whose .* transpose"),
    "torch-ema": ({"decay": 0.9, "shadow_params": list(STATE.values())}, "averaged weights without names"),
}


@pytest.mark.parametrize("kind", TREES)
def test_contents_that_are_no_encoder_are_named(kind: str, tmp_path: Path) -> None:
    tree, words = TREES[kind]
    torch.save(tree, tmp_path / "a.pth")
    with pytest.raises(InputError, match=words) as caught:
        inspect_checkpoint(tmp_path / "a.pth", heads=3)
    assert "\n" not in str(caught.value)


def _keras(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", "x")


def _zipped(*names: str) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "x")

    return write


FILES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "few arrays": (
        "a.npz",
        lambda path: np.savez(path, cls=np.zeros(3)),
        "NumPy arrays that are not the weights of a network",
    ),
    "TorchScript": (
        "a.pt",
        _zipped("a/data.pkl", "a/constants.pkl"),
        r"not run; save its weights by .*torch\.jit\.load",
    ),
    "torch.export": (
        "a.pt2",
        _zipped("a/archive_format", "a/models/model.json"),
        r"save its weights by .*export\.load",
    ),
    "zip of a checkpoint": (
        "a.zip",
        _zipped("b/README", "b/vit.pth"),
        r"of other files: unpack it, and pass b/vit\.pth",
    ),
    "bzip2": ("a.pth.bz2", lambda path: path.write_bytes(b"BZh9" + bytes(300)), "packed with bzip2, .* unpack it"),
    "Zstandard": ("a.zst", lambda path: path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(99)), "packed with Zstandard"),
    "OpenVINO": ("a.xml", lambda path: path.write_text('<?xml version="1.0"?><net name="a"/>'), "a compiled network"),
    "refusal of a store": (
        "a.pth",
        lambda path: path.write_text("<?xml version='1.0'?><Error/>"),
        "download went wrong",
    ),
    "msgpack": ("flax_model.msgpack", lambda path: path.write_bytes(b"\x82\xa7" + bytes(9)), "Flax file: load it with"),
    "onnx": ("vit.bin", lambda path: path.write_bytes(b"\x08\x08\x12\x07pytorch" + bytes(300)), "ONNX graph: pass"),
    "keras": ("vit.keras", _keras, "of Keras: save its weights"),
    "tar": (
        "vit.tar",
        lambda path: path.write_bytes(bytes(257) + b"ustar\x0000" + bytes(300)),
        "tar archive, .* unpack it",
    ),
    "error": (
        "vit.pth",
        lambda path: path.write_text('{"message": "Not Found"}'),
        r"JSON text \('\{\"message\": \"Not Found",
    ),
    "text": (
        "vit.pth",
        lambda path: path.write_text("Invalid username"),
        r"a text \('Invalid username'\), so it is damaged",
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_files_of_other_frameworks_are_named(kind: str, tmp_path: Path) -> None:
    name, write, words = FILES[kind]
    write(tmp_path / name)
    with pytest.raises(InputError, match=words):
        inspect_checkpoint(tmp_path / name)


FOLDERS = {
    "__0_0.distcp": "torch.distributed.checkpoint: run `python -m",
    "saved_model.pb": "SavedModel of TensorFlow",
    "_METADATA": r"Orbax \(JAX\)",
    "flax_model.msgpack": "weights of Flax: load it with transformers",
    "tf_model.h5": "weights of Keras",
    "model.onnx": "ONNX graph",
    "adapter_config.json": "configuration of adapters without their weights",
}


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_of_other_frameworks_are_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(InputError, match=FOLDERS[name]):
        inspect_checkpoint(tmp_path)


def test_the_state_of_the_training_beside_the_weights_is_passed_over(tmp_path: Path) -> None:
    """Folders of accelerate, of Hugging Face's Trainer and of DeepSpeed hold one file of weights among others."""
    torch.save(STATE, tmp_path / "vit.bin")
    for name in (
        "optimizer.bin",
        "scheduler.bin",
        "random_states_0.pkl",
        "training_args.bin",
        "scaler.pt",
        "rng_state.pth",
    ):
        torch.save({"state": {}}, tmp_path / name)
    assert inspect_checkpoint(tmp_path, heads=3).config.depth == 2
    torch.save(STATE, tmp_path / "ema.bin")
    with pytest.raises(InputError, match=r"several checkpoints \(ema\.bin, vit\.bin\); name one"):
        inspect_checkpoint(tmp_path, heads=3)
    step = tmp_path / "deepspeed" / "global_step9"
    step.mkdir(parents=True)
    torch.save({"module": STATE, "ds_version": "0.14"}, step / "mp_rank_00_model_states.pt")
    (tmp_path / "deepspeed" / "latest").write_text("global_step9\n")
    assert inspect_checkpoint(tmp_path / "deepspeed", heads=3).config.depth == 2
    (tmp_path / "deepspeed" / "latest").write_text("../elsewhere")
    with pytest.raises(InputError, match="the folder holds no checkpoint"):
        inspect_checkpoint(tmp_path / "deepspeed", heads=3)


def test_folders_of_a_training_name_its_steps(tmp_path: Path) -> None:
    for step in (500, 1000):
        (tmp_path / f"checkpoint-{step}").mkdir()
        save_file(dict(STATE), tmp_path / f"checkpoint-{step}" / "model.safetensors")
    with pytest.raises(InputError, match=r"2 folders with a checkpoint each \(checkpoint-1000, checkpoint-500\); name"):
        inspect_checkpoint(tmp_path, heads=3)
    assert inspect_checkpoint(tmp_path / "checkpoint-500", heads=3).config.depth == 2


@pytest.mark.parametrize("nest", [lambda state: ({"lr": 1}, state), lambda state: {"models": [state], "epoch": 3}])
def test_state_dicts_in_lists_are_found(nest: Callable[[Any], Any], tmp_path: Path) -> None:
    torch.save(nest(dict(STATE)), tmp_path / "a.pt")
    encoder, report = load_checkpoint(tmp_path / "a.pt", heads=3)
    assert report.weights in ("1", "models.0")
    assert all(torch.equal(value, STATE[name]) for name, value in encoder.state_dict().items())


def test_state_dicts_of_arrays_are_read(tmp_path: Path) -> None:
    """What pickle.dump writes of NumPy arrays, and detectron2's model zoo."""
    arrays = {name: value.numpy().astype(value.numpy().dtype.newbyteorder(">")) for name, value in STATE.items()}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"model": arrays, "matching_heuristics": True}))
    encoder, _ = load_checkpoint(tmp_path / "a.pkl", heads=3)
    assert all(torch.equal(value, STATE[name]) for name, value in encoder.state_dict().items())
    (tmp_path / "features.pkl").write_bytes(pickle.dumps({f"{i}.png": np.ones(8, np.float32) for i in range(20)}))
    assert isinstance(read_checkpoint(tmp_path / "features.pkl").tree["3.png"], np.ndarray)


def test_metadata_of_safetensors_are_stated(tmp_path: Path) -> None:
    metadata = {
        "format": "pt",
        "num_heads": "6",
        "mean": "[0.1, 0.2, 0.3]",
        "note": "{",
        "config": '{"std": [1, 1, 1]}',
    }
    save_file(dict(STATE), tmp_path / "a.safetensors", metadata=metadata)
    report = inspect_checkpoint(tmp_path / "a.safetensors")
    assert report.config.heads == 6
    assert report.sources["heads"] == "stated in the file: safetensors metadata.num_heads"
    assert report.config.mean == (0.1, 0.2, 0.3)
    assert report.config.std == (1, 1, 1)
    assert "stated in the file" in report.sources["std"]


def test_adapters_name_their_model(tmp_path: Path) -> None:
    save_file(prefixed(LORA, "base_model.model.blocks.0."), tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "facebook/vit-mae-base"}))
    with pytest.raises(InputError, match="the weights they change, of facebook/vit-mae-base; merge them"):
        inspect_checkpoint(tmp_path)
