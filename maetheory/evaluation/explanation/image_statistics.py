"""Simple statistics of images, and how closely the scores of images along a direction follow them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maetheory.evaluation.rank_correlation import RankCorrelation, rank_correlations

LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue in brightness (ITU-R BT.601)
PERMUTED_NUMBERS = 2_000_000  # number of permuted ranks in memory, which bounds the number of permutations
MAX_PERMUTATIONS = 1999
Floats = NDArray[np.floating[Any]]


def image_statistics(pixels: Tensor) -> dict[str, Floats]:
    """Return simple statistics of images, by name.

    Parameters
    ----------
    pixels : Tensor, shape (n, C, H, W), float in [0, 1]

    Returns
    -------
    dict from name to ndarray (n,)
        brightness: mean over pixels of 0.299 red + 0.587 green + 0.114 blue (of other numbers of channels, of their
        mean). contrast: standard deviation of that over pixels. edge energy: mean square of its differences between
        neighbours, in rows and in columns. Of three channels also saturation: mean over pixels of the largest minus the
        smallest channel; red − blue: difference of the means; green − magenta: mean green minus half the sum of mean
        red and mean blue. All are in units of the white level, edge energy in its square. The choice is ours.

    Examples
    --------
    >>> found = image_statistics(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]))
    >>> {name: float(values[0]) for name, values in found.items()}
    {'brightness': 0.5, 'contrast': 0.5, 'edge energy': 0.5}
    """
    pixels = pixels.double()
    coloured = pixels.shape[1] == 3
    weights = torch.tensor(LUMA, dtype=torch.float64) if coloured else torch.full((pixels.shape[1],), 1.0).double()
    luma = torch.einsum("nchw,c->nhw", pixels, weights / weights.sum())
    down, across = luma.diff(dim=1).square().flatten(1), luma.diff(dim=2).square().flatten(1)
    differences = torch.cat([down, across], 1)
    found = {
        "brightness": luma.mean((1, 2)),
        "contrast": luma.flatten(1).std(1, correction=0),
        "edge energy": differences.mean(1) if differences.shape[1] else luma.new_zeros(len(luma)),
    }
    if coloured:
        red, green, blue = pixels.mean((2, 3)).unbind(1)
        found |= {
            "saturation": (pixels.amax(1) - pixels.amin(1)).mean((1, 2)),
            "red − blue": red - blue,
            "green − magenta": green - (red + blue) / 2,
        }
    return {name: values.numpy() for name, values in found.items()}


def correlate_statistics(
    statistics: Mapping[str, Floats], scores: Floats, *, seed: int = 0
) -> list[dict[str, RankCorrelation]]:
    """Return Spearman's correlation of every statistic with the scores along every direction.

    Parameters
    ----------
    statistics : mapping from name to ndarray (n,)
    scores : ndarray (n, m)
    seed : int

    Returns
    -------
    list of dict from name of a statistic to RankCorrelation
        One for each direction. `low` and `high` are the 95 % interval of that one correlation; `p_adjusted` is
        corrected for all statistics and all directions of these scores (Westfall and Young 1993).
    """
    permutations = int(np.clip(PERMUTED_NUMBERS // max(len(scores), 1), 199, MAX_PERMUTATIONS))
    named = {str(k): scores[:, k] for k in range(scores.shape[1])}
    found = rank_correlations(statistics, named, permutations=permutations, seed=seed)
    return [{name: found[name, str(k)] for name in statistics} for k in range(scores.shape[1])]
