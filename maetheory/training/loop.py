"""Train a masked autoencoder; stop anywhere, go on as if nothing had happened."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from maetheory.core import InputError, Progress, make_folder, silent
from maetheory.masks import UniformMasks
from maetheory.models import draw_masks, uniformity
from maetheory.training import store
from maetheory.training.config import TrainConfig
from maetheory.training.feed import Images, feed, n_images, stream
from maetheory.training.logbook import Logbook
from maetheory.training.schedule import learning_rate


@dataclass(frozen=True)
class TrainStep:
    """What a callback sees after each step: the step just done, of how many, the epoch it completes, the bare model."""

    step: int
    total: int
    epoch: float
    model: nn.Module


@dataclass(frozen=True)
class TrainResult:
    """A finished run: the model in eval mode, where it is stored, its last loss, the steps done."""

    model: nn.Module
    out: Path
    checkpoint: Path
    loss: float
    steps: int


Callback = Callable[[TrainStep], "dict[str, float] | None"]


def train(
    config: TrainConfig,
    images: Images,
    *,
    out: str | Path,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    progress: Progress = silent,
    fabric: Fabric | None = None,
    compiled: bool = False,
    tensorboard: bool = False,
) -> TrainResult:
    """Train, or go on training, and leave a checkpoint under `out`.

    Parameters
    ----------
    config : TrainConfig
    images : ImageSet or FolderStream
        An ImageSet is kept on the training device as one tensor; a FolderStream is decoded as it goes, with random
        windows and flips, at the model's image size.
    out : path
        Folder of the run: checkpoints ``step-*``, ``metrics.jsonl``.
    resume : bool
        Go on from the newest checkpoint in `out` (start afresh if there is none).
    callbacks : sequence of callables
        Called with a `TrainStep` after each step; a returned dict is logged.
    progress : Progress
    fabric : Fabric, optional
        Device, precision and processes; by default what Fabric finds, one device. Under torchrun pass
        ``Fabric(strategy="ddp", devices=…, num_nodes=…)``; the result does not depend on the number of processes.
    compiled : bool
        Whether to compile the model first.
    tensorboard : bool
        Whether to log to TensorBoard too.

    Raises
    ------
    InputError
        If `out` holds another run, the images do not fit the model, the batch does not divide among the processes,
        or the loss stops being finite (the last good checkpoint stays).
    KeyboardInterrupt
        After Ctrl-C; a checkpoint has been saved.
    """
    fabric = fabric or Fabric(accelerator="auto", devices=1)
    fabric.launch()
    run = _Run(config, images, Path(out), resume, fabric, compiled, tensorboard)
    return run.go(callbacks, progress)


class _Run:
    """The state of one run while it lasts."""

    def __init__(self, config: TrainConfig, images: Images, out: Path, resume: bool, fabric: Fabric,
                 compiled: bool, tensorboard: bool) -> None:  # fmt: skip
        self.config, self.out, self.fabric = config, out, fabric
        self.batch = _global_batch(config, n_images(images), fabric)
        self.feed = feed(images, config, self.batch, fabric.device, fabric.global_rank, fabric.world_size)
        self.steps_per_epoch = n_images(images) // self.batch
        self.total = config.epochs * self.steps_per_epoch
        self.step = 0
        self.bare = store.build(config)
        saved = _saved(out, resume, config)
        if saved is not None:
            self.bare.load_state_dict(saved.weights)
            self.step = saved.step
        self.law = config.law()
        self.n_visible = self.law.n_visible if isinstance(self.law, UniformMasks) else None
        self.bare.to(fabric.device)
        optimizer = _optimizer(config, self.bare)
        model = cast(nn.Module, torch.compile(self.bare)) if compiled else self.bare
        self.model, self.optimizer = fabric.setup(model, optimizer)
        self.inner: torch.optim.Optimizer = optimizer
        if saved is not None:
            store.restore_optimizer(self.bare, self.inner, saved.optimizer)
        self.book = Logbook(out, step=self.step, tensorboard=tensorboard) if fabric.is_global_zero else None

    def go(self, callbacks: Sequence[Callback], progress: Progress) -> TrainResult:
        """Run the steps that are left."""
        loss, saved_at, began, first = float("nan"), time.monotonic(), time.monotonic(), self.step
        self.model.train()
        with _deferred_interrupt() as asked, closing(self):
            while self.step < self.total:
                record = self._advance()
                loss = record["loss"]
                self._log(record, callbacks)
                rate = (self.step - first) * self.batch / (time.monotonic() - began)
                progress(self.step, self.total, f"loss {loss:.4f}, {rate:,.0f} images/s")
                if time.monotonic() - saved_at >= self.config.save_seconds and self.step < self.total:
                    self._save()
                    saved_at = time.monotonic()
                if asked.is_set() and self.step < self.total:
                    self._save()
                    raise KeyboardInterrupt(f"stopped after step {self.step} of {self.total}; resume to go on")
            checkpoint = self._save()
        return TrainResult(self.bare.eval(), self.out, checkpoint, loss, self.step)

    def close(self) -> None:
        """Close the feed and the log."""
        self.feed.close()
        if self.book is not None:
            self.book.close()

    def _advance(self) -> dict[str, Any]:
        """Take one optimiser step and return what to log."""
        config = self.config
        rate = learning_rate(
            self.step, self.total, round(config.warmup_epochs * self.steps_per_epoch), config.base_lr * self.batch / 256
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        sums = {"loss": 0.0, "reconstruction": 0.0, "uniformity": 0.0}
        micro = list(self._micro_batches())
        for i, (batch, mask) in enumerate(micro):
            with self.fabric.no_backward_sync(self.model, enabled=i + 1 < len(micro)):
                parts = self._losses(batch, mask)
                self.fabric.backward(parts["loss"] / len(micro))
            for name, value in parts.items():
                mean = cast(Tensor, self.fabric.all_reduce(value.detach(), reduce_op="mean"))
                sums[name] += float(mean) / len(micro)
        if not isfinite(sums["loss"]):
            raise self._diverged(f"the loss is {sums['loss']}")
        if config.clip:
            self.fabric.clip_gradients(self.model, self.optimizer, max_norm=config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        return {"step": self.step, "epoch": self.step / self.steps_per_epoch, **sums, "learning_rate": rate}

    def _losses(self, batch: Tensor, mask: Tensor) -> dict[str, Tensor]:
        config = self.config
        out = self.model(batch, mask, self.n_visible)
        parts = {"reconstruction": out.loss, "loss": out.loss}
        if config.uniformity_weight:
            z = out.latent[:, 0] if config.uniformity_readout == "cls" else out.latent[:, 1:].mean(1)
            if self.fabric.world_size > 1:
                z = cast(Tensor, self.fabric.all_gather(z, sync_grads=True)).flatten(0, 1)  # (w, b, d) -> (w b, d)
            parts["uniformity"] = uniformity(
                z, normalize=config.uniformity_normalize, convention=config.uniformity_convention
            )
            parts["loss"] = out.loss + config.uniformity_weight * parts["uniformity"]
        return parts

    def _micro_batches(self) -> list[tuple[Tensor, Tensor]]:
        """Return this process's share of the step's images and masks, drawn for all processes alike."""
        epoch, position = divmod(self.step, self.steps_per_epoch)
        images = self.feed.batch(epoch, position)
        masks = draw_masks(self.law, self.batch, stream(self.config.seed, 2 * self.step + 1, images.device))
        masks = masks[self.fabric.global_rank :: self.fabric.world_size]
        size = len(images) // self.config.accumulate
        return list(zip(images.split(size), masks.split(size), strict=True))

    def _log(self, record: dict[str, Any], callbacks: Sequence[Callback]) -> None:
        seen = TrainStep(self.step, self.total, record["epoch"], self.bare)
        extra: dict[str, float] = {}
        for callback in callbacks:
            extra.update(callback(seen) or {})
        self.model.train()
        due = self.step % self.config.log_every == 0 or self.step == self.total or bool(extra)
        if due and self.book is not None:
            self.book.write(record | extra)

    def _diverged(self, what: str) -> InputError:
        kept = store.checkpoints(self.out)
        good = f"the last good checkpoint is {kept[-1]}" if kept else "there is no checkpoint before it"
        return InputError(f"{what} at step {self.step}, so training stopped; {good}; lower base_lr or set clip")

    def _save(self) -> Path:
        folder = self.out / f"step-{self.step:08d}"
        if not all(torch.isfinite(parameter).all() for parameter in self.bare.parameters()):
            raise self._diverged("a weight is not finite")
        if self.fabric.is_global_zero and not (folder / "state.json").exists():
            store.save(self.out, self.step, self.config, self.bare, self.inner)
        self.fabric.barrier()
        return folder


@contextmanager
def _deferred_interrupt() -> Iterator[threading.Event]:
    """Let the first Ctrl-C wait for the end of the step, so that what is saved is a whole step; the second does not."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: Any) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _global_batch(config: TrainConfig, n: int, fabric: Fabric) -> int:
    batch, shares = min(config.batch, n), fabric.world_size * config.accumulate
    if batch % shares:
        raise InputError(f"the batch of {batch} must divide evenly among {fabric.world_size} processes x "
                         f"{config.accumulate} micro-batches")  # fmt: skip
    return batch


def _saved(out: Path, resume: bool, config: TrainConfig) -> store.Saved | None:
    """Return the checkpoint to go on from, None for a fresh run, or complain."""
    make_folder(out)
    found = store.checkpoints(out)
    if not found:
        return None
    if not resume:
        raise InputError(f"{out} already holds a run; resume it, or choose another folder")
    saved = store.load(found[-1])
    ours, theirs = config.to_dict(), saved.config.to_dict()
    for name in ("log_every", "save_seconds"):
        ours.pop(name), theirs.pop(name)
    if ours != theirs:
        changed = ", ".join(sorted(name for name in ours if ours[name] != theirs.get(name)))
        raise InputError(f"the run in {out} was made with another configuration ({changed} differ); resume it with its "
                         "own, or choose another folder")  # fmt: skip
    return saved


def _optimizer(config: TrainConfig, model: nn.Module) -> torch.optim.Optimizer:
    """AdamW that decays matrices only."""
    decayed: list[nn.Parameter] = []
    kept: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            plain = parameter.ndim <= 1 or name.endswith(("token", "pos_embed"))
            (kept if plain else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": kept, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.peak_lr, betas=(config.beta1, config.beta2), fused=True)
