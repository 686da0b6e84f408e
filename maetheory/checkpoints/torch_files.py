"""A torch file is one pickle that describes, and the bytes of its storages after or beside it."""

from __future__ import annotations

import io
import mmap
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from maetheory.checkpoints.names import quoted
from maetheory.checkpoints.pickles import Pickle, parse
from maetheory.checkpoints.records import Plainly, is_module
from maetheory.checkpoints.storages import Allowance, Storages, item_type
from maetheory.core import InputError

MAGIC = 0x1950A86A20F9469CFC6C
PIECE = 2**20
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Unpickled(NamedTuple):
    """What a torch file holds."""

    container: str
    globals: tuple[str, ...]
    tree: Any
    attributes: dict[str, Any]
    classes: dict[str, str]


def read_zip(path: Path, budget: int) -> Unpickled:
    """Read what ``torch.save`` has written since version 1.6, within a number of bytes.

    Raises
    ------
    InputError
        If the archive is another, damaged, or declares more bytes than the budget.
    """
    if not zipfile.is_zipfile(path):
        raise InputError("it begins as a torch file and its end is missing or damaged; the download was cut short")
    with zipfile.ZipFile(path) as archive:
        members = _members(archive, budget)
        roots = [name[: -len("data.pkl")] for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(roots) != 1:
            raise InputError("it is a zip archive without the data.pkl of a torch file")
        root = roots[0]
        if f"{root}constants.pkl" in members:
            raise InputError("it is a TorchScript program; save the state_dict of the model instead")
        if f"{root}byteorder" in members and _member(archive, members[f"{root}byteorder"]) != b"little":
            raise InputError("its numbers are stored big end first, which is not read")
        pickle = parse(io.BytesIO(_member(archive, members[f"{root}data.pkl"])))

        def fetch(key: str, length: int) -> bytearray:
            info = members.get(f"{root}data/{key}")
            if info is None or not 0 <= length <= info.file_size:
                raise InputError(f"the storage {quoted(key)} of {length} bytes is not in the file")
            return _member(archive, info)[:length]

        return _plain("torch zip", pickle, Storages(fetch, Allowance(budget)))


def read_stream(path: Path, budget: int) -> Unpickled:
    """Read what ``torch.save`` wrote before version 1.6, or one plain pickle, within a number of bytes.

    Raises
    ------
    InputError
        If it is neither, or damaged.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        first = parse(whole)
        if type(first.value) is not int or first.value != MAGIC:
            return _plain("pickle", first, Storages(_no_storage, Allowance(budget)))
        if parse(whole).value != 1001:
            raise InputError("it is of a version of torch's legacy format that is not known")
        parse(whole)  # the byte order of the machine, which has always been little
        pickle = parse(whole)
        spans = _spans(whole, parse(whole).value, {storage.key: storage.kind for storage in pickle.storages})

        def fetch(key: str, length: int) -> bytearray:
            start, stop = spans.get(key, (0, -1))
            if stop - start != length:
                raise InputError(f"the storage {quoted(key)} of {length} bytes is not in the file")
            return bytearray(whole[start:stop])

        return _plain("torch legacy", pickle, Storages(fetch, Allowance(budget)))


def _plain(container: str, pickle: Pickle, storages: Storages) -> Unpickled:
    root = pickle.value
    walk = Plainly(storages)
    tree = walk.value(root)
    inside = root.values() if isinstance(root, dict) else ()
    whole = is_module(root) or any(is_module(value) for value in inside)
    return Unpickled("whole-module pickle" if whole else container, tuple(sorted(pickle.globals)), tree,
                     walk.attributes, walk.classes)  # fmt: skip


def _members(archive: zipfile.ZipFile, budget: int) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    members = {info.filename: info for info in infos}
    if len(members) != len(infos):
        raise InputError("it is a zip archive with two members of one name")
    if (declared := sum(info.file_size for info in infos)) > budget:
        raise InputError(f"it declares {declared} bytes where its size allows {budget}")
    if any(info.compress_type not in METHODS or info.flag_bits & 1 for info in infos):
        raise InputError("it is a zip archive that is encrypted or packed in an unusual way")
    return members


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytearray:
    buffer, filled = bytearray(info.file_size), 0
    with archive.open(info) as member:
        while piece := member.read(PIECE):
            buffer[filled : filled + len(piece)] = piece
            filled += len(piece)
    if filled != info.file_size:
        raise InputError(f"its member {quoted(info.filename)} has not the length it declares")
    return buffer


def _spans(whole: mmap.mmap, keys: Any, kinds: dict[str, str]) -> dict[str, tuple[int, int]]:
    """Return where each storage of a legacy file begins and ends: each has its length before it."""
    spans: dict[str, tuple[int, int]] = {}
    if not isinstance(keys, list):
        raise InputError("it lists no storages where torch's legacy format does")
    for key in map(str, keys):
        kind = item_type(kinds.get(key, ""))
        start = whole.tell() + 8
        stop = start + int.from_bytes(whole.read(8), "little") * kind.itemsize
        if stop > len(whole):
            raise InputError(f"the storage {quoted(key)} reaches beyond the end of the file")
        spans[key] = (start, stop)
        whole.seek(stop)
    return spans


def _no_storage(key: str, length: int) -> bytearray:
    raise InputError("it is a pickle that points to tensors which are not in the file")
