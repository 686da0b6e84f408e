"""A file written to do harm does none: nothing of it runs, and it takes no more memory than it earns."""

from __future__ import annotations

import argparse
import io
import json
import pickle
import struct
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import nn

from maetheory.checkpoints.reading.checkpoint import read_checkpoint
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError

EMPTY_ARRAY = b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntC\x01btR"
MAGIC, VERSION = pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2)


def zipped(program: bytes, records: dict[str, bytes] | None = None, method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method, compresslevel=1) as archive:
        for name, content in {"data.pkl": program, "version": b"3\n", **(records or {})}.items():
            archive.writestr(f"archive/{name}", content)
    return file.getvalue()


def legacy(program: bytes, keys: bytes = pickle.dumps([], 2), storages: bytes = b"") -> bytes:
    return MAGIC + VERSION + pickle.dumps({"little_endian": True}, 2) + program + keys + storages


WRAPPED: dict[str, Callable[[bytes], bytes]] = {
    "zip": zipped,
    "legacy": legacy,
    "first pickle": lambda program: program,
    "keys": lambda program: legacy(pickle.dumps({}, 2), program),
}


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word.encode())) + word.encode()


def attacks(canary: Path) -> dict[str, tuple[bytes, str]]:
    """Return pickles that touch the canary when they are unpickled, with the name a refusal should give."""
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
def test_attacks_are_real(name: str, tmp_path: Path) -> None:
    """Python's own unpickler obeys each of them, so a canary that stays away means something."""
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
def test_what_no_checkpoint_does_is_refused(name: str, tmp_path: Path) -> None:
    for wrap in (zipped, legacy):
        (tmp_path / "a.pt").write_bytes(wrap(REFUSED[name]))
        with pytest.raises(InputError, match="cannot be read"):
            read_checkpoint(tmp_path / "a.pt")


def test_words_of_a_file_change_no_object(tmp_path: Path) -> None:
    """A state may be called ``__class__`` or ``__dict__``: it is a key of a dict and nothing else."""
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


# Sizes.

FLOATS = b"ctorch\nFloatStorage\n"


def storage(length: int, key: str = "0", view: bytes = b"") -> bytes:
    return b"(" + text("storage") + FLOATS + text(key) + text("cpu") + f"L{length}L\n".encode() + view + b"tQ"


def tensor(length: int, size: str, stride: str, start: int = 0) -> bytes:
    def numbers(words: str) -> bytes:
        return b"(" + b"".join(f"L{word}L\n".encode() for word in words.split()) + b"t"

    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage(length)
        + f"L{start}L\n".encode()
        + numbers(size)
        + numbers(stride)
        + b"\x89NtR"
    )


def array(size: int) -> bytes:
    kind = b"cnumpy\ndtype\n(" + text("f8") + b"\x89\x88tR"
    return EMPTY_ARRAY + b"(I1\n(" + f"L{size}L\n".encode() + b"t" + kind + b"\x89C\x08" + b"\0" * 8 + b"tb."


def doubled(levels: int) -> bytes:
    return b"]" + b"".join(b"q%c0](h%ch%ce" % (i, i, i) for i in range(levels)) + b"."


