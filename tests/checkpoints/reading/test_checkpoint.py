"""Checkpoints of every format are read as the tensors and plain values that were saved."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import enum
import hashlib
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from reading_checks import bits, same
from safetensors.torch import save_file
from torch import nn

from maetheory.checkpoints.reading.checkpoint import read_checkpoint
from maetheory.checkpoints.reading.contents import nonfinite_tensors

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
    """A dict whose keys are attributes too, like those of easydict, addict and Lightning."""

    def __init__(self, *args: object, **values: object) -> None:
        super().__init__(*args, **values)
        self.__dict__.update(values)


class Items(list):
    pass


class Slots:
    __slots__ = ("a", "b")

    def __init__(self) -> None:
        self.a, self.b = 1, [2]


def test_objects_beside_the_weights_become_plain_values(tmp_path: Path) -> None:
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

    def boxed(name: str, **state: object) -> object:
        value = getattr(package, name)()
        value.__dict__.update(state)
        return value

    node = [boxed("AnyNode", _val=value, _parent=None) for value in (768, "b")]
    config = boxed(
        "DictConfig", _metadata=None, _content={"width": node[0], "l": boxed("ListConfig", _content=[node[1]])}
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


def test_nonfinite_tensors_are_named(tmp_path: Path) -> None:
    tensors = {"a": torch.ones(2), "b": torch.tensor([float("nan")]), "c": torch.tensor([1, 2])}
    torch.save({"model": tensors, "list": [torch.tensor(float("inf"))]}, tmp_path / "a.pt")
    assert nonfinite_tensors(read_checkpoint(tmp_path / "a.pt").tree) == ["list.0", "model.b"]
