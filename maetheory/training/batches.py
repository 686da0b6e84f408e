"""Batch sources: in-memory images on the training device, or a folder decoded while training."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from maetheory.data import FolderStream, ImageSet
from maetheory.training.folder_dataset import folder_batches

EpochIndices = Iterable[tuple[int, Tensor]]  # the epoch, and the indices of a batch's images
Batch = tuple[Tensor, Tensor]  # images and their labels


@final
@dataclass(frozen=True, eq=False)
class InMemoryBatches:
    """Batches of images held as one tensor on the training device, without augmentation."""

    images: ImageSet

    def __len__(self) -> int:
        return len(self.images)

    @property
    def name(self) -> str:
        """Name of the image set or folder."""
        return self.images.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an image, (C, H, W)."""
        return self.images.images.shape[1:]

    @property
    def skipped(self) -> tuple[str, ...]:
        """Undecodable files that were left out."""
        return self.images.skipped

    def batches(self, indices: EpochIndices, seed: int, device: torch.device) -> Generator[Batch, None, None]:
        """Yield the images (b, C, H, W) and labels (b,) of each entry of `indices`."""
        pixels = torch.from_numpy(self.images.images).to(device)
        labels = torch.from_numpy(self.images.labels.astype("int64")).to(device)
        for _, image_indices in indices:
            rows = image_indices.to(device)
            yield pixels[rows], labels[rows]

    def warn_skipped(self) -> None:
        """Do nothing: undecodable files were reported when the images were loaded."""


@final
@dataclass(frozen=True, eq=False)
class StreamingBatches:
    """Batches of an image folder, decoded ahead of training by worker processes."""

    stream: FolderStream

    def __len__(self) -> int:
        return len(self.stream.listing.files)

    @property
    def name(self) -> str:
        """Name of the image set or folder."""
        return str(self.stream.listing.folder)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an image, (C, H, W)."""
        return 3, self.stream.size, self.stream.size

    @property
    def skipped(self) -> tuple[str, ...]:
        """Undecodable files that this process met."""
        return tuple(sorted(self.stream.skipped))

    def batches(self, indices: EpochIndices, seed: int, device: torch.device) -> Generator[Batch, None, None]:
        """Yield the images, uint8 (b, 3, H, W), and labels (b,) of each entry of `indices`."""
        with closing(folder_batches(self.stream, indices, seed, device)) as decoded:
            for batch in decoded:
                self.stream.skipped.update(batch.skipped)
                yield batch.images, batch.labels

    def warn_skipped(self) -> None:
        """Warn once with the number of files that could not be decoded."""
        self.stream.warn_skipped()


def batch_source(images: ImageSet | FolderStream) -> InMemoryBatches | StreamingBatches:
    """Return the batch source of images for a training run."""
    return StreamingBatches(images) if isinstance(images, FolderStream) else InMemoryBatches(images)