def bombs() -> dict[str, bytes]:
    """Return small files that would take gigabytes, or the interpreter's stack, if they were believed."""
    data = {"data/0": b"\0" * 64}
    header = json.dumps({"a": {"dtype": "F32", "shape": [10**5, 10**5], "data_offsets": [0, 4 * 10**10]}}).encode()
    huge, names = tensor(2_500_000_000, "2500000000", "1") + b".", pickle.dumps(["0"], 2)
    part = (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage(16, view=b"(" + text("v") + b"I8\nI9\nt")
        + b"I0\n(I9\nt(I1\nt\x89NtR."
    )
    lie = bytearray(zipped(b"N.", {"data/0": bytes(10**6)}, zipfile.ZIP_DEFLATED))
    at = lie.rindex(struct.pack("<I", 10**6))
    lie[at : at + 4] = struct.pack("<I", 2**31)
    rebuild = b"ctorch._tensor\n_rebuild_from_type_v2\nq\x00"
    return {
        "ten gigabytes declared": zipped(huge, data),
        "ten gigabytes declared, legacy": legacy(huge, names, struct.pack("<q", 2_500_000_000) + b"\0" * 64),
        "a negative length": zipped(tensor(-16, "4", "1") + b".", data),
        "a negative length, legacy": legacy(tensor(16, "16", "1") + b".", names, b"\xff" * 8),
        "another length, legacy": legacy(tensor(17, "16", "1") + b".", names, struct.pack("<q", 16) + b"\0" * 64),
        "strides of zero": zipped(tensor(16, "100000 100000", "0 0") + b".", data),
        "strides of zero, often": zipped(b"]" + (tensor(16, "1000000", "0") + b"a") * 100 + b".", data),
        "beyond the storage": zipped(tensor(16, "4 5", "4 1") + b".", data),
        "before the storage": zipped(tensor(16, "4", "1", -4) + b".", data),
        "a negative stride": zipped(tensor(16, "4", "-1", 8) + b".", data),
        "fewer strides than sizes": zipped(tensor(16, "4 4", "1") + b".", data),
        "a size beyond integers": zipped(tensor(16, "4 9999999999999999999999", "0 0") + b".", data),
        "a size beyond texts": zipped(tensor(16, str(10**1000), str(10**1000)) + b".", data),
        "an empty one beyond integers": zipped(tensor(16, f"0 {10**30}", "1 1") + b".", data),
        "a part beyond the storage": legacy(part, names, struct.pack("<q", 16) + b"\0" * 64),
        "packed numbers": zipped(tensor(2**26, str(2**26), "1") + b".", {"data/0": bytes(2**28)}, zipfile.ZIP_DEFLATED),
        "packed numbers that lie": bytes(lie),
        "a packed program": zipped(b"N0" * 2**25 + b"N.", None, zipfile.ZIP_DEFLATED),
        "a long text declared": zipped(b"X\xff\xff\xff\x7fabc."),
        "a longer text declared": zipped(b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"abc."),
        "a long text declared, legacy": legacy(b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"abc."),
        "bytes declared": zipped(b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"abc."),
        "a long integer declared": zipped(b"\x8b\xff\xff\xff\x7fabc."),
        "a long integer": zipped(b"\x8b" + struct.pack("<i", 10**6) + b"\x7f" * 10**6 + b"."),
        "a long integer in digits": zipped(b"L" + b"9" * 10**6 + b"L\n."),
        "an array of a shape": zipped(array(10**10)),
        "lists that double": zipped(doubled(60)),
        "tuples too deep": zipped(b")" + b"\x85" * 250_000 + b"."),
        "lists too deep": zipped(b"](" * 100_000 + b"N" + b"e" * 100_000 + b"."),
        "objects too deep": zipped(b"cx\nA\n" * 50_000 + b")" + b"\x85R" * 50_000 + b"."),
        "a key too deep": zipped(b"})" + b"\x85" * 250_000 + b"Ns."),
        "types within types": zipped(rebuild + b"(h\x00N" * 10_000 + b")" + b"t" * 10_000 + b"R."),
        "long names of deep modules": zipped(text("n" * 100_000) + b"q\x010" + nested(30)),
        "a long header": struct.pack("<Q", 90_000_000) + b"{" + b" " * 100,
        "a long header that is there": struct.pack("<Q", 10**7) + b"{" + b"[" * (10**7 - 1),
        "numbers beyond the end": struct.pack("<Q", len(header)) + header + b"\0" * 64,
    }


def nested(levels: int) -> bytes:
    """Return a module in a module, all of the name in the memo."""
    module = b"cx\nNet\n)\x81}(" + text("_parameters") + b"}" + text("_modules") + b"}"
    return (module + b"h\x01") * levels + module + b"ub" + b"sub" * levels + b"."


def duds() -> dict[str, bytes]:
    """Return files that ask for gigabytes through a function that is never called or a copy that is never made."""
    module = b"cx\nNet\n)\x81}(" + text("_parameters") + b"}" + text("_modules") + b"}" + text("long") + b"h\x01ub"
    encoded = b"c_codecs\nencode\n(" + text("a" * 10**6) + text("latin1") + b"tRq\x010"
    return {
        "a bytearray of a length": zipped(b"c__builtin__\nbytearray\n(L10000000000L\ntR."),
        "a tensor of a length": zipped(b"ctorch\nFloatTensor\n(L10000000000L\ntR."),
        "one long attribute, often": zipped(b"](" + b"K\x00" * 10**5 + b"eq\x010](" + module * 1000 + b"e."),
        "one long text, often": zipped(encoded + b"](" + b"h\x01" * 10_000 + b"e."),
    }


MEASURE = """
import resource, sys
from pathlib import Path
import torch
from maetheory.checkpoints.reading.checkpoint import read_checkpoint
from maetheory.core import InputError
torch.set_num_threads(1)
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
for file in sorted(Path(sys.argv[1]).iterdir()):
    before = peak()
    try:
        read_checkpoint(file)
        outcome = "read"
    except InputError as error:
        outcome = "refused" if "\\n" not in str(error) else str(error)
    print(file.name, peak() - before, outcome, sep="|")
"""


