"""Masks sampled with torch have the probabilities of the NumPy law."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from maetheory.masks import BernoulliMasks, BlockMasks, MaskLaw, UniformMasks
from maetheory.models import sample_masks


@pytest.mark.parametrize("law", [UniformMasks(5, 2), BernoulliMasks(4, 0.2), BlockMasks((3, 4), 7)], ids=repr)
def test_frequencies(law: MaskLaw) -> None:
    n = 40_000
    drawn = sample_masks(law, n, torch.Generator().manual_seed(1)).numpy()
    masks, probability = law.support()
    index = {mask.tobytes(): i for i, mask in enumerate(masks)}
    counts = np.bincount([index[mask.tobytes()] for mask in drawn], minlength=len(masks))
    chi2 = ((counts - n * probability) ** 2 / (n * probability)).sum()
    assert chi2 < len(masks) + 6 * np.sqrt(2 * len(masks))
