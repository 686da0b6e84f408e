"""The laws of `maetheory.masks`, drawn where the images live."""

from __future__ import annotations

import torch
from torch import Tensor

from maetheory.core import InputError
from maetheory.masks import BernoulliMasks, BlockMasks, MaskLaw, UniformMasks


def sample_masks(law: MaskLaw, n: int, generator: torch.Generator) -> Tensor:
    """Draw `n` masks of a law on the generator's device.

    Parameters
    ----------
    law : MaskLaw
        `UniformMasks`, `BernoulliMasks` or `BlockMasks`.
    n : int
    generator : torch.Generator

    Returns
    -------
    Tensor of bool, shape (n, p)
        True = visible.

    Raises
    ------
    InputError
        If the law is of another kind.
    """
    if isinstance(law, UniformMasks):
        return _uniform(law, n, generator)
    if isinstance(law, BernoulliMasks):
        return _bernoulli(law, n, generator)
    if isinstance(law, BlockMasks):
        masks = torch.from_numpy(law.support()[0]).to(generator.device)
        return masks[torch.randint(len(masks), (n,), generator=generator, device=generator.device)]
    raise InputError(f"masks can be drawn from uniform, Bernoulli and block laws, but {type(law).__name__} is none")


def _uniform(law: UniformMasks, n: int, generator: torch.Generator) -> Tensor:
    scores = torch.rand(n, law.n_patches, generator=generator, device=generator.device)
    seen = scores.topk(law.n_visible, dim=1).indices  # (n, p) -> (n, v)
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(1, seen, True)


def _bernoulli(law: BernoulliMasks, n: int, generator: torch.Generator) -> Tensor:
    """Draw patch by patch from the conditional law, as `BernoulliMasks.sample` does."""
    p, device = law.p_visible, generator.device
    coins = torch.rand(n, law.n_patches, generator=generator, device=device, dtype=torch.float64)
    masks = torch.zeros(n, law.n_patches, dtype=torch.bool, device=device)
    seen, hidden = masks[:, 0].clone(), masks[:, 0].clone()
    for j in range(law.n_patches):
        left = law.n_patches - j - 1
        show = p * torch.where(hidden, 1.0, 1.0 - p**left)
        hide = (1 - p) * torch.where(seen, 1.0, 1.0 - (1.0 - p) ** left)
        masks[:, j] = coins[:, j] * (show + hide) < show
        seen |= masks[:, j]
        hidden |= ~masks[:, j]
    return masks
