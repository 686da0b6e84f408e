"""Resumable training loop on Lightning Fabric."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from maetheory.core import InputError, Progress, no_progress
from maetheory.data import FolderStream, ImageSet
from maetheory.training import checkpointing, sharding
from maetheory.training.batches import InMemoryBatches, StreamingBatches, batch_source
from maetheory.training.callback import Callback, TrainStep
from maetheory.training.fabric import fabric_precision, make_fabric
from maetheory.training.interrupts import deferred_interrupt
from maetheory.training.logbook import Logbook, last_loss
from maetheory.training.reproducible import reproducible
from maetheory.training.resume import checkpoint_to_resume
from maetheory.training.run_folder import hold_run_folder
from maetheory.training.schedule import learning_rate
from maetheory.training.task import Task, step_generator


@dataclass(frozen=True)
class TrainResult:
    """A finished run.

    Attributes
    ----------
    model : nn.Module
        In eval mode.
    out, checkpoint : Path
        Folder of the run, and of its last checkpoint.
    loss : float
        Loss of the last step.
    steps : int
    skipped : tuple of str
        Undecodable files that were left out.
    """

    model: nn.Module
    out: Path
    checkpoint: Path
    loss: float
    steps: int
    skipped: tuple[str, ...] = ()


def fit(
    task: Task,
    images: ImageSet | FolderStream,
    *,
    out: str | Path,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    progress: Progress = no_progress,
    fabric: Fabric | None = None,
    compiled: bool = False,
    tensorboard: bool = False,
) -> TrainResult:
    """Train a task to its end, or resume it; the other arguments and the errors are those of `train`."""
    fabric = fabric or make_fabric()
    fabric.launch()
    source, out = batch_source(images), Path(out)
    local_batch_size = _local_batch_size(task, source, fabric)
    sharding.uses_fsdp(fabric)  # refuses another sharding than ours before anything is written
    with hold_run_folder(out, fabric):
        run = _TrainingRun(task, source, local_batch_size, out, resume, fabric, compiled, tensorboard)
        return run.train_to_end(callbacks, progress)


class _TrainingRun:
    """State of a training run: model, optimiser, batches and the steps done."""

    def __init__(
        self,
        task: Task,
        source: InMemoryBatches | StreamingBatches,
        local_batch_size: int,
        out: Path,
        resume: bool,
        fabric: Fabric,
        compiled: bool,
        tensorboard: bool,
    ) -> None:
        self.task, self.source, self.out, self.fabric = task, source, out, fabric
        self.config = config = task.config
        self.sharded = sharding.uses_fsdp(fabric)
        self.local_batch_size = local_batch_size
        self.batch = min(config.batch, len(source))
        self.steps_per_epoch = len(source) // self.batch
        self.total = config.epochs * self.steps_per_epoch
        self.step = 0
        self.unwrapped_model = task.build()
        saved = checkpoint_to_resume(
            out, resume, task, len(source), fabric_precision(fabric), self.unwrapped_model, self.total
        )
        self.precision: str | None = fabric_precision(fabric)
        self.threads = torch.get_num_threads() if saved is None or saved.threads is None else saved.threads
        if saved is not None:
            self.unwrapped_model.load_state_dict(
                {name: value.clone() for name, value in saved.weights.items()}, assign=True
            )
            self.step, self.precision = saved.step, saved.precision
        self.batch_iterator = source.batches(self._epoch_indices(), config.seed, fabric.device)
        self.meta_model = sharding.meta_copy(self.unwrapped_model) if self.sharded else None
        model = cast(nn.Module, torch.compile(self.unwrapped_model)) if compiled else self.unwrapped_model
        self.model = fabric.setup_module(model)  # moves it to the device, or only this process's part
        self.unwrapped_optimizer = task.optimizer(self.unwrapped_model)
        self.optimizer = cast(Any, fabric.setup_optimizers(self.unwrapped_optimizer))
        if saved is not None:
            checkpointing.restore_optimizer(self.unwrapped_model, self.unwrapped_optimizer, saved.optimizer)
        self.logbook = Logbook(out, step=self.step, tensorboard=tensorboard) if fabric.is_global_zero else None

    def train_to_end(self, callbacks: Sequence[Callback], progress: Progress) -> TrainResult:
        """Run the remaining steps."""
        loss, saved_at, began, first = last_loss(self.out), time.monotonic(), time.monotonic(), self.step
        self.model.train()
        with deferred_interrupt() as requested, closing(self), reproducible(self.fabric.device, self.threads):
            while self.step < self.total:
                record = self._train_step()
                loss = record["loss"]
                self._log(record, callbacks)
                rate = (self.step - first) * self.batch / (time.monotonic() - began)
                if self.fabric.is_global_zero:
                    try:
                        progress(self.step, self.total, f"loss {loss:.4f}, {rate:,.0f} images/s")
                    except OSError:  # the terminal was closed, which is no reason to lose the run
                        progress = no_progress
                due, stop = self._any_process_sets(
                    time.monotonic() - saved_at >= self.config.save_seconds, requested.is_set()
                )
                if (due or stop) and self.step < self.total:
                    self._save_checkpoint()
                    saved_at = time.monotonic()
                if stop and self.step < self.total:
                    raise self._interruption_error()
            checkpoint = self._save_checkpoint()
            if requested.is_set():  # during the last step: the caller must not continue with what follows this run
                raise self._interruption_error()
        self.source.warn_skipped()
        return TrainResult(self._full_model().eval(), self.out, checkpoint, loss, self.step, self.source.skipped)

    def _interruption_error(self) -> KeyboardInterrupt:
        return KeyboardInterrupt(f"stopped after step {self.step} of {self.total}; resume to go on")

    def close(self) -> None:
        """Close the log and end the decoding processes."""
        self.batch_iterator.close()
        if self.logbook is not None:
            self.logbook.close()

    def _any_process_sets(self, *flags: bool) -> tuple[bool, ...]:
        """Return, for each flag, whether it is set in any process: all must save after the same step."""
        if self.fabric.world_size == 1:
            return flags
        votes = torch.tensor(flags, dtype=torch.float32, device=self.fabric.device)
        return tuple(bool(flag) for flag in cast(Tensor, self.fabric.all_reduce(votes, reduce_op="sum")))

    def _train_step(self) -> dict[str, Any]:
        """Take one optimiser step and return what to log."""
        config = self.config
        rate = learning_rate(
            self.step, self.total, round(config.warmup_epochs * self.steps_per_epoch), config.base_lr * self.batch / 256
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("lr_scale", 1.0)
        sums: dict[str, float] = {}
        micro = self._micro_batches()
        for i, part in enumerate(micro):
            with self.fabric.no_backward_sync(self.model, enabled=i + 1 < len(micro)):
                parts = self.task.losses(self.model, *part, self.fabric)
                self.fabric.backward(parts["loss"] / len(micro))
            values = torch.stack([value.detach() for value in parts.values()])  # one synchronisation with the device
            means = cast(Tensor, self.fabric.all_reduce(values, reduce_op="mean"))
            for name, mean in zip(parts, means.tolist(), strict=True):
                sums[name] = sums.get(name, 0.0) + mean / len(micro)
        if not isfinite(sums["loss"]):
            raise self._divergence_error(f"the loss is {sums['loss']}")
        if config.clip:
            self.fabric.clip_gradients(self.model, self.optimizer, max_norm=config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        return {"step": self.step, "epoch": self.step / self.steps_per_epoch, **sums, "learning_rate": rate}

    def _micro_batches(self) -> list[tuple[Tensor, Tensor, tuple[Tensor, ...]]]:
        """Return images, labels and random draws of this process's micro-batches of the step."""
        draws = self.task.random_draws(self.step, self.batch, self.fabric.device)
        return [
            (*next(self.batch_iterator), tuple(rows[part] for rows in draws)) for part in self._micro_batch_slices()
        ]

    def _epoch_indices(self) -> Iterator[tuple[int, Tensor]]:
        """Yield (epoch, image indices) of this process's micro-batches from the present step to the last."""
        first, order = self.step, torch.empty(0)
        for step in range(first, self.total):
            epoch, position = divmod(step, self.steps_per_epoch)
            if step == first or position == 0:
                order = torch.randperm(len(self.source), generator=step_generator(self.config.seed, 2 * epoch, "cpu"))
            index = order[position * self.batch : (position + 1) * self.batch]
            yield from ((epoch, index[part]) for part in self._micro_batch_slices())

    def _micro_batch_slices(self) -> Iterator[slice]:
        """Yield the slice of the global batch that each micro-batch of this process is."""
        size = self.local_batch_size // self.config.accumulate
        for i in range(self.config.accumulate):
            start = (i * self.fabric.world_size + self.fabric.global_rank) * size
            yield slice(start, start + size)

    def _log(self, record: dict[str, Any], callbacks: Sequence[Callback]) -> None:
        train_step = TrainStep(
            self.step, self.total, record["epoch"], self.unwrapped_model, self._full_model if self.sharded else None
        )
        extra: dict[str, float] = {}
        with self._explain_sharding_errors():
            for callback in callbacks:
                extra.update(callback(train_step) or {})
        self.model.train()
        if self.sharded:
            sharding.reshard(self.unwrapped_model)
        due = self.step % self.config.log_every == 0 or self.step == self.total or bool(extra)
        if due and self.logbook is not None:
            self.logbook.write(record | extra)

    def _full_model(self) -> nn.Module:
        if self.meta_model is None:
            return self.unwrapped_model
        return sharding.gather_full_model(self.meta_model, self.unwrapped_model)

    @contextmanager
    def _explain_sharding_errors(self) -> Iterator[None]:
        """Replace torch's error about sharded weights in a callback by an `InputError`."""
        try:
            yield
        except (RuntimeError, AssertionError) as error:
            if self.sharded and any(word in str(error) for word in ("DTensor", "FSDP")):
                raise InputError(
                    "under fsdp each process holds a part of the model, which a callback cannot call or "
                    "copy; take its full_model() in place of its model"
                ) from error
            raise

    def _divergence_error(self, what: str) -> InputError:
        kept = checkpointing.list_checkpoints(self.out)
        good = f"the last good checkpoint is {kept[-1]}" if kept else "there is no checkpoint before it"
        return InputError(f"{what} at step {self.step}, so training stopped; {good}; lower base_lr or set clip")

    def _save_checkpoint(self) -> Path:
        folder = self.out / f"step-{self.step:08d}"
        finite = all(
            torch.isfinite(sharding.local_part(parameter)).all() for parameter in self.unwrapped_model.parameters()
        )
        if self._any_process_sets(not finite)[0]:
            raise self._divergence_error("a weight is not finite")
        if self.fabric.is_global_zero and not (folder / "state.json").exists():
            checkpointing.save_checkpoint(
                self.out,
                self.step,
                self.task.record(),
                self.unwrapped_model,
                self.unwrapped_optimizer,
                len(self.source),
                self.precision,
                self.threads,
            )
        elif self.sharded:
            checkpointing.gather_for_save(self.unwrapped_model, self.unwrapped_optimizer)
        self.fabric.barrier()
        return folder


def _local_batch_size(task: Task, source: InMemoryBatches | StreamingBatches, fabric: Fabric) -> int:
    """Return the number of images of each process in a step, or refuse a run that cannot be split or resumed."""
    batch, micro = min(task.config.batch, len(source)), task.config.accumulate
    n_passes = fabric.world_size * micro
    if getattr(fabric.strategy.precision, "scaler", None) is not None:
        raise InputError(
            f"precision {fabric_precision(fabric)} scales its loss by a factor that no checkpoint here keeps; "
            "take bf16-mixed or 32-true"
        )
    task.check_images(source.shape, source.name, batch // n_passes, n_passes)
    if batch % n_passes:
        raise InputError(
            f"the batch of {batch} must divide evenly among {fabric.world_size} processes x {micro} micro-batches"
        )
    return batch // fabric.world_size
