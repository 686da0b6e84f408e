"""How well hidden patches of unseen images are predicted: the loss that training minimises, without its regulariser."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from maetheory.core import Estimate, InputError
from maetheory.data import ImageSet
from maetheory.masks import MaskLaw
from maetheory.models import MAE, SimMIM, sample_masks

IMAGES_PER_GROUP = 100


@torch.no_grad()
def reconstruction_loss(
    model: nn.Module, images: ImageSet, law: MaskLaw, *, seed: int = 0, group: int = IMAGES_PER_GROUP
) -> Estimate:
    """Return the mean loss over hidden patches, one mask for each image.

    Parameters
    ----------
    model : MAE or SimMIM
        MAE's loss is the mean squared error of pixels (of standardised patches where it was trained on those), SimMIM's
        the mean absolute error; the two do not compare.
    images : ImageSet
        At least two.
    law : MaskLaw
    seed : int
    group : int
        About so many images are a group.

    Returns
    -------
    Estimate
        Over all images, with two standard errors over groups of them, each group with its own masks.

    Raises
    ------
    InputError
        If the model predicts nothing, or there are fewer than two images.
    """
    if not isinstance(model, MAE | SimMIM):
        raise InputError(f"only MAE and SimMIM predict hidden patches, but the model is a {type(model).__name__}")
    if len(images) < 2:
        raise InputError(f"two images or more are needed, but there are {len(images)}")
    groups = np.array_split(np.arange(len(images)), max(2, round(len(images) / group)))
    draws = torch.Generator().manual_seed(seed)
    masks = sample_masks(law, len(images), draws)
    pixels, device = torch.as_tensor(images.images), next(model.parameters()).device
    losses = np.array([float(model(pixels[part].to(device), masks[part].to(device)).loss) for part in groups])
    mean = float(np.average(losses, weights=[len(part) for part in groups]))
    return Estimate(mean, 2 * float(np.std(losses, ddof=1)) / np.sqrt(len(losses)), sampled=True)
