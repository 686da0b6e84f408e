"""Damage to files: bytes changed anywhere, and files made anew by a grammar with values that no program writes."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from pickle_files import legacy, text, zipped
from pickle_grammar import random_program
from sample_files import zip_members

_BOUNDARIES = [0, 1, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1]
NUMBERS: list[Any] = [*_BOUNDARIES, -1, -5, -(2**63), 1e30, -1e308, 0.5, 10**30, 10**400]
WORDS = [
    "",
    "x",
    "x\ny",
    "\x1b[31m",
    "\ud800",
    "\0",
    "../x",
    "/etc/x",
    "a" * 3000,
    "$\\frac$",
    "<script>",
    "é|*_`",
    "NaN",
]


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a file with one to eight changes: bytes flipped, set, cut, inserted, repeated, moved or made a number."""
    data = bytearray(content)
    for _ in range(1 + int(rng.integers(8)) if rng.random() < 0.5 else 1):
        at = int(rng.integers(len(data) + 1))
        n = int(2 ** rng.uniform(0, 9))
        kind = int(rng.integers(9))
        if kind == 0 and at < len(data):
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[at : at + n] = rng.bytes(n)
        elif kind == 2:
            del data[at : at + n]
        elif kind == 3:
            data[at:at] = rng.bytes(n)
        elif kind == 4:
            data[at:at] = data[at : at + n] * (1 + int(rng.integers(20)))
        elif kind == 5:
            other = int(rng.integers(len(data) + 1))
            data[at : at + n] = data[other : other + n]
        elif kind == 6:
            number = _BOUNDARIES[int(rng.integers(len(_BOUNDARIES)))]
            width = (1, 2, 4, 8)[int(rng.integers(4))]
            order = ("little", "big")[int(rng.integers(2))]
            data[at : at + width] = (number % 256**width).to_bytes(width, order)  # type: ignore[arg-type]  # both are orders
        elif kind == 7 and rng.random() < 0.3:
            del data[at:]
        else:
            digits = [index for index, byte in enumerate(data[:4096]) if chr(byte).isdigit()]
            if digits:
                here = digits[int(rng.integers(len(digits)))]
                data[here : here + 1] = str(NUMBERS[int(rng.integers(len(NUMBERS)))]).encode()
    return bytes(data)


