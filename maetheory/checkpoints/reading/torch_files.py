"""Read files of ``torch.save``, in the zip format and in the legacy format."""

from __future__ import annotations

import io
import mmap
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from maetheory.checkpoints.reading.npz_files import npz_holds_weights, read_npz_weights
from maetheory.checkpoints.reading.other_files import describe_other_archive
from maetheory.checkpoints.reading.pickle_parser import parse_pickle
from maetheory.checkpoints.reading.pickle_values import ParsedPickle
from maetheory.checkpoints.reading.plain_tree import PlainTreeBuilder, is_module
from maetheory.checkpoints.reading.read_budget import ReadBudget
from maetheory.checkpoints.reading.storages import Storages, storage_dtype
from maetheory.checkpoints.reading.tensor_names import check_zip_directory
from maetheory.core import InputError, printable

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
CHUNK_BYTES = 2**20
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class FileContents(NamedTuple):
    """Tensors and plain values of one weights file; the fields are those of `CheckpointContents`."""

    container: str
    globals: tuple[str, ...]
    tree: Any
    module_attributes: dict[str, Any]
    module_classes: dict[str, str]


def read_torch_zip(path: Path, max_bytes: int) -> FileContents:
    """Read a file of ``torch.save`` since version 1.6, a zip archive, within a number of bytes.

    Raises
    ------
    InputError
        If it is another archive, damaged, or declares more than `max_bytes`.
    """
    if not zipfile.is_zipfile(path):
        raise InputError("it begins as a torch file and its end is missing or damaged; the download was cut short")
    check_zip_directory(path)
    with zipfile.ZipFile(path) as archive:
        if npz_holds_weights(archive):
            return FileContents("NumPy archive", (), read_npz_weights(path, max_bytes), {}, {})
        members = _zip_members(archive, max_bytes)
        roots = [name[: -len("data.pkl")] for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(roots) != 1:
            raise InputError(
                f"it is a zip archive without the data.pkl of a torch file, {describe_other_archive(members)}"
            )
        root = roots[0]
        if f"{root}constants.pkl" in members:
            raise InputError(
                "it is a TorchScript program, which is not run; save its weights by torch.save(torch.jit.load(FILE)"
                ".state_dict(), 'weights.pth') and pass weights.pth"
            )
        if f"{root}byteorder" in members and _read_member(archive, members[f"{root}byteorder"]) != b"little":
            raise InputError("its numbers are stored big end first, which is not read")
        budget = ReadBudget(max_bytes)
        pickle = parse_pickle(io.BytesIO(_read_member(archive, members[f"{root}data.pkl"])), budget)

        def read_bytes(key: str, length: int) -> bytearray:
            info = members.get(f"{root}data/{key}")
            if info is None or not 0 <= length <= info.file_size:
                raise InputError(f"the storage {printable(key)} of {length} bytes is not in the file")
            return _read_member(archive, info)[:length]

        return _file_contents("torch zip", pickle, Storages(read_bytes, budget))


def read_torch_legacy(path: Path, max_bytes: int) -> FileContents:
    """Read a file of ``torch.save`` before version 1.6, or one plain pickle, within a number of bytes.

    Raises
    ------
    InputError
        If it is neither, or damaged.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        budget = ReadBudget(max_bytes)
        first = parse_pickle(data, budget)
        if _plain_integer(first.value) != LEGACY_MAGIC:
            return _file_contents("pickle", first, Storages(_missing_storage, budget))
        if _plain_integer(parse_pickle(data, budget).value) != 1001:
            raise InputError("it is of a version of torch's legacy format that is not known")
        parse_pickle(data, budget)  # the byte order of the machine, which has always been little
        pickle = parse_pickle(data, budget)
        keys = parse_pickle(data, budget).value
        spans = _storage_spans(data, keys, {storage.key: storage.storage_class for storage in pickle.storages})

        def read_bytes(key: str, length: int) -> bytearray:
            start, stop = spans.get(key, (0, -1))
            if stop - start != length:
                raise InputError(f"the storage {printable(key)} of {length} bytes is not in the file")
            return bytearray(data[start:stop])

        return _file_contents("torch legacy", pickle, Storages(read_bytes, budget))


def _file_contents(container: str, pickle: ParsedPickle, storages: Storages) -> FileContents:
    """Convert a parsed pickle to plain values and tensors."""
    root = pickle.value
    builder = PlainTreeBuilder(storages, pickle.n_instructions)
    tree = builder.convert(root)
    children = root.values() if isinstance(root, dict) else ()
    has_module = is_module(root) or any(is_module(child) for child in children)
    return FileContents(
        "whole-module pickle" if has_module else container,
        tuple(sorted(pickle.globals)),
        tree,
        builder.module_attributes,
        builder.module_classes,
    )


def _plain_integer(value: Any) -> int | None:
    """Return an integer; None for any other value, with which nothing is compared."""
    return value if type(value) is int else None


def _zip_members(archive: zipfile.ZipFile, max_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """Return the members by name, none of them encrypted, doubled or too large."""
    infos = archive.infolist()
    members = {info.filename: info for info in infos}
    if len(members) != len(infos):
        raise InputError("it is a zip archive with two members of one name")
    if (declared := sum(info.file_size for info in infos)) > max_bytes:
        raise InputError(f"it declares {declared} bytes where its size allows {max_bytes}")
    if any(info.compress_type not in ZIP_METHODS or info.flag_bits & 1 for info in infos):
        raise InputError("it is a zip archive that is encrypted or packed in an unusual way")
    return members


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytearray:
    """Return the bytes of a member, read in chunks into a buffer of the declared length."""
    buffer, filled = bytearray(info.file_size), 0
    with archive.open(info) as member:
        while piece := member.read(CHUNK_BYTES):
            buffer[filled : filled + len(piece)] = piece
            filled += len(piece)
    if filled != info.file_size:
        raise InputError(f"its member {printable(info.filename)} has not the length it declares")
    return buffer


def _storage_spans(data: mmap.mmap, keys: Any, storage_classes: dict[str, str]) -> dict[str, tuple[int, int]]:
    """Return the byte range of each storage of a legacy file, which writes its length before it."""
    spans: dict[str, tuple[int, int]] = {}
    if not isinstance(keys, list) or not all(type(key) in (str, int) for key in keys):
        raise InputError("it lists no storages where torch's legacy format does")
    for key in map(str, keys):
        dtype = storage_dtype(storage_classes.get(key, ""))
        start = data.tell() + 8
        stop = start + int.from_bytes(data.read(8), "little") * dtype.itemsize
        if stop > len(data):
            raise InputError(f"the storage {printable(key)} reaches beyond the end of the file")
        spans[key] = (start, stop)
        data.seek(stop)
    return spans


def _missing_storage(key: str, length: int) -> bytearray:
    """Refuse a storage that a plain pickle refers to."""
    raise InputError("it is a pickle that points to tensors which are not in the file")
