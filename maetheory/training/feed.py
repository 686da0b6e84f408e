"""Small image sets live on the training device as one tensor; large ones stream from their folder."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from maetheory.data import FolderStream, ImageSet

Picks = Iterable[tuple[int, Tensor]]  # the epoch, and the numbers of the images wanted next
Fed = tuple[Tensor, Tensor]  # images and their labels


@final
@dataclass(frozen=True, eq=False)
class Resident:
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

    def walk(self, picks: Picks, seed: int, device: torch.device) -> Generator[Fed, None, None]:
        """Yield the images (b, C, H, W) and labels (b,) of each pick."""
        pixels = torch.from_numpy(self.images.images).to(device)
        labels = torch.from_numpy(self.images.labels.astype("int64")).to(device)
        for _, numbers in picks:
            rows = numbers.to(device)
            yield pixels[rows], labels[rows]

    def warn(self) -> None:
        """Say nothing: what could not be decoded was named on loading."""


@final
@dataclass(frozen=True, eq=False)
class Streamed:
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

    def walk(self, picks: Picks, seed: int, device: torch.device) -> Generator[Fed, None, None]:
        """Yield the images, uint8 (b, 3, H, W), and labels (b,) of each pick."""
        chosen = ((epoch, numbers.numpy()) for epoch, numbers in picks)
        for pixels, labels in self.stream.picked(chosen, seed):
            yield torch.from_numpy(pixels).to(device), torch.from_numpy(labels).to(device)

    def warn(self) -> None:
        """Warn once with the number of files that could not be decoded."""
        self.stream.warn()


def feed_of(images: ImageSet | FolderStream) -> Resident | Streamed:
    """Return how a training run is fed with `images`."""
    return Streamed(images) if isinstance(images, FolderStream) else Resident(images)
