"""Averages of kernel-graph quantities over masks drawn from a law, with standard errors over masks.

Given a mask, the graph of N images is computed exactly; only the mask is sampled. The error of a mean is therefore two
standard errors over independent masks, and refers to the mean over the law **for these N images**. The variation
between images is not included and cannot be estimated by splitting them: a graph of half the images has twice the
fraction of self pairs and other eigenvalues. To estimate it, repeat with other images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from numbers import Integral
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from maetheory.core import Estimate, InputError, Progress, generator, no_progress
from maetheory.data import ImageSet
from maetheory.empirical.kernel.build_graph import kernel_graph
from maetheory.empirical.kernel.graph import KernelGraph
from maetheory.empirical.kernel.graph_summary import KernelGraphQuantities, KernelGraphSummary, summarise_kernel_graph
from maetheory.empirical.kernel.masked_images import check_image_labels
from maetheory.empirical.kernel.nearest_neighbour_graph import NeighbourGraph, neighbour_graph
from maetheory.empirical.parallel.process_group import ProcessGroup, run_everywhere
from maetheory.masks import PredictionLaw, patchify


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class KernelAverage(KernelGraphQuantities):
    """Means over independent masks of the quantities of kernel graphs, for given images.

    Every Estimate is sampled; its error is two standard errors over masks plus the rounding error of the graphs' own
    numbers. Errors over images are not included. With positions kept, the graph of all masks is the disjoint union of
    these graphs: its φ, α, α₂ and self-pair fraction are the means given here, but its spectrum is the union of
    theirs, not the mean, and its bound is not the mean of theirs; a bound is infinite if it is under some mask.

    Attributes
    ----------
    k, n_images : int
    masks, target_masks : ndarray of bool, shape (m, p)
        The drawn masks of views and of targets; True = part of it.
    per_mask : tuple of KernelGraphSummary
        The quantities under each mask, with its bandwidth and whether its certificate is complete.
    """

    k: int
    n_images: int
    masks: np.ndarray
    target_masks: np.ndarray
    per_mask: tuple[KernelGraphSummary, ...]


def average_over_masks(
    images: ImageSet | np.ndarray,
    law: PredictionLaw,
    *,
    masks: int,
    k: int,
    patch: int,
    labels: np.ndarray | None = None,
    bandwidth: float | None = None,
    factor: float = 0.25,
    neighbours: int | None = None,
    device: str | torch.device = "cpu",
    memory_budget: int | None = None,
    scratch_dir: str | Path | None = None,
    seed: int = 0,
    process_group: ProcessGroup | None = None,
    progress: Progress = no_progress,
) -> KernelAverage:
    """Average the quantities of kernel graphs over masks drawn from a law, one graph in memory at a time.

    Parameters
    ----------
    images, patch, factor, device, memory_budget, scratch_dir
        As for `kernel_graph`.
    law : PredictionLaw
        Over the patches of an image, which it shows as they are: masks, prefixes, blocks.
    masks : int
        Number of masks drawn independently; at least 2.
    k : int
        Number of spectral features, from 1 to N − 1.
    labels : ndarray of int, shape (N,), optional
        An ImageSet brings its own; at least two classes.
    bandwidth : float, optional
        Of the Gaussian, in pixel units, the same for all masks; by default `factor` times the median distance of two
        targets under each mask.
    neighbours : int, optional
        Truncate the kernel to so many nearest targets, itself included: `neighbour_graph`, which uses neither
        `memory_budget` nor `scratch_dir`. All targets by default.
    seed : int
        Draws the masks; under each mask, starts the solver and draws the probes.
    process_group : ProcessGroup, optional
        Processes that all call this with the same arguments and share every kernel matrix; all get the result.
    progress : Progress
        Called after each mask.

    Returns
    -------
    KernelAverage

    Raises
    ------
    InputError
        If there are fewer than two masks, k is out of range, law and images do not fit together, there are no labels,
        or labels of one class only, the law does not show patches as they are, or both `neighbours` and
        `process_group` are given.

    Examples
    --------
    >>> from maetheory.masks import UniformMasks
    >>> rng = np.random.default_rng(0)
    >>> images = ImageSet(rng.random((20, 1, 4, 4)), np.arange(20) % 2, "noise")
    >>> found = average_over_masks(images, UniformMasks(4, 1), masks=3, k=2, patch=2, factor=1.0)
    >>> len(found.values), round(float(found.values[0]), 9)
    (3, 1.0)
    """
    if neighbours is not None and process_group is not None:
        raise InputError("a graph of nearest neighbours is made by one process: leave out neighbours or process_group")
    checked_labels = run_everywhere(process_group, lambda: _check_arguments(images, labels, law, patch, masks, k))
    drawn = run_everywhere(  # a law that shows no patches is refused
        process_group, lambda: law.sample_mask_pairs(generator(seed, "kernel masks"), masks)
    )  # (m, p), (m, p)
    options: dict[str, Any] = {
        "patch": patch,
        "labels": checked_labels,
        "bandwidth": bandwidth,
        "factor": factor,
        "device": device,
    }
    if neighbours is None:
        options |= {"memory_budget": memory_budget, "scratch_dir": scratch_dir, "process_group": process_group}
    per_mask = []
    for index, (mask, target_mask) in enumerate(zip(*drawn, strict=True)):
        mask_seed = int(generator(seed, "kernel mask", index).integers(2**31))
        graph: KernelGraph | NeighbourGraph
        if neighbours is None:
            graph = kernel_graph(images, mask, target_mask=target_mask, seed=mask_seed, **options)
        else:
            options |= {"target_mask": target_mask, "neighbours": neighbours}
            graph = neighbour_graph(images, mask, seed=mask_seed, **options)
        per_mask.append(summarise_kernel_graph(graph, k, seed=mask_seed))
        del graph  # frees its memory before the next graph allocates
        progress(index + 1, masks, "masks averaged")
    return _average_summaries(per_mask, k, len(checked_labels), drawn)


def mean_over_masks(values: Sequence[Estimate]) -> Estimate:
    """Mean with an error of two standard errors plus the mean rounding error; infinite if one value is.

    Sampled errors of the values are not added: they either appear in the spread over masks or refer to images.

    Examples
    --------
    >>> mean_over_masks([Estimate(1.0), Estimate(2.0), Estimate(3.0)])
    2 ± 1.15 (sampled)
    """
    numbers = np.array([value.value for value in values])
    if not np.isfinite(numbers).all():
        return Estimate(np.inf, sampled=True)
    rounding = float(np.mean([0.0 if value.sampled else value.error for value in values]))
    error = 2 * float(numbers.std(ddof=1)) / np.sqrt(len(numbers))
    return Estimate(float(numbers.mean()), error + rounding, sampled=True)


def _average_summaries(
    per_mask: list[KernelGraphSummary], k: int, n_images: int, drawn: tuple[np.ndarray, np.ndarray]
) -> KernelAverage:
    names = [field.name for field in fields(KernelGraphQuantities) if field.name != "values"]
    means = {name: mean_over_masks([getattr(one, name) for one in per_mask]) for name in names}
    values = tuple(mean_over_masks(column) for column in zip(*(one.values for one in per_mask)))
    masks, target_masks = drawn
    return KernelAverage(
        values=values,
        **means,
        k=k,
        n_images=n_images,
        masks=masks,
        target_masks=target_masks,
        per_mask=tuple(per_mask),
    )


def _pixel_array(images: ImageSet | np.ndarray) -> np.ndarray:
    return images.images if isinstance(images, ImageSet) else np.asarray(images)


def _check_classes(images: ImageSet | np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """Return the checked labels of images, which must be of at least two classes."""
    known = check_image_labels(images, labels)
    if known is None:
        raise InputError(
            "label errors and bounds need labels, but the images were given without; give labels=, one "
            "integer from 0 per image"
        )
    if known.min() == known.max():
        raise InputError(
            f"all {len(known)} images have the label {known[0]}, so no label can be wrong; "
            "give images of at least two classes"
        )
    return known


def _check_arguments(
    images: ImageSet | np.ndarray, labels: np.ndarray | None, law: PredictionLaw, patch: int, masks: int, k: int
) -> np.ndarray:
    """Return the checked labels, or raise InputError if any argument does not fit."""
    known = _check_classes(images, labels)
    n_patches, n = patchify(_pixel_array(images)[:1], patch).shape[1], len(known)
    if law.n_patches != n_patches:
        raise InputError(f"the mask law must cover the {n_patches} patches of an image, but it covers {law.n_patches}")
    if not isinstance(masks, Integral) or masks < 2:
        raise InputError(f"an average over masks needs at least 2 of them to know its error, but masks is {masks}")
    if not isinstance(k, Integral) or not 1 <= k < n:
        raise InputError(f"k must be a whole number from 1 to {n - 1}, one less than the images, but it is {k}")
    return known
