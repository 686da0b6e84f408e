"""Say what a path holds that is no source of images, and what would be one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from maetheory.core import InputError, printable
from maetheory.core.unknown_names import closest_names, did_you_mean
from maetheory.data.image_files import IMAGE_SUFFIXES

MAX_ENTRIES = 20_000
MAX_SUFFIXES = 3
PACKED = ("an archive", "unpack it into a folder")
ARRAYS = ("a file that may hold images but is not read", "save its images as .npy, (N, H, W, C)")
PICTURES = ("of a format that is not decoded", "convert them to PNG")
SUFFIX_KINDS: dict[str, tuple[str, str]] = {
    **dict.fromkeys((".tar", ".tgz", ".zip", ".7z", ".rar", ".gz", ".xz"), PACKED),
    **dict.fromkeys((".pt", ".pth", ".pkl", ".pickle", ".h5", ".hdf5", ".mat", ".bin", ".npy", ".npz"), ARRAYS),
    **dict.fromkeys((".tfrecord", ".tfrecords", ".mdb", ".lmdb", ".beton", ".arrow", ".parquet", ".csv"), ARRAYS),
    **dict.fromkeys((".dcm", ".nii", ".heic", ".heif", ".avif", ".svg", ".dng", ".nef", ".cr2", ".exr"), PICTURES),
    **dict.fromkeys((".mp4", ".avi", ".mov", ".mkv", ".webm"), ("a video", "save its frames as images")),
}


def unknown_source_error(source: str | os.PathLike[str], path: Path, names: Sequence[str]) -> InputError:
    """Return the error for a path that holds no images that are read; `names` are those of data sets.

    Examples
    --------
    >>> str(unknown_source_error("digit", Path("digit"), ["digits"]))[:52]
    'images come from digits, or a path, but there is no '
    """
    if not path.exists():
        question = did_you_mean(closest_names(str(source), names))
        return InputError(
            f"images come from {', '.join(names)}, or a path, but there is no file or folder {source!s}"
            + (f"; {question}" if question else "")
        )
    sources = (
        f"images come from {', '.join(names)}, a .npy or .npz file, or a folder with images, train/CLASS/*.jpg, the "
        "official files of CIFAR-10 or CIFAR-100, or the IDX files of MNIST"
    )
    if path.is_dir():
        return InputError(f"{sources}, but {source!s} {_describe_folder(path)}")
    kind, remedy = SUFFIX_KINDS.get(path.suffix.lower(), ("", ""))
    if path.suffix.lower() in IMAGE_SUFFIXES:
        kind, remedy = "one image", "give the folder that holds several"
    return InputError(f"{sources}, but {source!s} is none of these" + (f", but {kind}: {remedy}" if kind else ""))


def _describe_folder(folder: Path) -> str:
    """Return what a folder holds: images further down, files of other kinds, or nothing."""
    files = list(islice(_files_below(folder), MAX_ENTRIES))
    deeper = next((file.parent for file in files if file.suffix.lower() in IMAGE_SUFFIXES), None)
    if deeper is not None:
        return (
            f"holds neither, only images further down: give a folder nearer to them, as {printable(str(deeper), 4096)}"
        )
    if not files:
        return "holds neither, and no files at all"
    counts = Counter(file.suffix.lower() or "no suffix" for file in files).most_common(MAX_SUFFIXES)
    held = ", ".join(f"{n} files of {printable(suffix)}" for suffix, n in counts)
    kind = next((SUFFIX_KINDS[suffix] for suffix, _ in counts if suffix in SUFFIX_KINDS), None)
    return f"holds neither, only {held}" + (f": {kind[1]}" if kind else "")


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name[0] not in "._")
        yield from (Path(parent, name) for name in sorted(files) if name[0] != ".")
