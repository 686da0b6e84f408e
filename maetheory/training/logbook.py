"""Append-only JSON Lines log of training metrics, with optional TensorBoard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from maetheory.core import atomic_write


class Logbook:
    """Append-only metrics.jsonl, with the same scalars in TensorBoard if wanted.

    Parameters
    ----------
    folder : Path
    step : int
        Lines of later steps are dropped, because a resumed run repeats them.
    tensorboard : bool
        Also write event files (needs the tensorboard package).
    """

    def __init__(self, folder: Path, *, step: int = 0, tensorboard: bool = False) -> None:
        self.path = folder / "metrics.jsonl"
        kept = [record for record in read_log(self.path) if record["step"] <= step]
        with atomic_write(self.path) as temporary:
            temporary.write_text("".join(json.dumps(record) + "\n" for record in kept))
        self._tensorboard: Any = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._tensorboard = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, record: dict[str, Any]) -> None:
        """Append one record; it must hold ``step``."""
        with self.path.open("a") as log:
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
    """Return the complete records of a metrics.jsonl, without a last line that a killed process cut short."""
    if not path.exists():
        return []
    records = []
    for line in path.read_text().splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records
