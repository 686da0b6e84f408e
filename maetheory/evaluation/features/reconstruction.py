"""Reconstruction loss on hidden patches of unseen images, without the regulariser of training."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from maetheory.core import Estimate, InputError
from maetheory.data import ImageSet
from maetheory.evaluation.features.group_standard_error import standard_error_over_groups
from maetheory.masks import MaskLaw
from maetheory.models import MAE, SimMIM, sample_masks

IMAGES_PER_GROUP = 100


@torch.no_grad()
def reconstruction_loss(
    model: nn.Module, images: ImageSet, law: MaskLaw, *, seed: int = 0, images_per_group: int = IMAGES_PER_GROUP
) -> Estimate:
    """Return the mean loss over hidden patches, with one mask per image.

    Parameters
    ----------
    model : MAE or SimMIM
        The loss of an MAE is the mean squared error of pixels (of standardised patches if it was trained on those),
        that of a SimMIM the mean absolute error; the two are not comparable.
    images : ImageSet
        At least two.
    law : MaskLaw
    seed : int
    images_per_group : int
        Approximate number of images in each group.

    Returns
    -------
    Estimate
        The mean over all images, with two standard errors over groups of images; each group has its own masks.

    Raises
    ------
    InputError
        If the model predicts nothing, or there are fewer than two images.
    """
    if not isinstance(model, MAE | SimMIM):
        raise InputError(f"only MAE and SimMIM predict hidden patches, but the model is a {type(model).__name__}")
    if len(images) < 2:
        raise InputError(f"two images or more are needed, but there are {len(images)}")
    groups = np.array_split(np.arange(len(images)), max(2, round(len(images) / images_per_group)))
    masks = sample_masks(law, len(images), torch.Generator().manual_seed(seed))
    pixels, device = torch.as_tensor(images.images), next(model.parameters()).device
    losses = np.array([float(model(pixels[group].to(device), masks[group].to(device)).loss) for group in groups])
    mean = float(np.average(losses, weights=[len(group) for group in groups]))
    return Estimate(mean, standard_error_over_groups(losses), sampled=True)
