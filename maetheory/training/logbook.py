"""Append-only JSON Lines log of training metrics, with optional TensorBoard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from maetheory.core import InputError, atomic_write, printable_value
from maetheory.core.json_files import LARGEST_INTEGER, integer_field, read_json_lines, set_torn_line_aside

_NUMBERS = ("epoch", "loss", "effective_rank")


class Logbook:
    """Append-only metrics.jsonl, with the same scalars in TensorBoard if wanted.

    Parameters
    ----------
    folder : Path
    step : int
        Lines of later steps are dropped, because a resumed run repeats them. A last line that a killed process cut
        short is set aside in ``metrics.jsonl.torn``, with a warning.
    tensorboard : bool
        Also write event files (needs the tensorboard package).

    Raises
    ------
    InputError
        If another line of the log is damaged; the log is then left as it is.
    """

    def __init__(self, folder: Path, *, step: int = 0, tensorboard: bool = False) -> None:
        self.path = folder / "metrics.jsonl"
        records, torn = _read_log(self.path)
        kept = [record for record in records if record["step"] <= step]
        set_torn_line_aside(self.path, torn)
        with atomic_write(self.path) as temporary:
            temporary.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")
        self._tensorboard: Any = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._tensorboard = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, record: dict[str, Any]) -> None:
        """Append one record; it must hold ``step``."""
        with self.path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")
        if self._tensorboard is not None:
            for name, value in record.items():
                if isinstance(value, int | float) and name != "step":
                    self._tensorboard.add_scalar(name, value, record["step"])

    def close(self) -> None:
        """Close the TensorBoard writer, if there is one."""
        if self._tensorboard is not None:
            self._tensorboard.close()


def last_loss(folder: Path) -> float:
    """Return the loss of the last record of a run, NaN where there is none."""
    log = read_log(folder / "metrics.jsonl")
    return float(log[-1]["loss"]) if log else float("nan")


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the records of a metrics.jsonl, without a last line that a killed process cut short.

    Raises
    ------
    InputError
        If a line is not a record of a step.
    """
    return _read_log(path)[0]


def _read_log(path: Path) -> tuple[list[dict[str, Any]], bytes]:
    """Return the records of a log, and a last line that was cut."""
    try:
        records, torn = read_json_lines(path)
        for number, record in enumerate(records, 1):
            _check_record(record, f"line {number} of {path}")
    except InputError as error:
        raise InputError(f"{error}; correct the line, or move the file away to go on with a new log") from error
    return records, torn


def _check_record(record: dict[str, Any], where: str) -> None:
    integer_field(record, "step", where, 1)
    if "loss" not in record:
        raise InputError(f"{where} lacks loss")
    for name in _NUMBERS:
        value = record.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"{name} in {where} must be a number, but it is {printable_value(value)}")
        if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
            raise InputError(f"{name} in {where} is too large a number: {printable_value(value)}")
