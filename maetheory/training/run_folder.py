"""Hold the folder of a training run for one run at a time, and sweep what a killed one left in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from lightning_fabric import Fabric

from maetheory.core import InputError
from maetheory.core.files import remove_leftover_files
from maetheory.core.folder_lock import lock_folder
from maetheory.training.checkpointing import remove_partial_checkpoints


@contextmanager
def hold_run_folder(out: Path, fabric: Fabric) -> Iterator[None]:
    """Hold and sweep the folder of a run inside a ``with`` block.

    Of several processes of a run, the first one does it; if it cannot, all of them raise its error.

    Raises
    ------
    InputError
        If another run holds the folder, it cannot be created, or its only weights are not a whole checkpoint.
    OSError
        If the folder cannot be written.
    """
    with hold_on_root(lambda: _lock_and_sweep(out), fabric):
        yield


@contextmanager
def hold_on_root(hold: Callable[[], AbstractContextManager[None]], fabric: Fabric) -> Iterator[None]:
    """Hold something in the first process of a run while all of them are inside a ``with`` block.

    Raises
    ------
    InputError, OSError
        What the first process raised because it could not hold it; every process raises it.
    """
    with ExitStack() as held:
        refusal: InputError | OSError | None = None
        if fabric.is_global_zero:
            try:
                held.enter_context(hold())
            except (InputError, OSError) as error:
                refusal = error
        refusal = fabric.broadcast(refusal)
        if refusal is not None:
            raise refusal
        yield


@contextmanager
def _lock_and_sweep(out: Path) -> Iterator[None]:
    with lock_folder(out):
        remove_partial_checkpoints(out)
        remove_leftover_files(out)
        yield
