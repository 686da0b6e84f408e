"""Small files that hash, copy or name without end are refused in bounded time and memory, and crash nothing."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable

import pytest
from isolated_reading import Outcome, inspect_isolated
from pickle_files import EMPTY_ARRAY, legacy, text, zipped

ORDERED, RECORD = b"ccollections\nOrderedDict\n", b"cargparse\nNamespace\n"
DOUBLED = b")" + b"2\x86" * 64  # a tuple of itself and itself, 64 times
DEEP = b")" + b"\x85" * 400_000
LARGE_TUPLE = b"(cx\nA\n" + b"K\x01" * 100_000 + b"tq\x010"
LARGE_TEXT = text("a" * 10**6) + b"q\x010"
TYPE = b"cnumpy\ndtype\n(" + text("u1") + b"\x89\x88tR"
MODULUS = 2**61 - 1  # of the hash of integers


def integer(number: int) -> bytes:
    return pickle.LONG1 + bytes([16]) + number.to_bytes(16, "little", signed=True)


def often(part: bytes, times: int = 20_000) -> bytes:
    return b"](" + part * times + b"e."


def colliding_pairs(number: int) -> bytes:
    """Return keys (a, b) of one hash: b undoes what a added to the accumulator of CPython's tuple hash."""
    prime1, prime2, prime5, mask = 11400714785074694791, 14029467366897019727, 2870177450012600261, 2**64 - 1
    found: list[bytes] = []
    a = 0
    while len(found) < number:
        a += 1
        accumulator = (prime5 + a * prime2) & mask
        accumulator = ((accumulator << 31 | accumulator >> 33) * prime1) & mask
        b = (-accumulator * pow(prime2, -1, 2**64)) & mask
        if b < MODULUS:
            found.append(integer(a) + integer(b) + b"\x86N")
    return b"}(" + b"".join(found) + b"u."


def safetensors(header: bytes, content: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + content


def empty_tensors(number: int, name: str = "t{}") -> bytes:
    entry = '":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    return safetensors(("{" + ",".join(f'"{name.format(i)}{entry}' for i in range(number)) + "}").encode())


