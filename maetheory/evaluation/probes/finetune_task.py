"""Fine-tuning as a task of the training loop: model, optimiser, random draws and loss."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from maetheory.checkpoints import Encoder
from maetheory.core import InputError, generator
from maetheory.evaluation.features.input_images import resize_to_encoder, to_unit_interval
from maetheory.evaluation.probes.augmentation import draw_mixing_map, mix_images, shift_and_flip, soft_targets
from maetheory.evaluation.probes.classifier import Classifier, classifier_with_new_head, hash_weights
from maetheory.evaluation.probes.finetune_config import FinetuneConfig
from maetheory.evaluation.probes.layer_decay import param_groups_layer_decay


class FinetuneTask:
    """Task of the training loop that fine-tunes an encoder by `FinetuneConfig`.

    Parameters
    ----------
    config : FinetuneConfig
    encoder : Encoder
        The pretrained encoder; it is copied.
    classes : int
    """

    def __init__(self, config: FinetuneConfig, encoder: Encoder, classes: int) -> None:
        if classes < 2:
            raise InputError("fine-tuning needs at least two classes, but the images have one")
        self.config, self.classes, self.initial_hash = config, classes, hash_weights(encoder)
        self.initial_model = classifier_with_new_head(encoder, classes, config.readout, config.seed)
        self.encoder_config = self.initial_model.encoder.config

    def record(self) -> dict[str, Any]:
        """Return the configuration, the architecture, and a hash of the initial weights."""
        return {
            "model": {"encoder": asdict(self.encoder_config)},
            "classes": self.classes,
            "start": self.initial_hash,
            **self.config.to_dict(),
        }

    def upgrade_record(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a saved record, with defaults for fields that it does not have."""
        if not {"start", "classes"} <= record.keys():
            raise KeyError("start")
        return FinetuneConfig().to_dict() | record

    def check_images(self, shape: tuple[int, ...], name: str, images_per_pass: int, n_passes: int) -> None:
        """Raise InputError if images have another number of channels, or a share of a batch splits a mixed pair.

        Raises
        ------
        InputError
            If the channels do not fit the encoder, or a process or micro-batch has an odd number of images to mix.
        """
        if shape[0] not in (1, self.encoder_config.channels):
            raise InputError(
                f"the encoder takes images of {self.encoder_config.channels} channels, or one, but those of {name} "
                f"have {shape[0]}"
            )
        if self.config.uses_mixing and n_passes > 1 and images_per_pass % 2:
            raise InputError(
                f"images are mixed in pairs, so each process and micro-batch must have an even number of "
                f"them, but it has {images_per_pass}"
            )

    def build(self) -> nn.Module:
        """Return the initial model, the encoder with a new head."""
        return self.initial_model.train()

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return AdamW with one learning rate for each layer."""
        config, encoder = self.config, cast(Classifier, model).encoder
        groups = param_groups_layer_decay(
            encoder, self.encoder_config.depth, layer_decay=config.layer_decay, weight_decay=config.weight_decay
        )
        return torch.optim.AdamW(groups, lr=config.base_lr, betas=(config.beta1, config.beta2), fused=True)

    def random_draws(self, step: int, n: int, device: torch.device) -> tuple[Tensor, ...]:
        """Return the factors of branches (n, depth, 2), corners (n, 2), flips (n,) and mixing maps (n, H, W).

        A branch that is left out has the factor 0; the others are divided by their probability of staying. For
        rectangular images the mixing map is the first rows and columns of a square's.
        """
        config, rng = self.config, generator(self.config.seed, "fine-tuning", step)
        depth, (height, width) = self.encoder_config.depth, self.encoder_config.image_shape
        rates = np.linspace(0, config.drop_path, depth)[:, None]
        branch_factors = (rng.random((n, depth, 2)) >= rates) / (1 - rates)
        corners = rng.integers(2 * config.crop + 1, size=(n, 2))
        flipped = rng.random(n) < 0.5 * config.flip
        mixing_map = draw_mixing_map(rng, max(height, width), mixup=config.mixup, cutmix=config.cutmix)
        mixing_map = np.ascontiguousarray(mixing_map[:height, :width])
        drawn = [torch.from_numpy(value).to(device) for value in (branch_factors.astype(np.float32), corners, flipped)]
        return *drawn, torch.from_numpy(mixing_map).to(device).expand(n, -1, -1)

    def losses(
        self, model: nn.Module, images: Tensor, labels: Tensor, draws: tuple[Tensor, ...], fabric: Fabric
    ) -> dict[str, Tensor]:
        """Return the mean cross-entropy with the mixed and smoothed labels."""
        branch_factors, corners, flipped, maps = draws
        shifted = shift_and_flip(images, corners, flipped, self.config.crop)
        pixels = to_unit_interval(
            resize_to_encoder(shifted, self.encoder_config.image_size, self.encoder_config.channels)
        )
        if self.config.uses_mixing:
            pixels = mix_images(pixels, maps)
        targets = soft_targets(labels, maps.mean((1, 2)), self.classes, self.config.smoothing)
        logits = model(pixels, branch_factors if self.config.drop_path else None)
        return {"loss": -(targets * F.log_softmax(logits.float(), dim=1)).sum(1).mean()}