class Json:
    """Writer of JSON that no program wrote: wrong types, huge numbers, fields named twice, great depth."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def pick(self, values: Sequence[Any]) -> Any:
        """Return one of some values."""
        return values[int(self.rng.integers(len(values)))]

    def odd(self, depth: int = 0) -> str:
        """Return the text of a value that stands where another belongs."""
        kind = int(self.rng.integers(12))
        if kind < 4:
            return str(self.pick(NUMBERS))
        if kind < 6:
            return json.dumps(self.pick(WORDS))
        if kind == 6:
            return str(self.pick(["NaN", "Infinity", "-Infinity", "1e999", "-0", "1E400", "9" * 5000, "true", "null"]))
        if kind == 7:
            n = int(self.pick([3, 100, 900, 5000, 100_000]))
            return str(self.pick(["[" * n + "]" * n, '{"a":' * n + "1" + "}" * n, "[" * n]))
        if kind == 8 or depth > 3:
            return str(self.pick(["null", "{}", "[]", "true", "false", '""']))
        inner = [self.odd(depth + 1) for _ in range(int(self.rng.integers(4)))]
        names = [json.dumps(self.pick([*WORDS, "step", "loss"])) for _ in inner]
        pairs = ",".join(f"{name}:{value}" for name, value in zip(names, inner, strict=True))
        return f"[{','.join(inner)}]" if kind < 10 else f"{{{pairs}}}"

    def damaged(self, value: Any, chance: float) -> str:
        """Return the text of a value in which each part is, by chance, another value, left out or named twice."""
        if self.rng.random() < chance:
            return self.odd()
        if isinstance(value, list):
            return f"[{','.join(self.damaged(one, chance) for one in value)}]"
        if not isinstance(value, dict):
            return json.dumps(value)
        pairs = []
        for name, one in value.items():
            draw = self.rng.random()
            shown = json.dumps(name if draw > chance / 2 else self.pick(WORDS))
            if draw < 1 - chance / 2:
                pairs.append(f"{shown}:{self.damaged(one, chance)}")
            if draw > 1 - chance:
                pairs.append(f"{shown}:{self.odd()}")
        return f"{{{','.join(pairs)}}}"

    def document(self, content: bytes) -> bytes:
        """Return a damaged JSON file."""
        made = self.damaged(json.loads(content), self.pick([0.01, 0.03, 0.1])).encode("utf-8", "surrogatepass")
        return self.pick([b"", b"", b"", b"", b"\xef\xbb\xbf", b"\n\n", b"\0"]) + made

    def lines(self, content: bytes) -> bytes:
        """Return a damaged JSON Lines file: lines changed, lost, doubled, joined, or of another value altogether."""
        made = []
        for line in content.splitlines():
            draw = self.rng.random()
            if draw < 0.8:
                made.append(line)
            elif draw < 0.9:
                made.append(self.damaged(json.loads(line), 0.03).encode("utf-8", "surrogatepass"))
            elif draw < 0.94:
                made += [line, line]
            elif draw < 0.97:
                made.append(self.pick([b"", b"5", b"{}", b"[]", b"null", b"\0" * 50, b'"x"', b"{", line + line]))
        end = self.pick([b"\n", b"\n", b"\r\n", b"", b"\n\n", line[: len(line) // 2]])
        return self.pick([b"\n", b"\n", b"\n", b"\r\n", b"\r"]).join(made) + end


def damaged_safetensors(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a file whose header lies: offsets that overlap, are negative or leave holes, types, shapes, lengths."""
    size = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + size]), content[8 + size :]
    writer, names = Json(rng), [name for name in header if name != "__metadata__"]
    for _ in range(1 + int(rng.integers(3))):
        entry = header[names[int(rng.integers(len(names)))]]
        field = writer.pick(["data_offsets", "shape", "dtype", "extra", "metadata", "move"])
        if field == "data_offsets":
            offsets = entry["data_offsets"]
            offsets[int(rng.integers(2))] += int(writer.pick([-8, -4, 4, 1, 2**40, -(2**40), 2**63]))
        elif field == "shape":
            entry["shape"] = writer.pick([[], [0], [2**32, 2**32], [-1, -4], entry["shape"][::-1], [1] * 70, [2**63]])
        elif field == "dtype":
            entry["dtype"] = writer.pick(["F64", "I64", "BOOL", "F16", "BF16", "U8", "F8_E4M3", "X", "", "C64"])
        elif field == "extra":
            header[writer.pick([*WORDS[1:4], "a" * 600, *(f"{names[0]}.{i}" for i in range(3))])] = dict(entry)
        elif field == "metadata":
            header["__metadata__"] = writer.pick([{}, {"a": 1}, [], {"format": "\x1b[31m\n"}, {"step": "x"}])
        else:
            one, two = (names[int(i)] for i in rng.integers(len(names), size=2))
            header[one]["data_offsets"] = header[two]["data_offsets"]
    made = json.dumps(header) if rng.random() < 0.8 else writer.damaged(header, 0.01)
    encoded = made.encode("utf-8", "surrogatepass")
    if rng.random() < 0.3:
        encoded += b" " * int(rng.integers(64))
    length = len(encoded) + (int(writer.pick([-1, 1, 8, 2**32, 2**62])) if rng.random() < 0.1 else 0)
    return struct.pack("<Q", max(length, 0)) + encoded + data


