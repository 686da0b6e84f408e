"""A small whole file of every kind that this package reads, to be damaged."""

from __future__ import annotations

import argparse
import io
import json
import pickle
import socket
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save
from torch import Tensor


def timm_state(width: int = 32, depth: int = 2) -> dict[str, Tensor]:
    """Return the tensors of a small Vision Transformer under timm's names."""
    rng = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return 0.02 * torch.randn(*shape, generator=rng)

    state = {"cls_token": random(1, 1, width), "pos_embed": random(1, 17, width)}
    state |= {"patch_embed.proj.weight": random(width, 3, 4, 4), "patch_embed.proj.bias": random(width)}
    shapes = {"attn.qkv": (3 * width, width), "attn.proj": (width, width), "mlp.fc1": (4 * width, width)}
    shapes |= {"mlp.fc2": (width, 4 * width)}
    for block in range(depth):
        for name, shape in shapes.items():
            state |= {f"blocks.{block}.{name}.weight": random(*shape), f"blocks.{block}.{name}.bias": random(shape[0])}
        for name in ("norm1", "norm2"):
            state |= {f"blocks.{block}.{name}.weight": 1 + random(width), f"blocks.{block}.{name}.bias": random(width)}
    return state | {"norm.weight": 1 + random(width), "norm.bias": random(width)}


def hugging_face_folder(folder: Path, width: int = 32, depth: int = 1) -> None:
    """Write a ViTModel of transformers: config.json, preprocessor_config.json and its weights."""
    ours = timm_state(width, depth)
    theirs = {
        "embeddings.cls_token": ours["cls_token"],
        "embeddings.position_embeddings": ours["pos_embed"],
        "embeddings.patch_embeddings.projection.weight": ours["patch_embed.proj.weight"],
        "embeddings.patch_embeddings.projection.bias": ours["patch_embed.proj.bias"],
    }
    modules = {"attention.output.dense": "attn.proj", "intermediate.dense": "mlp.fc1", "output.dense": "mlp.fc2"}
    modules |= {"layernorm_before": "norm1", "layernorm_after": "norm2"}
    for block in range(depth):
        for kind in ("weight", "bias"):
            parts = ours[f"blocks.{block}.attn.qkv.{kind}"].chunk(3)
            for name, part in zip(("query", "key", "value"), parts, strict=True):
                theirs[f"encoder.layer.{block}.attention.attention.{name}.{kind}"] = part.contiguous()
            for their_name, name in modules.items():
                theirs[f"encoder.layer.{block}.{their_name}.{kind}"] = ours[f"blocks.{block}.{name}.{kind}"]
    theirs |= {f"layernorm.{kind}": ours[f"norm.{kind}"] for kind in ("weight", "bias")}
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(save(theirs))
    config = {
        "architectures": ["ViTModel"],
        "model_type": "vit",
        "hidden_size": width,
        "num_hidden_layers": depth,
        "num_attention_heads": 4,
        "intermediate_size": 4 * width,
        "image_size": 16,
        "patch_size": 4,
        "num_channels": 3,
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
        "qkv_bias": True,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "size": 16, "do_normalize": True})
    )


def ledger_record(recipe: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a whole record of a ledger."""
    origin = {"git": "abc", "utc": "now", "device": "cpu", "machine": "m", "python": "3", "versions": {"torch": "2"}}
    names = {"experiment": "digits", "cell": "MAE", "objective": "MAE", "seed": 0, "dataset": "digits", "epochs": 2}
    values = {"train_images": 10, "test_images": 5, "readout": "cls", "metric": "linear_probe", "value": 0.5}
    return {
        **names,
        **values,
        "error": 0.1,
        "recipe": "ridge",
        "training": dict(recipe),
        "provenance": origin,
        **changes,
    }


def _npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _saved(value: object, *, legacy: bool = False) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()


def _pictures(images: np.ndarray) -> list[bytes]:
    """Return an image as PNG, JPEG, TIFF, WebP, GIF, BMP and PPM, in several modes."""
    found = []
    for kind, mode in (
        ("PNG", "RGB"),
        ("PNG", "P"),
        ("PNG", "LA"),
        ("JPEG", "RGB"),
        ("JPEG", "CMYK"),
        ("TIFF", "F"),
        ("WEBP", "RGBA"),
        ("GIF", "P"),
        ("BMP", "RGB"),
        ("PPM", "RGB"),
    ):
        file = io.BytesIO()
        Image.fromarray(images[0]).convert(mode).save(file, kind)
        found.append(file.getvalue())
    return found


def samples(run: Path, hugging_face: Path, recipe: Mapping[str, Any]) -> dict[str, list[bytes]]:
    """Return the whole files of each kind: of a run of ours, of a Hugging Face folder, and of image files."""
    step = max(run.glob("step-*"))
    state = timm_state()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    labels = np.arange(6)
    ledger = [
        ledger_record(recipe, seed=seed, metric=metric, cell=name, objective=name, correct="qA==")
        for seed in (0, 1)
        for name in ("MAE", "U-MAE")
        for metric in ("linear_probe", "finetune")
    ]
    holder = {"host": socket.gethostname(), "pid": 2**22 + 1, "started": "1", "parent": None}
    scores = "law,patch,mask_ratio,score,value,low,high,decided,why,direction,k,n_images,n_masks\n" + "".join(
        f'{law},2,0.75,{score},{value},{value},,{bool(value)},"a, b",-1,10,64,8\n'
        for law in ("uniform-75", "block-75")
        for score, value in (("label_error", 0.25), ("rank", ""))
    )
    idx = bytes([0, 0, 8, 3]) + struct.pack(">III", 6, 8, 8) + images[..., 0].tobytes()
    cifar = {b"data": images.reshape(6, -1), b"labels": labels.tolist(), b"filenames": [b"a.png"] * 6}
    marks = "before é\n<!-- tables: begin -->\nold\n<!-- tables: end -->\nafter\n"
    return {
        "checkpoint": [
            _saved({"model": state, "args": argparse.Namespace(model="vit_tiny"), "epoch": 3}),
            _saved(state, legacy=True),
            save(state, metadata={"format": "pt"}),
        ],
        **{name: [(step / name).read_bytes()] for name in ("state.json", "config.json")},
        **{f"{name}.safetensors": [(step / f"{name}.safetensors").read_bytes()] for name in ("weights", "optimizer")},
        "metrics.jsonl": [(run / "metrics.jsonl").read_bytes()],
        "ledger.jsonl": ["".join(json.dumps(record) + "\n" for record in ledger).encode()],
        "lock": [json.dumps(holder).encode()],
        "hf config.json": [(hugging_face / "config.json").read_bytes()],
        "hf preprocessor_config.json": [(hugging_face / "preprocessor_config.json").read_bytes()],
        "arrays": [
            _npy(images),
            _npz(images=images, labels=labels),
            _npz(x_train=images[..., 0].astype(np.float32) / 255, y_train=labels),
        ],
        "png": _pictures(images),
        "idx": [idx],
        "cifar pickle": [pickle.dumps(cifar, protocol) for protocol in (2, 4)],
        "scores.csv": [scores.encode()],
        "README.md": [marks.encode()],
    }


def zip_members(content: bytes) -> dict[str, bytes]:
    """Return the members of a zip archive by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}
