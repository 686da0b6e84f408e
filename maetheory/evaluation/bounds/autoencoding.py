"""The pseudo-inverse of a decoder, measured: tokens that make it return each target as nearly as descent can.

Assumption 3.1 asks for an encoder f_g with E‖g(f_g(x₂)) − x₂‖² ≤ ε. On finitely many targets an encoder is a table, so
f_g is fitted entry by entry: from the tokens of the view that predicts a target best, down the squared error of the
decoder's answer, keeping the best met. Nothing ties these tokens to the range of the trained encoder, nor does the
assumption.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from maetheory.core import InputError
from maetheory.models import MAE

LEARNING_RATE = 0.1


def autoencode_targets(
    model: MAE, latents: list[Tensor], start: np.ndarray, masks: Tensor, targets: np.ndarray, *, steps: int
) -> np.ndarray:
    """Return h_g of every target, shape (N2, n, c), 0 outside its hidden places.

    Parameters
    ----------
    model : MAE
        Not changed; in the precision of `latents`.
    latents : list of Tensor, shape (1 + v, k) each
        Tokens of every view.
    start : ndarray of int, shape (N2,)
        View whose tokens each target starts from.
    masks : Tensor of bool, shape (N2, n)
        True = visible to the view that does not see the target.
    targets : ndarray, shape (N2, n, c)
        0 at visible places.
    steps : int
        Steps of Adam; with 0, h_g is the prediction of the starting view.

    Raises
    ------
    InputError
        If `steps` is negative.
    """
    if steps < 0:
        raise InputError(f"fit_steps must not be negative, but it is {steps}")
    found = np.zeros_like(targets)
    shown = masks.sum(1).numpy()
    for count in np.unique(shown):  # targets of equally many visible patches have equally many tokens
        rows = np.flatnonzero(shown == count)
        tokens = torch.stack([latents[view] for view in start[rows]])  # (B, 1 + v, k)
        hidden = ~masks[rows]
        target_patches = torch.from_numpy(targets[rows])[hidden].view(len(rows), -1, targets.shape[2])  # (B, h, c)
        found[rows[:, None], hidden.nonzero()[:, 1].view(len(rows), -1)] = _fit_tokens(
            model, tokens, masks[rows], target_patches, steps
        )
    return found


def _fit_tokens(model: MAE, tokens: Tensor, masks: Tensor, target_patches: Tensor, steps: int) -> np.ndarray:
    tokens = tokens.detach().clone().requires_grad_()
    descent = torch.optim.Adam([tokens], LEARNING_RATE)
    best, least = (
        torch.zeros_like(target_patches),
        torch.full((len(target_patches),), torch.inf, dtype=target_patches.dtype),
    )
    for step in range(steps + 1):
        answer = model.decode(tokens, masks)
        error = (answer - target_patches).square().sum((1, 2))  # (B, h, c) -> (B,)
        better = error.detach() < least
        best[better], least[better] = answer.detach()[better], error.detach()[better]
        if step < steps:
            (tokens.grad,) = torch.autograd.grad(error.sum(), tokens)  # the decoder's weights get no gradient
            descent.step()
    return best.numpy()
