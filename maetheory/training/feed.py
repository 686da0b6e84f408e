"""Where a step's images come from: memory, or a folder decoded as it goes; either way a function of (seed, step)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol, final

import numpy as np
import torch
from torch import Tensor

from maetheory.core import InputError
from maetheory.data import FolderStream, ImageSet
from maetheory.training.config import TrainConfig

Images = ImageSet | FolderStream


class Feed(Protocol):
    """Gives each process its share of the global batch: every world-th place from the rank-th on."""

    def batch(self, epoch: int, position: int) -> Tensor:
        """Return this process's images (b, C, H, W) of batch `position` of `epoch`, on the training device."""

    def close(self) -> None:
        """Let go of decoding processes."""


def n_images(images: Images) -> int:
    """Images in an epoch."""
    return len(images) if isinstance(images, ImageSet) else len(images.listing.files)


def feed(images: Images, config: TrainConfig, batch: int, device: torch.device, rank: int = 0, world: int = 1) -> Feed:
    """Make the feed of a training run.

    Parameters
    ----------
    images : ImageSet or FolderStream
        An ImageSet stays on the device as one tensor; a FolderStream is decoded in worker processes, its batch, size,
        seed and shard being those of the run.
    config : TrainConfig
    batch : int
        The global batch.
    device : torch.device
    rank, world : int
        This process, and how many there are.

    Raises
    ------
    InputError
        If the images do not fit the model.
    """
    vit = config.model.encoder
    if isinstance(images, FolderStream):
        if vit.channels != 3:
            raise InputError(f"a folder gives colour images, but the model takes {vit.channels} channels")
        stream = replace(images, batch=batch // world, size=vit.image_size, train=True, seed=config.seed,
                         shard=(rank, world))  # fmt: skip
        return Streamed(stream, n_images(images) // batch, device)
    expected = (vit.channels, vit.image_size, vit.image_size)
    if images.images.shape[1:] != expected:
        raise InputError(f"the model takes images of shape {expected}, but those of {images.name} have shape "
                         f"{images.images.shape[1:]}")  # fmt: skip
    return Resident(torch.from_numpy(images.images).to(device), config.seed, batch, rank, world)


@final
class Resident:
    """Images that stay on the training device as one tensor, shuffled anew each epoch."""

    def __init__(self, images: Tensor, seed: int, batch: int, rank: int, world: int) -> None:
        self.images, self.seed, self.size, self.rank, self.world = images, seed, batch, rank, world

    def batch(self, epoch: int, position: int) -> Tensor:
        """As in `Feed`."""
        order = torch.randperm(len(self.images), generator=stream(self.seed, 2 * epoch, "cpu"))
        index = order[position * self.size : (position + 1) * self.size][self.rank :: self.world]
        return self.images[index.to(self.images.device)]

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""


@final
class Streamed:
    """Images of a folder, decoded ahead of the step that needs them.

    An undecodable file's place is taken by another image of its batch, so that batches stay equally large in every
    process; such files are named at the end of the epoch.
    """

    def __init__(self, source: FolderStream, n_batches: int, device: torch.device) -> None:
        self.source, self.n_batches, self.device = source, n_batches, device
        self.next = (-1, -1)
        self.ahead: Iterator[tuple[np.ndarray, np.ndarray]] = iter(())

    def batch(self, epoch: int, position: int) -> Tensor:
        """As in `Feed`; in order it costs a batch, out of order it starts decoding afresh."""
        if self.next != (epoch, position):
            self.close()
            self.ahead = self.source.epoch(epoch, position, self.n_batches)
        images, _ = next(self.ahead)
        self.next = (epoch, position + 1)
        if position + 1 == self.n_batches:
            next(self.ahead, None)  # ends the epoch, which names the files that could not be decoded
        if not len(images):
            raise InputError(f"no file of batch {position} of epoch {epoch} can be decoded in {self.source.root}")
        whole = images[np.resize(np.arange(len(images)), self.source.batch)]
        return torch.from_numpy(whole).to(self.device, non_blocking=True)

    def close(self) -> None:
        """As in `Feed`."""
        end = getattr(self.ahead, "close", None)
        if end is not None:
            end()
        self.next = (-1, -1)


def stream(seed: int, number: int, device: torch.device | str) -> torch.Generator:
    """Return the generator of one numbered stream below a seed."""
    mixed = (seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**63
    return torch.Generator(device).manual_seed(mixed)
