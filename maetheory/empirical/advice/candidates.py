"""The mask laws, mask ratios and patch sizes that advice compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from maetheory.core import InputError
from maetheory.masks import MaskLaw, MixtureOfRatios, make_mask_law
from maetheory.masks.factory import MASK_LAWS
from maetheory.masks.law import check_mask_ratio

MIXTURE = "mixture"
CANDIDATE_LAWS = (*MASK_LAWS, MIXTURE)
DEFAULT_LAWS = ("uniform", "block", MIXTURE)
DEFAULT_RATIOS = (0.25, 0.5, 0.75)


@final
@dataclass(frozen=True)
class Candidate:
    """One mask law over the patches of one size.

    Attributes
    ----------
    name : str
        As "uniform 0.75 patch 4", the name of the same law in our studies.
    law : MaskLaw
    patch : int
        Side of a patch in pixels.
    """

    name: str
    law: MaskLaw
    patch: int


def make_candidates(
    height: int,
    width: int,
    *,
    laws: Sequence[str] = DEFAULT_LAWS,
    mask_ratios: Sequence[float] = DEFAULT_RATIOS,
    patch_sizes: Sequence[int] | None = None,
) -> tuple[Candidate, ...]:
    """Return every law at every mask ratio and patch size, and with "mixture" a mixture of all ratios at each size.

    Parameters
    ----------
    height, width : int
        Sides of an image in pixels.
    laws : sequence of {"uniform", "bernoulli", "block", "mixture"}
    mask_ratios : sequence of float
        Each strictly between 0 and 1.
    patch_sizes : sequence of int, optional
        As `default_patch_sizes` by default.

    Raises
    ------
    InputError
        If a law is unknown, a patch size does not divide the sides, a ratio leaves nothing visible or nothing hidden,
        or there are fewer than two candidates.

    Examples
    --------
    >>> [one.name for one in make_candidates(8, 8, laws=("uniform", "mixture"), patch_sizes=(2,))]
    ['uniform 0.25 patch 2', 'uniform 0.5 patch 2', 'uniform 0.75 patch 2', 'mixture 0.25+0.5+0.75 patch 2']
    """
    laws, ratios = tuple(dict.fromkeys(laws)), tuple(dict.fromkeys(mask_ratios))
    sizes = default_patch_sizes(height, width) if patch_sizes is None else tuple(dict.fromkeys(patch_sizes))
    for law in laws:
        if law not in CANDIDATE_LAWS:
            raise InputError(f"the mask laws are {', '.join(CANDIDATE_LAWS)}, but {law!r} was given")
    for ratio in ratios:
        check_mask_ratio(ratio)
    found = []
    for patch in sizes:
        if patch < 1 or height % patch or width % patch:
            raise InputError(
                f"the patch size must divide the image sides, but {patch} does not divide {height}x{width}"
            )
        grid = (height // patch, width // patch)
        named = [
            (f"{law} {ratio:g}", make_mask_law(law, grid, ratio)) for law in laws if law != MIXTURE for ratio in ratios
        ]
        if MIXTURE in laws and ratios:
            mixed = MixtureOfRatios(grid[0] * grid[1], ratios)
            named.append((f"{MIXTURE} {'+'.join(f'{ratio:g}' for ratio in ratios)}", mixed))
        found += [Candidate(f"{name} patch {patch}", law, patch) for name, law in named]
    if len(found) < 2:
        raise InputError(
            f"advice compares at least two candidates, but there is {len(found)}; name more laws or ratios"
        )
    return tuple(found)


def default_patch_sizes(height: int, width: int) -> tuple[int, ...]:
    """Return an eighth and a quarter of the shorter side, or a quarter and a half if an eighth is one pixel.

    Raises
    ------
    InputError
        If these do not divide the sides.

    Examples
    --------
    >>> default_patch_sizes(32, 32), default_patch_sizes(8, 8)
    ((4, 8), (2, 4))
    """
    side = min(height, width)
    parts = (8, 4) if side >= 16 else (4, 2)
    sizes = tuple(side // part for part in parts)
    if any(size < 1 or height % size or width % size for size in sizes) or side % parts[0]:
        raise InputError(f"no default patch size divides images of {height}x{width}; name patch sizes that divide them")
    return sizes
