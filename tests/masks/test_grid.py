"""`unpatchify` inverts `patchify`, and the order of the values in a patch is MAE's."""

from __future__ import annotations

import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.masks import patchify, unpatchify


def test_unpatchify_inverts_patchify() -> None:
    images = np.random.default_rng(0).random((3, 2, 4, 6))
    patches = patchify(images, 2)
    assert patches.shape == (3, 6, 8)
    np.testing.assert_array_equal(unpatchify(patches, 2, (2, 3)), images)


def test_order_is_rows_columns_channels() -> None:
    images = np.random.default_rng(0).random((1, 3, 4, 4))
    np.testing.assert_array_equal(patchify(images, 2)[0, 1], images[0, :, :2, 2:].transpose(1, 2, 0).ravel())


def test_patch_must_divide() -> None:
    with pytest.raises(InputError, match="3 does not divide 4x4"):
        patchify(np.zeros((1, 1, 4, 4)), 3)
    with pytest.raises(InputError, match="does not fit"):
        unpatchify(np.zeros((1, 4, 4)), 2, (1, 3))
