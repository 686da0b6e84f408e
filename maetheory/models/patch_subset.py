"""Select the visible or hidden patches of each image of a batch, padded where their numbers differ."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from maetheory.core import InputError


class PatchSubset(NamedTuple):
    """Padded indices of the selected patches of each image, with a validity mask.

    Attributes
    ----------
    indices : Tensor of int, shape (B, v)
        Patch numbers in raster order.
    valid : Tensor of bool, shape (B, v), or None
        False where a row is padded; None if no row is.
    """

    indices: Tensor
    valid: Tensor | None


def split_mask(
    mask: Tensor, n_patches: int, n_visible: int | None = None, *, require_hidden: bool = False
) -> tuple[PatchSubset, PatchSubset]:
    """Split a mask into its visible and its hidden patches.

    Parameters
    ----------
    mask : Tensor of bool, shape (B, p)
        True = visible.
    n_patches : int
        p, which the mask must have.
    n_visible : int, optional
        Number of visible patches, if known to be the same for every row; avoids a device synchronisation.
    require_hidden : bool, default False
        Whether a batch in which every patch is visible is an error.

    Raises
    ------
    InputError
        If the shape or type is wrong, or a row has no visible patch (or, if required, no row has a hidden one).
    """
    if mask.dtype != torch.bool or mask.ndim != 2 or mask.shape[1] != n_patches:
        raise InputError(
            f"the mask must be boolean of shape (B, {n_patches}), but it is {mask.dtype} {tuple(mask.shape)}"
        )
    order = torch.argsort((~mask).to(torch.uint8), dim=1, stable=True)  # visible first, raster order within
    if n_visible is not None:
        visible, hidden = PatchSubset(order[:, :n_visible], None), PatchSubset(order[:, n_visible:], None)
    else:
        visible, hidden = _split_order(order, mask.sum(1))
    if require_hidden and hidden.indices.shape[1] == 0:
        raise InputError("every row of the mask must hide at least one patch")
    return visible, hidden


def gather_tokens(tokens: Tensor, indices: Tensor) -> Tensor:
    """Select the rows `indices` (B, v) of tokens (B, t, d), giving (B, v, d)."""
    return tokens.gather(1, indices[..., None].expand(-1, -1, tokens.shape[-1]))


def prepend_cls_validity(valid: Tensor) -> Tensor:
    """Prepend a True column for the cls token to a validity mask, (B, v) -> (B, 1 + v)."""
    return F.pad(valid, (1, 0), value=True)


def patch_mean(tokens: Tensor, valid: Tensor | None = None, n_prefix_tokens: int = 1) -> Tensor:
    """Average the patch tokens of (B, n_prefix_tokens + v, d) over all patches or the valid ones, giving (B, d)."""
    patches = tokens[:, n_prefix_tokens:]
    if valid is None:
        return patches.mean(1)
    return (patches * valid[..., None]).sum(1) / valid.sum(1, keepdim=True)  # (B, v, d) -> (B, d)


def _split_order(order: Tensor, n_visible: Tensor) -> tuple[PatchSubset, PatchSubset]:
    """Split patch numbers (B, p), visible first, after `n_visible` (B,) of each row."""
    n_patches = order.shape[1]
    min_visible, max_visible = int(n_visible.min()), int(n_visible.max())
    if min_visible < 1:
        raise InputError("every row of the mask must show at least one patch")
    if min_visible == max_visible:
        return PatchSubset(order[:, :max_visible], None), PatchSubset(order[:, max_visible:], None)
    column = torch.arange(n_patches, device=order.device)
    visible = PatchSubset(order[:, :max_visible], column[:max_visible] < n_visible[:, None])
    reversed_order = order.flip(1)[:, : n_patches - min_visible]  # hidden patches last to first
    valid = column[: n_patches - min_visible] < (n_patches - n_visible)[:, None]
    raster_order = torch.argsort(torch.where(valid, reversed_order, n_patches), dim=1, stable=True)
    return visible, PatchSubset(reversed_order.gather(1, raster_order), valid)
