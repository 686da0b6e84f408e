"""A kernel too large or slow for one machine: each process holds some of its rows, and products are sums over all."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch

from maetheory.core import InputError
from maetheory.empirical.gaussian import SHARE, GaussianTable, free_room
from maetheory.empirical.led import Led
from maetheory.empirical.ranks import Ranks

T = TypeVar("T")


class SharedTable(Led):
    """The `GaussianTable` of points that all processes have, its rows shared among them.

    Products are asked for by the first process inside `together`, which all call. A product with c columns sends 8 N c
    bytes to everyone and adds up as much on the first process.

    Parameters
    ----------
    points : array, shape (N, q)
        The same for everyone.
    bandwidth : float
        That of the first process counts.
    ranks : Ranks
    device : str or torch.device
        The same kind for everyone; "cuda" gives the processes of a machine its cards in turn.
    room : int, optional
        Bytes this process's share may take; by default the processes of a machine divide half of its free memory.
    options
        As for `GaussianTable`.

    Raises
    ------
    InputError
        On every process, as for `GaussianTable` on any, or if points or kinds of device are not the same.
    """

    def __init__(self, points: Any, bandwidth: float, ranks: Ranks, *, device: str | torch.device = "cpu",
                 room: int | None = None, **options: Any) -> None:  # fmt: skip
        super().__init__(ranks)
        here = ranks.on_this_machine()
        self.device = ranks.agreed(lambda: _card(torch.device(device), here))
        facts = [len(points), zlib.crc32(np.ascontiguousarray(points).data), self.device.type == "cuda"]
        if (ranks.reduced(facts, "min") != ranks.reduced(facts, "max")).any():
            raise InputError("all processes must give a shared kernel the same images, mask and kind of device, "
                             "but they differ")  # fmt: skip
        first = None if ranks.number else np.array([bandwidth])
        self.bandwidth = float(ranks.told(first, (1,))[0])
        own = self._own_room() if room is None else room
        share = (ranks.count - 1 - ranks.number, ranks.count)  # the first one has the solver, so the least tiles
        self.mine = ranks.agreed(
            lambda: GaussianTable(points, self.bandwidth, device=self.device, room=own, share=share, **options)
        )
        self.n = self.mine.n
        self._asking = False

    @property
    def kept(self) -> bool:
        """Whether this process keeps its entries."""
        return self.mine.kept

    @property
    def rounding(self) -> float:
        """Relative error of an entry, as for `GaussianTable`."""
        return self.mine.rounding

    def times(self, x: Any, *, power: int = 1) -> np.ndarray:
        """Return the product with x (N,) or (N, c) of the whole table, on the first process inside `together`.

        Raises
        ------
        InputError
            Outside `together`, or if the power is not a whole number from 1.
        """
        if not self._asking:
            raise InputError("the products of a shared kernel must be asked for inside its table's together(...), "
                             "which every process calls")  # fmt: skip
        if power not in range(1, 2**31):
            raise InputError(f"the power must be a whole number from 1, but it is {power}")
        wide = np.asarray(x, np.float64).reshape(self.n, -1)
        return self.ask(power, wide.shape[1], wide).reshape(np.shape(x))

    def together(self, job: Callable[[], T]) -> T:
        """Do a job on the first process, the others helping with its products; what it returns, everyone gets.

        Raises
        ------
        InputError
            Inside another job: the others are busy with that.
        """
        if self._asking:
            raise InputError("a job with a shared kernel must not start another: take what the job needs of the graph, "
                             "`normalized` or `degrees`, before it")  # fmt: skip
        self._asking = self.ranks.number == 0
        try:
            return self.ranks.by_first(lambda: self.lead(job), self.serve)
        finally:
            self._asking = False

    def multiply(self, what: int, columns: int, given: np.ndarray | None) -> np.ndarray:
        """Send x to everyone and add up the parts, entries to the power `what`, on the first process."""
        told = self.ranks.told(given, (self.n, columns))
        return self.ranks.summed_first(self.mine.times(told, power=what))

    def _own_room(self) -> int:
        """Divide what is free by the processes that take of it, once all have looked and before anyone takes."""
        free, where = free_room(self.device), (socket.gethostname(), _name(self.device))
        return int(SHARE * free) // self.ranks.everyones(where).count(where)


def table_of(
    points: Any, bandwidth: float, *, ranks: Ranks | None = None, **options: Any
) -> GaussianTable | SharedTable:
    """Return the table of one process, or the share of it that this process of several holds."""
    if ranks is None:
        return GaussianTable(points, bandwidth, **options)
    return SharedTable(points, bandwidth, ranks, **options)


def _card(device: torch.device, here: int) -> torch.device:
    """Choose a card for the process of this number on its machine, where none is named."""
    if device.type != "cuda" or device.index is not None:
        return device
    if not torch.cuda.is_available():
        raise InputError("the device is cuda, but torch sees no card on this machine; take cpu")
    return torch.device("cuda", here % torch.cuda.device_count())


def _name(device: torch.device) -> str:
    """Name what memory the device has: that of the machine, or of a card, whatever number a process knows it by."""
    return str(torch.cuda.get_device_properties(device).uuid) if device.type == "cuda" else ""
