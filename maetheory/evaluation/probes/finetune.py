"""How well an encoder does what it was not trained for, once labels may change all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from maetheory.checkpoints import Encoder
from maetheory.core import Estimate, InputError, Progress, generator, no_progress
from maetheory.data import FolderStream, ImageSet
from maetheory.evaluation.features.input_images import resize_to_encoder, to_unit_interval
from maetheory.evaluation.probes.augmentation import draw_mixing_map, mix_images, shift_and_flip, soft_targets
from maetheory.evaluation.probes.classifier import Classifier, as_encoder, classifier_with_new_head, hash_weights
from maetheory.evaluation.probes.finetune_config import FinetuneConfig
from maetheory.evaluation.probes.layer_decay import param_groups_layer_decay
from maetheory.evaluation.probes.linear_and_knn import accuracy_estimate
from maetheory.models import MAE, SimMIM, ViT
from maetheory.training import TrainResult, fit
from maetheory.training.loop import Callback

TEST_BATCH_SIZE = 256  # of test images, which learn nothing


class FinetuneResult(NamedTuple):
    """What fine-tuning gave.

    Attributes
    ----------
    accuracy : Estimate
        On the test images after the last step, 0 to 1, with two binomial standard errors.
    recipe : str
    encoder : Encoder
        In eval mode, with its head: `encoder.logits`.
    run : TrainResult
        Where its checkpoint lies, which `load_checkpoint` reads like any other.
    """

    accuracy: Estimate
    recipe: str
    encoder: Encoder
    run: TrainResult


def finetune(
    model: Encoder | MAE | SimMIM | ViT,
    images: ImageSet | FolderStream,
    test: ImageSet | FolderStream,
    config: FinetuneConfig | None = None,
    *,
    out: str | Path,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    progress: Progress = no_progress,
    fabric: Fabric | None = None,
    compiled: bool = False,
) -> FinetuneResult:
    """Train an encoder and a head on labels, or go on training them, and test them.

    Parameters
    ----------
    model : Encoder, MAE, SimMIM or ViT
        Where it starts; it stays as it is, a copy is trained.
    images, test : ImageSet or FolderStream
        Fitted to the encoder's side and channels. Of a stream of test images all are seen in order.
    config : FinetuneConfig, optional
        By default MAE's for ImageNet.
    out, resume, callbacks, progress, fabric, compiled
        As for `train`: the run is cut, resumed and shared among processes by the same loop. With mixing, each process
        and micro-batch must have an even share of the batch.

    Returns
    -------
    Finetuned
        The accuracy after the last step: no step is chosen by the test images.

    Raises
    ------
    InputError
        As `train`, or if the images, the classes or the readout do not fit.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM; a checkpoint has been saved.
    """
    config = config or FinetuneConfig()
    task = FinetuneTask(config, as_encoder(model), count_classes(images))
    if count_classes(test) > task.classes:
        raise InputError(
            f"the test images have {count_classes(test)} classes, but there are {task.classes} to learn from"
        )
    run = fit(
        task, images, out=out, resume=resume, callbacks=callbacks, progress=progress, fabric=fabric, compiled=compiled
    )
    encoder = cast(Classifier, run.model).encoder
    count = len(images) if isinstance(images, ImageSet) else len(images.listing.files)
    return FinetuneResult(evaluate_accuracy(encoder, test, progress=progress), config.recipe(count), encoder, run)


class FinetuneTask:
    """The task of `FinetuneConfig`.

    Parameters
    ----------
    config : FinetuneConfig
    encoder : Encoder
        Where it starts.
    classes : int
    """

    def __init__(self, config: FinetuneConfig, encoder: Encoder, classes: int) -> None:
        if classes < 2:
            raise InputError("fine-tuning needs at least two classes, but the images have one")
        self.config, self.classes, self.start = config, classes, hash_weights(encoder)
        self.first = classifier_with_new_head(encoder, classes, config.readout, config.seed)
        self.shape = self.first.encoder.config

    def record(self) -> dict[str, Any]:
        """Return the recipe, the architecture, and a hash of the weights it starts from."""
        return {
            "model": {"encoder": asdict(self.shape)},
            "classes": self.classes,
            "start": self.start,
            **self.config.to_dict(),
        }

    def read(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a saved record with what it does not yet know at its default."""
        if not {"start", "classes"} <= record.keys():
            raise KeyError("start")
        return FinetuneConfig().to_dict() | record

    def check(self, shape: tuple[int, ...], name: str, share: int, shares: int) -> None:
        """Refuse images of other channels, and shares that would tear a mixed pair apart."""
        if shape[0] not in (1, self.shape.channels):
            raise InputError(
                f"the encoder takes images of {self.shape.channels} channels, or one, but those of {name} "
                f"have {shape[0]}"
            )
        if self.config.uses_mixing and shares > 1 and share % 2:
            raise InputError(
                f"images are mixed in pairs, so each process and micro-batch must have an even number of "
                f"them, but it has {share}"
            )

    def build(self) -> nn.Module:
        """Return the encoder as it starts, with a new head."""
        return self.first.train()

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return AdamW with a learning rate for each layer."""
        config, encoder = self.config, cast(Classifier, model).encoder
        groups = param_groups_layer_decay(
            encoder, self.shape.depth, layer_decay=config.layer_decay, weight_decay=config.weight_decay
        )
        return torch.optim.AdamW(groups, lr=config.base_lr, betas=(config.beta1, config.beta2), fused=True)

    def draws(self, step: int, n: int, device: torch.device) -> tuple[Tensor, ...]:
        """Return which branches are kept (n, depth, 2), corners (n, 2), flips (n,) and mixing maps (n, S, S)."""
        config, rng = self.config, generator(self.config.seed, "fine-tuning", step)
        rates = np.linspace(0, config.drop_path, self.shape.depth)[:, None]
        kept = (rng.random((n, self.shape.depth, 2)) >= rates) / (1 - rates)
        corners = rng.integers(2 * config.crop + 1, size=(n, 2))
        flipped = rng.random(n) < 0.5 * config.flip
        one = draw_mixing_map(rng, self.shape.image_size, mixup=config.mixup, cutmix=config.cutmix)
        drawn = [torch.from_numpy(value).to(device) for value in (kept.astype(np.float32), corners, flipped)]
        return *drawn, torch.from_numpy(one).to(device).expand(n, -1, -1)

    def losses(
        self, model: nn.Module, images: Tensor, labels: Tensor, draws: tuple[Tensor, ...], fabric: Fabric
    ) -> dict[str, Tensor]:
        """Return the mean cross-entropy with the mixtures' labels."""
        kept, corners, flipped, maps = draws
        pixels = to_unit_interval(
            resize_to_encoder(
                shift_and_flip(images, corners, flipped, self.config.crop), self.shape.image_size, self.shape.channels
            )
        )
        if self.config.uses_mixing:
            pixels = mix_images(pixels, maps)
        targets = soft_targets(labels, maps.mean((1, 2)), self.classes, self.config.smoothing)
        logits = model(pixels, kept if self.config.drop_path else None)
        return {"loss": -(targets * F.log_softmax(logits.float(), dim=1)).sum(1).mean()}


