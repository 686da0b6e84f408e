"""False alarms of `CollapseMonitor` in healthy runs, and its delay after a planted collapse.

    python benchmarks/collapse_alarm.py [--seeds 10] [--steps 1000]

Healthy runs are small MAE, U-MAE and SimMIM on the digits, and a supervised classifier. Collapses are planted after
half of the steps: two views are pulled together without anything that keeps features apart (complete collapse);
features are pulled to their projection on one direction (dimensional collapse); weights decay strongly. The rate of
false alarms is per 1000 steps, with the 95 % upper limit of a Poisson count.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy import stats
from torch import Tensor, nn

from maetheory.data import load_images
from maetheory.masks import UniformMasks
from maetheory.models import MAE, MAEConfig, SimMIM, ViTConfig, sample_masks
from maetheory.training import CollapseMonitor

EVERY, WINDOW, BATCH = 20, 8, 64
CONFIG = MAEConfig(ViTConfig(8, 2, 1, width=24, depth=2, heads=3), 16, 1, 2)
LAW = UniformMasks(16, 4)
HEALTHY = ("MAE", "U-MAE", "SimMIM", "classifier")
COLLAPSING = ("views pulled together", "one direction", "weight decay")


@dataclass(frozen=True)
class Run:
    """Steps of a run, and the step of its first alarm, None without one."""

    steps: int
    first_alarm: int | None


def monitored_run(kind: str, seed: int, steps: int) -> Run:
    """Train a small network of one kind and return when its monitor first raised the alarm."""
    torch.manual_seed(seed)
    digits = load_images("digits")
    pixels, labels = torch.as_tensor(digits.images), torch.as_tensor(digits.labels)
    model: nn.Module = SimMIM(CONFIG) if kind == "SimMIM" else MAE(CONFIG)
    head = nn.Linear(24, 10)
    decay = 30.0 if kind == "weight decay" else 0.05
    optimizer = torch.optim.AdamW([*model.parameters(), *head.parameters()], lr=1e-3, weight_decay=0.05)
    monitor, masks, first = CollapseMonitor(every=EVERY, window=WINDOW), torch.Generator().manual_seed(seed), None
    for step in range(1, steps + 1):
        rows = torch.randint(len(pixels), (BATCH,))
        planted = step > steps // 2
        loss, z = LOSSES.get(kind, masked_loss)(model, head, pixels[rows], labels[rows], masks, planted)
        if kind == "U-MAE":
            loss = loss + 0.01 * (nn.functional.normalize(z) @ nn.functional.normalize(z).T).square().mean()
        for group in optimizer.param_groups:
            group["weight_decay"] = decay if planted else 0.05
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values = monitor.update(z, step)
        if values and values["collapse_alarm"] and first is None:
            first = step
    return Run(steps, first)


def masked_loss(
    model: nn.Module, head: nn.Module, images: Tensor, labels: Tensor, masks: torch.Generator, planted: bool
) -> tuple[Tensor, Tensor]:
    """Return the loss of masked modelling, and the cls features."""
    mask = sample_masks(LAW, len(images), masks)
    output = model(images, mask)
    return output.loss, output.latent[:, 0]


def classifier_loss(
    model: nn.Module, head: nn.Module, images: Tensor, labels: Tensor, masks: torch.Generator, planted: bool
) -> tuple[Tensor, Tensor]:
    """Return the cross entropy of a classifier of the cls features."""
    z = model.encode(images)[:, 0]
    return nn.functional.cross_entropy(head(z), labels), z


def pulled_together_loss(
    model: nn.Module, head: nn.Module, images: Tensor, labels: Tensor, masks: torch.Generator, planted: bool
) -> tuple[Tensor, Tensor]:
    """Return the distance of two views, once it is planted, in place of the loss of masked modelling."""
    if not planted:
        return masked_loss(model, head, images, labels, masks, planted)
    one, two = (model(images, sample_masks(LAW, len(images), masks)).latent[:, 0] for _ in range(2))
    spread = one.var(dim=0).sum()
    return (one - two).square().sum(1).mean() + spread, one


def one_direction_loss(
    model: nn.Module, head: nn.Module, images: Tensor, labels: Tensor, masks: torch.Generator, planted: bool
) -> tuple[Tensor, Tensor]:
    """Return the loss of masked modelling and, once it is planted, the variance beside the leading direction."""
    loss, z = masked_loss(model, head, images, labels, masks, planted)
    if planted:
        centred = z - z.mean(0)
        leading = torch.linalg.svd(centred.detach(), full_matrices=False).Vh[:1]
        loss = loss + (centred - centred @ leading.T @ leading).square().sum(1).mean()
    return loss, z


LOSSES: dict[str, Callable[..., tuple[Tensor, Tensor]]] = {
    "classifier": classifier_loss,
    "views pulled together": pulled_together_loss,
    "one direction": one_direction_loss,
}


def rate_per_1000_steps(alarms: int, steps: int) -> tuple[float, float]:
    """Return the rate of alarms per 1000 steps, and the upper end of its one-sided 95 % interval (Poisson).

    Examples
    --------
    >>> [round(rate, 3) for rate in rate_per_1000_steps(0, 10_000)]
    [0.0, 0.3]
    """
    return 1000 * alarms / steps, 1000 * float(stats.chi2.ppf(0.95, 2 * alarms + 2) / 2) / steps


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=1000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    alarms = total = 0
    for kind in HEALTHY:
        runs = [monitored_run(kind, seed, arguments.steps) for seed in range(arguments.seeds)]
        found = sum(run.first_alarm is not None for run in runs)
        alarms, total = alarms + found, total + sum(run.first_alarm or run.steps for run in runs)
        print(f"healthy    {kind:<22} {found} false alarms in {len(runs)} runs", flush=True)
    rate, limit = rate_per_1000_steps(alarms, total)
    print(f"false alarms per 1000 steps: {rate:.3f}, below {limit:.3f} with 95 % confidence ({total} steps)")
    for kind in COLLAPSING:
        runs = [monitored_run(kind, seed, arguments.steps) for seed in range(arguments.seeds)]
        delays = sorted(run.first_alarm - run.steps // 2 for run in runs if run.first_alarm is not None)
        median = delays[len(delays) // 2] if delays else "-"
        print(
            f"collapsing {kind:<22} {len(delays)} alarms in {len(runs)} runs, median delay {median} steps", flush=True
        )


if __name__ == "__main__":
    main()
