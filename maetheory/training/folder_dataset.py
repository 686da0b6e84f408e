"""Decode an image folder in the worker processes of a DataLoader, in the order that training asks for."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from maetheory.core import InputError
from maetheory.data import FolderStream
from maetheory.data.stream import DecodedImage
from maetheory.training.interrupts import STOP_SIGNALS


class FolderBatch(NamedTuple):
    """Images uint8 (b, 3, size, size), labels int64 (b,), and the undecodable files met with their reasons."""

    images: Tensor
    labels: Tensor
    skipped: dict[str, str]


class FolderDataset(Dataset[DecodedImage | InputError]):
    """Map-style dataset of an image folder, indexed by (epoch, position in the listing).

    An image depends on `seed` and its index alone: random crops are drawn from (seed, epoch, position), and so is the
    file that replaces an undecodable one. Batches are therefore the same whichever worker decodes them.

    Parameters
    ----------
    stream : FolderStream
        Its files, `size` and `train` matter.
    seed : int
    """

    def __init__(self, stream: FolderStream, seed: int) -> None:
        self.stream, self.seed = stream, seed

    def __len__(self) -> int:
        return len(self.stream.listing.files)

    def __getitem__(self, index: tuple[int, int]) -> DecodedImage | InputError:
        """Return a decoded image, or the error that too few files can be decoded."""
        epoch, position = index
        try:
            return self.stream.decode_or_substitute(position, epoch, self.seed)
        except InputError as error:  # returned, because a DataLoader puts a worker's traceback into the message
            return error


def folder_batches(
    stream: FolderStream, indices: Iterable[tuple[int, Tensor]], seed: int, device: torch.device
) -> Generator[FolderBatch, None, None]:
    """Yield a batch on `device` for each (epoch, positions in the listing), decoded a few batches ahead.

    One iteration of the DataLoader lasts from the first to the last batch asked for, so that its ``stream.n_workers``
    processes persist; closing the generator ends them.

    Raises
    ------
    InputError
        If hardly any file can be decoded, or a decoding process ends early.
    """
    loader = DataLoader(
        FolderDataset(stream, seed),
        batch_sampler=([(epoch, position) for position in positions.tolist()] for epoch, positions in indices),
        num_workers=stream.n_workers,
        collate_fn=_collate,
        pin_memory=device.type == "cuda",
        worker_init_fn=_ignore_stop_signals,
        generator=torch.Generator(),  # else the loader draws a seed for its workers from the global generator
    )
    for batch in _explain_dead_workers(loader):
        if isinstance(batch, InputError):
            raise batch
        yield FolderBatch(
            batch.images.to(device, non_blocking=True), batch.labels.to(device, non_blocking=True), batch.skipped
        )


def _collate(samples: list[DecodedImage | InputError]) -> FolderBatch | InputError:
    """Stack images, in shared memory where this is a worker."""
    images: list[Tensor] = []
    labels: list[int] = []
    skipped: dict[str, str] = {}
    for sample in samples:
        if isinstance(sample, InputError):
            return sample
        images.append(torch.from_numpy(sample.image))
        labels.append(sample.label)
        skipped |= sample.skipped
    return FolderBatch(default_collate(images), torch.tensor(labels), skipped)


def _explain_dead_workers(loader: DataLoader) -> Iterator[FolderBatch | InputError]:
    try:
        yield from loader
    except (RuntimeError, EOFError, ConnectionError) as error:
        # A worker killed while it hands a batch over ends the connection before the loader notices its death.
        # PyTorch raises an error of the worker's own code anew as "Caught … in DataLoader worker process".
        if str(error).startswith("Caught ") or (
            isinstance(error, RuntimeError) and "DataLoader worker" not in str(error)
        ):
            raise
        raise InputError(
            "the decoding processes ended early: memory and shared memory (/dev/shm) must suffice and, where processes "
            'are not forked, a script must start its work under if __name__ == "__main__":; workers=0 decodes without '
            "them"
        ) from error


def _ignore_stop_signals(worker: int) -> None:
    """Leave stop signals to the process that trains, which finishes its step and then ends its workers."""
    for number in (signal.SIGINT, *STOP_SIGNALS):
        signal.signal(number, signal.SIG_IGN)
