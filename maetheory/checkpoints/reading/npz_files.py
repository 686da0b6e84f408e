"""Read archives of NumPy arrays (.npz), the format in which JAX code publishes weights."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from maetheory.checkpoints.reading.numpy_arrays import MIN_ARRAYS, are_weights
from maetheory.checkpoints.reading.read_budget import ReadBudget
from maetheory.checkpoints.reading.tensor_names import check_listed_names, check_zip_directory
from maetheory.core import InputError, printable
from maetheory.data.array_files import damage_as_input_error, read_npz_header

SUFFIX = ".npy"
BFLOAT16 = np.dtype("V2")  # NumPy has no such type, and stores two bytes without a meaning


def npz_holds_weights(archive: zipfile.ZipFile) -> bool:
    """Return whether an archive holds nothing but arrays, and they are those of a network."""
    names = npz_names(archive.namelist())
    return len(names) >= MIN_ARRAYS and are_weights({name: _number_of_axes(archive, name) for name in names})


def _number_of_axes(archive: zipfile.ZipFile, name: str) -> int:
    """Return the number of axes of an array, −1 if it is damaged; whoever reads it says what is wrong with it."""
    try:
        return len(read_npz_header(archive, name).shape)
    except Exception:  # of a dozen types
        return -1


def npz_names(members: Sequence[str]) -> list[str]:
    """Return the names of the arrays of an archive; none if it holds anything else."""
    names = [name.removesuffix(SUFFIX) for name in members if name.endswith(SUFFIX)]
    return names if len(names) == len(members) else []


def read_npz_weights(path: Path, max_bytes: int) -> dict[str, Tensor]:
    """Return the arrays of a .npz file as tensors, under their names with dots for slashes.

    Parameters
    ----------
    path : Path
    max_bytes : int
        How many bytes all arrays together may have.

    Returns
    -------
    dict of str to Tensor
        Elements of two bytes without a type are bfloat16, as JAX stores them; arrays of texts are left out.

    Raises
    ------
    InputError
        If the archive is damaged, its arrays have more bytes than that, or two names become one.
    """
    check_zip_directory(path)
    budget = ReadBudget(max_bytes)
    with damage_as_input_error("it is no whole .npz file of plain numbers"), zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        check_listed_names({info.filename: info for info in infos})
        arrays = [(info.filename.removesuffix(SUFFIX), _read_array(archive, info, budget)) for info in infos]
    tensors = {name.replace("/", "."): tensor for name, tensor in arrays if tensor is not None}
    if len(tensors) < sum(tensor is not None for _, tensor in arrays):
        raise InputError("two names of this .npz file become one where slashes become dots")
    return tensors


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: ReadBudget) -> Tensor | None:
    """Return one array as a tensor, after its size is checked; None for one of texts."""
    header = read_npz_header(archive, info.filename.removesuffix(SUFFIX))
    budget.spend_bytes(header.nbytes)
    if header.dtype.kind in "US":
        return None
    if header.dtype.kind not in "biuf" and header.dtype != BFLOAT16:
        raise InputError(f"its array {printable(info.filename)} holds {header.dtype}, which is not read")
    with archive.open(info) as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
    if array.nbytes != math.prod(header.shape) * header.dtype.itemsize:
        raise InputError(f"its array {printable(info.filename)} has not the size that it declares")
    array = np.ascontiguousarray(array)
    if header.dtype == BFLOAT16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16).reshape(header.shape)
    native = array.astype(array.dtype.newbyteorder("="), copy=False).reshape(header.shape)
    return torch.from_numpy(native) if native.dtype != np.longdouble else torch.from_numpy(native.astype(np.float64))
