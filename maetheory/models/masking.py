"""Sample masks of a mask law with a torch generator, on the device of the generator."""

from __future__ import annotations

import torch
from torch import Tensor

from maetheory.core import InputError
from maetheory.masks import BernoulliMasks, BlockMasks, MaskLaw, UniformMasks


def sample_masks(law: MaskLaw, n: int, generator: torch.Generator) -> Tensor:
    """Draw `n` masks of a law on the device of the generator.

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
        If the law is of another type.
    """
    if isinstance(law, UniformMasks):
        return _sample_uniform(law, n, generator)
    if isinstance(law, BernoulliMasks):
        return _sample_bernoulli(law, n, generator)
    if isinstance(law, BlockMasks):
        masks = torch.from_numpy(law.support()[0]).to(generator.device)
        return masks[torch.randint(len(masks), (n,), generator=generator, device=generator.device)]
    raise InputError(f"masks can be drawn from uniform, Bernoulli and block laws, but {type(law).__name__} is none")


def _sample_uniform(law: UniformMasks, n: int, generator: torch.Generator) -> Tensor:
    scores = torch.rand(n, law.n_patches, generator=generator, device=generator.device)
    visible = scores.topk(law.n_visible, dim=1).indices  # (n, p) -> (n, v)
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(1, visible, True)


def _sample_bernoulli(law: BernoulliMasks, n: int, generator: torch.Generator) -> Tensor:
    """Draw patch by patch from the conditional distribution, as `BernoulliMasks.sample` does."""
    p, device = law.p_visible, generator.device
    uniforms = torch.rand(n, law.n_patches, generator=generator, device=device, dtype=torch.float64)
    masks = torch.zeros(n, law.n_patches, dtype=torch.bool, device=device)
    any_visible, any_hidden = masks[:, 0].clone(), masks[:, 0].clone()
    for j in range(law.n_patches):
        remaining = law.n_patches - j - 1
        weight_visible = p * torch.where(any_hidden, 1.0, 1.0 - p**remaining)
        weight_hidden = (1 - p) * torch.where(any_visible, 1.0, 1.0 - (1.0 - p) ** remaining)
        masks[:, j] = uniforms[:, j] * (weight_visible + weight_hidden) < weight_visible
        any_visible |= masks[:, j]
        any_hidden |= ~masks[:, j]
    return masks
