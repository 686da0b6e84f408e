"""Collectives of a torch.distributed process group on NumPy arrays."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, final

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from maetheory.core import InputError

T = TypeVar("T")
REDUCE_OPS = {"sum": dist.ReduceOp.SUM, "min": dist.ReduceOp.MIN, "max": dist.ReduceOp.MAX}


@final
@dataclass(frozen=True, eq=False)
class ProcessGroup:
    """A torch.distributed process group with collectives on NumPy arrays.

    Every process of the group must call every method, in the same order. Arrays are int64 or float64, which gloo and
    NCCL both transfer; 64-bit words are sent as int64. The root is the process of rank 0.

    Attributes
    ----------
    rank, world_size : int
        Index of this process, from 0, and number of processes.
    device : torch.device
        Device of the messages: the GPU with NCCL, else the CPU.
    handle : torch.distributed.ProcessGroup or None
        None is the default group of all processes.
    """

    rank: int
    world_size: int
    device: torch.device
    handle: Any = None

    @classmethod
    def from_torch(cls, group: Any = None) -> ProcessGroup:
        """Wrap a torch.distributed process group, by default that of all processes.

        Raises
        ------
        InputError
            If no process group was initialised.
        """
        if not (dist.is_available() and dist.is_initialized()):
            raise InputError(
                "a graph shared among processes needs a process group: start the program with torchrun "
                "--nproc_per_node=2, or launch a Lightning Fabric first"
            )
        on_gpu = dist.get_backend(group) == "nccl"
        device = torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")
        return cls(dist.get_rank(group), dist.get_world_size(group), device, group)

    def all_reduce(self, array: Any, operation: str = "sum") -> np.ndarray:
        """Return the element-wise sum, minimum or maximum of the arrays of all processes, identical everywhere."""
        message = self._to_tensor(array)
        dist.all_reduce(message, REDUCE_OPS[operation], group=self.handle)
        return _to_array(message)

    def reduce(self, array: np.ndarray) -> np.ndarray:
        """Return the sum of the arrays of all processes on the root; the result on other ranks is undefined."""
        message = self._to_tensor(array)
        dist.reduce(message, self._root, group=self.handle)
        return _to_array(message)

    def broadcast(self, array: np.ndarray | None, shape: tuple[int, ...], dtype: type = np.float64) -> np.ndarray:
        """Return the root's array on every process; the other processes pass None."""
        message = self._to_tensor(np.empty(shape, dtype) if array is None else np.asarray(array, dtype).reshape(shape))
        dist.broadcast(message, self._root, group=self.handle)
        return _to_array(message)

    def run_everywhere(self, job: Callable[[], T]) -> T:
        """Run a job on every process and raise on all if it fails on one, so that none waits for ever.

        Raises
        ------
        InputError
            With the message of the lowest rank that raised one.
        RuntimeError
            If another process raised any other error; that process raises the error itself.
        """
        result: Any = None
        failure: Exception | None = None
        try:
            result = job()
        except Exception as error:
            failure = error
        foreseen = isinstance(failure, InputError)
        message = str(failure) if foreseen else f"another process stopped with {type(failure).__name__}: {failure}"
        failures = self.all_gather_object(None if failure is None else (foreseen, message))
        if failure is not None and not foreseen:
            raise failure
        for is_input_error, text in filter(None, failures):
            raise InputError(text) if is_input_error else RuntimeError(text)
        return result

    def run_on_root(self, job: Callable[[], T], elsewhere: Callable[[], object] = lambda: None) -> T:
        """Run a job on the root, and another on the other processes, and return the root's result everywhere."""
        box: list[Any] = [self.run_everywhere(job if self.rank == 0 else elsewhere)]
        dist.broadcast_object_list(box, self._root, group=self.handle, device=self.device)
        result: T = box[0]
        return result

    def all_gather_object(self, local: T) -> list[T]:
        """Return the small Python objects of all processes, in order of rank."""
        gathered: list[Any] = [None] * self.world_size
        dist.all_gather_object(gathered, local, group=self.handle)
        return gathered

    def local_rank(self) -> int:
        """Return the index of this process among those of its machine, from 0."""
        hosts = self.all_gather_object(socket.gethostname())
        return hosts[: self.rank].count(hosts[self.rank])

    def all_gather_int(self, value: int) -> np.ndarray:
        """Return one integer of each process, shape (world_size,)."""
        values = np.zeros(self.world_size, np.int64)
        values[self.rank] = value
        return self.all_reduce(values)

    def all_to_all(self, parts: Sequence[np.ndarray], lengths: Sequence[int] | None = None) -> list[np.ndarray]:
        """Send one part to each process and return the parts received from them, in order of rank.

        Parameters
        ----------
        parts : sequence of arrays
            One per process; they differ in length only.
        lengths : sequence of int, optional
            Lengths of the received parts, where they are known already.
        """
        sent = [len(part) for part in parts]
        if lengths is None:
            ones = [1] * self.world_size
            lengths = self._all_to_all_rows(np.array(sent, np.int64), ones, ones).tolist()
        received = self._all_to_all_rows(np.concatenate(parts), sent, lengths)
        return np.split(received, np.cumsum(lengths)[:-1])

    def gather(self, local: np.ndarray, lengths: Sequence[int]) -> np.ndarray:
        """Return the concatenated rows of all processes on the root, and no rows on the others."""
        received = lengths if self.rank == 0 else [0] * self.world_size
        return np.concatenate(self.all_to_all([local] + [local[:0]] * (self.world_size - 1), received))

    def scatter(self, rows: np.ndarray | None, lengths: Sequence[int], width: tuple[int, ...] = ()) -> np.ndarray:
        """Return this process's rows of an array of the root; the other processes pass None."""
        empty = np.empty((0, *width))
        parts = [empty] * self.world_size if rows is None else np.split(rows, np.cumsum(lengths)[:-1])
        return self.all_to_all(parts, [lengths[self.rank]] + [0] * (self.world_size - 1))[0]

    @property
    def _root(self) -> int:
        """Global rank of the root."""
        return 0 if self.handle is None else dist.get_global_rank(self.handle, 0)

    def _all_to_all_rows(self, array: np.ndarray, sent: Sequence[int], lengths: Sequence[int]) -> np.ndarray:
        message = self._to_tensor(array)
        received = message.new_empty((sum(lengths), *message.shape[1:]))
        dist.all_to_all_single(received, message, list(lengths), list(sent), group=self.handle)
        return _to_array(received)

    def _to_tensor(self, array: Any) -> Tensor:
        return torch.from_numpy(np.array(array, order="C")).to(self.device)


def _to_array(message: Tensor) -> np.ndarray:
    return np.asarray(message.cpu().numpy())


def run_everywhere(process_group: ProcessGroup | None, job: Callable[[], T]) -> T:
    """Run a job, with `ProcessGroup.run_everywhere` where there is a process group."""
    return job() if process_group is None else process_group.run_everywhere(job)
