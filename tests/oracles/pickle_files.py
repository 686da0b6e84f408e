"""Files of torch.save around a pickle program that is written opcode by opcode."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

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


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word.encode())) + word.encode()
