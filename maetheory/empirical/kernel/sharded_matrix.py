"""A kernel too large or slow for one machine: each process holds some of its rows, and products are sums over all."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch

from maetheory.core import InputError
from maetheory.empirical.kernel.gaussian_matrix import MEMORY_FRACTION, GaussianKernelMatrix, available_device_memory
from maetheory.empirical.parallel.process_group import ProcessGroup
from maetheory.empirical.parallel.root_driven import RootDriven

T = TypeVar("T")


class ShardedKernelMatrix(RootDriven):
    """The `GaussianKernelMatrix` of points that all processes have, its rows shared among them.

    Products are asked for by the first process inside `together`, which all call. A product with c columns sends 8 N c
    bytes to everyone and adds up as much on the first process.

    Parameters
    ----------
    points : array, shape (N, q)
        The same for everyone.
    bandwidth : float
        That of the first process counts.
    process_group : Ranks
    device : str or torch.device
        The same kind for everyone; "cuda" gives the processes of a machine its cards in turn.
    room : int, optional
        Bytes this process's share may take; by default the processes of a machine divide half of its free memory.
    options
        As for `GaussianKernelMatrix`.

    Raises
    ------
    InputError
        On every process, as for `GaussianKernelMatrix` on any, or if points or kinds of device are not the same.
    """

    def __init__(
        self,
        points: Any,
        bandwidth: float,
        process_group: ProcessGroup,
        *,
        device: str | torch.device = "cpu",
        room: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(process_group)
        here = process_group.local_rank()
        self.device = process_group.run_everywhere(lambda: _select_device(torch.device(device), here))
        facts = [len(points), zlib.crc32(np.ascontiguousarray(points).data), self.device.type == "cuda"]
        if (process_group.all_reduce(facts, "min") != process_group.all_reduce(facts, "max")).any():
            raise InputError(
                "all processes must give a shared kernel the same images, mask and kind of device, but they differ"
            )
        first = None if process_group.number else np.array([bandwidth])
        self.bandwidth = float(process_group.told(first, (1,))[0])
        own = self._default_memory_budget() if room is None else room
        share = (
            process_group.count - 1 - process_group.number,
            process_group.count,
        )  # the first one has the solver, so the least tiles
        self.mine = process_group.run_everywhere(
            lambda: GaussianKernelMatrix(points, self.bandwidth, device=self.device, room=own, share=share, **options)
        )
        self.n = self.mine.n
        self._running_on_root = False

    @property
    def kept(self) -> bool:
        """Whether this process keeps its entries."""
        return self.mine.kept

    @property
    def rounding(self) -> float:
        """Relative error of an entry, as for `GaussianKernelMatrix`."""
        return self.mine.rounding

    def times(self, x: Any, *, power: int = 1) -> np.ndarray:
        """Return the product with x (N,) or (N, c) of the whole table, on the first process inside `together`.

        Raises
        ------
        InputError
            Outside `together`, or if the power is not a whole number from 1.
        """
        if not self._running_on_root:
            raise InputError(
                "the products of a shared kernel must be asked for inside its table's together(...), "
                "which every process calls"
            )
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
        if self._running_on_root:
            raise InputError(
                "a job with a shared kernel must not start another: take what the job needs of the graph, "
                "`normalized` or `degrees`, before it"
            )
        self._running_on_root = self.process_group.number == 0
        try:
            return self.process_group.run_on_root(lambda: self.run_root(job), self.run_worker)
        finally:
            self._running_on_root = False

    def multiply(self, what: int, columns: int, given: np.ndarray | None) -> np.ndarray:
        """Send x to everyone and add up the parts, entries to the power `what`, on the first process."""
        told = self.process_group.told(given, (self.n, columns))
        return self.process_group.reduce(self.mine.times(told, power=what))

    def _default_memory_budget(self) -> int:
        """Divide what is free by the processes that take of it, once all have looked and before anyone takes."""
        free, where = available_device_memory(self.device), (socket.gethostname(), _device_uuid(self.device))
        return int(MEMORY_FRACTION * free) // self.process_group.all_gather_object(where).count(where)


def make_kernel_matrix(
    points: Any, bandwidth: float, *, process_group: ProcessGroup | None = None, **options: Any
) -> GaussianKernelMatrix | ShardedKernelMatrix:
    """Return the table of one process, or the share of it that this process of several holds."""
    if process_group is None:
        return GaussianKernelMatrix(points, bandwidth, **options)
    return ShardedKernelMatrix(points, bandwidth, process_group, **options)


def _select_device(device: torch.device, here: int) -> torch.device:
    """Choose a card for the process of this number on its machine, where none is named."""
    if device.type != "cuda" or device.index is not None:
        return device
    if not torch.cuda.is_available():
        raise InputError("the device is cuda, but torch sees no card on this machine; take cpu")
    return torch.device("cuda", here % torch.cuda.device_count())


def _device_uuid(device: torch.device) -> str:
    """Name what memory the device has: that of the machine, or of a card, whatever number a process knows it by."""
    return str(torch.cuda.get_device_properties(device).uuid) if device.type == "cuda" else ""
