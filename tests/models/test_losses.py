"""The uniformity loss is the mean squared inner product over pairs of images."""

from __future__ import annotations

import pytest
import torch

from maetheory.core import InputError
from maetheory.models import uniformity_loss


@pytest.mark.parametrize("shape", [(7, 3), (3, 7)])
@pytest.mark.parametrize("normalize", [True, False])
def test_is_the_double_loop(shape: tuple[int, int], normalize: bool) -> None:
    z = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    rows = [row / row.norm() if normalize else row for row in z]
    n = len(rows)
    off = sum(float(a @ b) ** 2 for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j)
    on = sum(float(a @ a) ** 2 for a in rows)
    assert float(uniformity_loss(z, normalize=normalize)) == pytest.approx(off / (n * (n - 1)), rel=1e-5)
    assert float(uniformity_loss(z, normalize=normalize, convention="authors")) == pytest.approx(
        (off + on) / n**2, rel=1e-5
    )


def test_collapsed_is_one_orthogonal_is_zero() -> None:
    assert float(uniformity_loss(torch.ones(5, 3))) == pytest.approx(1.0)
    assert float(uniformity_loss(torch.eye(4))) == 0.0


def test_needs_two_images_and_a_known_convention() -> None:
    with pytest.raises(InputError, match="at least 2 rows"):
        uniformity_loss(torch.ones(1, 3))
    with pytest.raises(InputError, match="convention"):
        uniformity_loss(torch.ones(2, 3), convention="else")  # type: ignore[arg-type]  # an unknown name is what is tested
