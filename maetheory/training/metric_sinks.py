"""Where the values of a monitor are written: a CSV file, TensorBoard, a logger of any library, or a function."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from maetheory.core import InputError, make_folder

Sink = Callable[[Mapping[str, float], int], None]


def metric_sink(target: Any) -> Sink:
    """Return a function that writes values at a step.

    Parameters
    ----------
    target : path, object or callable
        A path that ends in ``.csv``: a line per measurement. Any other path: a folder of TensorBoard. An object with
        ``add_scalar`` (a SummaryWriter), ``log_metrics`` or ``log_dict`` (loggers of Lightning and Fabric), or ``log``
        (a run of Weights & Biases, and of others that take a dict and ``step=``). A function of (values, step).

    Raises
    ------
    InputError
        If it is none of these, or tensorboard is not installed.

    Examples
    --------
    >>> lines = []
    >>> metric_sink(lambda values, step: lines.append((step, values["rank"])))({"rank": 3.0}, 7)
    >>> lines
    [(7, 3.0)]
    """
    if isinstance(target, str | os.PathLike):
        path = Path(target)
        return _CsvFile(path) if path.suffix.lower() == ".csv" else _summary_writer_sink(_summary_writer(path))
    if hasattr(target, "add_scalar"):
        return _summary_writer_sink(target)
    if hasattr(target, "log_metrics"):
        return lambda values, step: target.log_metrics(dict(values), step=step)
    if hasattr(target, "log_dict"):
        return lambda values, step: target.log_dict(dict(values), step=step)
    if hasattr(target, "log"):
        return lambda values, step: target.log(dict(values), step=step)
    if callable(target):
        return lambda values, step: target(values, step)
    raise InputError(
        "a monitor writes to a .csv file, a folder of TensorBoard, an object with add_scalar, log_metrics, log_dict or "
        f"log, or a function of (values, step), but {type(target).__name__} is none of these"
    )


class _CsvFile:
    """Lines of step and values; a file that exists is continued if its columns are the same."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, values: Mapping[str, float], step: int) -> None:
        columns = ["step", *values]
        make_folder(self.path.parent)
        new = not self.path.exists() or not self.path.stat().st_size
        if not new:
            with self.path.open(newline="", encoding="utf-8", errors="replace") as file:
                found = next(csv.reader(file), [])
            if found != columns:
                raise InputError(
                    f"{self.path} has the columns {', '.join(found)}, but the monitor writes {', '.join(columns)}: "
                    "name another file"
                )
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(columns)
            writer.writerow([step, *values.values()])


def _summary_writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError(
            f"a monitor that writes to the folder {folder} needs tensorboard: pip install 'maetheory[tensorboard]'"
        ) from error
    return SummaryWriter(str(folder))


def _summary_writer_sink(writer: Any) -> Sink:
    def write(values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    return write