def damaged_zip(content: bytes, rng: np.random.Generator) -> bytes:
    """Return an archive whose entries lie: methods, flags, sizes, sums, names, order, doubled or nested members."""
    members, writer = zip_members(content), Json(rng)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            draw = rng.random()
            if draw < 0.02:
                continue
            if draw < 0.06:
                data = mutated(data, rng)
            if draw > 0.98:
                name = str(writer.pick(["../x", "/x", "a\0b", "é" * 200, "x" * 5000, name + "/", name.upper()]))
            method = writer.pick([0, 0, 0, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=int(method))
            if draw > 0.97:
                archive.filelist.append(archive.filelist[-1])
        for info in archive.filelist:
            if rng.random() < 0.05:
                field = str(
                    writer.pick(["file_size", "compress_size", "CRC", "header_offset", "flag_bits", "compress_type"])
                )
                odd = [0, 1, 2**16, 2**31, 2**40] if "size" in field or "offset" in field else [0, 1, 8, 12, 14, 93, 99]
                setattr(info, field, int(writer.pick(odd)))
        archive.comment = rng.bytes(int(rng.integers(4)))
    made = file.getvalue()
    return made if rng.random() < 0.8 else mutated(made, rng)


def bomb(rng: np.random.Generator) -> bytes:
    """Return an archive of few bytes that unpacks to very many."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        shape = (int(rng.integers(1, 2**34)), 8, 8)
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        archive.writestr("images.npy", header.getvalue() + bytes(2**26))
    return file.getvalue()


def damaged_array_header(rng: np.random.Generator) -> bytes:
    """Return a .npy file whose header is a Python literal of any kind."""
    writer = Json(rng)
    shapes = ["(6, 8, 8)", "(6, 8, 8, 3)", "(-1, 8, 8)", "(1e9,)", "(2**9,)", "()", "(6, 8, 8), 1", "[6, 8, 8]"]
    shapes += ["(99999999999, 99999999999, 99999999999)", "(0, 8, 8)", "(6, 0, 8)", "(True, 8, 8)"]
    kinds = ["'|u1'", "'<f4'", "'|O'", "'<U9'", "'<M8[s]'", "'<c8'", "[('a', '<i4')]", "'|V100000000'", "'<f2'", "5"]
    order = writer.pick(["False", "True", "None", "2"])
    header = f"{{'descr': {writer.pick(kinds)}, 'fortran_order': {order}, 'shape': {writer.pick(shapes)}, }}"
    if rng.random() < 0.4:
        n = int(writer.pick([90, 900, 9000]))
        header = str(
            writer.pick(["(" * n + ")" * n, "-" * n + "1", "[" * n, "{" * n, "not " * n, "1" * n, "'" + "a" * n])
        )
    encoded = header.encode() + b"\n"
    version = writer.pick([(1, 0), (1, 0), (1, 0), (2, 0), (3, 0), (0, 0), (255, 255)])
    length = struct.pack("<H" if version[0] == 1 else "<I", len(encoded) % 2**16)
    pixels = bytes(6 * 8 * 8 * int(writer.pick([1, 3, 4, 12])))
    made = b"\x93NUMPY" + bytes(version) + length + encoded + pixels
    if rng.random() < 0.5:
        return made
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(writer.pick(["images.npy", "x_train.npy", "a\nb.npy"]), made)
        if rng.random() < 0.5:
            labels = io.BytesIO()
            top = int(writer.pick([5, 10**6, 2**40, 2**62, -1]))
            np.save(labels, np.array([0, 1, 2, 3, 4, top]).astype(writer.pick([np.int64, np.float32, np.uint64])))
            archive.writestr(writer.pick(["labels.npy", "y_train.npy"]), labels.getvalue())
    return file.getvalue()


def damaged_png(rng: np.random.Generator) -> bytes:
    """Return a PNG whose header announces any size, depth and colours, with chunks lost, doubled or of wrong length."""
    writer = Json(rng)

    def chunk(kind: bytes, data: bytes) -> bytes:
        length = len(data) + (int(writer.pick([1, -1, 2**31])) if rng.random() < 0.05 else 0)
        total = zlib.crc32(kind + data) + (1 if rng.random() < 0.03 else 0)
        return struct.pack(">I", length % 2**32) + kind + data + struct.pack(">I", total % 2**32)

    sides = [0, 1, 7, 8, 64, 2000, 65_535, 2**31 - 1, 2**32 - 1]
    width, height = (int(writer.pick(sides)) for _ in range(2))
    depth, colours = int(writer.pick([1, 2, 4, 8, 16, 3, 255])), int(writer.pick([0, 2, 3, 4, 6, 1, 7]))
    header = struct.pack(">IIBBBBB", width, height, depth, colours, *(int(writer.pick([0, 0, 0, 1, 9])) for _ in "abc"))
    parts = [chunk(b"IHDR", header), chunk(b"PLTE", rng.bytes(int(writer.pick([3, 768, 4, 0]))))]
    extra = [b"tRNS", b"gAMA", b"iCCP", b"tEXt", b"zTXt", b"eXIf", b"acTL", b"pHYs"]
    parts += [chunk(bytes(writer.pick(extra)), rng.bytes(int(writer.pick([0, 1, 4, 13, 200])))) for _ in range(2)]
    bombs = [bytes(min(width, 3000) * min(height, 3000) * 3), bytes(10**7), b"", rng.bytes(300)]
    parts += [chunk(b"IDAT", zlib.compress(writer.pick(bombs))) for _ in range(int(rng.integers(3)))]
    parts += [chunk(b"IEND", b"")]
    kept = [part for part in parts if rng.random() > 0.1]
    return b"\x89PNG\r\n\x1a\n" + b"".join(kept)


def damaged_table(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a CSV whose fields, quotes, columns, line ends or encoding are not those of the table."""
    writer = Json(rng)
    rows = [line.split(",") for line in content.decode().splitlines()]
    odd = ["", "nan", "inf", "-1", "x", '"', '"a', "a" * 10**5, "\x1b[31m", "é", "1e999", "9" * 400, "True", "2", "\0"]
    for _ in range(1 + int(rng.integers(3))):
        row = rows[int(rng.integers(len(rows)))]
        kind = int(rng.integers(5))
        if kind < 3:
            row[int(rng.integers(len(row)))] = str(writer.pick(odd))
        elif kind == 3:
            rows.append(list(row))
        else:
            row.pop()
    end = str(writer.pick(["\n", "\r\n", "\r", "\n\n"]))
    made = end.join(",".join(row) for row in rows) + end
    return writer.pick([b"", b"", b"\xef\xbb\xbf", b"\xff\xfe"]) + made.encode(
        writer.pick(["utf-8", "utf-8", "utf-16"])
    )


def damaged_document(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a document with marks doubled, swapped, lost or cut, in any encoding."""
    writer = Json(rng)
    lines = content.decode().splitlines(keepends=True)
    rng.shuffle(lines)
    lines += [lines[int(rng.integers(len(lines)))] for _ in range(int(rng.integers(2)))]
    text_of_lines = "".join(line for line in lines if rng.random() > 0.1) * int(writer.pick([1, 1, 1, 1000]))
    return text_of_lines.encode(str(writer.pick(["utf-8", "utf-8", "latin-1", "utf-16"])))


def damaged_idx(rng: np.random.Generator) -> bytes:
    """Return an IDX file that announces any type, number of axes and sizes."""
    writer = Json(rng)
    axes = int(writer.pick([3, 3, 3, 0, 1, 4, 255]))
    sides = b"".join(struct.pack(">I", int(writer.pick([6, 8, 0, 1, 2**16, 2**32 - 1]))) for _ in range(axes))
    return (
        bytes([0, 0, int(writer.pick([8, 8, 8, 9, 13])), axes]) + sides + bytes(int(writer.pick([0, 384, 385, 10**6])))
    )


def damaged_cifar_pickle(rng: np.random.Generator) -> bytes:
    """Return a pickle of few opcodes in which values are noted, fetched, repeated and nested without sense."""
    writer, noted = Json(rng), 0
    names = [("numpy", "dtype"), ("numpy._core.multiarray", "_reconstruct"), ("_codecs", "encode"), ("os", "system")]
    names += [("numpy.core.numeric", "_frombuffer")]
    parts = [b"\x80\x04}(", text("data")]
    for _ in range(int(rng.integers(1, 60))):
        kind = int(rng.integers(12))
        if kind == 0:
            parts.append(b"".join(map(text, writer.pick(names))) + b"\x93")
        elif kind == 1:
            parts.append(b"(" + text(str(writer.pick(["latin1", "u1", "a" * 10**5]))) + b"t")
        elif kind == 2:
            parts.append(b"2\x86" * int(writer.pick([1, 64])) if rng.random() < 0.5 else b"\x85" * 5000)
        elif kind == 3:
            parts.append(b"R" if rng.random() < 0.7 else b"b")
        elif kind == 4:
            noted += 1
            parts.append(b"\x94")
        elif kind == 5 and noted:
            parts.append((b"j" + struct.pack("<I", int(rng.integers(noted)))) * int(writer.pick([1, 2, 500])))
        elif kind == 6:
            parts.append(
                writer.pick([b")", b"]", b"}", b"N", b"\x88", b"K\x05", b"(", b"t", b"e", b"u", b"\x86", b"a"])
            )
        elif kind == 7:
            parts.append(pickle.LONG1 + bytes([9]) + rng.bytes(9))
        elif kind == 8:
            code = text(str(writer.pick(["u1", "i8", "O8", "f4"])))
            parts.append(text("numpy") + text("dtype") + b"\x93" + code + b"\x85R")
        elif kind == 9:
            parts.append(b"C" + bytes([4]) + rng.bytes(4))
        elif kind == 10:
            parts.append(b"(K\x02K\x02t")
        else:
            parts.append(text(str(writer.pick(WORDS[:4]))))
    return b"".join(parts) + b"u."


def made_by_grammar(kind: str, content: bytes, seed: int) -> bytes:
    """Return a file of a kind that follows the grammar of its format and states what no program writes."""
    rng = np.random.default_rng(seed)
    makers: Mapping[str, Callable[[], bytes]] = {
        "metrics.jsonl": lambda: Json(rng).lines(content),
        "ledger.jsonl": lambda: Json(rng).lines(content),
        "weights.safetensors": lambda: damaged_safetensors(content, rng),
        "optimizer.safetensors": lambda: damaged_safetensors(content, rng),
        "png": lambda: damaged_png(rng),
        "idx": lambda: damaged_idx(rng),
        "cifar pickle": lambda: damaged_cifar_pickle(rng),
        "scores.csv": lambda: damaged_table(content, rng),
        "README.md": lambda: damaged_document(content, rng),
    }
    if kind == "checkpoint":
        if content.startswith(b"PK"):
            return damaged_zip(content, rng) if seed % 3 else zipped(random_program(seed), {"data/0": bytes(64)})
        return legacy(random_program(seed)) if content[8:9] != b"{" else damaged_safetensors(content, rng)
    if kind == "arrays":
        if content.startswith(b"PK"):
            return bomb(rng) if seed % 30 == 1 else damaged_zip(content, rng)
        return damaged_array_header(rng)
    return makers.get(kind, lambda: Json(rng).document(content))()
