"""Images in files of Parquet, as the Hugging Face hub stores data sets: encoded images and labels in columns.

An image is a struct of ``bytes`` (a whole image file) and ``path``, or the bytes alone. pyarrow reads the files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from maetheory.core import InputError, Progress, first_error_line, no_progress, printable
from maetheory.core.files import utf8_path
from maetheory.core.memory import check_memory
from maetheory.data.folder import DecodeOptions, decode_files
from maetheory.data.image_files import ImageFileList
from maetheory.data.images import ImageSet, class_balanced_indices

SUFFIXES = (".parquet", ".pq")
SPLIT_NAME = re.compile(r"(train|test|val(?:id(?:ation)?)?|dev)(?=$|[^a-z])")
LABEL_COLUMNS = ("label", "labels", "fine_label", "target", "class", "cls")
IMAGE_COLUMNS = ("image", "img", "images", "pixel_values", "jpg", "png")
MAX_LISTED = 8


def find_parquet_files(path: Path) -> Mapping[str, tuple[Path, ...]]:
    """Return the files of Parquet of each split; of a single file, or where names say no split, under "".

    Parameters
    ----------
    path : Path
        A file of Parquet, or a folder with such files in it or in its subfolders, such as ``data/``. The split is the
        beginning of the file's name ("train-00000-of-00002.parquet") or the name of its subfolder.
    """
    if path.is_file():
        return {"": (path,)} if path.suffix.lower() in SUFFIXES else {}
    if not path.is_dir():
        return {}
    found: dict[str, list[Path]] = {}
    for file in sorted(one for pattern in ("*", "*/*") for one in path.glob(pattern)):
        if file.suffix.lower() in SUFFIXES and file.is_file() and not file.name.startswith("."):
            inner = file.parent.name if file.parent != path else ""
            split = next((name for name in map(_split_of_name, (file.stem, inner)) if name), "")
            found.setdefault(split, []).append(file)
    return {split: tuple(files) for split, files in found.items()}


def load_parquet_images(
    path: Path,
    splits: Sequence[str],
    limit: int | None = None,
    options: DecodeOptions | None = None,
    progress: Progress = no_progress,
) -> ImageSet:
    """Return the images of a file or folder of Parquet.

    Parameters
    ----------
    path : Path
        As for `find_parquet_files`.
    splits : sequence of str
        Which of "train", "val" and "test" to look for, in this order. Images without a split are taken for "train".
    limit : int, optional
        Keep at most this many images, classes balanced; only those are read.
    options : DecodeOptions, optional
    progress : Progress
        Called with the number of images decoded so far.

    Returns
    -------
    ImageSet
        uint8, decoded as image files are. Images without labels have label 0.

    Raises
    ------
    InputError
        If pyarrow is not installed, a file is damaged, holds no encoded images or paths without them, or there are no
        images of these splits.
    """
    by_split = find_parquet_files(path)
    wanted = [split for split in splits if split in by_split] + ([""] if "train" in splits and "" in by_split else [])
    if not wanted:
        raise InputError(
            f"{path} has files of Parquet of {', '.join(split or 'no split' for split in by_split)}, but not of "
            f"{' or '.join(splits)}"
        )
    split = wanted[0]
    tables = [_open_table(file) for file in by_split[split]]
    image, label, notes = _choose_columns(by_split[split][0], tables[0].schema_arrow)
    labels = _read_labels(by_split[split], tables, label)
    kept = class_balanced_indices(labels, limit)
    contents = _read_images(by_split[split], tables, image, kept)
    class_names = _class_names(tables[0].schema_arrow, label)
    if class_names and (labels.min() < 0 or labels.max() >= len(class_names)):
        labels, class_names = np.zeros(len(labels), np.int64), ()  # as -1 in test sets without labels
    if not split or split != splits[0]:
        which = f"no images of {splits[0]}; those of {split} were read" if split else "no splits; all images were read"
        notes = (*notes, f"{path} has {which}")
    listed = ImageFileList(path, tuple(f"image {i}" for i in kept), labels[kept], class_names, notes)
    name = path.stem if path.is_file() else path.resolve().name
    return decode_files(listed, name, split, options or DecodeOptions(), progress, contents=contents)


def _split_of_name(name: str) -> str:
    """Return the split that the beginning of a name says, "" without one.

    Examples
    --------
    >>> [_split_of_name(name) for name in ("train-00000-of-00002", "validation", "test_1", "training_set", "0000")]
    ['train', 'val', 'test', '', '']
    """
    match = SPLIT_NAME.match(name.lower())
    return "" if match is None else "val" if match[1] in ("val", "valid", "validation", "dev") else match[1]


def _open_table(path: Path) -> Any:
    """Return an open file of Parquet."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise InputError(
            f"{path} is a file of Parquet, which needs pyarrow: pip install 'maetheory[parquet]'"
        ) from error
    with _damage_as_input_error(path), utf8_path(path) as name:
        return parquet.ParquetFile(name)


