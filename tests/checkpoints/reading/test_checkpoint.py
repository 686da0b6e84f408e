"""Whatever wrote a checkpoint, the same tensors and plain values come out, and a wrong file is one sentence."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import enum
import hashlib
import json
import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from maetheory.checkpoints.reading.checkpoint import read_checkpoint
from maetheory.checkpoints.reading.contents import CheckpointContents, nonfinite_tensors
from maetheory.core import InputError
from maetheory.models import MAEConfig, ViTConfig
from maetheory.training import TrainConfig, checkpointing

CONTAINERS = {
    "zip": {},
    "legacy": {"_use_new_zipfile_serialization": False},
    "zip, protocol 4": {"pickle_protocol": 4},
    "legacy, protocol 4": {"_use_new_zipfile_serialization": False, "pickle_protocol": 4},
}


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.num_heads = 3
        self.grid = (4, 4)
        self.kind = "plain"
        self.act = nn.functional.gelu
        self.qkv = nn.Linear(6, 18)
        self.register_buffer("index", torch.arange(4))
        self.register_buffer("scratch", torch.zeros(3), persistent=False)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Attention(), Attention()])
        self.norm = nn.LayerNorm(6, eps=1e-6)
        self.head = nn.Linear(6, 6)
        self.head.weight = self.blocks[0].qkv.weight
        self.missing = None


def same(found: object, expected: object) -> bool:
    """Return whether two trees are equal, tensors in every bit and with their types."""
    if isinstance(expected, Tensor):
        plain = isinstance(found, Tensor) and (found.dtype, found.shape) == (expected.dtype, expected.shape)
        return plain and torch.equal(bits(found), bits(expected))
    if isinstance(expected, dict):
        return (
            isinstance(found, dict)
            and list(found) == list(expected)
            and all(map(same, found.values(), expected.values()))
        )
    if isinstance(expected, list | tuple):
        return isinstance(found, list | tuple) and len(found) == len(expected) and all(map(same, found, expected))
    return type(found) is type(expected) and found == expected


def bits(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)


def plain_tree(newest: bool = True) -> dict:
    base = torch.arange(24.0).reshape(4, 6)
    dtypes = [
        torch.float64,
        torch.float16,
        torch.bfloat16,
        torch.int8,
        torch.uint8,
        torch.int64,
        torch.bool,
        torch.complex64,
    ]
    dtypes += [torch.uint16, torch.float8_e4m3fn] if newest else []  # torch cannot read its own legacy files of these
    return {
        "model": collections.OrderedDict(
            base=base,
            transposed=base.T,
            part=base[1:3, ::2],
            parameter=nn.Parameter(base + 1),
            scalar=torch.tensor(3),
            empty=torch.empty(0, 4),
            repeated=torch.ones(1, 6).expand(4, 6),
        ),
        "types": [torch.ones(3).to(dtype) for dtype in dtypes],
        "epoch": 7,
        "loss": 0.25,
        "best": None,
        "done": True,
        "name": "mäe",
        "raw": b"\x00\xff",
        "big": 2**70,
        "lists": [[1, (2, 3)], {"a": {5: "b"}}],
        "size": torch.Size([2, 3]),
    }


@pytest.mark.parametrize("container", CONTAINERS)
def test_plain_files_are_what_torch_reads(container: str, tmp_path: Path) -> None:
    file = tmp_path / "a.pt"
    torch.save(plain_tree("zip" in container), file, **CONTAINERS[container])
    found = read_checkpoint(file)
    expected = torch.load(file, weights_only="4" not in container)
    assert same(found.tree, {**expected, "size": tuple(expected["size"])})
    assert found.container == f"torch {container.partition(',')[0]}"
    assert found.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert "torch._utils._rebuild_tensor_v2" in found.globals
    assert (found.module_attributes, found.module_classes, found.sidecars) == ({}, {}, {})


def test_tensors_of_one_storage_share_it(tmp_path: Path) -> None:
    weight = torch.ones(3, 4)
    torch.save({"a": weight, "b": weight.T}, tmp_path / "a.pt")
    tree = read_checkpoint(tmp_path / "a.pt").tree
    tree["a"][0, 1] = 5
    assert tree["b"][1, 0] == 5


def test_a_state_dict_that_is_not_in_a_dict(tmp_path: Path) -> None:
    model = Net()
    torch.save(model.state_dict(), tmp_path / "a.pth")
    assert same(read_checkpoint(tmp_path / "a.pth").tree, dict(model.state_dict()))


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_a_whole_module_is_its_state_dict(container: str, tmp_path: Path) -> None:
    model = Net()
    torch.save(model, tmp_path / "a.pt", **CONTAINERS[container])
    found = read_checkpoint(tmp_path / "a.pt")
    assert found.container == "whole-module pickle"
    assert {key: bits(value).tolist() for key, value in found.tree.items()} == {
        key: bits(value).tolist() for key, value in model.state_dict().items()
    }
    assert found.module_classes == {name: type(module).__name__ for name, module in model.named_modules()}
    wanted = {
        "blocks.1.num_heads": 3,
        "blocks.1.grid": (4, 4),
        "blocks.0.kind": "plain",
        "norm.eps": 1e-6,
        "blocks.0.qkv.in_features": 6,
        "norm.normalized_shape": (6,),
        "training": True,
    }
    assert wanted.items() <= found.module_attributes.items()
    assert not any(name.endswith((".act", "missing")) for name in found.module_attributes)


def test_a_module_in_a_dict_has_the_keys_before_it(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "model": nn.Sequential(nn.LayerNorm(2))}, tmp_path / "a.pt")
    found = read_checkpoint(tmp_path / "a.pt")
    assert found.container == "whole-module pickle"
    assert list(found.tree["model"]) == ["0.weight", "0.bias"]
    assert found.module_attributes["model.0.eps"] == 1e-5
    assert found.module_classes == {"model": "Sequential", "model.0": "LayerNorm"}


def test_a_module_that_knows_its_parent(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    object.__setattr__(model[0], "parent", model)
    torch.save(model, tmp_path / "a.pt")
    assert list(read_checkpoint(tmp_path / "a.pt").tree) == ["0.weight", "0.bias"]


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Recipe:
    width: int
    folder: Path


class Box(dict):
    """As easydict, addict and Lightning's AttributeDict: a dict whose keys are attributes too."""

    def __init__(self, *args: object, **values: object) -> None:
        super().__init__(*args, **values)
        self.__dict__.update(values)