def test_bombs_do_not_go_off(tmp_path: Path) -> None:
    """In a process of its own, whose memory is watched; a crash of the interpreter shows as well."""
    files = bombs() | duds()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    done = subprocess.run([sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [line.split("|") for line in done.stdout.splitlines()]
    assert {name: outcome for name, _, outcome in rows} == dict.fromkeys(bombs(), "refused") | dict.fromkeys(
        duds(), "read"
    )
    assert [(name, int(rise)) for name, rise, _ in rows if int(rise) > 300] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ten gigabytes declared", "the storage 0 of 10000000000 bytes is not in the file"),
        ("ten gigabytes declared, legacy", "the storage 0 reaches beyond the end of the file"),
        ("beyond the storage", "shape (4, 5) reaches beyond its storage of 16 numbers"),
        ("a part beyond the storage", "a part of a storage reaches beyond its 16 numbers"),
        ("an array of a shape", "whose bytes are not as many"),
        ("lists too deep", "nested more than 100 levels deep"),
        ("packed numbers", "it declares 268435580 bytes where its size allows"),
    ],
)
def test_a_bomb_is_refused_for_what_it_is(name: str, words: str, tmp_path: Path) -> None:
    """The first check that sees it speaks, before anything is allocated."""
    (tmp_path / "a.pt").write_bytes(bombs()[name])
    with pytest.raises(InputError) as caught:
        read_checkpoint(tmp_path / "a.pt")
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["a class changed", "a list changed"])
def test_only_an_object_has_an_inside(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(zipped(REFUSED[name]))
    with pytest.raises(InputError, match="changes the inside of what is no object"):
        read_checkpoint(tmp_path / "a.pt")


@pytest.mark.parametrize("limit", ["pickle_parser.MAX_OPCODES", "plain_tree.MAX_VALUES"])
def test_what_is_too_much_is_refused(limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"losses": [[0.5] for _ in range(1000)]}, tmp_path / "a.pt")
    assert len(read_checkpoint(tmp_path / "a.pt").tree["losses"]) == 1000
    monkeypatch.setattr(f"maetheory.checkpoints.reading.{limit}", 900)
    with pytest.raises(InputError, match="more than 900"):
        read_checkpoint(tmp_path / "a.pt")


# Damage.


class Seed:
    """A good file in two parts: what is damaged, and how a file is made of it."""

    def __init__(self, content: bytes, whole: Callable[[bytes], bytes] = bytes) -> None:
        self.content, self.whole = content, whole


def unzipped(file: bytes) -> tuple[bytes, dict[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        records = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    return records.pop("data.pkl"), {name: content for name, content in records.items() if name != "version"}


def saved(thing: object, **options: object) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the source of a class is not found
        torch.save(thing, file, **options)
    return file.getvalue()


def seeds() -> dict[str, Seed]:
    """Return small good files; of a zip archive also the program alone, as a checksum guards it from damage."""
    tree = {
        "model": {"w": torch.arange(6.0).reshape(2, 3).T, "b": torch.ones(2, dtype=torch.bfloat16)},
        "args": argparse.Namespace(lr=0.1, path=Path("a")),
        "array": np.arange(3),
        "scalar": np.float32(1),
        "epoch": 3,
    }
    module = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))
    old = {"_use_new_zipfile_serialization": False}
    found = {
        "zip": Seed(saved(tree)),
        "legacy": Seed(saved(tree, **old)),
        "legacy module": Seed(saved(module, **old)),
        "protocol 4": Seed(saved(tree, pickle_protocol=4)),
        "safetensors": Seed(save({"a": torch.ones(3), "b": torch.ones(2, 2)})),
    }
    for name, thing, protocol in (("tree", tree, 2), ("module", module, 2), ("newer tree", tree, 4)):
        program, records = unzipped(saved(thing, pickle_protocol=protocol))
        found[f"program of a {name}"] = Seed(program, lambda content, records=records: zipped(content, records))
    return found


def damaged(content: bytes, donor: bytes, rng: np.random.Generator) -> bytes:
    """Return a file with flipped bits, without its end, with a piece of another, or with a piece twice or missing."""
    data, kind = bytearray(content), rng.integers(5)
    at, length = int(rng.integers(len(data))), int(rng.integers(1, 40))
    if kind == 0:
        for place in rng.integers(len(data), size=rng.integers(1, 4)):
            data[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        start = int(rng.integers(len(donor)))
        data[at : at + length] = donor[start : start + length]
    elif kind == 3:
        data[at:at] = data[at : at + length]
    else:
        data[at : at + length] = rng.bytes(int(rng.integers(length + 1)))
    return bytes(data)


def outcomes(number: int, seed: int, file: Path) -> Iterator[str]:
    rng, good = np.random.default_rng(seed), list(seeds().values())
    for i in range(number):
        chosen, donor = good[i % len(good)], good[int(rng.integers(len(good)))]
        content = chosen.content
        for _ in range(int(rng.integers(1, 4))):
            content = damaged(content, donor.content, rng) or b"\0"
        file.write_bytes(chosen.whole(content))
        try:
            assert isinstance(read_checkpoint(file), CheckpointContents)
            yield "read"
        except InputError as error:
            yield "refused" if "\n" not in str(error) else str(error)


@pytest.mark.parametrize("name", list(seeds()))
def test_the_seeds_are_good(name: str, tmp_path: Path) -> None:
    seed = seeds()[name]
    (tmp_path / "a.pt").write_bytes(seed.whole(seed.content))
    assert read_checkpoint(tmp_path / "a.pt").tree


@pytest.mark.parametrize(
    ("number", "seed"), [(400, 0), pytest.param(20_000, 1, marks=[pytest.mark.slow, pytest.mark.timeout(300)])]
)
def test_damage_is_one_sentence(number: int, seed: int, tmp_path: Path) -> None:
    """Whatever is damaged, a file is read or refused, and never ends otherwise."""
    found = list(outcomes(number, seed, tmp_path / "a.pt"))
    assert len(found) == number
    assert {"read", "refused"} == set(found)