@contextmanager
def _damage_as_input_error(path: Path) -> Iterator[None]:
    """Turn errors of pyarrow, which are of many types, into an InputError."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path} is no whole file of Parquet ({first_error_line(error)})") from error


def _choose_columns(path: Path, schema: Any) -> tuple[str, str | None, tuple[str, ...]]:
    """Return the column of images, that of labels or None, and notes on columns of images that are left out."""
    images = [field.name for field in schema if _holds_images(field)]
    if not images:
        listed = ", ".join(f"{printable(field.name)} ({field.type})" for field in list(schema)[:MAX_LISTED])
        raise InputError(
            f"{path} needs a column of encoded images (bytes, or a struct of bytes and path), but it holds "
            f"{printable(listed, 300) or 'nothing'}"
        )
    image = next((name for name in IMAGE_COLUMNS if name in images), images[0])
    others = [printable(name) for name in images if name != image]
    notes = (f"column {image} was read, and not {', '.join(others[:MAX_LISTED])}",) if others else ()
    integers = {field.name for field in schema if str(field.type).startswith(("int", "uint"))}
    return image, next((name for name in LABEL_COLUMNS if name in integers), None), notes


def _holds_images(field: Any) -> bool:
    """Return whether a column holds bytes, alone or in a struct."""
    kind = str(field.type)
    if kind.startswith("struct"):
        return any(child.name == "bytes" and "binary" in str(child.type) for child in field.type)
    return "binary" in kind and not kind.startswith("list")


def _class_names(schema: Any, label: str | None) -> tuple[str, ...]:
    """Return the names of classes that the hub's description in a file gives, none without them."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        names = features[label]["names"]
        return tuple(map(str, names)) if isinstance(names, list) else ()
    except (KeyError, TypeError, ValueError):
        return ()


def _read_labels(paths: Sequence[Path], tables: Sequence[Any], label: str | None) -> np.ndarray:
    """Return the label of each row, 0 without a column of them or where one is missing."""
    parts = []
    for path, table in zip(paths, tables, strict=True):
        if label is None:
            parts.append(np.zeros(table.metadata.num_rows, np.int64))
            continue
        with _damage_as_input_error(path):
            column = table.read(columns=[label]).column(0)
            missing = column.null_count > 0
            parts.append(np.zeros(len(column), np.int64) if missing else column.to_numpy().astype(np.int64))
    labels = np.concatenate(parts)
    if not len(labels):
        raise InputError(f"{paths[0]} holds no images")
    return labels


def _read_images(paths: Sequence[Path], tables: Sequence[Any], image: str, kept: np.ndarray) -> list[bytes]:
    """Return the encoded images in these rows, ascending over all files; row groups without one are not read."""
    contents: list[bytes] = []
    start = 0
    for path, table in zip(paths, tables, strict=True):
        for group in range(table.num_row_groups):
            description = table.metadata.row_group(group)
            rows = kept[(kept >= start) & (kept < start + description.num_rows)] - start
            start += description.num_rows
            if not len(rows):
                continue
            what = f"{description.num_rows} rows of {path}"
            check_memory(2 * description.total_byte_size, what, "give a limit (--limit)")
            with _damage_as_input_error(path):
                values = table.read_row_group(group, columns=[image]).column(0).take(rows).to_pylist()
            contents += [_content(path, image, value) for value in values]
    return contents


def _content(path: Path, image: str, value: Any) -> bytes:
    """Return the bytes of an image, empty for a missing one, which cannot be decoded.

    Raises
    ------
    InputError
        If there is a path alone.
    """
    if isinstance(value, dict) and value.get("bytes") is None and value.get("path"):
        raise InputError(
            f"column {image} of {path} holds paths of images, such as {printable(str(value['path']))}, and not the "
            "images; give the folder that holds them"
        )
    content = value.get("bytes") if isinstance(value, dict) else value
    return content if isinstance(content, bytes) else b""
