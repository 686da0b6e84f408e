"""Files that declare more memory than their size allows are refused before anything is allocated."""

from __future__ import annotations

import json
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from pickle_files import EMPTY_ARRAY, legacy, text, zipped

from maetheory.checkpoints.reading.checkpoint import read_checkpoint
from maetheory.core import InputError

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
    """Return small files that declare gigabytes, or nest deeper than the interpreter's stack."""
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
    """Return modules nested in each other, each with the name in the memo."""
    module = b"cx\nNet\n)\x81}(" + text("_parameters") + b"}" + text("_modules") + b"}"
    return (module + b"h\x01") * levels + module + b"ub" + b"sub" * levels + b"."


def harmless_files() -> dict[str, bytes]:
    """Return files that ask for gigabytes by calls that are not executed or copies that are not made."""
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


def test_memory_bombs_take_little_memory(tmp_path: Path) -> None:
    """The files are read in another process, whose peak memory is measured and whose crash is detected."""
    files = bombs() | harmless_files()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    done = subprocess.run([sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [line.split("|") for line in done.stdout.splitlines()]
    assert {name: outcome for name, _, outcome in rows} == dict.fromkeys(bombs(), "refused") | dict.fromkeys(
        harmless_files(), "read"
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
def test_the_message_names_the_excess(name: str, words: str, tmp_path: Path) -> None:
    """The error names the first violated limit, before anything is allocated."""
    (tmp_path / "a.pt").write_bytes(bombs()[name])
    with pytest.raises(InputError) as caught:
        read_checkpoint(tmp_path / "a.pt")
    assert words in str(caught.value)


@pytest.mark.parametrize("limit", ["pickle_parser.MAX_OPCODES", "plain_tree.MAX_VALUES"])
def test_limits_on_size_are_enforced(limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"losses": [[0.5] for _ in range(1000)]}, tmp_path / "a.pt")
    assert len(read_checkpoint(tmp_path / "a.pt").tree["losses"]) == 1000
    monkeypatch.setattr(f"maetheory.checkpoints.reading.{limit}", 900)
    with pytest.raises(InputError, match="more than 900"):
        read_checkpoint(tmp_path / "a.pt")
