"""Malicious pickles are refused by name, and no code of them runs."""

from __future__ import annotations

import argparse
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pickle_files import EMPTY_ARRAY, legacy, text, zipped

from maetheory.checkpoints.reading.checkpoint import read_checkpoint
from maetheory.core import InputError

WRAPPED: dict[str, Callable[[bytes], bytes]] = {
    "zip": zipped,
    "legacy": legacy,
    "first pickle": lambda program: program,
    "keys": lambda program: legacy(pickle.dumps({}, 2), program),
}


def attacks(canary: Path) -> dict[str, tuple[bytes, str]]:
    """Return pickles that create the canary file when unpickled, with the name that the error must contain."""
    shell, code = f"touch {canary}", f"open({str(canary)!r}, 'w').close()"
    command, python = text(shell), text(code)
    reach = b"c__builtin__\ngetattr\n(cos\npath\n" + text("os") + b"tR"  # os.path.os, a module out of an object
    stacked = b"\x80\x04\x8c\x02os\x8c\x06system\x93" + command + b"\x85R."
    inner = b"\x80\x04\x8c\x08argparse\x8c\x0a_os.system\x93" + command + b"\x85R."
    kind = (
        b"cnumpy\ndtype\n(" + text("O8") + b"\x89\x88tR(I3\n" + text("|") + b"NNN" + b"J\xff\xff\xff\xff" * 2 + b"K?tb"
    )
    array = EMPTY_ARRAY + b"(I1\n(I1\nt" + kind + b"\x89]cos\nsystem\n(" + command + b"tRatb."
    state = b"cargparse\nNamespace\n)R}" + text("__setstate__") + b"cos\nsystem\nsb" + command + b"b."
    return {
        "os.system": (b"cos\nsystem\n(" + command + b"tR.", "os.system"),
        "posix.system": (b"cposix\nsystem\n" + command + b"\x85R.", "posix.system"),
        "eval": (b"c__builtin__\neval\n(" + python + b"tR.", "builtins.eval"),
        "exec": (b"cbuiltins\nexec\n(" + python + b"tR.", "builtins.exec"),
        "INST": (b"(" + command + b"ios\nsystem\n.", "os.system"),
        "OBJ": (b"(cos\nsystem\n" + command + b"o.", "os.system"),
        "STACK_GLOBAL": (stacked, "os.system"),
        "a dotted name": (inner, "argparse._os.system"),
        "a call in a call": (
            b"c__builtin__\ngetattr\n(" + reach + text("system") + b"tR(" + command + b"tR.",
            "builtins.getattr",
        ),
        "an attribute of a module": (
            b"c__builtin__\ngetattr\n(cargparse\n_os\n" + text("system") + b"tR(" + command + b"tR.",
            "builtins.getattr",
        ),
        "the inside of a class": (
            b"c__builtin__\ngetattr\n(cargparse\nNamespace\n"
            + text("__init__")
            + b"tR0cos\nsystem\n("
            + command
            + b"tR.",
            "argparse.Namespace.__init__",
        ),
        "in a list in a dict": (b"}" + text("a") + b"](cos\nsystem\n(" + command + b"tRes.", "os.system"),
        "through the memo": (b"cos\nsystem\nq\x000h\x00(" + command + b"tR.", "os.system"),
        "thrown away": (b"cos\nsystem\n(" + command + b"tR0N.", "os.system"),
        "BUILD of __setstate__": (state, "os.system"),
        "an array of objects": (array, "os.system"),
        "subprocess": (b"csubprocess\nPopen\n((" + text("touch") + text(str(canary)) + b"ltR.", "subprocess.Popen"),
        "partial": (b"cfunctools\npartial\n(cos\nsystem\n" + command + b"tR)R.", "os.system"),
        "runpy": (b"crunpy\n_run_code\n(" + python + b"}tR.", "runpy._run_code"),
        "timeit": (b"ctimeit\ntimeit\n(" + text("pass") + python + b"tR.", "timeit.timeit"),
        "a function of somebody": (b"cpydoc\npipepager\n(" + text("x") + command + b"tR.", "pydoc.pipepager"),
        "a function of torch": (
            b"ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\ncos\nsystem\n(" + command + b"tNtR.",
            "os.system",
        ),
    }


NAMES = list(attacks(Path("x")))


