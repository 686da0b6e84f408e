"""Features of the same images under several random masks, and the alignment of two masks of one image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from maetheory import metrics
from maetheory.core import Estimate, InputError, Progress, generator, no_progress
from maetheory.data import ImageSet
from maetheory.evaluation.features.backbone import vision_transformer
from maetheory.evaluation.features.encode import Readout, encode, encode_batches
from maetheory.evaluation.features.feature_sets import N_GROUPS, Layer
from maetheory.evaluation.features.group_standard_error import standard_error_over_groups
from maetheory.masks import MaskLaw, UniformMasks
from maetheory.models import sample_masks

N_VIEWS = 4
MASK_RATIO = 0.75


def mask_pair_alignment(
    encoder: Any, images: ImageSet, law: MaskLaw, *, seed: int = 0, readout: Readout = "cls"
) -> Estimate:
    """Return the mean squared distance of the normalised features of two masked views of an image (lower is better).

    Parameters
    ----------
    encoder : MAE, SimMIM, ViT or Encoder
    images : ImageSet
    law : MaskLaw
        Both masks are independent draws from it.
    seed : int
    readout : "cls" or "mean"

    Returns
    -------
    Estimate
        In [0, 4], with two standard errors over groups of images. It is the alignment of Wang and Isola 2020 with
        a = 2, where a positive pair is two masked views of one image.
    """
    generator = torch.Generator().manual_seed(seed)
    one, two = (
        encode(encoder, images, readout=readout, mask=sample_masks(law, len(images), generator)).double().numpy()
        for _ in range(2)
    )
    groups = np.array_split(np.arange(len(one)), max(1, min(N_GROUPS, len(one) // 2)))
    means = [metrics.alignment(one[group], two[group]) for group in groups]
    return Estimate(metrics.alignment(one, two), standard_error_over_groups(means), sampled=True)


def default_mask_law(encoder: Any) -> MaskLaw | None:
    """Return uniform masks that hide 75 % of an encoder's patches, as MAE's do; None if its patches are not known."""
    vit = vision_transformer(encoder)
    if vit is None or vit.config.n_patches < 2:
        return None
    patches = vit.config.n_patches
    return UniformMasks(patches, max(1, round(patches * (1 - MASK_RATIO))))


def sample_image_indices_for_views(n: int, d: int, seed: int) -> np.ndarray:
    """Draw the indices, ascending, of the images to be encoded under several masks."""
    return np.sort(generator(seed, "collapse", "views").permutation(n)[: n_images_for_views(n, d)])


def n_images_for_views(n: int, d: int) -> int:
    """Return how many of `n` images are encoded under several masks: max(1000, 4 d), or all of fewer."""
    return min(n, max(1000, 4 * d))


def masked_view_features(
    encoder: Any,
    images: np.ndarray,
    law: MaskLaw,
    *,
    readouts: Sequence[Readout],
    layer: Layer = "last",
    final_norm: bool = True,
    seed: int = 0,
    batch: int | None = None,
    progress: Progress = no_progress,
) -> dict[Readout, np.ndarray]:
    """Return the features (n, q, d) of images under q = 4 independent masks each, for every readout except tokens.

    Raises
    ------
    InputError
        As `encode` does under a mask, and if features hold NaN or infinity.
    """
    named: list[Readout] = [readout for readout in readouts if readout != "tokens"]
    draws = torch.Generator().manual_seed(seed)
    views: dict[Readout, list[np.ndarray]] = {readout: [] for readout in named}
    for view in range(N_VIEWS if named else 0):
        passes = encode_batches(
            encoder,
            images,
            readouts=named,
            layers=(layer,),
            final_norm=final_norm,
            mask=sample_masks(law, len(images), draws),
            batch=batch,
            progress=_overall_progress(progress, view),
        )
        features = zip(*[features for _, features in passes], strict=True)
        for readout, parts in zip(named, features, strict=True):
            views[readout].append(torch.cat(parts).numpy())
    for readout in named:
        if not all(np.isfinite(one).all() for one in views[readout]):
            raise InputError(f"the features of readout {readout} under masks hold NaN or infinity; features are finite")
    return {readout: np.stack(found, 1) for readout, found in views.items()}


def _overall_progress(progress: Progress, view: int) -> Progress:
    """Return a progress callback of one view that reports its share of all views."""

    def report(done: int, total: int, message: str) -> None:
        progress(view * total + done, N_VIEWS * total, f"{message} masked views")

    return report
