"""How well hidden patches of unseen images are predicted: the loss that training minimises, without its regulariser."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from maetheory.core import Estimate, InputError
from maetheory.data import ImageSet
from maetheory.masks import MaskLaw
from maetheory.models import MAE, SimMIM, draw_masks

GROUP = 100


@torch.no_grad()
def reconstruction_loss(
    model: nn.Module, images: ImageSet, law: MaskLaw, *, seed: int = 0, group: int = GROUP
) -> Estimate:
    """Return the mean loss over hidden patches, one mask for each image.

    Parameters
    ----------
    model : MAE or SimMIM
        MAE's loss is the mean squared error of pixels (of standardised patches where it was trained on those), SimMIM's
        the mean absolute error; the two do not compare.
    images : ImageSet
        At least two groups.
    law : MaskLaw
    seed : int
    group : int
        Images of a group.

    Returns
    -------
    Estimate
        With two standard errors over groups of images, each group with its own masks.

    Raises
    ------
    InputError
        If the model predicts nothing, or the images are fewer than two groups.
    """
    if not isinstance(model, MAE | SimMIM):
        raise InputError(f"only MAE and SimMIM predict hidden patches, but the model is a {type(model).__name__}")
    group = min(group, len(images) // 2)
    if group < 1:
        raise InputError(f"two images or more are needed, but there are {len(images)}")
    draws = torch.Generator().manual_seed(seed)
    masks = draw_masks(law, len(images), draws)
    pixels = torch.as_tensor(images.images)
    losses = [float(model(pixels[start : start + group], masks[start : start + group]).loss)
              for start in range(0, len(images) - group + 1, group)]  # fmt: skip
    return Estimate(float(np.mean(losses)), 2 * float(np.std(losses, ddof=1)) / np.sqrt(len(losses)), sampled=True)
