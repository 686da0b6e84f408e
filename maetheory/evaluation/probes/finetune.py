"""Fine-tune an encoder with a classification head and test it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch
from lightning_fabric import Fabric

from maetheory.checkpoints import Encoder
from maetheory.core import Estimate, InputError, Progress, no_progress
from maetheory.data import FolderStream, ImageSet
from maetheory.evaluation.features.input_images import resize_to_encoder
from maetheory.evaluation.probes.classifier import Classifier, as_encoder
from maetheory.evaluation.probes.finetune_config import FinetuneConfig
from maetheory.evaluation.probes.finetune_task import FinetuneTask
from maetheory.evaluation.probes.linear_and_knn import accuracy_estimate
from maetheory.models import MAE, SimMIM, ViT
from maetheory.training import TrainResult, fit
from maetheory.training.callback import Callback

TEST_BATCH_SIZE = 256  # of test images, which need no gradients


class FinetuneResult(NamedTuple):
    """Result of fine-tuning.

    Attributes
    ----------
    accuracy : Estimate
        On the test images after the last step, 0 to 1, with two binomial standard errors.
    recipe : str
    encoder : Encoder
        In eval mode, with its head; see `encoder.logits`.
    run : TrainResult
        The training run. Its checkpoint can be read by `load_checkpoint`.
    correct : tuple of bool
        For each test image, in order, whether its prediction is right.
    """

    accuracy: Estimate
    recipe: str
    encoder: Encoder
    run: TrainResult
    correct: tuple[bool, ...]


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
    """Train an encoder with a new head on labels, or resume such a run, and test it.

    Parameters
    ----------
    model : Encoder, MAE, SimMIM or ViT
        The pretrained model. A copy is trained; the model itself does not change.
    images, test : ImageSet or FolderStream
        Resized to the encoder's side and channels. A stream of test images is read once, in order.
    config : FinetuneConfig, optional
        By default MAE's for ImageNet.
    out, resume, callbacks, progress, fabric, compiled
        As for `train`. With mixing, each process and micro-batch must have an even number of images.

    Returns
    -------
    FinetuneResult
        The accuracy is that after the last step; test images are not used to choose a step.

    Raises
    ------
    InputError
        As `train`, and if the images, the classes or the readout do not fit.
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
    hits = predictions_are_correct(encoder, test, progress=progress)
    return FinetuneResult(accuracy_estimate(hits), config.describe(count), encoder, run, tuple(hits.tolist()))


def evaluate_accuracy(encoder: Encoder, test: ImageSet | FolderStream, *, progress: Progress = no_progress) -> Estimate:
    """Return the top-1 accuracy of an encoder's head, with two binomial standard errors."""
    return accuracy_estimate(predictions_are_correct(encoder, test, progress=progress))


@torch.no_grad()
def predictions_are_correct(
    encoder: Encoder, test: ImageSet | FolderStream, *, progress: Progress = no_progress
) -> np.ndarray:
    """Return whether the top-1 prediction of an encoder's head is right, for each test image: bool (N,)."""
    config, device = encoder.config, next(encoder.parameters()).device
    n_images = len(test) if isinstance(test, ImageSet) else len(test.listing.files)
    hits: list[np.ndarray] = []
    for done, (pixels, labels) in enumerate(_batches(test), 1):
        resized = resize_to_encoder(torch.from_numpy(pixels).to(device), config.image_size, config.channels)
        hits.append(encoder.logits(resized).argmax(1).cpu().numpy() == labels)
        progress(done, _num_batches(test), f"testing on {n_images} images")
    return np.concatenate(hits)


def count_classes(images: ImageSet | FolderStream) -> int:
    """Return the number of classes of a set of images."""
    return images.n_classes if isinstance(images, ImageSet) else len(images.class_names)


def _batches(images: ImageSet | FolderStream) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    if isinstance(images, FolderStream):
        return iter(images)
    return (
        (images.images[i : i + TEST_BATCH_SIZE], images.labels[i : i + TEST_BATCH_SIZE])
        for i in range(0, len(images), TEST_BATCH_SIZE)
    )


def _num_batches(images: ImageSet | FolderStream) -> int:
    return images.n_batches if isinstance(images, FolderStream) else -(-len(images) // TEST_BATCH_SIZE)