def many_members(number: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", b"N.")
        info = archive.filelist[0]
        archive.filelist += [info] * number
    return file.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "ordered dict, deep key": lambda: zipped(ORDERED + b"(](](" + DEEP + b"NeetR."),
    "ordered dict, doubled key": lambda: zipped(ORDERED + b"(](](" + DOUBLED + b"NeetR."),
    "ordered dict, set deep key": lambda: zipped(ORDERED + b")R" + DEEP + b"Ns."),
    "ordered dict, set doubled key": lambda: zipped(ORDERED + b")R" + DOUBLED + b"Ns."),
    "dict, doubled key": lambda: zipped(b"}" + DOUBLED + b"Ns."),
    "record, doubled key": lambda: zipped(RECORD + b")R" + DOUBLED + b"Ns."),
    "state, doubled key": lambda: zipped(RECORD + b")\x81}" + DOUBLED + b"Nsb."),
    "module, doubled key": lambda: zipped(
        b"cx\nNet\n)\x81}(" + text("_modules") + ORDERED + b"(](](" + DOUBLED + b"NeetR" + text("_parameters") + b"}ub."
    ),
    "type code, doubled": lambda: zipped(
        EMPTY_ARRAY + b"(K\x01(K\x01tcnumpy\ndtype\n(" + DOUBLED + b"\x89\x88tR\x89C\x01atb."
    ),
    "legacy keys, doubled": lambda: legacy(b"}.", b"](" + DOUBLED + b"e."),
    "legacy keys, deep": lambda: legacy(b"}.", b"](" + DEEP + b"e."),
    "legacy version, doubled": lambda: pickle.dumps(0x1950A86A20F9469CFC6C, 2) + DOUBLED + b".",
    "storage, doubled": lambda: zipped(b"(" + text("storage") + DOUBLED + b"tQ."),
    "value, doubled": lambda: zipped(DOUBLED + b"."),
    "argument, doubled": lambda: zipped(RECORD + DOUBLED + b"R."),
    "a large tuple as key": lambda: zipped(LARGE_TUPLE + b"}(" + b"h\x01N" * 20_000 + b"u."),
    "keys of one hash": lambda: zipped(b"}(" + b"".join(integer(i * MODULUS) + b"N" for i in range(1, 60_000)) + b"u."),
    "tuples of one hash": lambda: zipped(colliding_pairs(20_000)),
    "memo of one hash": lambda: zipped(b"N" + b"".join(b"p%d\n" % (i * MODULUS) for i in range(60_000)) + b"."),
    "_reconstructor": lambda: zipped(LARGE_TUPLE + often(b"ccopyreg\n_reconstructor\nh\x01R")),
    "_frombuffer": lambda: zipped(
        LARGE_TEXT
        + b"c_codecs\nencode\n(h\x01"
        + text("latin1")
        + b"tRq\x020"
        + TYPE
        + b"q\x030"
        + often(b"cnumpy._core.numeric\n_frombuffer\n(h\x02h\x03(J\x40\x42\x0f\0tX\x01\0\0\0CtR")
    ),
    "_codecs.encode": lambda: zipped(LARGE_TEXT + often(b"c_codecs\nencode\n(h\x01" + text("latin1") + b"tR")),
    "bytearray": lambda: zipped(LARGE_TEXT + often(b"cbuiltins\nbytearray\n(h\x01" + text("latin1") + b"tR")),
    "STACK_GLOBAL": lambda: zipped(LARGE_TEXT + often(b"h\x01h\x01\x93")),
    "STACK_GLOBAL, shorter": lambda: zipped(text("A" * 900) + b"q\x010" + often(b"h\x01h\x01\x93", 200_000)),
    "many names": lambda: zipped(
        b"".join(text(f"{i:03d}" + "A" * 400) + b"r" + struct.pack("<I", i) + b"0" for i in range(300))
        + often(
            b"".join(
                b"j" + struct.pack("<I", i) + b"j" + struct.pack("<I", (i * 7 + 1) % 300) + b"\x93" for i in range(300)
            ),
            600,
        )
    ),
    "device": lambda: zipped(text("cuda") + b"q\x020" + LARGE_TUPLE + often(b"ctorch\ndevice\nh\x01R", 100_000)),
    "path": lambda: zipped(b"(" + text("a") * 50_000 + b"tq\x010" + often(b"cpathlib\nPosixPath\nh\x01R", 50_000)),
    "storage arguments": lambda: zipped(LARGE_TUPLE + often(b"h\x01Q", 100_000)),
    "any arguments": lambda: zipped(LARGE_TUPLE + often(b"cx\nRecord\nh\x01R", 100_000)),
    "shared state": lambda: zipped(
        b"}("
        + b"".join(text(str(i)) + b"N" for i in range(50_000))
        + b"uq\x010h\x01h\x01\x86q\x020"
        + often(b"cx\nRecord\n)\x81h\x02b", 50_000)
    ),
    "rebuilt from types": lambda: zipped(
        b")q\x010"
        + b"ctorch._tensor\n_rebuild_from_type_v2\nq\x020"
        + (b"(h\x02Nh\x01Ntq\x010") * 900
        + often(b"h\x02h\x01R", 100_000)
    ),
    "long shape": lambda: zipped(
        EMPTY_ARRAY + b"(K\x01(" + (b"\x8a\xff" + b"\x7f" * 255) * 32 + b"t" + TYPE + b"\x89C\x01atb."
    ),
    "a million tensors": lambda: empty_tensors(10**6),
    "twenty thousand tensors": lambda: empty_tensors(20_000),
    "a long tensor name": lambda: empty_tensors(1, "n" * 10**6 + "{}"),
    "many dimensions": lambda: safetensors(
        json.dumps({"a": {"dtype": "F32", "shape": [0] * 10**6, "data_offsets": [0, 0]}}).encode()
    ),
    "many members": lambda: many_members(3 * 10**5),
    "a pickle of many names": lambda: zipped(
        b"ctorch._utils\n_rebuild_tensor_v2\n(("
        + text("storage")
        + b"ctorch\nFloatStorage\n"
        + text("0")
        + text("cpu")
        + b"K\x04tQK\x00(K\x04t(K\x01t\x89NtRq\x010}("
        + b"".join(text(f"t{i}") + b"h\x01" for i in range(300_000))
        + b"u.",
        {"data/0": bytes(16)},
    ),
}
REASONS = {
    "ordered dict, deep key": "neither a number nor a text nor a tuple of them",
    "ordered dict, doubled key": "neither a number nor a text nor a tuple of them",
    "ordered dict, set deep key": "neither a number nor a text nor a tuple of them",
    "ordered dict, set doubled key": "neither a number nor a text nor a tuple of them",
    "dict, doubled key": "neither a number nor a text nor a tuple of them",
    "record, doubled key": "neither a number nor a text nor a tuple of them",
    "state, doubled key": "neither a number nor a text nor a tuple of them",
    "module, doubled key": "neither a number nor a text nor a tuple of them",
    "type code, doubled": "a NumPy value of the type",
    "legacy keys, doubled": "it lists no storages",
    "legacy keys, deep": "it lists no storages",
    "legacy version, doubled": "a version of torch's legacy format",
    "storage, doubled": "not the storage of a tensor",
    "value, doubled": "unfolds to more than",
    "argument, doubled": "unfolds to more than",
    "a large tuple as key": "a key of 100001 parts",
    "keys of one hash": "an integer of 65 bits as key",
    "tuples of one hash": "copies the same values",
    "memo of one hash": "no number of a value",
    "_reconstructor": "copies the same values",
    "_frombuffer": "claim more than",
    "_codecs.encode": "claim more than",
    "bytearray": "claim more than",
    "STACK_GLOBAL": "a name of 2000000 characters",
    "STACK_GLOBAL, shorter": "a name of 1800 characters",
    "many names": "claim more than",
    "device": "unfolds to more than",
    "path": "unfolds to more than",
    "storage arguments": "not the storage of a tensor",
    "any arguments": "unfolds to more than",
    "shared state": "unfolds to more than",
    "rebuilt from types": "only dense tensors",
    "long shape": "bytes are not as many",
    "a million tensors": "more than 8000 tensors",
    "twenty thousand tensors": "more than 8000 tensors",
    "a long tensor name": "has 1000001 characters",
    "many dimensions": "holds 1 tensors",
    "many members": "more members than a checkpoint has",
    "a pickle of many names": "more than 8000 tensors",
}
UNFOLDED = [name for name, words in REASONS.items() if "unfolds" in words or name == "a pickle of many names"]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    files = {name: make() for name, make in FILES.items() if name not in UNFOLDED}
    return inspect_isolated(files, tmp_path_factory.mktemp("bounded") / "files")


@pytest.fixture(scope="module")
def unfolded_outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    return inspect_isolated({name: FILES[name]() for name in UNFOLDED}, tmp_path_factory.mktemp("unfolded") / "files")


def check(name: str, found: Outcome) -> None:
    """CPU seconds and peak memory of a process of its own, torch included; the largest file has 60 MB."""
    assert found.text.startswith("refused: "), found
    assert REASONS[name] in found.text
    assert found.seconds < 5, found
    assert found.mebibytes < 1024, found


@pytest.mark.parametrize("name", [name for name in FILES if name not in UNFOLDED])
def test_the_cost_is_bounded(name: str, outcomes: dict[str, Outcome]) -> None:
    check(name, outcomes[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", UNFOLDED)
def test_the_cost_of_unfolding_is_bounded(name: str, unfolded_outcomes: dict[str, Outcome]) -> None:
    check(name, unfolded_outcomes[name])