@torch.no_grad()
def evaluate_accuracy(encoder: Encoder, test: ImageSet | FolderStream, *, progress: Progress = no_progress) -> Estimate:
    """Return how often an encoder's head is right, with two binomial standard errors."""
    config, device = encoder.config, next(encoder.parameters()).device
    hits: list[np.ndarray] = []
    for done, (pixels, labels) in enumerate(_batches(test), 1):
        said = encoder.logits(
            resize_to_encoder(torch.from_numpy(pixels).to(device), config.image_size, config.channels)
        )
        hits.append(said.argmax(1).cpu().numpy() == labels)
        progress(done, _count(test), "testing")
    return accuracy_estimate(np.concatenate(hits))


def count_classes(images: ImageSet | FolderStream) -> int:
    """Return how many classes a set of images has."""
    return images.n_classes if isinstance(images, ImageSet) else len(images.class_names)


def _batches(images: ImageSet | FolderStream) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    if isinstance(images, FolderStream):
        return iter(images)
    return (
        (images.images[i : i + TEST_BATCH_SIZE], images.labels[i : i + TEST_BATCH_SIZE])
        for i in range(0, len(images), TEST_BATCH_SIZE)
    )


def _count(images: ImageSet | FolderStream) -> int:
    return images.n_batches if isinstance(images, FolderStream) else -(-len(images) // TEST_BATCH_SIZE)
