"""Features in files of NumPy, PyTorch, safetensors, CSV and Parquet, recognised by their content."""

from __future__ import annotations

import itertools
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maetheory.checkpoints.reading import CheckpointContents, read_checkpoint
from maetheory.checkpoints.reading.files import check_regular_file, sha256
from maetheory.checkpoints.reading.npz_files import npz_holds_weights
from maetheory.core import InputError, printable
from maetheory.core.memory import check_memory
from maetheory.data.array_files import MAX_ARRAY_BYTES, damage_as_input_error, read_npz_header, read_npz_member
from maetheory.data.npy_headers import map_npy
from maetheory.evaluation.features.feature_array_selection import arrays_of_tree, choose_array
from maetheory.evaluation.features.feature_sets import GivenFeatures
from maetheory.evaluation.features.feature_tables import DELIMITED_SUFFIXES, PARQUET_SUFFIXES, read_table
from maetheory.evaluation.features.given_features import check_features, reduce_tokens

TORCH_SUFFIXES = (".pt", ".pth", ".bin", ".safetensors", ".pkl", ".pickle", ".th")
_PARAMETER = re.compile(rb"[.](weight|bias)\b")
_MAX_NAME_BYTES = 1 << 24
UNREAD_SUFFIXES = {
    **{".h5": "HDF5", ".hdf5": "HDF5", ".mat": "MATLAB", ".feather": "Feather", ".tfrecord": "TFRecord"},
    **{".json": "JSON", ".jsonl": "JSON", ".xlsx": "Excel", ".arrow": "Arrow", ".index": "FAISS", ".faiss": "FAISS"},
    **dict.fromkeys((".dat", ".mmap", ".memmap", ".raw"), "raw"),  # numbers without their shape, as np.memmap writes
}
SHARD_INDEX_SUFFIX = ".index.json"


@dataclass(frozen=True)
class FeatureFile:
    """Features of a file, and how they were found.

    Attributes
    ----------
    path : str
    sha256 : str
    container : str
        "NumPy array", "NumPy archive", "CSV", "Parquet", or what `CheckpointContents` calls it.
    array : str
        Name of the array in the file, "" if it holds one without a name.
    features : GivenFeatures
    notes : tuple of str
        What was chosen and left out in the file.
    """

    path: str
    sha256: str
    container: str
    array: str
    features: GivenFeatures
    notes: tuple[str, ...]
    dialect: str = "features without their network"

    def to_dict(self) -> dict[str, Any]:
        """Return nested plain values, ready for JSON."""
        plain = {name: value for name, value in vars(self).items() if name != "features"}
        return {**plain, "shape": list(self.features.rows.shape), "notes": list(self.notes)}

    def __str__(self) -> str:
        n, d = self.features.rows.shape
        lines = [
            ("file", f"{printable(self.path, 4096)} ({self.container})"),
            ("sha256", self.sha256),
            ("array", f"{printable(self.array) or 'without a name'}, {n} rows of {d} dimensions"),
            *(("note", note) for note in self.notes),
        ]
        return "\n".join(f"{name:<19}{value}" for name, value in lines)


def is_feature_file(path: Path, array: str | None = None) -> bool:
    """Return whether a file holds features rather than the weights of a network; `array` names them in it.

    Files of NumPy, CSV and Parquet hold features, but for archives of many arrays that are named as weights. Files of
    PyTorch and safetensors do if they hold a tensor, a list of tensors, or a dict in which one has such a name as
    "features" or "embeddings", or whose arrays all have one row per image.

    Raises
    ------
    InputError
        If the suffix is that of a format which is not read, or the path is a folder of arrays.
    """
    if path.is_dir() and (arrays := sorted(one.name for one in path.glob("*.npy"))) and not _holds_weights(path):
        raise InputError(
            f"{path} is a folder of {len(arrays)} arrays, such as {printable(arrays[0])}: save them as one, rows x "
            "dimensions, by np.save('features.npy', np.vstack([…]))"
        )
    if not path.is_file():
        return False
    name = path.name.lower()
    unread = next((suffix for suffix in UNREAD_SUFFIXES if name.endswith(suffix)), None)
    if unread is not None and not name.endswith(SHARD_INDEX_SUFFIX):
        raise _unread_format_error(path, UNREAD_SUFFIXES[unread])
    if array is None and name.endswith(".npz") and _holds_arrays_of_weights(path):
        return False
    if name.endswith((".npy", ".npz", *DELIMITED_SUFFIXES, *PARQUET_SUFFIXES)):
        return True
    if not name.endswith(TORCH_SUFFIXES):
        return False
    if array is not None:
        return True
    return not _names_parameters(path) and bool(arrays_of_tree(read_checkpoint(path).tree))


def _unread_format_error(path: Path, format_name: str) -> InputError:
    if format_name == "raw":
        return InputError(f"{path} is a file of raw numbers, which has no shape: save features by np.save as .npy")
    return InputError(
        f"{path} is a {format_name} file, which is not read: save features as .npy, .npz, .pt, .csv or .parquet, "
        "and weights as .pth or .safetensors"
    )


