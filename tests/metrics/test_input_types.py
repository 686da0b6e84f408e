"""Test that every metric widens its input to float64, whatever its type, and refuses complex numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch

from maetheory import metrics
from maetheory.core import InputError
from maetheory.metrics import MOMENT_METRICS, Moments

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
LABELS = np.arange(24) % 2
OF_ROWS = {
    **MOMENT_METRICS,
    "alpha_req": lambda Z: metrics.alpha_req(Z, ranks=(1, 3)).alpha,
    "vendi": metrics.vendi,
    "uniformity": metrics.uniformity,
    "coherence": metrics.coherence,
    "twonn": metrics.twonn,
    "linear_cka": lambda Z: metrics.linear_cka(Z, Z[:, :2]),
    "alignment": lambda Z: metrics.alignment(Z[:12], Z[12:]),
    "kernel_entropy": lambda Z: metrics.kernel_entropy(torch.as_tensor(Z).double() @ torch.as_tensor(Z).double().T),
    "lidar": lambda Z: metrics.lidar(Z.reshape(12, 2, 3)),
    "acr": lambda Z: metrics.acr(Z.reshape(12, 2, 3)),
    "mask_alignment": lambda Z: metrics.mask_alignment(Z.reshape(12, 2, 3)),
    "class_distances": lambda Z: metrics.class_distances([Z], LABELS).ratio,
    "graph_alignment": lambda Z: metrics.graph_alignment(Z, np.ones((24, 24), bool)),
    "covariance_eigenvalues": metrics.covariance_eigenvalues,
    "of moments": lambda Z: metrics.participation_ratio(Moments(3).update(Z)),
    "of float32 moments": lambda Z: metrics.participation_ratio(Moments(3, precision="float32").update(Z)),
}
NOT_FOR_COMPLEX = ("kernel_entropy",)  # which is given the product of its rows here


def numbers() -> np.ndarray:
    """Rows of integers from 1 to 127, whose squares wrap in 8 bits and whose sums wrap in 16."""
    return np.random.default_rng(0).integers(1, 128, size=(24, 3))


@pytest.mark.parametrize("name", OF_ROWS)
def test_every_type_gives_the_value_of_float64(name: str) -> None:
    Z = numbers()
    expected = OF_ROWS[name](Z.astype(np.float64))
    kinds = INTEGERS if name == "kernel_entropy" else (*INTEGERS, "longdouble")  # torch has no long double
    for kind in (*kinds, "float16", "float32"):
        np.testing.assert_allclose(OF_ROWS[name](Z.astype(kind)), expected, rtol=1e-6)
    for dtype in (torch.bfloat16, torch.float16, torch.float32, torch.uint8, torch.int16, torch.int64):
        np.testing.assert_allclose(OF_ROWS[name](torch.from_numpy(Z).to(dtype)), expected, rtol=1e-6)


@pytest.mark.parametrize("name", OF_ROWS)
def test_booleans_are_zeros_and_ones(name: str) -> None:
    Z = np.random.default_rng(0).random((24, 3)) < 0.6
    Z[:, 0] = True  # no zero row
    expected = _value_or_error(OF_ROWS[name], Z.astype(np.float64))
    assert _value_or_error(OF_ROWS[name], Z) == pytest.approx(expected, rel=1e-12, nan_ok=True)
    assert _value_or_error(OF_ROWS[name], torch.from_numpy(Z)) == pytest.approx(expected, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("name", [name for name in OF_ROWS if name not in NOT_FOR_COMPLEX])
def test_complex_numbers_are_refused(name: str) -> None:
    for Z in (numbers() + 0j, torch.from_numpy(numbers()).to(torch.complex64)):
        with pytest.raises(InputError, match="real numbers, but its type is complex"):
            OF_ROWS[name](Z)


def test_weights_are_widened_too() -> None:
    Z, weights = numbers(), np.full((24, 24), 200, np.uint8)
    expected = metrics.graph_alignment(Z, weights.astype(float))
    for same in (
        weights,
        scipy.sparse.csr_array(weights),
        torch.from_numpy(weights),
        torch.from_numpy(weights).bfloat16(),
    ):
        assert metrics.graph_alignment(Z, same) == pytest.approx(expected, rel=1e-14)
    for wrong in (weights + 0j, scipy.sparse.csr_array(weights + 0j)):
        with pytest.raises(InputError, match="weights must hold real numbers"):
            metrics.graph_alignment(Z, wrong)


def _value_or_error(metric: Callable[[Any], Any], Z: Any) -> Any:
    """Return the value, or the length of the error's sentence."""
    try:
        return metric(Z)
    except InputError as error:
        return len(str(error))
