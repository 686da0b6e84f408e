"""The images of an experiment: built in, fetched, or in a folder that has to be named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from maetheory.core import InputError
from maetheory.core.files import expand_user
from maetheory.data import FolderStream, ImageSet, load_images, load_or_stream
from maetheory.data.folder import DecodeOptions, load_image_folder
from maetheory.data.image_files import is_image_folder
from maetheory.data.pixel_range import DEFAULT_RANGES
from maetheory.evaluation.features.encode import Readout, encode_batches
from maetheory.experiments.experiment import FOLDER, Experiment


def load_experiment_images(experiment: Experiment, root: str | Path | None) -> tuple[ImageSet | FolderStream, ImageSet]:
    """Return training and test images.

    Raises
    ------
    InputError
        If they cannot be read, a folder is needed and none is given, or a place is given for images that are built in.
    """
    if experiment.source == FOLDER:
        return _load_folder_images(experiment, root)
    root = None if root == experiment.source else root
    if root is not None and experiment.source == "digits":
        raise InputError(
            f"the preset {experiment.name} has its images built in, so {root} would not be read; leave it "
            "out, or choose a preset that reads data"
        )
    return (
        load_images(experiment.source, split="train", root=root, limit=experiment.train_limit),
        load_images(experiment.source, split="test", root=root, limit=experiment.test_limit),
    )


def features_and_labels(
    model: nn.Module, images: ImageSet | FolderStream, readouts: Sequence[Readout], limit: int | None = None
) -> tuple[list[Tensor], np.ndarray]:
    """Return the features (N, d) of images in each readout, and their labels (N,); of a stream, those of central views.

    Parameters
    ----------
    model : nn.Module
    images : ImageSet or FolderStream
    readouts : sequence of "cls" and "mean"
        All are read in one pass.
    limit : int, optional
        Take at most so many, classes balanced.
    """
    if isinstance(images, ImageSet):
        images = images.limit(limit)
        parts = [features for _, features in encode_batches(model, images, readouts=readouts)]
        labels = images.labels
    else:
        fewest = min((number for number in (limit, images.limit) if number is not None), default=None)
        parts, labelled = [], []
        for pixels, of_batch in replace(images, train=False, limit=fewest):
            parts += [features for _, features in encode_batches(model, pixels, readouts=readouts)]
            labelled.append(of_batch)
        labels = np.concatenate(labelled)
    return [torch.cat(each) for each in zip(*parts, strict=True)], labels


def _load_folder_images(experiment: Experiment, root: str | Path | None) -> tuple[ImageSet | FolderStream, ImageSet]:
    wanted = f"the preset {experiment.name} reads a folder with train/CLASS/*.jpg and val/CLASS/*.jpg"
    if root is None:
        raise InputError(f"{wanted}; say where it is with --data DIR")
    if not is_image_folder(expand_user(root)):
        raise InputError(f"{wanted}, but {root} is none")
    size = experiment.cells[0].recipe.model.encoder.image_size
    images = load_or_stream(root, size, limit=experiment.train_limit, stream=experiment.stream)
    ranges = images.pixel_ranges if isinstance(images, ImageSet) else DEFAULT_RANGES  # a stream decodes file by file
    test_options = DecodeOptions(size, pixel_ranges=ranges)
    return images, load_image_folder(root, "val", limit=experiment.test_limit, options=test_options)
