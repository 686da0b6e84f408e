"""Processes that hold shares of one graph speak to one another over torch.distributed, in NumPy arrays."""

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
    """The processes of a group, as one of them sees it; every method must be called by all, in the same order.

    Arrays are of int64 or float64, which gloo and NCCL carry alike; words of 64 bits travel as int64.

    Attributes
    ----------
    number, count : int
        This process, from 0, and how many there are.
    device : torch.device
        Where the group's messages lie: the graphics card with NCCL, else the processor.
    group : ProcessGroup or None
        None is the group of all processes.
    """

    number: int
    count: int
    device: torch.device
    group: Any = None

    @classmethod
    def of(cls, group: Any = None) -> ProcessGroup:
        """Return the processes of a group; of all by default.

        Raises
        ------
        InputError
            If no process group was made.
        """
        if not (dist.is_available() and dist.is_initialized()):
            raise InputError(
                "a graph shared among processes needs a process group: start the program with torchrun "
                "--nproc_per_node=2, or launch a Lightning Fabric first"
            )
        on_card = dist.get_backend(group) == "nccl"
        device = torch.device("cuda", torch.cuda.current_device()) if on_card else torch.device("cpu")
        return cls(dist.get_rank(group), dist.get_world_size(group), device, group)

    def all_reduce(self, array: Any, operation: str = "sum") -> np.ndarray:
        """Return the sum, minimum or maximum over all processes of an array of one shape, the same for everyone."""
        message = self._to_tensor(array)
        dist.all_reduce(message, REDUCE_OPS[operation], group=self.group)
        return _to_array(message)

    def reduce(self, array: np.ndarray) -> np.ndarray:
        """Return the sum over all processes on the first one; what the others get is of no use."""
        message = self._to_tensor(array)
        dist.reduce(message, self._root, group=self.group)
        return _to_array(message)

    def told(self, array: np.ndarray | None, shape: tuple[int, ...], dtype: type = np.float64) -> np.ndarray:
        """Return the first one's array on every process; the others hand over None."""
        message = self._to_tensor(np.empty(shape, dtype) if array is None else np.asarray(array, dtype).reshape(shape))
        dist.broadcast(message, self._root, group=self.group)
        return _to_array(message)

    def run_everywhere(self, job: Callable[[], T]) -> T:
        """Do a job everywhere; where one process fails all raise, so that nobody is left waiting.

        Raises
        ------
        InputError
            With the sentence of the first process that had one to say.
        RuntimeError
            Where another process met any other error, which it raises itself.
        """
        found: Any = None
        failure: Exception | None = None
        try:
            found = job()
        except Exception as error:
            failure = error
        foreseen = isinstance(failure, InputError)
        sentence = str(failure) if foreseen else f"another process stopped with {type(failure).__name__}: {failure}"
        each = self.all_gather_object(None if failure is None else (foreseen, sentence))
        if failure is not None and not foreseen:
            raise failure
        for kind, said in filter(None, each):
            raise InputError(said) if kind else RuntimeError(said)
        return found

    def run_on_root(self, job: Callable[[], T], others: Callable[[], object] = lambda: None) -> T:
        """Do a job on the first process, while the others do theirs, and return its result everywhere."""
        box = [self.run_everywhere(job if self.number == 0 else others)]
        dist.broadcast_object_list(box, self._root, group=self.group, device=self.device)
        return box[0]  # type: ignore[return-value]

    def all_gather_object(self, mine: T) -> list[T]:
        """Return the small objects of all processes, in their order."""
        each: list[Any] = [None] * self.count
        dist.all_gather_object(each, mine, group=self.group)
        return each

    def local_rank(self) -> int:
        """Return which of the processes on this machine this one is, from 0."""
        names = self.all_gather_object(socket.gethostname())
        return names[: self.number].count(names[self.number])

    def counts(self, number: int) -> np.ndarray:
        """Return everyone's number, shape (count,)."""
        mine = np.zeros(self.count, np.int64)
        mine[self.number] = number
        return self.all_reduce(mine)

    def all_to_all(self, parts: Sequence[np.ndarray], lengths: Sequence[int] | None = None) -> list[np.ndarray]:
        """Send one part to each process and return the parts that they sent here, in their order.

        Parameters
        ----------
        parts : sequence of arrays
            One per process; they differ in length only.
        lengths : sequence of int, optional
            Of the parts that come, where they are known already.
        """
        given = [len(part) for part in parts]
        if lengths is None:
            lengths = self._all_to_all_rows(np.array(given, np.int64), [1] * self.count, [1] * self.count).tolist()
        together = self._all_to_all_rows(np.concatenate(parts), given, lengths)
        return np.split(together, np.cumsum(lengths)[:-1])

    def gather(self, mine: np.ndarray, lengths: Sequence[int]) -> np.ndarray:
        """Return everyone's rows one below the other on the first process, and none on the others."""
        come = lengths if self.number == 0 else [0] * self.count
        return np.concatenate(self.all_to_all([mine] + [mine[:0]] * (self.count - 1), come))

    def scatter(self, rows: np.ndarray | None, lengths: Sequence[int], width: tuple[int, ...] = ()) -> np.ndarray:
        """Return this process's rows of what the first one holds; the others hand over None."""
        nothing = np.empty((0, *width))
        parts = [nothing] * self.count if rows is None else np.split(rows, np.cumsum(lengths)[:-1])
        return self.all_to_all(parts, [lengths[self.number]] + [0] * (self.count - 1))[0]

    @property
    def _root(self) -> int:
        return 0 if self.group is None else dist.get_global_rank(self.group, 0)

    def _all_to_all_rows(self, array: np.ndarray, given: Sequence[int], lengths: Sequence[int]) -> np.ndarray:
        message = self._to_tensor(array)
        come = message.new_empty((sum(lengths), *message.shape[1:]))
        dist.all_to_all_single(come, message, list(lengths), list(given), group=self.group)
        return _to_array(come)

    def _to_tensor(self, array: Any) -> Tensor:
        return torch.from_numpy(np.array(array, order="C")).to(self.device)


def _to_array(message: Tensor) -> np.ndarray:
    return np.asarray(message.cpu().numpy())


def run_everywhere(process_group: ProcessGroup | None, job: Callable[[], T]) -> T:
    """Do a job, by `ProcessGroup.run_everywhere` where there are several processes."""
    return job() if process_group is None else process_group.run_everywhere(job)
