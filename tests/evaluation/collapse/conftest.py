"""Images of noise, which every test of collapse measurements uses."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.data import ImageSet


@pytest.fixture(scope="module")
def images() -> ImageSet:
    """Sixty images of noise in three classes."""
    rng = np.random.default_rng(0)
    return ImageSet(rng.random((60, 1, 8, 8)).astype(np.float32), np.arange(60) % 3, "noise")
