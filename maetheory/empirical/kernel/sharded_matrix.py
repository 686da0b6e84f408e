"""Gaussian kernel matrix whose tiles are distributed over a process group."""

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
    """`GaussianKernelMatrix` of points known to all processes, its row tiles distributed over them.

    The root requests products inside `run_on_root`, which all processes call. A product with c columns broadcasts 8 N c
    bytes and reduces as many to the root.

    Parameters
    ----------
    points : array, shape (N, q)
        The same on every process.
    bandwidth : float
        The root's value is used.
    process_group : ProcessGroup
    device : str or torch.device
        The same kind on every process; "cuda" assigns the GPUs of a machine to its processes in turn.
    memory_budget : int, optional
        Bytes this process's shard may take; by default the processes of a machine divide half of its free memory.
    options
        As for `GaussianKernelMatrix`.

    Raises
    ------
    InputError
        On every process, as for `GaussianKernelMatrix` on any, or if points or kinds of device differ.
    """

    def __init__(
        self,
        points: Any,
        bandwidth: float,
        process_group: ProcessGroup,
        *,
        device: str | torch.device = "cpu",
        memory_budget: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(process_group)
        local_rank = process_group.local_rank()
        self.device = process_group.run_everywhere(lambda: _select_device(torch.device(device), local_rank))
        self._check_same_input(points)
        root_bandwidth = None if process_group.rank else np.array([bandwidth])
        self.bandwidth = float(process_group.broadcast(root_bandwidth, (1,))[0])
        budget = self._default_memory_budget() if memory_budget is None else memory_budget
        # in reverse order of rank: the root also runs the solver, so it gets the fewest tiles
        shard = (process_group.world_size - 1 - process_group.rank, process_group.world_size)
        self.local = process_group.run_everywhere(
            lambda: GaussianKernelMatrix(
                points, self.bandwidth, device=self.device, memory_budget=budget, shard=shard, **options
            )
        )
        self.n = self.local.n
        self._running_on_root = False

    @property
    def is_cached(self) -> bool:
        """Whether this process caches its entries."""
        return self.local.is_cached

    @property
    def rounding_error(self) -> float:
        """Relative error of an entry, as for `GaussianKernelMatrix`."""
        return self.local.rounding_error

    def matmul(self, x: Any, *, power: int = 1) -> np.ndarray:
        """Return the product of the whole matrix with x (N,) or (N, c), on the root inside `run_on_root`.

        Raises
        ------
        InputError
            Outside `run_on_root`, or if the power is not a whole number from 1.
        """
        if not self._running_on_root:
            raise InputError(
                "the products of a shared kernel must be requested inside kernel_matrix.run_on_root(...), "
                "which every process calls"
            )
        if power not in range(1, 2**31):
            raise InputError(f"the power must be a whole number from 1, but it is {power}")
        wide = np.asarray(x, np.float64).reshape(self.n, -1)
        return self.request(power, wide.shape[1], wide).reshape(np.shape(x))

    def run_on_root(self, job: Callable[[], T]) -> T:
        """Run a job on the root while the other processes compute its products; return its result everywhere.

        Raises
        ------
        InputError
            Inside another job: the other processes serve that one.
        """
        if self._running_on_root:
            raise InputError(
                "a job with a shared kernel must not start another: take what the job needs of the graph, "
                "`normalized` or `degrees`, before it"
            )
        self._running_on_root = self.process_group.rank == 0
        try:
            return self.process_group.run_on_root(lambda: self.run_root(job), self.run_worker)
        finally:
            self._running_on_root = False

    def multiply(self, operation: int, columns: int, operand: np.ndarray | None) -> np.ndarray:
        """Broadcast x and reduce the products of all shards, entries raised to the power `operation`, to the root."""
        x = self.process_group.broadcast(operand, (self.n, columns))
        return self.process_group.reduce(self.local.matmul(x, power=operation))

    def _check_same_input(self, points: Any) -> None:
        facts = [len(points), zlib.crc32(np.ascontiguousarray(points).data), self.device.type == "cuda"]
        if (self.process_group.all_reduce(facts, "min") != self.process_group.all_reduce(facts, "max")).any():
            raise InputError(
                "all processes must give a shared kernel the same images, mask and kind of device, but they differ"
            )

    def _default_memory_budget(self) -> int:
        """Divide the free memory by the number of processes that use it, measured before any of them allocates."""
        free, memory = available_device_memory(self.device), (socket.gethostname(), _device_uuid(self.device))
        return int(MEMORY_FRACTION * free) // self.process_group.all_gather_object(memory).count(memory)


def make_kernel_matrix(
    points: Any, bandwidth: float, *, process_group: ProcessGroup | None = None, **options: Any
) -> GaussianKernelMatrix | ShardedKernelMatrix:
    """Return the kernel matrix of one process, or the one that a process group shares."""
    if process_group is None:
        return GaussianKernelMatrix(points, bandwidth, **options)
    return ShardedKernelMatrix(points, bandwidth, process_group, **options)


def _select_device(device: torch.device, local_rank: int) -> torch.device:
    """Assign a GPU by local rank where "cuda" comes without an index."""
    if device.type != "cuda" or device.index is not None:
        return device
    if not torch.cuda.is_available():
        raise InputError("the device is cuda, but torch sees no card on this machine; take cpu")
    return torch.device("cuda", local_rank % torch.cuda.device_count())


def _device_uuid(device: torch.device) -> str:
    """Return an identifier of the device's memory: empty for the host, else the GPU's UUID, whatever its index."""
    return str(torch.cuda.get_device_properties(device).uuid) if device.type == "cuda" else ""
