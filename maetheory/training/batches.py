"""Small image sets live on the training device as one tensor; large ones stream from their folder."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from maetheory.data import FolderStream, ImageSet
from maetheory.training.folder_dataset import folder_batches

EpochIndices = Iterable[tuple[int, Tensor]]  # the epoch, and the numbers of the images wanted next
Batch = tuple[Tensor, Tensor]  # images and their labels


@final
@dataclass(frozen=True, eq=False)
class InMemoryBatches:
    """Images held as one tensor on the training device, seen as they are."""

    images: ImageSet

    def __len__(self) -> int:
        return len(self.images)

    @property
    def name(self) -> str:
        """Where the images are from."""
        return self.images.name

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W)."""
        return self.images.images.shape[1:]

    @property
    def skipped(self) -> tuple[str, ...]:
        """Files left out when the images were decoded."""
        return self.images.skipped

    def batches(self, indices: EpochIndices, seed: int, device: torch.device) -> Generator[Batch, None, None]:
        """Yield the images (b, C, H, W) and labels (b,) of each pick."""
        pixels = torch.from_numpy(self.images.images).to(device)
        labels = torch.from_numpy(self.images.labels.astype("int64")).to(device)
        for _, image_indices in indices:
            rows = image_indices.to(device)
            yield pixels[rows], labels[rows]

    def warn_skipped(self) -> None:
        """Say nothing: what could not be decoded was named on loading."""


@final
@dataclass(frozen=True, eq=False)
class StreamingBatches:
    """Images decoded ahead of the training by other processes; never more than a few batches are in memory."""

    stream: FolderStream

    def __len__(self) -> int:
        return len(self.stream.listing.files)

    @property
    def name(self) -> str:
        """Where the images are from."""
        return str(self.stream.listing.folder)

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W)."""
        return 3, self.stream.size, self.stream.size

    @property
    def skipped(self) -> tuple[str, ...]:
        """Files this process met and could not decode."""
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
    """Return how a training run is fed with `images`."""
    return StreamingBatches(images) if isinstance(images, FolderStream) else InMemoryBatches(images)
