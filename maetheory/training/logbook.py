"""What happened at each step, one JSON line each; a resumed run forgets what it will do again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from maetheory.core import atomic_write


class Logbook:
    """Append-only metrics.jsonl, with the same scalars to TensorBoard when asked.

    Parameters
    ----------
    folder : Path
    step : int
        Lines of later steps are dropped: the run starts again from here.
    tensorboard : bool
        Also write event files (needs the tensorboard package).
    """

    def __init__(self, folder: Path, *, step: int = 0, tensorboard: bool = False) -> None:
        self.path = folder / "metrics.jsonl"
        kept = [record for record in read_log(self.path) if record["step"] <= step]
        with atomic_write(self.path) as part:
            part.write_text("".join(json.dumps(record) + "\n" for record in kept))
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
        """Flush TensorBoard, if any."""
        if self._tensorboard is not None:
            self._tensorboard.close()


def last_loss(folder: Path) -> float:
    """Return the loss of the last record of a run, NaN where there is none."""
    log = read_log(folder / "metrics.jsonl")
    return float(log[-1]["loss"]) if log else float("nan")


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the whole records of a metrics.jsonl; a line that a kill cut short is left out."""
    if not path.exists():
        return []
    records = []
    for line in path.read_text().splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records