@pytest.mark.parametrize("name", NAMES)
def test_the_attacks_work_on_the_standard_unpickler(name: str, tmp_path: Path) -> None:
    """Python's own unpickler runs each of them, so that a missing canary file is evidence."""
    program, _ = attacks(tmp_path / "canary")[name]
    script = "import pickle, sys; pickle.loads(sys.stdin.buffer.read())"
    subprocess.run([sys.executable, "-c", script], input=program, capture_output=True, check=False, timeout=60)
    deadline = time.monotonic() + 10
    while not (tmp_path / "canary").exists():  # Popen does not wait for its child
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("wrapping", WRAPPED)
@pytest.mark.parametrize("name", NAMES)
def test_an_attack_is_refused_by_name_and_nothing_runs(name: str, wrapping: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    program, word = attacks(canary)[name]
    (tmp_path / "a.pt").write_bytes(WRAPPED[wrapping](program))
    with pytest.raises(InputError) as caught:
        read_checkpoint(tmp_path / "a.pt")
    assert word in str(caught.value)
    assert not canary.exists()


REFUSED = {
    "an extension": b"\x82\x01.",
    "a buffer outside": b"\x80\x05\x97.",
    "a persistent text": b"Pstorage\n.",
    "a persistent id that is no storage": b"(X\x04\0\0\0fileX\x01\0\0\0atQ.",
    "a call of a text": text("os.system") + b"(I1\ntR.",
    "a call of what a call gave": b"ccollections\nOrderedDict\n)R)R.",
    "a call of a list": b"])R.",
    "an object of an object": b"ccollections\nOrderedDict\n)R)\x81.",
    "arguments that are no tuple": b"ccollections\nOrderedDict\n]R.",
    "a class changed": b"cargparse\nNamespace\n}X\x01\0\0\0aNsb.",
    "a list changed": b"]}b.",
    "an item of a tuple": b"(I1\ntI0\nI1\ns.",
    "more of a text": text("a") + b"Na.",
    "an odd dict": b"(I1\nd.",
    "no value": b".",
    "no mark": b"t.",
    "no memo": b"h\x05.",
    "no end": b"N",
    "a name with spaces": b"cos system\nx\n.",
    "a name that is a number": b"\x80\x04K\x01K\x02\x93.",
    "globals of a function": b"\x80\x04\x8c\x05torch\x8c\x10save.__globals__\x93.",
    "a class's bases": b"\x80\x04\x8c\x08argparse\x8c\x1dNamespace.__class__.__bases__\x93.",
    "a module in a module": b"\x80\x04\x8c\x05torch\x8c\x06os.abc\x93.",
    "an object of a thread": b"cthreading\nThread\n)\x81.",
    "a nested file": b"ctorch.storage\n_load_from_bytes\n(C\x01atR.",
    "an unhashable key": b"}]Ns.",
    "a key of keys": b"}((I1\ntI2\ntNs.",
    "a parameter of a text": b"ctorch._utils\n_rebuild_parameter\n(X\x01\0\0\0a\x88NtR.",
    "a parameter of itself": b"ctorch._utils\n_rebuild_parameter\n(cargparse\nNamespace\n)R\x88NtR.",
    "a quantised tensor": b"ctorch._utils\n_rebuild_qtensor\n(NI0\nN)tR.",
    "a latin text that is none": b"c_codecs\nencode\n(X\x03\0\0\0\xe2\x82\xacX\x06\0\0\0latin1tR.",
}


@pytest.mark.parametrize("name", REFUSED)
def test_malformed_pickles_are_refused(name: str, tmp_path: Path) -> None:
    for wrap in (zipped, legacy):
        (tmp_path / "a.pt").write_bytes(wrap(REFUSED[name]))
        with pytest.raises(InputError, match="cannot be read"):
            read_checkpoint(tmp_path / "a.pt")


def test_special_attribute_names_are_plain_keys(tmp_path: Path) -> None:
    """A state key ``__class__`` or ``__dict__`` sets no attribute."""
    state = (
        text("__class__") + b"cargparse\nArgumentParser\ns" + text("__dict__") + b"}s" + text("__setstate__") + b"Ns"
    )
    body = b"cargparse\nNamespace\n)R}" + state + b"b}" + text("a") + b"I1\nsb."
    (tmp_path / "a.pt").write_bytes(zipped(body))
    assert read_checkpoint(tmp_path / "a.pt").tree == {"a": 1}
    assert argparse.Namespace.__class__ is type


def test_a_module_is_never_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = tmp_path / "canary"
    (tmp_path / "harmful_package.py").write_text(f"open({str(canary)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "a.pt").write_bytes(zipped(b"charmful_package\nConfig\n)\x81}" + text("width") + b"I8\nsb."))
    found = read_checkpoint(tmp_path / "a.pt")
    assert found.tree == {"width": 8}
    assert found.globals == ("harmful_package.Config",)
    assert "harmful_package" not in sys.modules
    assert not canary.exists()


@pytest.mark.parametrize("name", ["a class changed", "a list changed"])
def test_state_is_set_on_objects_only(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(zipped(REFUSED[name]))
    with pytest.raises(InputError, match="changes the inside of what is no object"):
        read_checkpoint(tmp_path / "a.pt")
