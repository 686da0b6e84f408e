"""The images of an experiment: built in, fetched, or in a folder that has to be named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from maetheory.core import InputError
from maetheory.data import FolderStream, ImageSet, load_images, load_or_stream
from maetheory.data.folder import is_image_folder, load_folder
from maetheory.evaluation import encode
from maetheory.evaluation.encode import Readout
from maetheory.experiments.experiment import FOLDER, Experiment


def images_of(experiment: Experiment, root: str | Path | None) -> tuple[ImageSet | FolderStream, ImageSet]:
    """Return training and test images.

    Raises
    ------
    InputError
        If they cannot be read, a folder is needed and none is given, or a place is given for images that are built in.
    """
    if experiment.source == FOLDER:
        return _in_folder(experiment, root)
    root = None if root == experiment.source else root
    if root is not None and experiment.source == "digits":
        raise InputError(f"the preset {experiment.name} has its images built in, so {root} would not be read; leave it "
                         "out, or choose a preset that reads data")  # fmt: skip
    return (load_images(experiment.source, split="train", root=root, limit=experiment.train_limit),
            load_images(experiment.source, split="test", root=root, limit=experiment.test_limit))  # fmt: skip


def features_and_labels(
    model: nn.Module, images: ImageSet | FolderStream, readout: Readout, limit: int | None = None
) -> tuple[Tensor, np.ndarray]:
    """Return the features (N, d) of images and their labels (N,); of a stream, those of central views.

    Parameters
    ----------
    model : nn.Module
    images : ImageSet or FolderStream
    readout : "cls", "mean" or "tokens"
    limit : int, optional
        Take at most so many, classes balanced.
    """
    if isinstance(images, ImageSet):
        images = images.limit(limit)
        return encode(model, images, readout=readout), images.labels
    fewest = min((number for number in (limit, images.limit) if number is not None), default=None)
    still = replace(images, train=False, limit=fewest)
    parts = [(encode(model, pixels, readout=readout), labels) for pixels, labels in still]
    return torch.cat([features for features, _ in parts]), np.concatenate([labels for _, labels in parts])


def _in_folder(experiment: Experiment, root: str | Path | None) -> tuple[ImageSet | FolderStream, ImageSet]:
    wanted = f"the preset {experiment.name} reads a folder with train/CLASS/*.jpg and val/CLASS/*.jpg"
    if root is None:
        raise InputError(f"{wanted}; say where it is with --data DIR")
    if not is_image_folder(Path(root).expanduser()):
        raise InputError(f"{wanted}, but {root} is none")
    size = experiment.cells[0].recipe.model.encoder.image_size
    return (load_or_stream(root, size, limit=experiment.train_limit, stream=experiment.stream),
            load_folder(root, "val", size=size, limit=experiment.test_limit))  # fmt: skip
