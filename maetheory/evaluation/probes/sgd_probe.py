"""Linear probe trained by SGD or LARS: batch norm without scale and shift, then a linear map."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maetheory.core import InputError, Progress, generator, no_progress
from maetheory.evaluation.probes.lars import LARS
from maetheory.evaluation.probes.linear_and_knn import ProbeResult, check_probe_data, probe_result
from maetheory.evaluation.probes.linear_head import initial_linear
from maetheory.evaluation.probes.probe_config import ProbeConfig
from maetheory.training import learning_rate

EPS = 1e-6
INIT_STD = 0.01  # of the initial weights, as in MAE's code; LARS does not move weights of length 0


def sgd_probe(
    Z: Any,
    y: Any,
    Z_test: Any,
    y_test: Any,
    config: ProbeConfig | None = None,
    *,
    device: str | torch.device = "cpu",
    progress: Progress = no_progress,
) -> ProbeResult:
    """Train a linear classifier on frozen features by SGD or LARS, and test it.

    The head is a batch norm without scale and shift followed by a linear map (He et al. 2022, appendix A.1); in eval
    mode the two are one linear map of the features. Images are not augmented.

    Parameters
    ----------
    Z, Z_test : array or tensor, shapes (N, d) and (M, d)
    y, y_test : array of int, shapes (N,) and (M,)
    config : ProbeConfig, optional
        By default MAE's, whose learning rate is made for a million images, not for a thousand.
    device : str or torch.device
        Device of the features, in float32, and of the head.
    progress : Progress

    Returns
    -------
    ProbeResult
        The accuracy after the last step; test images are not used to choose a step.

    Raises
    ------
    InputError
        As `linear_probe`, and if the loss becomes infinite or NaN.

    Examples
    --------
    >>> Z, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
    >>> float(sgd_probe(Z, y, Z, y, ProbeConfig("sgd", base_lr=10.0, warmup_epochs=0)).accuracy)
    1.0
    """
    config = config or ProbeConfig()
    features, labels, test, truth = check_probe_data(Z, y, Z_test, y_test)
    names, classes = np.unique(labels, return_inverse=True)
    inputs = torch.from_numpy(features).to(device, torch.float32)
    head = initial_head(inputs.shape[1], len(names), config.seed).to(device)
    train_head(head, inputs, torch.from_numpy(classes).to(device), config, progress=progress)
    with torch.no_grad():
        logits = fold_batch_norm(head)(torch.from_numpy(test).to(device, torch.float32))
    hits = names[logits.argmax(1).cpu().numpy()] == truth
    return probe_result(hits, config.describe(len(labels)))


def initial_head(width: int, classes: int, seed: int) -> nn.Sequential:
    """Return a batch norm without scale and shift, and a linear map with weights N(0, 0.01²) and bias 0."""
    linear = initial_linear(width, classes, INIT_STD, generator(seed, "probe", "weights"))
    # momentum=None averages all batches with equal weight: frozen features do not change during training.
    return nn.Sequential(nn.BatchNorm1d(width, eps=EPS, momentum=None, affine=False), linear)


def train_head(
    head: nn.Sequential, features: Tensor, classes: Tensor, config: ProbeConfig, *, progress: Progress = no_progress
) -> None:
    """Train a head in place on features (N, d) and classes (N,), and switch it to eval mode.

    Raises
    ------
    InputError
        If the loss is not finite after an epoch.
    """
    n, batch = len(features), config.effective_batch_size(len(features))
    per_epoch = n // batch  # the images left over differ from epoch to epoch, since each has its own order
    total, warmup = config.epochs * per_epoch, round(config.warmup_epochs * per_epoch)
    optimizer = _optimizer(head, config)
    head.train()
    for epoch in range(config.epochs):
        order = torch.from_numpy(generator(config.seed, "probe", "order", epoch).permutation(n)).to(features.device)
        for position in range(per_epoch):
            rows = order[position * batch : (position + 1) * batch]
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(epoch * per_epoch + position, total, warmup, config.peak_lr(n))
            loss = F.cross_entropy(head(features[rows]), classes[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if not torch.isfinite(loss):
            raise InputError(f"the probe's loss is {loss.item()} after epoch {epoch + 1}; lower its base_lr")
        progress(epoch + 1, config.epochs, f"probing, loss {loss.item():.4f}")
    head.eval()


@torch.no_grad()
def fold_batch_norm(head: nn.Sequential) -> nn.Linear:
    """Return a batch norm in eval mode and a linear map, combined into one linear map.

    Parameters
    ----------
    head : Sequential of BatchNorm1d without scale and shift, and Linear
    """
    norm, linear = cast(nn.BatchNorm1d, head[0]), cast(nn.Linear, head[1])
    mean, var = (cast(Tensor, value).double() for value in (norm.running_mean, norm.running_var))
    weight = linear.weight.double() / (var + norm.eps).sqrt()  # (k, d) / (d,) -> (k, d)
    folded = nn.Linear(linear.in_features, linear.out_features, device=linear.weight.device)
    folded.weight.copy_(weight)
    folded.bias.copy_(linear.bias.double() - weight @ mean)
    return folded


def _optimizer(head: nn.Sequential, config: ProbeConfig) -> torch.optim.Optimizer:
    linear = cast(nn.Linear, head[1])
    groups = [
        {"params": [linear.weight], "weight_decay": config.weight_decay},
        {"params": [linear.bias], "weight_decay": 0.0},
    ]
    if config.optimizer == "lars":
        return LARS(groups, config.base_lr, momentum=config.momentum, trust_coefficient=config.trust)
    return torch.optim.SGD(groups, config.base_lr, momentum=config.momentum)
