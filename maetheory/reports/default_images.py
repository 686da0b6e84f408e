"""Which images a checkpoint is measured on if none are named: the digits, for encoders of 8 x 8 pixels only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from maetheory.checkpoints import LoadReport
from maetheory.checkpoints.encoder_config import format_size
from maetheory.core import InputError, Progress, printable
from maetheory.data import ImageSet, load_unlabelled_images
from maetheory.data.folder import DecodeOptions

DIGITS = "digits"
DIGITS_SIDE = 8  # pixels; of scikit-learn's digits, and of no other usual data set
DIGITS_NOTE = "no images were named with --data: the digits were measured, whose 8 x 8 pixels this encoder takes"


def load_measured_images(
    source: str | None, reports: Sequence[LoadReport], limit: int | None, progress: Progress, options: DecodeOptions
) -> ImageSet:
    """Return the images that are named, or the default ones with a note that says so."""
    images = load_unlabelled_images(source or default_images(reports), limit=limit, progress=progress, options=options)
    return images if source else replace(images, notes=(*images.notes, DIGITS_NOTE))


def default_images(reports: Sequence[LoadReport]) -> str:
    """Return the name of the images for checkpoints that all take images of 8 x 8 pixels: "digits".

    Raises
    ------
    InputError
        If a checkpoint takes larger images: the sentence says which.
    """
    for report in reports:
        config = report.config
        if config.image_size != DIGITS_SIDE:
            channels = "gray" if config.channels == 1 else "colour"
            raise InputError(
                f"{printable(report.path, 4096)} takes {channels} images of {format_size(config.image_size)} "
                "pixels, and none were named: give --data, such as the images that it was trained or is used on (a "
                "folder of images, a .npy or .npz file, official files of CIFAR or MNIST, cifar10, or digits)"
            )
    return DIGITS
