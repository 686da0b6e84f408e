"""A static method among the values of a checkpoint is a name, listed and never looked up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from maetheory.checkpoints.reading.checkpoint import read_checkpoint


class Schedule:
    """Learning-rate schedule, as training frameworks pickle it."""

    @staticmethod
    def anneal(start: float, end: float, fraction: float) -> float:
        return start + (end - start) * fraction

    class State:
        """Class in a class."""

        def __init__(self) -> None:
            self.step = 3


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}])
def test_weights_beside_a_static_method_are_read(options: dict[str, Any], tmp_path: Path) -> None:
    scheduler = {"anneal_func": Schedule.anneal, "state": Schedule.State()}
    torch.save({"state_dict": {"w": torch.arange(3)}, "lr_schedulers": [scheduler]}, tmp_path / "a.ckpt", **options)
    contents = read_checkpoint(tmp_path / "a.ckpt")
    assert contents.tree["state_dict"]["w"].tolist() == [0, 1, 2]
    (found,) = contents.tree["lr_schedulers"]
    assert found["anneal_func"] == f"{__name__}.Schedule.anneal"
    assert found["state"] == {"step": 3}
    assert f"{__name__}.Schedule.anneal" in contents.globals
