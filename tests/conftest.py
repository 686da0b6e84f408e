"""What every test shares: the real data when it is there, one thread, and torchvision's two missing operators."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

torch.set_num_threads(1)


def _declare_torchvision_operators() -> None:
    """Importing torchvision beside a CPU torch fails unless its two compiled operators are at least declared."""
    for schema in (
        "nms(Tensor dets, Tensor scores, float iou) -> Tensor",
        "qnms(Tensor dets, Tensor scores, float iou) -> Tensor",
    ):
        try:
            torch.library.define(f"torchvision::{schema.split('(')[0]}", schema[schema.index("(") :])
        except RuntimeError:
            return  # a torchvision that brings them is installed


_declare_torchvision_operators()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow tests' files first, so that two workers end together."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with cifar-10-batches-bin/, tin20/ and checkpoints/, or a skip that says how to get it."""
    folder = os.environ.get("MAETHEORY_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("MAETHEORY_DATA does not name a folder with cifar-10-batches-bin/, tin20/ and checkpoints/")
    return Path(folder)