def _holds_weights(folder: Path) -> bool:
    return any(one.name.endswith((*TORCH_SUFFIXES, ".ckpt")) or one.is_dir() for one in folder.iterdir())


def _holds_arrays_of_weights(path: Path) -> bool:
    """Return whether the names in a .npz file are those of weights."""
    try:
        with zipfile.ZipFile(path) as archive:
            return npz_holds_weights(archive)
    except Exception:  # of a dozen types on a damaged archive
        return False  # `_read_npz` says what is wrong with it


def _names_parameters(path: Path) -> bool:
    """Return whether the names in a file of PyTorch or safetensors show weights, without reading its tensors."""
    try:
        with path.open("rb") as file:
            head = file.read(_MAX_NAME_BYTES)
        if head.startswith(b"PK"):
            with zipfile.ZipFile(path) as archive:
                pickles = (info for info in archive.infolist() if info.filename.endswith("data.pkl"))
                head = b"".join(archive.open(info).read(_MAX_NAME_BYTES) for info in itertools.islice(pickles, 1))
    except Exception:  # of a dozen types on a damaged archive
        return False  # `read_checkpoint` says what is wrong with it
    return _PARAMETER.search(head) is not None


def read_feature_file(
    path: Path, array: str | None = None, *, readout: str | None = None, prefix_tokens: int | None = None
) -> FeatureFile:
    """Return the features of a file; nothing in it is run.

    Parameters
    ----------
    path : Path
    array : str, optional
        Name of the array, where the file holds several that could be features.
    readout : "cls", "mean" or "tokens", optional
        How tokens (n, t, d) become rows; needed for them, and not allowed for features (n, d).
    prefix_tokens : int, optional
        Tokens before the patches; 1 by default.

    Raises
    ------
    InputError
        If the file is damaged, holds no features, or several arrays of which none is named.
    """
    check_regular_file(path)
    found, name, container, notes = _read_array(path, array)
    what = f"{path}" + (f", array {printable(name)}," if name else "")
    if isinstance(found, np.ndarray) and found.ndim == 3 and found.dtype.kind == "f" and 0 not in found.shape:
        found, sentence = reduce_tokens(found, readout, prefix_tokens, what)
        notes += (sentence,)
    elif readout is not None or prefix_tokens is not None:
        raise InputError(
            f"readout and prefix_tokens choose among tokens (n, t, d), but {what} holds {np.shape(found)}: leave them "
            "out"
        )
    rows, about_rows = check_features(found, what)
    notes += (f"read as {len(rows)} images (rows) of {rows.shape[1]} dimensions (columns)",)
    return FeatureFile(str(path), sha256([path]), container, name, GivenFeatures(rows, about_rows), notes)


def _read_array(path: Path, array: str | None) -> tuple[NDArray[Any], str, str, tuple[str, ...]]:
    """Return the array of a file, its name, the name of the format, and notes."""
    name = path.name.lower()
    if name.endswith(".npy"):
        return _read_npy(path), "", "NumPy array", ()
    if name.endswith(".npz"):
        return *_read_npz(path, array), "NumPy archive", ()
    if name.endswith((*DELIMITED_SUFFIXES, *PARQUET_SUFFIXES)):
        rows, column, notes = read_table(path, array)
        return rows, column, "Parquet" if name.endswith(PARQUET_SUFFIXES) else "CSV", notes
    contents: CheckpointContents = read_checkpoint(path)
    arrays = arrays_of_tree(contents.tree, named=array)
    if not arrays:
        raise InputError(
            f"{path} holds no array that can be features: a tensor (n, d), a list of them, or a dict in which one has "
            "such a name as features or embeddings"
        )
    chosen = choose_array(path, arrays, array)
    others = tuple(other for other in arrays if other != chosen)
    notes = (f"the array {printable(chosen)} was read; {', '.join(map(printable, others))} were not",) if others else ()
    return arrays[chosen], chosen, contents.container, notes


def _read_npy(path: Path) -> NDArray[Any]:
    try:
        mapped = map_npy(path)
    except (ValueError, OSError) as error:
        raise InputError(f"{path} is no whole .npy file of plain numbers ({error})") from error
    if mapped.nbytes > MAX_ARRAY_BYTES:
        raise InputError(f"{path} holds {mapped.nbytes >> 30} GiB, more than the {MAX_ARRAY_BYTES >> 30} that are read")
    check_memory(mapped.nbytes, f"the array {mapped.shape} of {path}", "take fewer rows")
    return np.array(mapped)


def _read_npz(path: Path, array: str | None) -> tuple[NDArray[Any], str]:
    whole = damage_as_input_error(f"{path} is no whole .npz file of plain numbers")
    with whole, zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        if not names:
            raise InputError(f"{path} is a .npz file without arrays")
        if array is None and npz_holds_weights(archive):
            raise InputError(f"{path} holds the weights of a network (such as {printable(names[0])}), and no features")
        if array is None and len(names) == 1:
            array = names[0]
        if array in names:
            return read_npz_member(archive, array), array
        headers = {name: read_npz_header(archive, name) for name in names}
        chosen = choose_array(path, headers, array)
        return read_npz_member(archive, chosen), chosen
