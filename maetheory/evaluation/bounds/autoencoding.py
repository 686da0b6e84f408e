"""Fit, for each target, the decoder input that reconstructs it best (the h_g of Assumption 3.1).

Assumption 3.1 requires an encoder f_g with E‖g(f_g(x₂)) − x₂‖² ≤ ε. On finitely many targets an encoder is a table, so
f_g is fitted entry by entry: Adam minimises the squared error of the decoder's output, starting from the tokens of the
view that predicts the target best, and the best output is kept. The tokens need not be in the range of the trained
encoder; the assumption does not require it either.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from maetheory.core import InputError
from maetheory.models import MAE

LEARNING_RATE = 0.1


def autoencode_targets(
    model: MAE, latents: list[Tensor], start_view: np.ndarray, masks: Tensor, targets: np.ndarray, *, steps: int
) -> np.ndarray:
    """Return h_g of every target, shape (N2, n, c), 0 at visible positions.

    Parameters
    ----------
    model : MAE
        In the precision of `latents`; it is not changed.
    latents : list of Tensor, shape (1 + v, k) each
        Tokens of every view.
    start_view : ndarray of int, shape (N2,)
        The view whose tokens are the starting point for each target.
    masks : Tensor of bool, shape (N2, n)
        True = visible in the view that hides the target.
    targets : ndarray, shape (N2, n, c)
        0 at visible positions.
    steps : int
        Number of Adam steps; with 0, h_g is the prediction of the starting view.

    Raises
    ------
    InputError
        If `steps` is negative.
    """
    if steps < 0:
        raise InputError(f"fit_steps must not be negative, but it is {steps}")
    h_g = np.zeros_like(targets)
    n_visible = masks.sum(1).numpy()
    for count in np.unique(n_visible):  # a batch needs equal numbers of visible patches, hence of tokens
        rows = np.flatnonzero(n_visible == count)
        tokens = torch.stack([latents[view] for view in start_view[rows]])  # (B, 1 + v, k)
        hidden = ~masks[rows]
        target_patches = torch.from_numpy(targets[rows])[hidden].view(len(rows), -1, targets.shape[2])  # (B, h, c)
        h_g[rows[:, None], hidden.nonzero()[:, 1].view(len(rows), -1)] = _fit_tokens(
            model, tokens, masks[rows], target_patches, steps
        )
    return h_g


def _fit_tokens(model: MAE, tokens: Tensor, masks: Tensor, target_patches: Tensor, steps: int) -> np.ndarray:
    """Return the best decoder output (B, h, c) for each target that `steps` steps of Adam on the tokens reach."""
    tokens = tokens.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([tokens], LEARNING_RATE)
    best = torch.zeros_like(target_patches)
    least = torch.full((len(target_patches),), torch.inf, dtype=target_patches.dtype)
    for step in range(steps + 1):
        output = model.decode(tokens, masks)
        error = (output - target_patches).square().sum((1, 2))  # (B, h, c) -> (B,)
        better = error.detach() < least
        best[better], least[better] = output.detach()[better], error.detach()[better]
        if step < steps:
            (tokens.grad,) = torch.autograd.grad(error.sum(), tokens)  # the decoder's weights get no gradient
            optimizer.step()
    return best.numpy()