class Items(list):
    pass


class Slots:
    __slots__ = ("a", "b")

    def __init__(self) -> None:
        self.a, self.b = 1, [2]


def test_what_people_save_beside_the_weights_is_plain(tmp_path: Path) -> None:
    saved = {
        "args": argparse.Namespace(lr=0.1, model="mae_vit_base_patch16", nested=argparse.Namespace(a=[1])),
        "path": Path("/a") / "b.txt",
        "recipe": Recipe(8, Path("c")),
        "box": Box(depth=12, inner=Box(heads=3)),
        "items": Items([1, 2]),
        "slots": Slots(),
        "enum": Colour.RED,
        "set": {4},
        "ordered": collections.OrderedDict(b=1, a=2),
        "default": collections.defaultdict(list, a=[1]),
        "counter": collections.Counter("aab"),
        "deque": collections.deque([1, 2]),
        "scalar": np.float64(0.5),
        "integer": np.int64(4),
        "array": np.arange(6, dtype=np.int32).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "texts": np.array(["ab", "c"]),
        "objects": np.array([{"a": 1}, None], dtype=object),
        "dtype": torch.float16,
        "device": torch.device("cuda", 1),
        "complex": 1 + 2j,
        "bytearray": bytearray(b"ab"),
        "class": argparse.Namespace,
        ("a", 1): "tuple key",
    }
    expected = {
        "args": {"lr": 0.1, "model": "mae_vit_base_patch16", "nested": {"a": [1]}},
        "path": "/a/b.txt",
        "recipe": {"width": 8, "folder": "c"},
        "box": {"depth": 12, "inner": {"heads": 3}},
        "items": [1, 2],
        "slots": {"a": 1, "b": [2]},
        "enum": ["red"],
        "set": [4],
        "ordered": {"b": 1, "a": 2},
        "default": {"a": [1]},
        "counter": {"a": 2, "b": 1},
        "deque": [1, 2],
        "scalar": 0.5,
        "integer": 4,
        "dtype": "torch.float16",
        "device": "cuda:1",
        "complex": 1 + 2j,
        "bytearray": b"ab",
        "class": "argparse.Namespace",
        ("a", 1): "tuple key",
    }
    for protocol in range(2, 6):
        torch.save(saved, tmp_path / "a.pt", pickle_protocol=protocol)
        tree = read_checkpoint(tmp_path / "a.pt").tree
        assert {key: value for key, value in tree.items() if key in expected} == expected
        for key in ("array", "fortran", "texts"):
            np.testing.assert_array_equal(tree[key], saved[key])
            assert tree[key].dtype == saved[key].dtype
        assert tree["objects"] == [{"a": 1}, None]


def test_configurations_of_omegaconf_are_unboxed(tmp_path: Path) -> None:
    package = types.ModuleType("omegaconf")
    for name in ("DictConfig", "ListConfig", "AnyNode"):
        setattr(package, name, type(name, (), {"__module__": "omegaconf"}))

    def made(name: str, **state: object) -> object:
        thing = getattr(package, name)()
        thing.__dict__.update(state)
        return thing

    node = [made("AnyNode", _val=value, _parent=None) for value in (768, "b")]
    config = made(
        "DictConfig", _metadata=None, _content={"width": node[0], "l": made("ListConfig", _content=[node[1]])}
    )
    sys.modules["omegaconf"] = package
    try:
        torch.save({"cfg": config}, tmp_path / "a.pt")
    finally:
        del sys.modules["omegaconf"]
    assert read_checkpoint(tmp_path / "a.pt").tree == {"cfg": {"width": 768, "l": ["b"]}}


def test_a_plain_pickle_of_arrays(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"w": np.ones(3, np.float32)}))
    found = read_checkpoint(tmp_path / "a.pkl")
    assert found.container == "pickle"
    assert found.tree["w"].tolist() == [1, 1, 1]


