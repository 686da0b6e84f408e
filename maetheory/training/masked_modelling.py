"""Masked image modelling with an optional uniformity term (MAE, SimMIM, U-MAE)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from maetheory.core import InputError, Progress, no_progress
from maetheory.data import FolderStream, ImageSet
from maetheory.masks import UniformMasks
from maetheory.models import patch_mean, sample_masks, uniformity_penalty
from maetheory.training import checkpointing
from maetheory.training.callback import Callback
from maetheory.training.config import TrainConfig
from maetheory.training.loop import TrainResult, fit
from maetheory.training.task import step_generator


def train(
    config: TrainConfig,
    images: ImageSet | FolderStream,
    *,
    out: str | Path,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    progress: Progress = no_progress,
    fabric: Fabric | None = None,
    compiled: bool = False,
    tensorboard: bool = False,
) -> TrainResult:
    """Train a masked autoencoder, or resume its training, and save checkpoints under `out`.

    Parameters
    ----------
    config : TrainConfig
    images : ImageSet or FolderStream
        An `ImageSet` is kept on the training device as one tensor. A `FolderStream` is decoded in worker processes
        while the model trains; its files, `size`, `workers` and whether crops are random (`train`) matter. Order,
        batches, the parts of the processes and the crops follow from `config`. A file that cannot be decoded is
        replaced by another one, so that batches keep their size; which one depends on the seed, the epoch and the file.
    out : path
        Folder of the run: checkpoints ``step-*``, ``metrics.jsonl``.
    resume : bool
        Resume from the newest checkpoint in `out`, if there is one.
    callbacks : sequence of callables
        Called with a `TrainStep` after each step; a returned dict is logged.
    progress : Progress
    fabric : Fabric, optional
        Device, precision and processes; by default those of `make_fabric`: one device, or under torchrun the
        processes it started. The result does not depend on the number of processes.
    compiled : bool
        Whether to compile the model first.
    tensorboard : bool
        Whether to log to TensorBoard too.

    Raises
    ------
    InputError
        If `out` holds another run, the images do not fit the model, the batch does not divide among the processes,
        or the loss stops being finite (the last good checkpoint stays).
    KeyboardInterrupt
        After Ctrl-C, SIGTERM or SIGHUP; a checkpoint has been saved.
    """
    return fit(
        MaskedModellingTask(config),
        images,
        out=out,
        resume=resume,
        callbacks=callbacks,
        progress=progress,
        fabric=fabric,
        compiled=compiled,
        tensorboard=tensorboard,
    )


class MaskedModellingTask:
    """Training task of a `TrainConfig`.

    Parameters
    ----------
    config : TrainConfig
    """

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.law = config.law()
        self.n_visible = self.law.n_visible if isinstance(self.law, UniformMasks) else None

    def record(self) -> dict[str, Any]:
        """Return the complete recipe."""
        return self.config.to_dict()

    def upgrade_record(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a saved recipe with missing fields at their defaults."""
        return TrainConfig.from_dict(record).to_dict()

    def check_images(self, shape: tuple[int, ...], name: str, images_per_pass: int, n_passes: int) -> None:
        """Raise `InputError` if images do not have the shape that the model takes."""
        vit = self.config.model.encoder
        expected = (vit.channels, vit.image_size, vit.image_size)
        if shape != expected:
            raise InputError(f"the model takes images of shape {expected}, but those of {name} have shape {shape}")

    def build(self) -> nn.Module:
        """Return the model, initialised from the seed."""
        return checkpointing.build_model(self.config)

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return AdamW with weight decay on matrices only."""
        config = self.config
        decayed: list[nn.Parameter] = []
        not_decayed: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                is_exempt = parameter.ndim <= 1 or name.endswith(("token", "pos_embed"))
                (not_decayed if is_exempt else decayed).append(parameter)
        groups = [
            {"params": decayed, "weight_decay": config.weight_decay},
            {"params": not_decayed, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=config.peak_lr, betas=(config.beta1, config.beta2), fused=True)

    def random_draws(self, step: int, n: int, device: torch.device) -> tuple[Tensor, ...]:
        """Return the masks (n, p) of a step."""
        return (sample_masks(self.law, n, step_generator(self.config.seed, 2 * step + 1, device)),)

    def losses(
        self, model: nn.Module, images: Tensor, labels: Tensor, draws: tuple[Tensor, ...], fabric: Fabric
    ) -> dict[str, Tensor]:
        """Return reconstruction loss, uniformity term (0 where it has no weight) and their weighted sum."""
        config, (mask,) = self.config, draws
        out = model(images, mask, self.n_visible)
        parts = {"loss": out.loss, "reconstruction": out.loss, "uniformity": torch.zeros_like(out.loss)}
        if config.uniformity_weight:
            z = (
                out.latent[:, 0]
                if config.uniformity_readout == "cls"
                else patch_mean(out.latent, self._visible_tokens(mask))
            )
            if fabric.world_size > 1:
                z = cast(Tensor, fabric.all_gather(z, sync_grads=True)).flatten(0, 1)  # (w, b, d) -> (w b, d)
            parts["uniformity"] = uniformity_penalty(
                z,
                form=config.uniformity_form,
                normalize=config.uniformity_normalize,
                convention=config.uniformity_convention,
            )
            parts["loss"] = out.loss + config.uniformity_weight * parts["uniformity"]
        return parts

    def _visible_tokens(self, mask: Tensor) -> Tensor | None:
        """Return which patch tokens of a latent belong to visible patches, (b, v); None means all."""
        if self.config.objective == "simmim":
            return mask
        if self.n_visible is not None:
            return None
        counts = mask.sum(1)  # of a row with fewer patches than others the last tokens are padding
        return torch.arange(int(counts.max()), device=mask.device) < counts[:, None]  # (v,) < (b, 1) -> (b, v)
