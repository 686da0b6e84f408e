"""Build a mask law from its name, the patch grid and the mask ratio."""

from __future__ import annotations

from maetheory.core import InputError
from maetheory.masks.bernoulli import BernoulliMasks
from maetheory.masks.block import BlockMasks
from maetheory.masks.law import MaskLaw, visible_count
from maetheory.masks.uniform import UniformMasks

MASK_LAWS = ("uniform", "bernoulli", "block")


def make_mask_law(name: str, grid: tuple[int, int], mask_ratio: float) -> MaskLaw:
    """Return the named mask law over a patch grid with the given mask ratio.

    Parameters
    ----------
    name : {"uniform", "bernoulli", "block"}
    grid : (int, int)
        Rows and columns of patches.
    mask_ratio : float
        Share of hidden patches; for "uniform" and "block", `visible_count` patches stay visible.

    Raises
    ------
    InputError
        If the name is unknown, or the ratio leaves nothing visible or nothing hidden.

    Examples
    --------
    >>> make_mask_law("uniform", (4, 4), 0.75)
    UniformMasks(n_patches=16, n_visible=4)
    """
    n_patches = grid[0] * grid[1]
    visible = visible_count(n_patches, mask_ratio)
    if name == "uniform":
        return UniformMasks(n_patches, visible)
    if name == "bernoulli":
        return BernoulliMasks(n_patches, 1.0 - mask_ratio)
    if name == "block":
        return BlockMasks(grid, visible)
    raise InputError(f"the mask law must be 'uniform', 'bernoulli' or 'block', but it is {name!r}")