def test_safetensors(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(4.0), "b": torch.ones(2, 2, dtype=torch.bfloat16)}
    save_file(tensors, tmp_path / "weights.safetensors", {"format": "pt"})
    found = read_checkpoint(str(tmp_path / "weights.safetensors"))
    assert found.container == "safetensors"
    assert same({key: found.tree[key] for key in tensors}, tensors)


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


def test_the_newest_whole_step_of_a_run(tmp_path: Path) -> None:
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
    checkpointing.save(tmp_path, 5, config.to_dict(), model, torch.optim.AdamW(model.parameters()), 10)
    found = read_checkpoint(tmp_path)
    assert found.container == "maetheory run"
    assert same({key: found.tree[key] for key in model.state_dict()}, dict(model.state_dict()))
    assert TrainConfig.from_dict(found.sidecars["config.json"]) == config


def test_real_whole_modules(real_data: Path) -> None:
    files = sorted((real_data / "checkpoints" / "cifar10-vit-tiny").glob("*.pt"))
    assert len(files) == 2
    for file in files:
        found = read_checkpoint(file)
        assert found.container == "whole-module pickle"
        assert found.tree["pos_embedding"].shape == (256, 1, 72)
        assert found.module_attributes["transformer.0.attn.num_heads"] == 3
        assert found.module_attributes["transformer.11.norm1.eps"] == 1e-5
        assert found.module_classes["transformer.0.attn"] == "Attention"
        assert not nonfinite_tensors(found.tree)
        assert all(tensor.device.type == "cpu" for tensor in found.tree.values())


def test_not_finite_names_the_tensors(tmp_path: Path) -> None:
    tensors = {"a": torch.ones(2), "b": torch.tensor([float("nan")]), "c": torch.tensor([1, 2])}
    torch.save({"model": tensors, "list": [torch.tensor(float("inf"))]}, tmp_path / "a.pt")
    assert nonfinite_tensors(read_checkpoint(tmp_path / "a.pt").tree) == ["list.0", "model.b"]


def sentence(path: Path, **options: int) -> str:
    with pytest.raises(InputError) as caught:
        read_checkpoint(path, **options)
    text = str(caught.value)
    assert text.startswith(f"{path} cannot be read: ")
    assert "\n" not in text
    return text


WRONG = {
    "the file is empty": b"",
    "damaged, or no checkpoint": b"hello, this is a text\n" * 3,
    "web page": b"\n<!DOCTYPE html><html><body>404</body></html>",
    "git-lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 1\n",
    "data.pkl of a torch file": b"PK\x05\x06" + b"\0" * 18,
    "an HDF5 file, not a checkpoint": b"\x89HDF\r\n\x1a\n" + b"\0" * 40,
    "a PNG image, not a checkpoint": b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
    "packed with gzip, not a checkpoint; unpack it first": b"\x1f\x8b\x08" + b"\0" * 40,
    "its end is missing or damaged; the download was cut short": b"PK\x03\x04" + b"\0" * 40,
    "cut short: its header is longer than the file": (10**6).to_bytes(8, "little") + b'{"a"',
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_no_checkpoint_is_one_sentence(words: str, tmp_path: Path) -> None:
    content = WRONG[words]
    if content.startswith(b"PK\x05"):
        np.savez(tmp_path / "a.npz", a=np.ones(2))
        content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.pt").write_bytes(content)
    assert words in sentence(tmp_path / "a.pt")


def test_what_is_no_file_is_one_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not an ordinary file" in sentence(tmp_path / "pipe")
    assert "not an ordinary file" in sentence(Path("/dev/zero"))
    assert "there is no file nowhere.pt" in sentence(tmp_path / "nowhere.pt")
    assert "cannot be read" in sentence(tmp_path / "x" / "\0")
    (tmp_path / "empty").mkdir()
    assert "the folder holds no checkpoint" in sentence(tmp_path / "empty")
    for name in ("a.pt", "b.pt"):
        torch.save({}, tmp_path / name)
    assert "several checkpoints (a.pt, b.pt); name one" in sentence(tmp_path)
    (tmp_path / "config.json").write_text("{")
    assert "config.json is not JSON" in sentence(tmp_path / "a.pt")


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
    assert words in sentence(tmp_path)


def test_a_program_is_not_weights(tmp_path: Path) -> None:
    torch.jit.script(nn.Linear(2, 2)).save(str(tmp_path / "a.pt"))
    assert "TorchScript" in sentence(tmp_path / "a.pt")


def test_only_dense_tensors(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2, 2).to_sparse()}, tmp_path / "a.pt")
    assert "only dense tensors" in sentence(tmp_path / "a.pt")
    torch.save({"a": torch.ones(2, device="meta")}, tmp_path / "b.pt")
    assert "only dense tensors" in sentence(tmp_path / "b.pt")


def test_a_budget_is_kept(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1000)}, tmp_path / "a.pt")
    assert isinstance(read_checkpoint(tmp_path / "a.pt", max_bytes=8000), CheckpointContents)
    assert "its size allows" in sentence(tmp_path / "a.pt", max_bytes=3000)
